//! Nothing that is said anywhere has a piece of the token in it, or of a claim that is not shown.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use http::Request;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tokio::runtime::Runtime;
use tower_fhir_auth::rejection::Disclosure;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, RoleDefinitions, RolePolicy, ScopePolicy,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::Server;

/// How long a piece is that must not be seen.
const PIECE: usize = 12;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    // One thread, so that its subscriber hears all that is said.
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
});

static SERVERS: LazyLock<Vec<Server>> = LazyLock::new(|| {
    let start = |disclosure| {
        let roles = RolePolicy::new(RoleDefinitions::microsoft());
        let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new());
        RUNTIME.block_on(Server::build(
            tower_fhir_auth::jose::Algorithm::Es256,
            |issuer| issuer.clients(["app"]).required_claims(["sub", "jti"]),
            |layer| {
                let layer = layer.authorizer(policy).handlers_enforce(Enforcement::ALL);
                layer.disclosure(disclosure)
            },
        ))
    };
    [Disclosure::Minimal, Disclosure::Reason, Disclosure::Full].map(start).into()
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What a caller has wrong, if anything.
const FAULTS: [&str; 13] = [
    "none",
    "aud",
    "exp",
    "nbf",
    "iss",
    "alg",
    "typ",
    "kid",
    "signature",
    "cnf",
    "client",
    "jti",
    "shape",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_said_has_a_piece_of_the_token_or_of_a_hidden_claim(
        secret in "[a-z0-9]{30}",
        fault in select(FAULTS.to_vec()),
        scope in select(vec!["", "user/*.rs", "patient/*.rs", "user/Patient.sr", "openid"]),
        path in select(vec!["/r4/Patient/1", "/r4/Patient/2", "/r4/Observation?subject.name=x", "/r4/x//y"]),
        which in 0..3_usize,
    ) {
        let server = &SERVERS[which];
        let secrets: Vec<String> = (0..9).map(|n| format!("{n}{secret}")).collect();
        let token = server
            .token()
            .claim("sub", secrets[0].as_str())
            .claim("jti", secrets[1].as_str())
            .claim("fhirUser", format!("Practitioner/{}", secrets[2]))
            .claim("patient", secrets[3].as_str())
            .claim("groups", json!([secrets[4]]))
            .claim("oid", secrets[5].as_str())
            .claim("email", secrets[6].as_str())
            .claim("acr", json!({"deep": secrets[7]}))
            .claim("scope", scope);
        let token = match fault {
            "aud" => token.claim("aud", "other"),
            "exp" => token.claim("exp", 1),
            "nbf" => token.claim("nbf", crate::support::NOW + 1000),
            "iss" => token.claim("iss", "https://other.example.org"),
            "alg" => token.header("alg", "RS256"),
            "typ" => token.header("typ", "other"),
            "kid" => token.header("kid", "other"),
            "cnf" => token.claim("cnf", json!({"jkt": secrets[8]})),
            "client" => token.claim("client_id", secrets[8].as_str()),
            "jti" => token.claim("jti", json!([secrets[8]])),
            _ => token,
        };
        let mut token = token.sign().unwrap();
        match fault {
            "signature" => token.replace_range(token.len() - 4.., "AAAA"),
            "shape" => token = token.replace('.', "-"),
            _ => {}
        }
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .finish();
        crate::operator_log::hear_of_every_event();
        let said = tracing::subscriber::with_default(subscriber, || {
            RUNTIME.block_on(async {
                let request = || {
                    Request::get(path).header("authorization", format!("Bearer {token}"))
                };
                let reply = server.send(request()).await;
                let (parts, ()) = request().body(()).unwrap().into_parts();
                let explanation = server.layer.explain(&parts).await;
                // The verdict is the layer's, whatever was generated.
                assert_eq!(explanation.is_accepted(), reply.status == 200, "{explanation}");
                format!(
                    "{reply:?}\n{explanation}\n{explanation:?}\n{}\n{:?}",
                    serde_json::json!(explanation),
                    server.layer
                )
            })
        });
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        prop_assert!(fault == "none" || logged.contains("request refused"), "{fault}: {logged}");
        // Who did it is what the audit trail is for: subject and patient, and nothing else.
        let (trail, events): (Vec<&str>, Vec<&str>) =
            logged.lines().partition(|line| line.contains("tower_fhir_auth::audit"));
        for (index, hidden) in secrets.iter().enumerate() {
            let is_of_trail = [0, 3].contains(&index);
            prop_assert!(is_of_trail || !trail.join("\n").contains(hidden.as_str()), "{trail:?}");
        }
        let said = format!("{said}\n{}", events.join("\n"));
        for hidden in secrets.iter().chain([&token]) {
            for piece in hidden.as_bytes().windows(PIECE) {
                let piece = std::str::from_utf8(piece).unwrap();
                prop_assert!(!said.contains(piece), "`{piece}` with fault {fault} in\n{said}");
            }
        }
    }
}

/// Contract section 3: what looks like a token is not logged, at any level up to debug, and no
/// line is longer than 2 KiB.
#[tokio::test]
async fn no_log_holds_a_token_of_a_path_query_or_claim_and_no_line_is_long() {
    let server = Server::start().await;
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    crate::operator_log::hear_of_every_event();
    let _guard = tracing::subscriber::set_default(subscriber);
    let token = server.token().sign().unwrap();
    let encoded = token.replace('.', "%2E");
    let claimed = server.token().claim("aud", &*token).sign().unwrap();
    let long = format!("/r4/Patient/{}", "x".repeat(60_000));
    let many = "x".repeat(30);
    let audiences: Vec<String> = (0..100).map(|n| format!("{many}{n}")).collect();
    let audiences = server.token().claim("aud", audiences).sign().unwrap();
    for (path, token) in [
        (&*format!("/r4/Patient/{token}"), "x"),
        (&*format!("/r4/Patient/{encoded}/x"), "x"),
        (&*format!("/r4/Patient/1?access_token={token}"), ""),
        ("/r4/Patient/1", &*claimed),
        ("/r4/Patient/1", &*audiences),
        (&*long, "x"),
    ] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let _ = server.send(request).await;
    }
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let refusals = written.lines().filter(|line| line.contains("request refused")).count();
    assert!(refusals >= 5, "{written}");
    let payload = token.split('.').nth(1).unwrap();
    assert!(!written.contains(payload), "{written}");
    let longest = written.lines().map(str::len).max();
    assert!(longest < Some(2048), "{longest:?}");
}
