//! Advice to the server is followed to the letter, on a file: what was refused is let in as far as its
//! scopes say, and of 300 requests none that was let in before is refused.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use http::Request;
use serde_json::json;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Side;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};

use crate::advice_property::matrix::MATRIX;
use crate::support::{BASE, NOW, send};

const ISSUER: &str = "https://idp.example.org";
const OTHER: &str = "https://other.example.org";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const V1: &str = "https://sts.windows.net/11111111-2222-3333-4444-555555555555/";
const V2: &str = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";

/// A provider whose keys are in a file.
struct Provider {
    keys: [Arc<SigningKey>; 2],
    folder: tempfile::TempDir,
}

impl Provider {
    fn new() -> Self {
        let key = |kid: &str, algorithm| Arc::new(SigningKey::generate(kid, algorithm).unwrap());
        let keys = [key("p256", Algorithm::Es256), key("p384", Algorithm::Es384)];
        let folder = tempfile::tempdir().unwrap();
        let set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()});
        fs::write(folder.path().join("keys.json"), set.to_string()).unwrap();
        Self { keys, folder }
    }

    /// A token with nothing wrong.
    fn token(&self, issuer: &str, audience: &str) -> TokenBuilder {
        let [key, _] = &self.keys;
        let token = TokenBuilder::new(issuer, Arc::clone(key), UnixTime::from_secs(NOW));
        let scopes = "user/Patient.r user/Observation.rs system/Encounter.s";
        token.claim("aud", audience).claim("azp", "app").claim("tid", TENANT).claim("scp", scopes)
    }

    /// The layer of a file with these issuers.
    async fn layer(&self, issuers: &str) -> FhirAuthLayer {
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n{}",
            issuers.replace("[[issuers]]", "[[issuers]]\njwks_file = \"keys.json\"",)
        );
        let file = self.folder.path().join("auth.toml");
        fs::write(&file, text).unwrap();
        let config = Config::from_file(&file).unwrap_or_else(|error| panic!("{issuers}: {error}"));
        let policy = config.policy().unwrap();
        let builder = config.layer(policy).unwrap();
        let layer = builder.clock(TestClock::at(NOW)).build().unwrap();
        layer.ready().await;
        layer
    }
}

/// The status of a request, and what the server is advised.
async fn ask(layer: &FhirAuthLayer, token: TokenBuilder) -> (u16, Vec<String>) {
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = || Request::get("/r4/Patient/1").header("authorization", &bearer);
    let (parts, ()) = request().body(()).unwrap().into_parts();
    let explanation = layer.explain(&parts).await;
    let advice = explanation.failure().map(|finding| finding.advice()).unwrap_or_default();
    let server = advice.into_iter().filter(|one| one.side == Side::Server);
    (send(layer, request()).await.status.as_u16(), server.map(|one| one.text).collect())
}

/// Those of 300 requests that a token may make.
async fn allowed(layer: &FhirAuthLayer, token: TokenBuilder) -> BTreeSet<usize> {
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let mut allowed = BTreeSet::new();
    for (place, row) in MATRIX.iter().enumerate() {
        let request = Request::builder().method(row.method).uri(format!("/r4{}", row.path));
        if send(layer, request.header("authorization", &bearer)).await.status == 200 {
            allowed.insert(place);
        }
    }
    allowed
}

/// What was let in before, what was refused, what the advice says, and the file before and after
/// somebody did that.
struct Case {
    good: TokenBuilder,
    refused: TokenBuilder,
    advice: &'static str,
    before: String,
    after: String,
}

/// One issuer with these lines, before and after.
fn plain(before: &str, after: &str) -> (String, String) {
    let file = |lines: &str| format!("[[issuers]]\nissuer = \"{ISSUER}\"\n{lines}\n");
    (file(before), file(after))
}

fn entra(before: &str, after: &str) -> (String, String) {
    let preset =
        format!("[[issuers]]\nentra.tenant = \"{TENANT}\"\nentra.client_id = \"{CLIENT}\"\n");
    (format!("{preset}{before}\n"), format!("{preset}{after}\n"))
}

async fn follow(provider: &Provider, cases: Vec<Case>) {
    for Case { good, refused, advice, before, after } in cases {
        let layer = provider.layer(&before).await;
        let worked = allowed(&layer, good.clone()).await;
        assert!(
            (10..100).contains(&worked.len()),
            "{advice}: {} before, in {before}",
            worked.len()
        );
        assert_eq!(allowed(&layer, refused.clone()).await.len(), 0, "{advice}");
        let (status, given) = ask(&layer, refused.clone()).await;
        assert_eq!(status, 401, "{advice}");
        assert!(given.iter().any(|text| text == advice), "{advice}\nis not in {given:#?}");
        let layer = provider.layer(&after).await;
        let (status, given) = ask(&layer, refused.clone()).await;
        assert_eq!(status, 200, "{advice}: followed in {after}: {given:#?}");
        // It may do what its scopes say, and whoever worked before does as before.
        assert_eq!(allowed(&layer, refused).await, worked, "{advice}: in {after}");
        assert_eq!(allowed(&layer, good).await, worked, "{advice}: in {after}");
    }
}

#[tokio::test]
async fn advice_on_audiences_adds_to_what_is_accepted() {
    let provider = Provider::new();
    let good = || provider.token(ISSUER, BASE);
    let case = |good: TokenBuilder, refused, advice, (before, after): (String, String)| Case {
        good,
        refused,
        advice,
        before,
        after,
    };
    let beside_base = "add `api://fhir` to `audiences` beside `https://fhir.example.org/r4`, if it \
                       names this API and not an application that calls it";
    let uri = "add `https://fhir.example.org/r4` to `entra.identifier_uris`, if it names this API \
               and not an application that calls it";
    follow(&provider, vec![
        // While `audiences` is not set, the base URL is accepted: it goes on to be.
        case(
            good(),
            provider.token(ISSUER, "api://fhir"),
            beside_base,
            plain("", "audiences = [\"https://fhir.example.org/r4\", \"api://fhir\"]"),
        ),
        case(
            good(),
            provider.token(ISSUER, "api://fhir"),
            beside_base,
            plain(
                "audience_match = \"url\"",
                "audience_match = \"url\"\naudiences = [\"https://fhir.example.org/r4\", \"api://fhir\"]",
            ),
        ),
        case(
            provider.token(V2, CLIENT),
            provider.token(V1, BASE),
            uri,
            entra("", "entra.identifier_uris = [\"https://fhir.example.org/r4\"]"),
        ),
        case(
            provider.token(V1, "api://one"),
            provider.token(V1, BASE),
            uri,
            entra(
                "entra.identifier_uris = [\"api://one\"]",
                "entra.identifier_uris = [\"api://one\", \"https://fhir.example.org/r4\"]",
            ),
        ),
        // Identifier URIs count for version 1.0 alone; `audiences` adds to the preset's.
        case(
            provider.token(V1, CLIENT),
            provider.token(V2, "api://fhir"),
            "add `api://fhir` to `audiences` beside `66666666-7777-8888-9999-000000000000`, if it \
             names this API and not an application that calls it",
            entra("", "audiences = [\"api://fhir\"]"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn advice_on_issuers_types_algorithms_and_claims_takes_nothing_away() {
    let provider = Provider::new();
    let good = || provider.token(ISSUER, BASE);
    let [_, p384] = &provider.keys;
    let case = |refused, advice, (before, after): (String, String)| Case {
        good: good(),
        refused,
        advice,
        before,
        after,
    };
    let (plain_file, _) = plain("", "");
    let both = format!("{plain_file}[[issuers]]\nissuer = \"{OTHER}\"\n");
    let v2 = format!("[[issuers]]\nissuer = \"{V2}\"\naudiences = [\"{CLIENT}\"]\n");
    let (preset, _) = entra("", "");
    let beside = |issuer: &str| format!("{both}[[issuers]]\nissuer = \"{issuer}\"\n");
    let with_slash = beside("https://third.example.org/");
    let without = beside("https://third.example.org");
    follow(&provider, vec![
        case(
            provider.token(OTHER, BASE),
            "add an issuer `https://other.example.org`, if its tokens are to be accepted",
            (plain_file.clone(), both.clone()),
        ),
        case(
            provider.token("https://third.example.org", BASE),
            "set `issuer` to `https://third.example.org`: it is compared letter by letter",
            (with_slash, without),
        ),
        Case {
            good: provider.token(V2, CLIENT),
            refused: provider.token(V1, CLIENT),
            advice: "trust both versions of the tenant's tokens with `entra.tenant` and \
                     `entra.client_id`",
            before: v2,
            after: preset,
        },
        case(
            good().header("typ", "access"),
            "add the type to `token_types`, if the provider's access tokens have it; where that is \
             not set, beside `at+jwt`, `JWT` and the empty string",
            plain("", "token_types = [\"at+jwt\", \"JWT\", \"\", \"access\"]"),
        ),
        case(
            good().header("alg", "ES384").header("kid", "p384").signed_by(Arc::clone(p384)),
            "add the algorithm to `algorithms`, if the provider is to use it",
            plain("algorithms = [\"ES256\"]", "algorithms = [\"ES256\", \"ES384\"]"),
        ),
        case(
            good().without("sub"),
            "leave the claim out of `required_claims`, if nothing depends on it",
            plain("", "required_claims = []"),
        ),
        case(
            good().claim("client_id", "other").claim("azp", "other"),
            "add the application to `clients`, if it may call this API",
            plain("clients = [\"app\"]", "clients = [\"app\", \"other\"]"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn advice_on_times_takes_nothing_away() {
    let provider = Provider::new();
    let good = || provider.token(ISSUER, BASE);
    let case = |refused, advice, (before, after): (String, String)| Case {
        good: good(),
        refused,
        advice,
        before,
        after,
    };
    let leeway = "set the clock, or allow for more skew with `leeway`";
    follow(
        &provider,
        vec![
            case(good().claim("nbf", NOW + 600), leeway, plain("", "leeway = \"10m\"")),
            case(good().claim("iat", NOW + 90), leeway, plain("", "leeway = \"90s\"")),
            case(
                good().claim("iat", NOW - 7200),
                "allow for older tokens with `max_token_age`",
                plain("max_token_age = \"1h\"", "max_token_age = \"2h\""),
            ),
            case(
                good().without("iat"),
                "leave `max_token_age` out, if the age of tokens does not matter",
                plain("max_token_age = \"1h\"", ""),
            ),
        ],
    )
    .await;
}

/// Where no setting would let a token in, none is named.
#[tokio::test]
async fn no_setting_is_advised_that_cannot_help() {
    let provider = Provider::new();
    let layer = provider.layer(&plain("", "").0).await;
    let good = || provider.token(ISSUER, BASE);
    for (case, token, setting) in [
        ("an algorithm that is not known", good().header("alg", "ES256K"), "`algorithms`"),
        ("no algorithm", good().header("alg", "none"), "`algorithms`"),
        ("a skew of more than ten minutes", good().claim("nbf", NOW + 601), "`leeway`"),
        ("the type of an ID token", good().header("typ", "id+jwt"), "`token_types`"),
        ("no `exp`", good().without("exp"), "`required_claims`"),
        ("no `aud`", good().without("aud"), "`audiences`"),
    ] {
        let (status, given) = ask(&layer, token).await;
        assert_eq!(status, 401, "{case}");
        assert!(!given.iter().any(|text| text.contains(setting)), "{case}: {given:#?}");
    }
}

/// A trailing slash more or less is seen whichever issuer it is that is meant.
#[tokio::test]
async fn the_issuer_that_is_meant_is_named_among_several() {
    let provider = Provider::new();
    let (one, _) = plain("", "");
    let layer = provider.layer(&format!("{one}[[issuers]]\nissuer = \"{OTHER}/\"\n")).await;
    for (iss, advice) in [
        (OTHER.to_owned(), "set `issuer` to `https://other.example.org`"),
        (format!("{ISSUER}/"), "set `issuer` to `https://idp.example.org/`"),
    ] {
        let (_, given) = ask(&layer, provider.token(&iss, BASE)).await;
        assert!(given.iter().any(|text| text.starts_with(advice)), "{iss}: {given:#?}");
    }
}
