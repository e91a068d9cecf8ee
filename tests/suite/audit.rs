//! The audit trail, and what layers outside learn of the caller.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::middleware::request_span;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{Access, Enforcement, Principal, Rejection, ScopePolicy, require_role};
use tracing::Instrument;

use crate::operator_log::OperatorLog;
use crate::support::{Reply, Server};

const TARGET: &str = "tower_fhir_auth::audit";

async fn server(names_callers: bool) -> Server {
    let algorithm = tower_fhir_auth::jose::Algorithm::Es256;
    Server::build(
        algorithm,
        |issuer| issuer,
        |layer| {
            layer
                .authorizer(ScopePolicy::new())
                .handlers_enforce(Enforcement::ALL)
                .callers_in_responses(names_callers)
        },
    )
    .await
}

fn confined(server: &Server) -> TokenBuilder {
    server.token().claim("scope", "patient/Observation.rs").claim("patient", "p-1")
}

async fn ask(server: &Server, token: TokenBuilder, request: http::request::Builder) -> Reply {
    let credentials = format!("Bearer {}", token.sign().unwrap());
    server.send(request.header("authorization", credentials)).await
}

/// Asks with a service that answers with no extensions of its own.
async fn answered(server: &Server, token: TokenBuilder, path: &str) -> Response<()> {
    let inner = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let request = Request::get(path)
        .header("authorization", format!("Bearer {}", token.sign().unwrap()))
        .body(Full::new(Bytes::new()));
    let response = server.layer.layer(inner).oneshot(request.unwrap()).await.unwrap();
    response.map(|_| ())
}

/// The key of the token had to be loaded first.
#[tokio::test]
async fn a_caller_who_had_to_wait_is_named_in_the_response_too() {
    for (names_callers, expected) in [(true, Some("alice")), (false, None)] {
        let server = server(names_callers).await;
        server.issuer.rotate().unwrap();
        let response = answered(&server, confined(&server), "/r4/Observation/o-7").await;
        assert_eq!(response.status(), 200);
        let caller = response.extensions().get::<Principal>();
        assert_eq!(caller.and_then(Principal::subject), expected);
        assert_eq!(response.extensions().get::<Access>().is_some(), names_callers);
    }
}

#[tokio::test]
async fn each_request_that_is_let_in_is_one_event_with_caller_interaction_and_rule() {
    let server = server(false).await;
    let log = OperatorLog::start();
    let request = Request::get("/r4/Observation/o-7").header("x-request-id", "r-1");
    assert_eq!(ask(&server, confined(&server), request).await.status, 200);
    assert_eq!(log.lines("INFO", TARGET), 1, "{}", log.text());
    let text = log.text();
    let issuer = format!("iss=\"{}\"", server.issuer.url());
    for part in [
        "verdict=\"granted\"",
        "request_id=\"r-1\"",
        &issuer,
        "sub=\"alice\"",
        "client=\"app\"",
        "patient=\"p-1\"",
        "interaction=\"read\"",
        "resource_type=\"Observation\"",
        "id=\"o-7\"",
        "patient/Observation.rs",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
}

#[tokio::test]
async fn a_caller_who_is_refused_is_one_event_too() {
    let server = server(false).await;
    let log = OperatorLog::start();
    let request = Request::delete("/r4/Observation/o-7");
    assert_eq!(ask(&server, confined(&server), request).await.status, 403);
    assert_eq!(log.lines("INFO", TARGET), 1, "{}", log.text());
    for part in
        ["verdict=\"refused\"", "sub=\"alice\"", "interaction=\"delete\"", "rule=\"forbidden\""]
    {
        assert!(log.text().contains(part), "`{part}` is not in {}", log.text());
    }
}

#[tokio::test]
async fn what_a_route_requires_beside_is_in_the_trail() {
    let server = server(false).await;
    let inner = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let guarded = server.layer.layer(server.layer.require(require_role("admin")).layer(inner));
    let token = confined(&server).sign().unwrap();
    let log = OperatorLog::start();
    let request =
        Request::get("/r4/Observation/o-7").header("authorization", format!("Bearer {token}"));
    let response = guarded.oneshot(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(response.status(), 403);
    let refused = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(refused.caller().and_then(Principal::subject), Some("alice"));
    assert_eq!(log.lines(TARGET, "verdict=\"refused\""), 1, "{}", log.text());
}

#[tokio::test]
async fn no_query_no_other_claim_and_no_token_is_in_the_trail() {
    let server = server(false).await;
    let log = OperatorLog::start();
    let token = confined(&server).claim("diagnosis", "of-a-secret-kind");
    let inside = token.clone().sign().unwrap();
    let request =
        Request::get("/r4/Observation?code=of-a-secret-kind").header("x-request-id", inside);
    assert_eq!(ask(&server, token, request).await.status, 200);
    assert_eq!(log.lines("INFO", TARGET), 1);
    assert!(!log.text().contains("of-a-secret-kind"), "{}", log.text());
    assert!(log.text().contains("(token)"), "{}", log.text());
    assert!(log.text().lines().all(|line| line.len() <= 2048));
}

#[tokio::test]
async fn strangers_and_public_paths_leave_nothing_in_the_trail() {
    let server = server(false).await;
    let log = OperatorLog::start();
    assert_eq!(server.send(Request::get("/r4/Observation/o-7")).await.status, 401);
    assert_eq!(server.send(Request::get("/r4/metadata")).await.status, 200);
    assert_eq!(log.lines("", TARGET), 0, "{}", log.text());
}

#[tokio::test]
async fn a_layer_outside_finds_caller_and_rule_in_the_response_where_that_is_asked_for() {
    for is_asked in [false, true] {
        let server = server(is_asked).await;
        let response = answered(&server, confined(&server), "/r4/Observation/o-7").await;
        let caller = response.extensions().get::<Principal>().and_then(Principal::subject);
        assert_eq!(caller, is_asked.then_some("alice"));
        let rule =
            response.extensions().get::<Access>().map(|access| access.granted_by().to_string());
        assert_eq!(rule.is_some_and(|rule| rule.contains("patient/Observation.rs")), is_asked);
    }
}

#[tokio::test]
async fn a_layer_outside_finds_who_was_refused() {
    let server = server(false).await;
    let response = answered(&server, confined(&server), "/r4/Patient/other").await;
    let refused = response.extensions().get::<Rejection>().unwrap();
    assert_eq!(refused.caller().and_then(Principal::subject), Some("alice"));
    let nobody = server.send(Request::get("/r4/Patient/1")).await;
    assert!(nobody.rejection.unwrap().caller().is_none());
}

#[tokio::test]
async fn the_span_around_the_layer_tells_whether_something_was_granted() {
    let server = server(false).await;
    for (path, verdict) in [("/r4/Observation/o-7", "granted"), ("/r4/metadata", "open")] {
        let log = OperatorLog::start();
        let span = request_span(&Request::get(path).body(()).unwrap());
        let asked = ask(&server, confined(&server), Request::get(path));
        assert_eq!(asked.instrument(span.clone()).await.status, 200, "{path}");
        tracing::info!(parent: &span, "answered");
        let told = format!("fhir_auth.verdict=\"{verdict}\"");
        assert_eq!(log.lines("answered", &told), 1, "{}", log.text());
    }
}
