//! The span around the layer, once the layer has decided; and events at the level that servers have.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use serde_json::json;
use tower_fhir_auth::middleware::{SPAN_FIELDS, request_span};
use tower_fhir_auth::{Access, Principal, authenticated, require_role};
use tower_http::trace::TraceLayer;

use crate::kit::{application, ask, bearer, by_scopes, send};
use crate::operator_log::OperatorLog;
use crate::support::Server;

fn traced(server: &Server, app: Router) -> Router {
    let trace = TraceLayer::new_for_http().make_span_with(request_span::<Body>);
    app.layer(server.layer.clone()).layer(trace)
}

/// The line that tower-http writes when the response is there, with the fields of the span.
fn last_line(log: &OperatorLog) -> String {
    let text = log.text();
    let mut lines = text.lines().filter(|line| line.contains("finished processing request"));
    lines.next_back().unwrap_or_else(|| panic!("no response in {text}")).to_owned()
}

#[track_caller]
fn has(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in {line}");
    }
}

#[tokio::test]
async fn the_span_outside_knows_caller_interaction_and_verdict() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1?x=of-a-secret", Some(&token)).await.status, 200);
    let line = last_line(&log);
    let issuer = format!("fhir_auth.issuer=\"{}\"", server.issuer.url());
    has(
        &line,
        &[
            "http.request.method=\"GET\"",
            "url.path=\"/r4/Patient/1\"",
            "fhir_auth.verdict=\"granted\"",
            &issuer,
            "enduser.id=\"alice\"",
            "fhir_auth.client=\"app\"",
            "fhir_auth.interaction=\"read\"",
            "fhir_auth.resource_type=\"Patient\"",
            "user/Patient.rs",
        ],
    );
    assert!(!log.text().contains("of-a-secret\""), "{}", log.text());
    assert!(!log.text().contains(token.strip_prefix("Bearer ").unwrap()), "{}", log.text());
}

#[tokio::test]
async fn the_span_knows_who_was_refused_what_and_why() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Observation.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 403);
    has(
        &last_line(&log),
        &[
            "fhir_auth.verdict=\"refused\"",
            "error.type=\"forbidden\"",
            "fhir_auth.check=\"authorization\"",
            "enduser.id=\"alice\"",
            "fhir_auth.interaction=\"read\"",
        ],
    );
    let stale = server.token().claim("exp", 1).sign().unwrap();
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&format!("Bearer {stale}"))).await.status, 401);
    let line = last_line(&log);
    has(&line, &["fhir_auth.verdict=\"refused\"", "error.type=\"", "fhir_auth.check=\"expiry\""]);
    assert!(!line.contains("enduser.id"), "nobody who is not verified is named: {line}");
}

#[tokio::test]
async fn the_span_knows_the_caller_after_a_wait_for_a_key() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    server.issuer.rotate().unwrap();
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    has(&last_line(&log), &["fhir_auth.verdict=\"granted\"", "enduser.id=\"alice\""]);
}

#[tokio::test]
async fn the_span_of_what_needs_no_token_is_open() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    for path in ["/r4/metadata", "/.well-known/oauth-protected-resource/r4"] {
        let log = OperatorLog::start();
        assert_eq!(ask(&app, path, None).await.status, 200);
        let line = last_line(&log);
        has(&line, &["fhir_auth.verdict=\"open\""]);
        assert!(!line.contains("enduser.id"), "{line}");
    }
}

#[tokio::test]
async fn the_span_knows_what_a_route_has_refused() {
    let server = by_scopes().await;
    let admins = server.layer.require(require_role("admin"));
    let hello = |_: Principal| async { "hello" };
    let app = traced(&server, Router::new().route("/r4/Patient/{id}", get(hello).layer(admins)));
    let log = OperatorLog::start();
    let token = server.token().claim("scope", "user/*.rs").claim("roles", json!(["nurse"]));
    let token = format!("Bearer {}", token.sign().unwrap());
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 403);
    let line = last_line(&log);
    let (_, last) = line.rsplit_once("fhir_auth.verdict=").unwrap();
    has(last, &["\"refused\"", "error.type=\"forbidden\""]);
}

/// What the span says last, for some subscribers keep all that was recorded.
#[track_caller]
fn last_verdict(log: &OperatorLog) -> String {
    let line = last_line(log);
    let (_, last) = line.rsplit_once("fhir_auth.verdict=").unwrap();
    last.to_owned()
}

#[tokio::test]
async fn the_span_knows_that_a_route_asks_for_a_token_where_the_layer_does_not() {
    let server = Server::layered(|layer| layer.optional(["/docs/"])).await;
    let signed_in = server.layer.require(authenticated());
    let route = get(|| async { "hello" }).layer(signed_in);
    let app = traced(&server, Router::new().route("/r4/docs/{id}", route));
    let log = OperatorLog::start();
    assert_eq!(ask(&app, "/r4/docs/a", None).await.status, 401);
    has(&last_verdict(&log), &["\"refused\"", "error.type=\"missing-credentials\""]);
}

#[tokio::test]
async fn the_span_knows_of_a_route_that_the_layer_within_does_not_know() {
    let (server, other) = (by_scopes().await, by_scopes().await);
    let foreign = other.layer.require(authenticated());
    let route = get(|| async { "hello" }).layer(foreign);
    let app = traced(&server, Router::new().route("/r4/Patient/{id}", route));
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 500);
    has(&last_verdict(&log), &["\"refused\"", "error.type=\"unguarded\""]);
}

#[tokio::test]
async fn the_span_knows_what_a_handler_has_refused() {
    let server = by_scopes().await;
    let layer = server.layer.clone();
    let handler = move |request: Request<Body>| {
        let layer = layer.clone();
        async move {
            let (parts, _) = request.into_parts();
            let access: &Access = parts.extensions.get().unwrap();
            let denied = access.authorize_entry(&http::Method::DELETE, "Device/1", None);
            layer.reject(&denied.unwrap_err(), &parts).map(Body::from)
        }
    };
    let app = traced(&server, Router::new().nest("/r4", Router::new().fallback(handler)));
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 403);
    has(&last_verdict(&log), &["\"refused\"", "error.type=\"forbidden\""]);
}

#[tokio::test]
async fn a_span_of_ones_own_gets_the_fields_that_it_has() {
    let server = by_scopes().await;
    let own = |_: &Request<Body>| {
        tracing::info_span!("own", fhir_auth.verdict = tracing::field::Empty, mine = 1)
    };
    let trace = TraceLayer::new_for_http().make_span_with(own);
    let app = application().layer(server.layer.clone()).layer(trace);
    let log = OperatorLog::start();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    let line = last_line(&log);
    has(&line, &["own{mine=1 fhir_auth.verdict=\"granted\"}"]);
}

#[tokio::test]
async fn a_token_in_the_path_or_the_method_is_not_in_the_span() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    let log = OperatorLog::start();
    let token = server.token().sign().unwrap();
    send(&app, Request::get(format!("/r4/Patient/{token}")), None).await;
    send(&app, Request::builder().method("X".repeat(500).as_str()).uri("/r4/Patient/1"), None)
        .await;
    assert!(!log.text().contains(&token), "{}", log.text());
    has(&log.text(), &["/r4/Patient/(token)"]);
    assert!(!log.text().contains(&"X".repeat(100)), "{}", log.text());
}

#[tokio::test]
async fn all_fields_are_in_the_span_and_none_has_a_value_before_the_decision() {
    let _log = OperatorLog::start();
    let span = request_span(&Request::get("/").body(()).unwrap());
    for field in SPAN_FIELDS {
        assert!(span.has_field(*field), "{field}");
    }
}

/// Servers listen to INFO; a refusal and a decision are told there.
#[tokio::test]
async fn refusals_and_decisions_are_visible_at_the_level_that_servers_have() {
    let server = by_scopes().await;
    let app = traced(&server, application());
    let log = OperatorLog::start();
    ask(&app, "/r4/Patient/1", None).await;
    ask(&app, "/r4/Patient/1", Some(&bearer(&server, "user/Patient.rs"))).await;
    for target in ["tower_fhir_auth::rejection", "tower_fhir_auth::audit"] {
        assert_eq!(log.lines("INFO", &format!("{target}: ")), 1, "{}", log.text());
    }
}
