//! Layers of tower-http, each on its side of the layer that authenticates.

use std::time::Duration;

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderName, Request, StatusCode};
use tower::ServiceBuilder;
use tower_fhir_auth::test_util::Answer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{Any, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::normalize_path::NormalizePathLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};

use crate::kit::{application, ask, bearer, by_scopes, send, send_with};
use crate::operator_log::OperatorLog;

#[tokio::test]
async fn cors_outside_answers_preflights_and_lets_browsers_read_refusals() {
    let server = by_scopes().await;
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers([AUTHORIZATION, HeaderName::from_static("dpop")])
        .expose_headers([HeaderName::from_static("www-authenticate")]);
    let app = application().layer(server.layer.clone()).layer(cors);
    let preflight = Request::options("/r4/Patient/1")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let answer = send(&app, preflight, None).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    let refused = Request::get("/r4/Patient/1").header("origin", "https://app.example");
    let refused = send(&app, refused, None).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    assert_eq!(refused.header("access-control-expose-headers"), "www-authenticate");
}

/// A layer within would not see what the layer answers by itself.
#[tokio::test]
async fn cors_within_leaves_refusals_unreadable() {
    let server = by_scopes().await;
    let cors = CorsLayer::new().allow_origin(Any).allow_headers(Any);
    let app = application().layer(cors).layer(server.layer.clone());
    let refused = Request::get("/r4/Patient/1").header("origin", "https://app.example");
    let refused = send(&app, refused, None).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, ""));
}

#[tokio::test]
async fn compression_outside_compresses_answers_and_refusals() {
    let server = by_scopes().await;
    let app = application().layer(server.layer.clone()).layer(CompressionLayer::new());
    let token = bearer(&server, "user/*.rs");
    for (credentials, status) in [(Some(token.as_str()), 200), (None, 401)] {
        let request = Request::get("/r4/Observation/1").header("accept-encoding", "gzip");
        let answer = send(&app, request, credentials).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (status, "gzip"));
        assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    }
}

#[tokio::test]
async fn a_timeout_outside_bounds_the_wait_for_a_key_as_well() {
    let server = by_scopes().await;
    server.issuer.answer("/jwks", Answer::hang());
    let limit = Duration::from_millis(100);
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit);
    let app = application().layer(server.layer.clone()).layer(timeout);
    let unknown = server.token().header("kid", "unknown").claim("scope", "user/*.rs");
    let unknown = format!("Bearer {}", unknown.sign().unwrap());
    let begun = std::time::Instant::now();
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&unknown)).await.status, 504);
    assert!(begun.elapsed() < Duration::from_secs(2));
    let good = bearer(&server, "user/*.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&good)).await.brief(), (200, "alice".to_owned()));
}

#[tokio::test]
async fn a_body_limit_within_tells_strangers_nothing_and_callers_413() {
    let server = by_scopes().await;
    let limit = RequestBodyLimitLayer::new(8);
    let app = application().layer(limit).layer(server.layer.clone());
    let token = bearer(&server, "user/*.cruds");
    for (credentials, length, status) in
        [(None, 9, 401), (Some(token.as_str()), 9, 413), (Some(token.as_str()), 8, 200)]
    {
        let request = Request::post("/r4/Patient")
            .header("content-type", "application/fhir+json")
            .header(CONTENT_LENGTH, length);
        let body = Body::from("x".repeat(length));
        let answer = send_with(&app, request, credentials, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
}

#[tokio::test]
async fn sensitive_headers_outermost_keep_tokens_out_of_a_trace_with_headers() {
    let server = by_scopes().await;
    let sensitive = [AUTHORIZATION, HeaderName::from_static("dpop")];
    let span = DefaultMakeSpan::new().include_headers(true).level(tracing::Level::INFO);
    let layers = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new(sensitive))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(server.layer.clone());
    let app = application().layer(layers);
    let log = OperatorLog::start();
    let token = bearer(&server, "user/*.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    let text = log.text();
    assert!(text.contains("Sensitive"), "the headers are in the trace: {text}");
    assert!(!text.contains(token.strip_prefix("Bearer ").unwrap()), "{text}");
}

#[tokio::test]
async fn a_request_id_set_outside_is_in_the_audit_trail_and_on_refusals() {
    let server = by_scopes().await;
    let layers = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(server.layer.clone());
    let app = application().layer(layers);
    let log = OperatorLog::start();
    let token = bearer(&server, "user/*.rs");
    let answer = ask(&app, "/r4/Patient/1", Some(&token)).await;
    let id = answer.header("x-request-id").to_owned();
    assert_eq!((answer.status, id.len()), (200, 36));
    assert!(log.text().contains(&format!("request_id=\"{id}\"")), "{}", log.text());
    let refused = ask(&app, "/r4/Patient/1", None).await;
    assert_eq!((refused.status, refused.header("x-request-id").len()), (401, 36));
}

#[tokio::test]
async fn a_handler_that_panics_is_500_and_the_layer_goes_on() {
    let server = by_scopes().await;
    let app = application().layer(server.layer.clone()).layer(CatchPanicLayer::new());
    let token = bearer(&server, "user/*.rs");
    assert_eq!(ask(&app, "/r4/Device/1", Some(&token)).await.status, 500);
    assert_eq!(ask(&app, "/r4/Device/1", None).await.status, 401);
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
}

/// What is judged has to be what the router sees: a path is only normalised before it is judged.
#[tokio::test]
async fn a_path_is_normalised_outside_before_it_is_judged() {
    use axum::Router;
    use tower::Layer;
    let server = by_scopes().await;
    let guarded = application().layer(server.layer.clone());
    let token = bearer(&server, "user/*.rs");
    let refused = ask(&guarded, "/r4/Patient/1/", Some(&token)).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("slash"), "{}", refused.text());
    // Around the router, not on it: axum looks for the route before it calls layers.
    let normalised = NormalizePathLayer::trim_trailing_slash().layer(guarded);
    let app = Router::new().fallback_service(normalised);
    assert_eq!(ask(&app, "/r4/Patient/1/", Some(&token)).await.brief(), (200, "alice".to_owned()));
    assert_eq!(ask(&app, "/r4/Patient/1/", None).await.status, 401);
    // Within, it changes nothing for whoever was refused.
    let within = NormalizePathLayer::trim_trailing_slash().layer(application());
    let app = Router::new().fallback_service(server.layer.layer(within));
    assert_eq!(ask(&app, "/r4/Patient/1/", Some(&token)).await.status, 403);
}
