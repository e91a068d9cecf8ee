//! Pages of the manual that are written from what the layer answers: `UPDATE_SNAPSHOTS=1` writes them
//! anew.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::test_util::{Answer, TestIssuer, TokenBuilder};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, Entra, FhirAuthLayer, FhirAuthLayerBuilder,
    RoleDefinitions, RolePolicy, ScopePolicy, TrustedIssuer,
};

use crate::snapshots::is_as_in;
use crate::support::{BASE, send};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// Who is asked, and how it is configured.
#[derive(Clone, Copy, Debug)]
enum Trust {
    /// The provider by its own name.
    Plain,
    /// A tenant of Entra by its name of version 2.0.
    OnlyV2,
    /// The preset for Entra.
    Preset,
}

/// One mistake: its title, what happened, whom the token is sent to, and the token.
type Mistake = (&'static str, &'static str, Trust, fn(&Tokens<'_>) -> TokenBuilder);

const MISTAKES: [Mistake; 10] = [
    (
        "The audience is the client id",
        "Entra puts the application id into `aud`; the server knows only its base URL.",
        Trust::OnlyV2,
        |of| of.v2(CLIENT),
    ),
    (
        "A v1 token for a v2 configuration",
        "The manifest of the API says version 1, the server trusts the issuer of version 2.",
        Trust::OnlyV2,
        |of| of.v1(BASE),
    ),
    (
        "A trailing slash in the issuer",
        "The provider calls itself by another name than the configuration, by one character.",
        Trust::Plain,
        |of| of.issued(&format!("{}/", of.idp.url()), BASE),
    ),
    (
        "Expired, by a clock that is wrong",
        "The token was good when it was issued; one of two clocks is ahead.",
        Trust::Plain,
        |of| of.good().claim("iat", 999_999_000).claim("exp", 1_000_000_000),
    ),
    (
        "An id token instead of an access token",
        "An id token is for the application that signed its user in, not for an API.",
        Trust::Plain,
        |of| {
            let token = of.good().claim("aud", "my-app").header("typ", "JWT");
            token.claim("nonce", "n-0S6_WzA2Mj").claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ")
        },
    ),
    (
        "A token for Microsoft Graph",
        "The application asked for `User.Read`, and got a token for another API.",
        Trust::Preset,
        |of| of.v1(GRAPH).header("nonce", "x"),
    ),
    (
        "The app role is missing",
        "The application was registered, but no role was assigned to it.",
        Trust::Preset,
        |of| of.v2(CLIENT).claim("idtyp", "app"),
    ),
    (
        "A scope that Entra spells in another way",
        "Entra refuses `/` in a scope; somebody wrote a dash. A dot is what is understood.",
        Trust::Preset,
        |of| of.v2(CLIENT).claim("scp", "user-Patient.read"),
    ),
    (
        "A patient's scope without a patient",
        "The launch context was not asked for (`launch/patient`), so that `patient` is missing.",
        Trust::Plain,
        |of| of.good().claim("scope", "patient/Patient.rs"),
    ),
    (
        "A token of another tenant",
        "The API is registered for several organizations; this one is not among the allowed.",
        Trust::Preset,
        |of| of.issued(&v2_of(OTHER), CLIENT).claim("tid", OTHER),
    ),
];

/// Tokens of a provider that has several names.
struct Tokens<'a> {
    idp: &'a TestIssuer,
}

impl Tokens<'_> {
    fn issued(&self, issuer: &str, audience: &str) -> TokenBuilder {
        TokenBuilder::new(issuer, Arc::clone(&self.idp.key()), SystemClock.now())
            .claim("aud", audience)
            .claim("tid", TENANT)
            .claim("azp", "app")
    }

    fn v1(&self, audience: &str) -> TokenBuilder {
        self.issued(&v1_of(TENANT), audience)
    }

    fn v2(&self, audience: &str) -> TokenBuilder {
        self.issued(&v2_of(TENANT), audience)
    }

    fn good(&self) -> TokenBuilder {
        self.issued(self.idp.url(), BASE).claim("scope", "user/Patient.rs")
    }
}

fn v1_of(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

fn v2_of(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

async fn layer(trust: Trust, idp: &TestIssuer) -> FhirAuthLayer {
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new());
    let builder: FhirAuthLayerBuilder =
        FhirAuthLayer::builder(BASE).authorizer(policy).handlers_enforce(Enforcement::ALL);
    let layer = match trust {
        Trust::Plain => builder.issuer(idp.trusted()),
        Trust::OnlyV2 => {
            let document = format!("{}{}", idp.url(), discovery("/v2.0"));
            builder.issuer(TrustedIssuer::discover_at(v2_of(TENANT), document))
        }
        Trust::Preset => {
            builder.issuers(Entra::tenant(TENANT, CLIENT).authority(idp.url()).issuers().unwrap())
        }
    };
    let layer = layer.build().unwrap();
    layer.ready().await;
    layer
}

fn discovery(version: &str) -> String {
    format!("/{TENANT}{version}/.well-known/openid-configuration")
}

/// Ten mistakes that people make, and the answers: the page that `manual::mistakes` shows.
#[tokio::test]
async fn ten_mistakes_and_their_answers() {
    let idp = TestIssuer::start().await.unwrap();
    for (version, issuer) in [("", v1_of(TENANT)), ("/v2.0", v2_of(TENANT))] {
        let document = json!({"issuer": issuer, "jwks_uri": idp.jwks_uri()});
        idp.answer(&discovery(version), Answer::json(&document));
    }
    let mut page = "Ten mistakes that people make, and what the layer answers to each.\n\n\
                    The answers are those of the crate's tests, which fail when they change.\n"
        .to_owned();
    for (number, (title, story, trust, token)) in MISTAKES.into_iter().enumerate() {
        let token = token(&Tokens { idp: &idp });
        write!(page, "\n# {}. {title}\n\n{story}\n\n", number + 1).unwrap();
        page.push_str(&answer(&layer(trust, &idp).await, token, title).await);
    }
    let page = page.replace(idp.url(), "https://idp.example.org");
    is_as_in("src/manual/mistakes.md", &page);
}

/// What the client is told, and what to change on which side.
async fn answer(layer: &FhirAuthLayer, token: TokenBuilder, title: &str) -> String {
    let header = format!("Bearer {}", token.sign().unwrap());
    let request = || Request::get("/r4/Patient/1").header("authorization", &header);
    let reply = send(layer, request()).await;
    assert!(matches!(reply.status.as_u16(), 401 | 403), "{title}: {}", reply.status);
    let (parts, ()) = request().body(()).unwrap().into_parts();
    let explanation = layer.explain(&parts).await;
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let diagnostics = without_now(body["issue"][0]["diagnostics"].as_str().unwrap());
    let mut text = format!("> {}: {diagnostics}\n\n", reply.status.as_u16());
    for advice in explanation.failure().unwrap().advice() {
        writeln!(text, "- {}: {}", advice.side.name(), advice.text).unwrap();
    }
    text
}

/// Without the present time, which differs from run to run.
fn without_now(text: &str) -> String {
    match text.split_once("later than ") {
        Some((before, _)) => format!("{before}later than now, less the leeway`"),
        None => text.to_owned(),
    }
}

#[test]
fn every_path_that_the_documents_name_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut checked = 0;
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "src/manual/threats.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        for path in text.split('`').skip(1).step_by(2) {
            let folders = ["src/", "tests/", "benches/", "examples/", "fhir-auth/", ".ci/"];
            if folders.iter().any(|folder| path.starts_with(folder)) && !path.contains(' ') {
                assert!(root.join(path).exists(), "{page} names `{path}`");
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "only {checked} paths were found");
}
