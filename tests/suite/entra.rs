//! Microsoft Entra ID, emulated on loopback as its documentation describes it: one authority for all
//! tenants of a cloud, two versions of metadata, one key set whose entries name their issuers.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{CallerKind, Clock, EntraCloud, SystemClock};
use tower_fhir_auth::authorization::Assignments;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer, TokenBuilder};
use tower_fhir_auth::{
    AudiencePolicy, BuildError, Entra, FhirAuthLayer, RoleDefinitions, RolePolicy, ScopePolicy,
    authenticated,
};

use crate::support::{BASE, Reply, send};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-55555555555a";
pub(crate) const OTHER: &str = "22222222-2222-3333-4444-55555555555b";
const STRANGER: &str = "33333333-2222-3333-4444-55555555555c";
/// Personal accounts.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
pub(crate) const APPLICATION: &str = "66666666-7777-8888-9999-000000000000";
pub(crate) const URI: &str = "https://fhir.example.org/identifier";

const CLOUDS: [(EntraCloud, &str, &str, &str); 3] = [
    (EntraCloud::Global, "sts.windows.net", "login.microsoftonline.com", "microsoftonline.com"),
    (EntraCloud::UsGovernment, "sts.windows.net", "login.microsoftonline.us", "microsoftonline.us"),
    (
        EntraCloud::China,
        "sts.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "partner.microsoftonline.cn",
    ),
];

/// The authority of a cloud, with the keys of its shared set by their names.
pub(crate) struct Cloud {
    pub(crate) server: TestIssuer,
    pub(crate) shared: Arc<SigningKey>,
    pub(crate) fixed: Arc<SigningKey>,
    consumers: Arc<SigningKey>,
    pub(crate) elsewhere: Arc<SigningKey>,
    v1: &'static str,
    v2: &'static str,
}

impl Cloud {
    pub(crate) async fn start(which: EntraCloud) -> Self {
        let (_, v1, v2, instance) = CLOUDS.into_iter().find(|(cloud, ..)| *cloud == which).unwrap();
        let server = TestIssuer::start().await.unwrap();
        let key = |kid: &str| Arc::new(SigningKey::generate(kid, Algorithm::Es256).unwrap());
        let (shared, fixed) = (key("shared"), key("fixed"));
        let (consumers, elsewhere) = (key("consumers"), key("elsewhere"));
        let template = format!("https://{v2}/{{tenantid}}/v2.0");
        let entry = |key: &SigningKey, further: Value| {
            let mut jwk = key.jwk();
            jwk.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
            jwk
        };
        let keys = json!({"keys": [
            entry(&shared, json!({"issuer": template, "cloud_instance_name": instance})),
            entry(&fixed, json!({"issuer": format!("https://{v2}/{OTHER}/v2.0")})),
            entry(&consumers, json!({"issuer": format!("https://{v2}/{CONSUMERS}/v2.0")})),
            entry(&elsewhere, json!({"issuer": template, "cloud_instance_name": "elsewhere"})),
        ]});
        let keys_at = "/common/discovery/keys";
        server.answer(keys_at, Answer::json(&keys));
        let document = |path: &str, issuer: String| {
            let document = json!({
                "issuer": issuer,
                "jwks_uri": format!("{}{keys_at}", server.url()),
                "token_endpoint": format!("{}/token", server.url()),
            });
            let path = format!("/{path}/.well-known/openid-configuration");
            server.answer(&path, Answer::json(&document));
        };
        for (endpoint, tenant) in
            [(TENANT, TENANT), (OTHER, OTHER), ("organizations", "{tenantid}")]
        {
            document(endpoint, format!("https://{v1}/{tenant}/"));
            document(&format!("{endpoint}/v2.0"), format!("https://{v2}/{tenant}/v2.0"));
        }
        Self { server, shared, fixed, consumers, elsewhere, v1, v2 }
    }

    async fn layer(&self, entra: Entra) -> FhirAuthLayer {
        self.layer_with(entra, authenticated()).await
    }

    async fn layer_with(
        &self,
        entra: Entra,
        rule: impl tower_fhir_auth::Authorizer,
    ) -> FhirAuthLayer {
        let entra = entra.authority(self.server.url());
        let layer = FhirAuthLayer::builder(BASE).entra(entra).authorizer(rule);
        let layer = layer.build().unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(10), layer.ready()).await.unwrap();
        layer
    }

    pub(crate) fn issuer(&self, version: u8, tenant: &str) -> String {
        match version {
            1 => format!("https://{}/{tenant}/", self.v1),
            _ => format!("https://{}/{tenant}/v2.0", self.v2),
        }
    }

    /// A good token of a version.
    pub(crate) fn token(&self, version: u8, tenant: &str, audience: &str) -> TokenBuilder {
        let issuer = self.issuer(version, tenant);
        let client = if version == 1 { "appid" } else { "azp" };
        TokenBuilder::new(&issuer, Arc::clone(&self.shared), SystemClock.now())
            .without("client_id")
            .header("typ", "JWT")
            .claim(client, "44444444-0000-0000-0000-000000000001")
            .claim("ver", format!("{version}.0"))
            .claim("tid", tenant)
            .claim("oid", "00000000-aaaa-bbbb-cccc-000000000001")
            .claim("aud", audience)
    }
}

pub(crate) async fn ask(layer: &FhirAuthLayer, token: TokenBuilder) -> Reply {
    let token = token.sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    send(layer, request).await
}

fn entra() -> Entra {
    Entra::tenant(TENANT, APPLICATION).identifier_uri(URI)
}

#[tokio::test]
async fn every_version_audience_tenant_cloud_and_kind_of_caller() {
    for (which, ..) in CLOUDS {
        let cloud = Cloud::start(which).await;
        let one = cloud.layer(entra().cloud(which)).await;
        let several = Entra::tenants([TENANT, OTHER], APPLICATION).identifier_uri(URI);
        let several = cloud.layer(several.cloud(which)).await;
        for (layer, allowed) in [(&one, &[TENANT][..]), (&several, &[TENANT, OTHER])] {
            for version in [1, 2] {
                for (audience, by_version) in [
                    (APPLICATION.to_owned(), [true, true]),
                    (format!("api://{APPLICATION}"), [true, false]),
                    (URI.to_owned(), [true, false]),
                    (BASE.to_owned(), [false, false]),
                    ("00000003-0000-0000-c000-000000000000".to_owned(), [false, false]),
                ] {
                    for tenant in [TENANT, OTHER, STRANGER] {
                        for (claims, kind) in [
                            (json!({"idtyp": "app"}), CallerKind::Application),
                            (json!({"roles": ["globalReader"]}), CallerKind::Application),
                            (json!({"roles": ["globalReader"], "scp": "a"}), CallerKind::User),
                            (json!({"idtyp": "user", "scp": "a"}), CallerKind::User),
                            (json!({}), CallerKind::User),
                        ] {
                            let mut token = cloud.token(version, tenant, &audience);
                            for (name, value) in claims.as_object().unwrap() {
                                token = token.claim(name, value.clone());
                            }
                            let reply = ask(layer, token).await;
                            let version_fits = by_version[usize::from(version - 1)];
                            let expected = version_fits && allowed.contains(&tenant);
                            let case = format!("{which} v{version} {audience} {tenant} {claims}");
                            assert_eq!(reply.status == 200, expected, "{case}: {}", reply.body);
                            if let Some(principal) = reply.principal {
                                assert_eq!(principal.kind(), kind, "{case}");
                                assert_eq!(principal.tenant_id(), Some(tenant));
                                assert!(principal.object_id().is_some());
                            }
                        }
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_keys_of_a_cloud_are_loaded_once_a_version_for_all_its_tenants() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(Entra::tenants([TENANT, OTHER], APPLICATION)).await;
    let health = layer.health();
    assert_eq!(health.len(), 2, "{health:?}");
    assert!(health.iter().all(|one| one.issuer.contains("{tenantid}") && one.keys == 4));
}

#[tokio::test]
async fn a_key_of_one_tenant_or_cloud_verifies_no_other_token() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(Entra::tenants([TENANT, OTHER], APPLICATION)).await;
    for (key, tenant, admitted) in [
        (&cloud.shared, TENANT, true),
        (&cloud.shared, OTHER, true),
        (&cloud.fixed, OTHER, true),
        (&cloud.fixed, TENANT, false),
        (&cloud.consumers, TENANT, false),
        (&cloud.consumers, OTHER, false),
        (&cloud.elsewhere, TENANT, false),
    ] {
        for version in [1, 2] {
            let token = cloud.token(version, tenant, APPLICATION).header("kid", key.kid());
            let reply = ask(&layer, token.signed_by(Arc::clone(key))).await;
            if admitted {
                reply.is_let_in();
            } else {
                reply.is_refused_by(Check::Key, "belongs to another issuer");
            }
            // Without a name, a foreign key is not tried either.
            let token = cloud.token(version, tenant, APPLICATION).without_header("kid");
            let reply = ask(&layer, token.signed_by(Arc::clone(key))).await;
            assert_eq!(reply.status == 200, admitted, "{} {tenant}", key.kid());
        }
    }
}

#[tokio::test]
async fn a_token_without_kid_waits_for_the_key_of_its_tenant_where_only_others_have_one() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let of = |key: &SigningKey, tenant: &str| {
        let mut jwk = key.jwk();
        jwk["issuer"] = format!("https://{}/{tenant}/v2.0", cloud.v2).into();
        jwk
    };
    let publish = |keys: Value| {
        cloud.server.answer("/common/discovery/keys", Answer::json(&json!({ "keys": keys })));
    };
    publish(json!([of(&cloud.fixed, OTHER)]));
    let layer = cloud.layer(entra()).await;
    publish(json!([of(&cloud.fixed, OTHER), of(&cloud.shared, TENANT)]));
    let token = cloud.token(2, TENANT, APPLICATION).without_header("kid");
    ask(&layer, token).await.is_let_in();
}

#[tokio::test]
async fn the_tenant_is_said_once_and_is_that_of_the_issuer() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(Entra::tenants([TENANT, OTHER], APPLICATION)).await;
    let token = || cloud.token(2, TENANT, APPLICATION);
    ask(&layer, token()).await.is_let_in();
    ask(&layer, token().claim("tid", TENANT.to_uppercase())).await.is_let_in();
    for (wrong, words) in [
        (token().claim("tid", OTHER), "not the tenant"),
        (token().claim("tid", "contoso"), "not the tenant"),
        (token().claim("tid", json!([TENANT])), "missing"),
        (token().without("tid"), "missing"),
        (token().claim("TID", OTHER), "more than once"),
    ] {
        ask(&layer, wrong).await.is_refused_by(Check::Tenant, words);
    }
    // A template is nobody's issuer.
    let template = token().claim("iss", format!("https://{}/{{tenantid}}/v2.0", cloud.v2));
    ask(&layer, template).await.is_refused_by(Check::Issuer, "not a trusted issuer");
}

#[tokio::test]
async fn an_id_token_of_the_application_is_refused_and_its_audience_never_advised() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(entra()).await;
    for version in [1, 2] {
        let id_token = || {
            cloud
                .token(version, TENANT, APPLICATION)
                .without("azp")
                .without("appid")
                .claim("nonce", "n-0S6_WzA2Mj")
                .claim("roles", json!(["globalReader"]))
        };
        for (token, admitted) in [
            (id_token(), false),
            (id_token().claim("azp", json!(null)), false),
            (id_token().claim("client_id", "an-app"), false),
            (id_token().claim("aud", "another"), false),
            (id_token().claim("azp", "an-app"), true),
            (id_token().claim("appid", "an-app"), true),
        ] {
            let reply = ask(&layer, token).await;
            if admitted {
                reply.is_let_in();
            } else {
                reply.is_refused_by(Check::TokenKind, "ID token");
            }
        }
    }
}

#[tokio::test]
async fn the_tenant_is_judged_before_the_audience_and_after_the_kind() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(entra()).await;
    let token = || cloud.token(2, TENANT, "another").claim("tid", OTHER);
    ask(&layer, token()).await.is_refused_by(Check::Tenant, "`tid`");
    ask(&layer, token().claim("at_hash", "x")).await.is_refused_by(Check::TokenKind, "ID token");
}

#[tokio::test]
async fn tokens_for_microsofts_own_apis_are_refused_with_that_explanation() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer(entra()).await;
    let token = cloud.token(1, TENANT, "00000003-0000-0000-c000-000000000000");
    let reply = ask(&layer, token.header("nonce", "x")).await;
    reply.is_refused_by(Check::Signature, "Microsoft Graph");
}

#[tokio::test]
async fn app_roles_and_delegated_scopes_grant_and_a_token_with_neither_does_not() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let oid = "00000000-aaaa-bbbb-cccc-000000000001";
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let assigned = roles.clone().assignments(Assignments::new().assign(
        cloud.issuer(2, TENANT),
        oid,
        ["globalReader"],
    ));
    let rule = |roles| {
        use tower_fhir_auth::{AccessMode, AccessPolicy};
        AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new())
    };
    let plain = cloud.layer_with(entra(), rule(roles)).await;
    let local = cloud.layer_with(entra(), rule(assigned)).await;
    for (claims, expected, by_assignment) in [
        (json!({}), 403, 200),
        (json!({"roles": ["globalReader"]}), 200, 200),
        (json!({"scp": "user.Patient.read"}), 200, 200),
        (json!({"scp": "openid profile"}), 403, 200),
        // Only app roles can be spelled as the standard has it.
        (json!({"roles": ["system/Patient.r"]}), 200, 200),
        (json!({"roles": ["system/Observation.r"]}), 403, 200),
        (json!({"upn": oid, "oid": "another"}), 403, 403),
        (json!({"email": oid, "preferred_username": oid, "oid": "another"}), 403, 403),
        (json!({"azp": oid, "oid": "another"}), 403, 403),
    ] {
        let token = || {
            let claims = claims.as_object().unwrap().clone();
            let token = cloud.token(2, TENANT, APPLICATION);
            claims.into_iter().fold(token, |token, (name, value)| token.claim(&name, value))
        };
        assert_eq!(ask(&plain, token()).await.status.as_u16(), expected, "{claims}");
        assert_eq!(ask(&local, token()).await.status.as_u16(), by_assignment, "{claims}");
    }
}

#[tokio::test]
async fn groups_that_do_not_fit_the_token_are_unknown_and_not_none() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let issuer = cloud.issuer(2, TENANT);
    let assignments = Assignments::new().assign(issuer, "readers", ["globalReader"]);
    let roles = RolePolicy::new(RoleDefinitions::microsoft()).assignments(assignments);
    let layer = cloud.layer_with(entra(), roles).await;
    let token = || cloud.token(2, TENANT, APPLICATION);
    ask(&layer, token().claim("groups", json!(["readers"]))).await.is_let_in();
    let none = ask(&layer, token()).await;
    assert_eq!(none.status, 403);
    assert!(!none.body.contains("groups"), "{}", none.body);
    for overage in [
        token().claim("_claim_names", json!({"groups": "src1"})).claim("_claim_sources", json!({})),
        token().claim("hasgroups", true),
        token().claim("hasgroups", "true"),
    ] {
        let reply = ask(&layer, overage).await;
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains("does not list the groups"), "{}", reply.body);
    }
    // Where nothing is assigned to callers of the issuer, groups are not what is missing.
    let elsewhere = Assignments::new().assign("https://other.test", "readers", ["globalReader"]);
    for assignments in [None, Some(elsewhere)] {
        let roles = RolePolicy::new(RoleDefinitions::microsoft());
        let roles = match assignments {
            Some(assignments) => roles.assignments(assignments),
            None => roles,
        };
        let layer = cloud.layer_with(entra(), roles).await;
        let reply = ask(&layer, token().claim("hasgroups", true)).await;
        assert!(reply.status == 403 && !reply.body.contains("groups"), "{}", reply.body);
    }
}

/// The thread that this crate began with: a FHIR server that knows its base URL alone answers 401
/// to a good token of Entra, whose audience is the application id. Here the answer says so, and one
/// line mends it.
#[tokio::test]
async fn the_audience_is_the_client_id_and_the_server_knows_only_its_base_url() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let config = |audiences: &str| {
        format!(
            "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\ndiscovery = \"{}/{TENANT}/v2.0/.well-known/openid-configuration\"\n{audiences}",
            cloud.issuer(2, TENANT),
            cloud.server.url(),
        )
    };
    let token = || cloud.token(2, TENANT, APPLICATION);
    for (audiences, expected) in
        [(String::new(), 401), (format!("audiences = [\"{BASE}\", \"{APPLICATION}\"]\n"), 200)]
    {
        let config = Config::from_toml(&config(&audiences)).unwrap();
        let layer = config.layer(authenticated()).unwrap().build().unwrap();
        layer.ready().await;
        let reply = ask(&layer, token()).await;
        assert_eq!(reply.status.as_u16(), expected, "{}", reply.body);
        if expected == 401 {
            for side in [APPLICATION, BASE, "`aud`"] {
                assert!(reply.body.contains(side), "{side} in {}", reply.body);
                let challenge = reply.challenge();
                assert!(challenge.contains(side.trim_matches('`')), "{side} in {challenge}");
            }
        }
    }
}

/// What Azure calls `smartIdentityProviders`.
#[tokio::test]
async fn an_external_provider_has_its_clients_its_audience_and_its_limits() {
    use tower_fhir_auth::authorization::{DataAction, IssuerLimits};
    use tower_fhir_auth::{AudiencePolicy, Authorizer};
    let issuer = TestIssuer::start().await.unwrap();
    let provider = issuer
        .trusted()
        .clients(["an-app"])
        .audience(AudiencePolicy::exact(["api"]))
        .required_claims(["sub", "fhirUser"]);
    let limits = IssuerLimits::new().allow(issuer.url(), [DataAction::Read]);
    let rule = ScopePolicy::new().and(limits);
    let layer = FhirAuthLayer::builder(BASE).issuer(provider).authorizer(rule).build().unwrap();
    layer.ready().await;
    let token = || {
        issuer
            .token()
            .claim("aud", "api")
            .claim("client_id", "an-app")
            .claim("fhirUser", "https://fhir.example.org/r4/Practitioner/1")
            .claim("scp", "user.all.all")
    };
    let ask = async |method: &str, token: TokenBuilder| {
        let request = Request::builder().method(method).uri("/r4/Patient/1");
        let token = format!("Bearer {}", token.sign().unwrap());
        send(&layer, request.header("authorization", token)).await
    };
    assert_eq!(ask("GET", token()).await.status, 200);
    assert_eq!(ask("PUT", token()).await.status, 403);
    assert_eq!(ask("GET", token().claim("client_id", "other")).await.status, 401);
    assert_eq!(ask("GET", token().claim("aud", BASE)).await.status, 401);
    assert_eq!(ask("GET", token().without("fhirUser")).await.status, 401);
    let b2c = token().without("fhirUser").claim("extension_fhirUser", "Practitioner/1");
    assert_eq!(ask("GET", b2c.clone()).await.status, 200);
    assert_eq!(ask("GET", b2c.without("sub")).await.status, 401, "it stands for `fhirUser` alone");
}

/// InterSystems compares the audience with the base URL after normalising both, one or several.
#[tokio::test]
async fn an_audience_that_is_the_base_url_has_several_spellings() {
    let issuer = TestIssuer::start().await.unwrap();
    let text = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\naudience_match = \"url\"\n\
         audiences = [\"{BASE}\", \"{APPLICATION}\"]\n",
        issuer.url()
    );
    let config = Config::from_toml(&text).unwrap();
    let layer = config.layer(authenticated()).unwrap().build().unwrap();
    layer.ready().await;
    for (audience, expected) in [
        (json!(BASE), 200),
        (json!("HTTPS://FHIR.example.org:443/r4/"), 200),
        (json!(["https://other.example.org", "https://fhir.example.org/r4/"]), 200),
        (json!(APPLICATION), 200),
        (json!("https://fhir.example.org/R4"), 401),
        (json!(""), 401),
    ] {
        let reply = ask(&layer, issuer.token().claim("aud", audience.clone())).await;
        assert_eq!(reply.status.as_u16(), expected, "{audience}");
    }
}

/// The object id of the callers of [`Cloud::token`].
const OID: &str = "00000000-aaaa-bbbb-cccc-000000000001";

/// The lines of the file for one tenant.
fn one_tenant() -> String {
    format!("entra.tenant = \"{TENANT}\"\nentra.client_id = \"{APPLICATION}\"")
}

/// The lines of the file for several organizations.
fn tenants(allowed: &[&str]) -> String {
    format!(
        "entra.tenant = \"organizations\"\nentra.client_id = \"{APPLICATION}\"\n\
         entra.allowed_tenants = {allowed:?}"
    )
}

/// A role for one key of `assign`.
fn assigned(key: &str) -> String {
    format!("assign = {{ \"{key}\" = [\"globalReader\"] }}")
}

impl Cloud {
    /// A file with one block for this cloud.
    fn file(&self, issuer: &str, assign: &str) -> Result<Config, String> {
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"roles\"\n[[issuers]]\n{issuer}\n\
             entra.authority = \"{}\"\n{assign}\n\
             [roles]\ndefinitions = \"../examples/fhir_server/roles.json\"\n",
            self.server.url()
        );
        Config::from_toml(&text).map_err(|error| error.to_string())
    }

    /// The layer of such a file.
    async fn layer_of(&self, issuer: &str, assign: &str) -> FhirAuthLayer {
        let config = self.file(issuer, assign).unwrap();
        let policy = config.policy().unwrap();
        let layer = config.layer(policy).unwrap().build().unwrap();
        layer.ready().await;
        layer
    }
}

#[tokio::test]
async fn one_block_of_the_file_is_enough() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = cloud.layer_of(&one_tenant(), &assigned(OID)).await;
    for (version, tenant, expected) in [(1, TENANT, 200), (2, TENANT, 200), (2, OTHER, 401)] {
        let reply = ask(&layer, cloud.token(version, tenant, APPLICATION)).await;
        assert_eq!(reply.status.as_u16(), expected, "v{version} {tenant}: {}", reply.body);
    }
    let urls =
        format!("{}\nentra.identifier_uris = [\"{URI}\"]\naudience_match = \"url\"", one_tenant());
    let layer = cloud.layer_of(&urls, &assigned(OID)).await;
    ask(&layer, cloud.token(1, TENANT, &format!("{URI}/"))).await.is_let_in();
    // What the preset says can be said otherwise.
    let narrowed = format!("{}\naudiences = [\"{URI}\"]\nclients = [\"nobody\"]", one_tenant());
    let layer = cloud.layer_of(&narrowed, "").await;
    ask(&layer, cloud.token(1, TENANT, URI)).await.is_refused_by(Check::Client, "is not allowed");
}

#[tokio::test]
async fn an_id_is_assigned_roles_with_its_tenant_where_there_are_several() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    // Of one tenant it may be said with or without, also where the address is a template.
    for issuer in [one_tenant(), tenants(&[TENANT])] {
        for key in [OID.to_owned(), format!("{TENANT}/{OID}")] {
            let layer = cloud.layer_of(&issuer, &assigned(&key)).await;
            let reply = ask(&layer, cloud.token(2, TENANT, APPLICATION)).await;
            assert_eq!(reply.status, 200, "{issuer} {key}: {}", reply.body);
        }
        let error = cloud.file(&issuer, &assigned(&format!("{STRANGER}/{OID}"))).unwrap_err();
        assert!(error.contains("with an allowed tenant"), "{error}");
    }
    // Of several tenants an id says nothing without its tenant.
    let several = tenants(&[TENANT, OTHER]);
    let layer = cloud.layer_of(&several, &assigned(&format!("{OTHER}/{OID}"))).await;
    for (version, tenant, expected) in
        [(1, OTHER, 200), (2, OTHER, 200), (2, TENANT, 403), (1, STRANGER, 401)]
    {
        let reply = ask(&layer, cloud.token(version, tenant, APPLICATION)).await;
        assert_eq!(reply.status.as_u16(), expected, "v{version} {tenant}: {}", reply.body);
    }
}

#[tokio::test]
async fn mistakes_in_the_block_are_told_with_their_key() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let (one, several) = (one_tenant(), tenants(&[TENANT, OTHER]));
    for (issuer, assign, words) in [
        (one.replace(TENANT, "contoso.com"), "", "entra.tenant: expected a tenant id (GUID)"),
        (one.replace(APPLICATION, "my-app"), "", "entra.client_id: expected the API's"),
        (several.replace(OTHER, "x"), "", "entra.allowed_tenants[1]: expected a tenant id"),
        (several.replace(OTHER, TENANT), "", "expected each tenant once"),
        // A list beside one tenant can only exclude it.
        (
            format!("{one}\nentra.allowed_tenants = [\"{OTHER}\"]"),
            "",
            "entra.allowed_tenants: expected `tenant` to be one of",
        ),
        (several.clone(), OID, "assign: expected `<tid>/<id>`"),
        (several, &format!("{STRANGER}/{OID}"), "with an allowed tenant"),
        (format!("{one}\n[[issuers]]\n{one}"), "", "expected each issuer once"),
    ] {
        let assign = if assign.is_empty() { String::new() } else { assigned(assign) };
        let error = cloud.file(&issuer, &assign).unwrap_err();
        assert!(error.contains(words), "no `{words}` in {error}");
    }
}

#[test]
fn the_first_preset_that_cannot_be_right_is_the_error_at_start() {
    let bad = |tenant: &str| Entra::tenant(tenant, APPLICATION);
    let layer = FhirAuthLayer::builder(BASE)
        .entra(bad("contoso.com"))
        .entra(bad("contoso.org"))
        .authorizer(authenticated());
    let error = layer.build().unwrap_err();
    assert!(matches!(&error, BuildError::Entra { found, .. } if found == "contoso.com"), "{error}");
}

#[test]
fn no_audience_at_all_is_an_error_and_not_that_of_the_preset() {
    let nobody: [&str; 0] = [];
    let issuers = Entra::tenant(TENANT, APPLICATION).issuers().unwrap();
    let issuers = issuers.into_iter().map(|issuer| issuer.audience(AudiencePolicy::exact(nobody)));
    let layer = FhirAuthLayer::builder(BASE).issuers(issuers).authorizer(authenticated());
    let _runtime = tokio::runtime::Runtime::new().unwrap();
    let _guard = _runtime.enter();
    assert!(layer.build().is_err());
}
