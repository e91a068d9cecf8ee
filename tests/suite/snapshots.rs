//! What refusals look like, byte by byte, and the pages of the manual that show them: files that
//! these tests compare with what the layer says now. `UPDATE_SNAPSHOTS=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::test_util::{Answer, TestClock, TestIssuer, TokenBuilder};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Clock, Disclosure, Enforcement, Entra, FhirAuthLayer, RejectionKind,
    RoleDefinitions, RolePolicy, ScopePolicy, SystemClock, UnixTime,
};

use crate::support::{BASE, NOW, Reply, send};

#[track_caller]
fn is_as_in(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{file} is not what it was; UPDATE_SNAPSHOTS=1 writes it anew:\n{text}"
    );
}

/// A reply as text. What differs from run to run is replaced.
fn shown(reply: &Reply, issuer: &TestIssuer) -> String {
    let mut text = format!("{}\n", reply.status.as_u16());
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    for header in headers {
        writeln!(text, "{header}").unwrap();
    }
    writeln!(text, "\n{}", reply.body).unwrap();
    text.replace(issuer.url(), "https://idp.example.org")
}

async fn every_kind(disclosure: Disclosure) -> String {
    let issuer = TestIssuer::start().await.unwrap();
    let down = TestIssuer::start().await.unwrap();
    down.fail();
    let layer = FhirAuthLayer::builder(BASE)
        .disclosure(disclosure)
        .issuer(issuer.trusted())
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL)
        .clock(TestClock::at(NOW))
        .build()
        .unwrap();
    layer.ready().await;
    let without_keys = FhirAuthLayer::builder(BASE)
        .disclosure(disclosure)
        .issuer(down.trusted())
        .authorizer(ScopePolicy::new())
        .build()
        .unwrap();
    let bearer = |token: TokenBuilder| format!("Bearer {}", token.sign().unwrap());
    let good = || {
        issuer
            .token_at(UnixTime::from_secs(NOW))
            .claim("aud", BASE)
            .claim("scope", "user/Observation.rs")
    };
    let mut text = String::new();
    let requests = [
        (RejectionKind::MissingCredentials, &layer, None),
        (RejectionKind::InvalidRequest, &layer, Some("Bearer a b".to_owned())),
        (RejectionKind::InvalidToken, &layer, Some(bearer(good().claim("aud", "other")))),
        (RejectionKind::ExpiredToken, &layer, Some(bearer(good().claim("exp", 1_000_000_000)))),
        (RejectionKind::Forbidden, &layer, Some(bearer(good()))),
        (RejectionKind::KeysUnavailable, &without_keys, Some(bearer(down.token()))),
    ];
    for (kind, layer, authorization) in requests {
        for (format, header, value) in [
            ("JSON", "accept", "application/fhir+json"),
            ("XML", "accept", "application/fhir+xml"),
            ("gRPC", "content-type", "application/grpc"),
        ] {
            let mut request = Request::get("/r4/Patient/1").header(header, value);
            if let Some(authorization) = &authorization {
                request = request.header("authorization", authorization);
            }
            let reply = send(layer, request).await;
            assert_eq!(reply.kind(), kind);
            if format == "XML" {
                is_an_outcome_in_order(&reply.body);
            } else if format == "JSON" {
                is_an_outcome(&reply.body);
            }
            let shown = shown(&reply, &issuer);
            writeln!(text, "== {} {format}\n{shown}", kind.name()).unwrap();
        }
    }
    text
}

/// Element order and namespaces of OperationOutcome in XML (R4 sections 2.1.5 and 2.27).
fn is_an_outcome_in_order(xml: &str) {
    let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue>";
    let inside = xml.strip_prefix(start).unwrap_or_else(|| panic!("{xml}"));
    let inside = inside.strip_suffix("</issue></OperationOutcome>").unwrap();
    let mut names: Vec<&str> = Vec::new();
    let mut depth = 0;
    for tag in inside.split('<').skip(1) {
        let name = tag.split([' ', '>', '/']).next().unwrap();
        if tag.starts_with('/') {
            depth -= 1;
            continue;
        }
        if depth == 0 {
            names.push(name);
        }
        if !tag.ends_with("/>") {
            depth += 1;
        }
    }
    assert_eq!((depth, names), (0, vec!["severity", "code", "details", "diagnostics"]), "{xml}");
}

/// Members, types and codes of OperationOutcome in JSON (R4 sections 2.6.2 and 2.27): nothing else
/// than the definition has, nothing empty, nothing that is required missing.
fn is_an_outcome(json: &str) {
    /// Those of the value set `issue-type` that a refusal can mean.
    const CODES: [&str; 5] = ["invalid", "login", "expired", "forbidden", "transient"];
    let members = |value: &Value| -> Vec<String> {
        let object = value.as_object().unwrap_or_else(|| panic!("{json}"));
        let mut names: Vec<String> = object.keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let outcome: Value = serde_json::from_str(json).unwrap();
    assert_eq!(members(&outcome), ["issue", "resourceType"], "{json}");
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let [issue] = outcome["issue"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!(members(issue), ["code", "details", "diagnostics", "severity"], "{json}");
    assert_eq!(issue["severity"], "error");
    let code = issue["code"].as_str().unwrap();
    assert!(CODES.contains(&code), "{json}");
    assert!(is_text(&issue["diagnostics"]), "{json}");
    assert_eq!(members(&issue["details"]), ["coding"], "{json}");
    let codings = issue["details"]["coding"].as_array().unwrap();
    assert!(!codings.is_empty(), "{json}");
    for coding in codings {
        assert_eq!(members(coding), ["code", "system"], "{json}");
        assert!(is_text(&coding["code"]) && is_text(&coding["system"]), "{json}");
    }
}

#[tokio::test]
async fn every_kind_in_every_format() {
    for (name, disclosure) in [
        ("minimal", Disclosure::Minimal),
        ("reason", Disclosure::Reason),
        ("full", Disclosure::Full),
    ] {
        let file = format!("tests/suite/snapshots/{name}.txt");
        is_as_in(&file, &every_kind(disclosure).await);
    }
}

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

/// One mistake: its title, what happened, the token, and what is asked with it.
struct Mistake<'a> {
    title: &'static str,
    story: &'static str,
    layer: &'a FhirAuthLayer,
    token: TokenBuilder,
}

/// Ten mistakes that people make, and the answers: the page that `manual::mistakes` shows.
#[tokio::test]
async fn ten_mistakes_and_their_answers() {
    let idp = TestIssuer::start().await.unwrap();
    let (v1, v2) = (
        format!("https://sts.windows.net/{TENANT}/"),
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    );
    for (path, issuer) in [("", &v1), ("/v2.0", &v2)] {
        let document = json!({"issuer": issuer, "jwks_uri": idp.jwks_uri()});
        let path = format!("/{TENANT}{path}/.well-known/openid-configuration");
        idp.answer(&path, Answer::json(&document));
    }
    let policy = || {
        let roles = RolePolicy::new(RoleDefinitions::microsoft());
        AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new())
    };
    let builder =
        || FhirAuthLayer::builder(BASE).authorizer(policy()).handlers_enforce(Enforcement::ALL);
    let plain = builder().issuer(idp.trusted()).build().unwrap();
    let discovery = format!("{}/{TENANT}/v2.0/.well-known/openid-configuration", idp.url());
    let only_v2 = tower_fhir_auth::TrustedIssuer::discover_at(&v2, discovery);
    let only_v2 = builder().issuer(only_v2).build().unwrap();
    let entra = Entra::tenant(TENANT, CLIENT).authority(idp.url()).issuers().unwrap();
    let entra = builder().issuers(entra).build().unwrap();
    for layer in [&plain, &only_v2, &entra] {
        layer.ready().await;
    }
    let token = |issuer: &str, audience: &str| {
        TokenBuilder::new(issuer, Arc::clone(&idp.key()), SystemClock.now())
            .claim("aud", audience)
            .claim("tid", TENANT)
            .claim("azp", "app")
    };
    let good = || token(idp.url(), BASE).claim("scope", "user/Patient.rs");
    let mistakes = [
        Mistake {
            title: "The audience is the client id",
            story: "Entra puts the application id into `aud`; the server knows only its base URL.",
            layer: &only_v2,
            token: token(&v2, CLIENT),
        },
        Mistake {
            title: "A v1 token for a v2 configuration",
            story: "The manifest of the API says version 1, the server trusts the issuer of version 2.",
            layer: &only_v2,
            token: token(&v1, BASE),
        },
        Mistake {
            title: "A trailing slash in the issuer",
            story: "The provider calls itself by another name than the configuration, by one character.",
            layer: &plain,
            token: token(&format!("{}/", idp.url()), BASE),
        },
        Mistake {
            title: "Expired, by a clock that is wrong",
            story: "The token was good when it was issued; one of two clocks is ahead.",
            layer: &plain,
            token: good().claim("iat", 999_999_000).claim("exp", 1_000_000_000),
        },
        Mistake {
            title: "An id token instead of an access token",
            story: "An id token is for the application that signed its user in, not for an API.",
            layer: &plain,
            token: good()
                .claim("aud", "my-app")
                .header("typ", "JWT")
                .claim("nonce", "n-0S6_WzA2Mj")
                .claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ"),
        },
        Mistake {
            title: "A token for Microsoft Graph",
            story: "The application asked for `User.Read`, and got a token for another API.",
            layer: &entra,
            token: token(&v1, "00000003-0000-0000-c000-000000000000").header("nonce", "x"),
        },
        Mistake {
            title: "The app role is missing",
            story: "The application was registered, but no role was assigned to it.",
            layer: &entra,
            token: token(&v2, CLIENT).claim("idtyp", "app"),
        },
        Mistake {
            title: "A scope that Entra spells in another way",
            story: "Entra refuses `/` in a scope; somebody wrote a dash. A dot is what is understood.",
            layer: &entra,
            token: token(&v2, CLIENT).claim("scp", "user-Patient.read"),
        },
        Mistake {
            title: "A patient's scope without a patient",
            story: "The launch context was not asked for (`launch/patient`), so that `patient` is missing.",
            layer: &plain,
            token: good().claim("scope", "patient/Patient.rs"),
        },
        Mistake {
            title: "A token of another tenant",
            story: "The API is registered for several organizations; this one is not among the allowed.",
            layer: &entra,
            token: token(&v2.replace(TENANT, OTHER), CLIENT).claim("tid", OTHER),
        },
    ];
    let mut page = "Ten mistakes that people make, and what the layer answers to each.\n\n\
                    The answers are those of the crate's tests, which fail when they change.\n"
        .to_owned();
    for (number, mistake) in mistakes.into_iter().enumerate() {
        let Mistake { title, story, layer, token } = mistake;
        let header = format!("Bearer {}", token.sign().unwrap());
        let request = || Request::get("/r4/Patient/1").header("authorization", &header);
        let reply = send(layer, request()).await;
        assert!(matches!(reply.status.as_u16(), 401 | 403), "{title}: {}", reply.status);
        let (parts, ()) = request().body(()).unwrap().into_parts();
        let explanation = layer.explain(&parts).await;
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        let diagnostics = body["issue"][0]["diagnostics"].as_str().unwrap();
        write!(page, "\n# {}. {title}\n\n{story}\n\n", number + 1).unwrap();
        let diagnostics = diagnostics.replace(idp.url(), "https://idp.example.org");
        let diagnostics = without_now(&diagnostics);
        writeln!(page, "> {}: {diagnostics}\n", reply.status.as_u16()).unwrap();
        for advice in explanation.failure().unwrap().advice() {
            let text = advice.text.replace(idp.url(), "https://idp.example.org");
            writeln!(page, "- {}: {text}", advice.side.name()).unwrap();
        }
    }
    is_as_in("src/manual/mistakes.md", &page);
}

/// Without the present time, which differs from run to run.
fn without_now(text: &str) -> String {
    match text.split_once("later than ") {
        Some((before, _)) => format!("{before}later than now, less the leeway`"),
        None => text.to_owned(),
    }
}
