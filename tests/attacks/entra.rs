//! Tokens and keys of other tenants and clouds of Microsoft Entra ID, and tokens for other APIs.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer, TokenBuilder};
use tower_fhir_auth::{Entra, FhirAuthLayer, authenticated};

use crate::kit::{Attack, Pair, Refused, Row, row, table};
use crate::support::{BASE, Reply, send};

const TENANT: &str = "11111111-2222-3333-4444-55555555555a";
const OTHER: &str = "22222222-2222-3333-4444-55555555555b";
const STRANGER: &str = "33333333-2222-3333-4444-55555555555c";
/// Personal accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const APPLICATION: &str = "66666666-7777-8888-9999-000000000000";

/// A cloud that two tenants are trusted of.
struct Cloud {
    shared: Arc<SigningKey>,
    others: Vec<Arc<SigningKey>>,
    layer: FhirAuthLayer,
    _server: TestIssuer,
}

impl Cloud {
    async fn start() -> Self {
        let server = TestIssuer::start().await.unwrap();
        let key = |kid: &str| Arc::new(SigningKey::generate(kid, Algorithm::Es256).unwrap());
        let shared = key("shared");
        let named = |key: &SigningKey, issuer: &str, cloud: &str| {
            let mut jwk = key.jwk();
            jwk["issuer"] = issuer.into();
            jwk["cloud_instance_name"] = cloud.into();
            jwk
        };
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
        let of = |tenant: &str| template.replace("{tenantid}", tenant);
        let home = "microsoftonline.com";
        let others = ["fixed", "consumers", "elsewhere", "stranger"].map(key);
        let [fixed, consumers, elsewhere, stranger] = &others;
        let keys = json!({"keys": [
            named(&shared, template, home),
            named(fixed, &of(OTHER), home),
            named(consumers, &of(CONSUMERS), home),
            named(elsewhere, template, "microsoftonline.us"),
            named(stranger, "https://evil.example", home),
        ]});
        server.answer("/keys", Answer::json(&keys));
        for (path, issuer) in [("", "https://sts.windows.net/{tenantid}/"), ("/v2.0", template)] {
            let jwks_uri = format!("{}/keys", server.url());
            let document: Value = json!({"issuer": issuer, "jwks_uri": jwks_uri});
            let path = format!("/organizations{path}/.well-known/openid-configuration");
            server.answer(&path, Answer::json(&document));
        }
        let entra = Entra::tenants([TENANT, OTHER], APPLICATION).authority(server.url());
        let layer = FhirAuthLayer::builder(BASE).entra(entra).authorizer(authenticated());
        let layer = layer.build().unwrap();
        layer.ready().await;
        Self { shared, others: others.into(), layer, _server: server }
    }

    fn of_version(&self, version: u8, tenant: &str) -> TokenBuilder {
        let (issuer, client) = match version {
            1 => (format!("https://sts.windows.net/{tenant}/"), "appid"),
            _ => (format!("https://login.microsoftonline.com/{tenant}/v2.0"), "azp"),
        };
        TokenBuilder::new(&issuer, Arc::clone(&self.shared), SystemClock.now())
            .without("client_id")
            .header("typ", "JWT")
            .claim(client, "44444444-0000-0000-0000-000000000001")
            .claim("ver", format!("{version}.0"))
            .claim("tid", tenant)
            .claim("aud", APPLICATION)
    }

    /// A token of version 2.0.
    fn token(&self) -> TokenBuilder {
        self.of_version(2, TENANT)
    }

    /// A token by one of the other keys.
    fn by(&self, place: usize, version: u8) -> TokenBuilder {
        let key = Arc::clone(&self.others[place]);
        self.of_version(version, TENANT).header("kid", key.kid()).signed_by(key)
    }
}

type Make = fn(&Cloud) -> TokenBuilder;

async fn ask(cloud: &Cloud, make: Make) -> Reply {
    bearer(&cloud.layer, make(cloud)).await
}

async fn bearer(layer: &FhirAuthLayer, token: TokenBuilder) -> Reply {
    let bearer = format!("Bearer {}", token.sign().unwrap());
    send(layer, Request::get("/r4/Patient/1").header("authorization", bearer)).await
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = table(keys().into_iter().chain(tenants()), Cloud::start, ask);
    attacks.push(key_without_a_kid());
    attacks
}

fn keys() -> Vec<Row<Make>> {
    const FOREIGN: Refused = Refused::Token(Check::Key, "belongs to another issuer");
    let storm = "Storm-0558";
    let v1: Make = |c| c.of_version(1, TENANT);
    let v2: Make = Cloud::token;
    vec![
        row("a key of consumers", storm, v2, |c| c.by(1, 2), FOREIGN),
        row("a key of consumers, version 1.0", storm, v1, |c| c.by(1, 1), FOREIGN),
        row("a key of one other tenant", storm, v2, |c| c.by(0, 2), FOREIGN),
        row("a key of one other tenant, version 1.0", storm, v1, |c| c.by(0, 1), FOREIGN),
        row("a key of another cloud", storm, v2, |c| c.by(2, 2), FOREIGN),
        row("a key of another issuer", storm, v2, |c| c.by(3, 2), FOREIGN),
    ]
}

fn tenants() -> Vec<Row<Make>> {
    const ISSUER: Refused = Refused::Token(Check::Issuer, "`iss` is not a trusted issuer");
    const MISMATCH: Refused = Refused::Token(Check::Tenant, "`tid` is not the tenant");
    const MISSING: Refused = Refused::Token(Check::Tenant, "`tid` is required but missing");
    const AUDIENCE: Refused = Refused::Token(Check::Audience, "`aud` does not name this server");
    const KIND: Refused = Refused::Token(Check::TokenKind, "an ID token of Microsoft Entra ID");
    const GRAPH: Refused = Refused::Token(Check::Signature, "this is a token for Microsoft Graph");
    let tenant = "CVE-2025-55241, CVE-2026-24899, CVE-2026-23518";
    let good: Make = Cloud::token;
    let v1: Make = |c| c.of_version(1, TENANT);
    let against =
        |name, reference, attack: Make, refused| row(name, reference, good, attack, refused);
    vec![
        against("another tenant", tenant, |c| c.of_version(2, STRANGER), ISSUER),
        row("another tenant, version 1.0", tenant, v1, |c| c.of_version(1, STRANGER), ISSUER),
        against(
            "a tenant in iss and another in tid",
            tenant,
            |c| c.token().claim("tid", OTHER),
            MISMATCH,
        ),
        against(
            "a tenant by its domain",
            tenant,
            |c| c.token().claim("tid", "contoso.com"),
            MISMATCH,
        ),
        against("no tenant", tenant, |c| c.token().without("tid"), MISSING),
        against("a list of tenants", tenant, |c| c.token().claim("tid", json!([TENANT])), MISSING),
        against(
            "tenants in two cases",
            tenant,
            |c| c.token().claim("TID", OTHER),
            Refused::Token(Check::Tenant, "differing in case"),
        ),
        against(
            "the template as issuer",
            tenant,
            |c| c.token().claim("iss", "https://login.microsoftonline.com/{tenantid}/v2.0"),
            ISSUER,
        ),
        against(
            "common as issuer",
            tenant,
            |c| c.token().claim("iss", "https://login.microsoftonline.com/common/v2.0"),
            ISSUER,
        ),
        against(
            "another cloud as issuer",
            tenant,
            |c| c.token().claim("iss", format!("https://login.microsoftonline.us/{TENANT}/v2.0")),
            ISSUER,
        ),
        row(
            "version 1.0 without its slash",
            tenant,
            v1,
            |c| c.of_version(1, TENANT).claim("iss", format!("https://sts.windows.net/{TENANT}")),
            ISSUER,
        ),
        against(
            "the tenant in the path of an evil issuer",
            tenant,
            |c| c.token().claim("iss", format!("https://evil.example/{TENANT}/v2.0")),
            ISSUER,
        ),
        against("a token for Graph", "CVE-2025-55241", |c| c.token().header("nonce", "x"), GRAPH),
        against(
            "the audience of Graph",
            "CVE-2025-55241",
            |c| c.token().claim("aud", "00000003-0000-0000-c000-000000000000"),
            AUDIENCE,
        ),
        against(
            "an audience of version 1.0 in version 2.0",
            "RFC 9068 section 4",
            |c| c.token().claim("aud", format!("api://{APPLICATION}")),
            AUDIENCE,
        ),
        against(
            "an audience and its slash",
            "RFC 9068 section 4",
            |c| c.token().claim("aud", format!("{APPLICATION}/")),
            AUDIENCE,
        ),
        against("an ID token", "RFC 8725 section 3.12", |c| c.token().without("azp"), KIND),
        row(
            "an ID token of version 1.0",
            "RFC 8725 section 3.12",
            v1,
            |c| c.of_version(1, TENANT).without("appid"),
            KIND,
        ),
    ]
}

/// Without `kid` a key of another tenant is not tried either.
fn key_without_a_kid() -> Attack {
    Attack::new("a key of consumers without kid", "Storm-0558", || async {
        let cloud = Cloud::start().await;
        let twin = bearer(&cloud.layer, cloud.token().without_header("kid")).await;
        let attack = bearer(&cloud.layer, cloud.by(1, 2).without_header("kid")).await;
        Pair::new(twin, attack, Refused::Token(Check::Signature, "the signature does not verify"))
    })
}
