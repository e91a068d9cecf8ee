//! Routers of axum: what is nested, merged, layered on a route, and the fallback.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use tower_fhir_auth::middleware::{FhirBasesLayer, OutsideBase};
use tower_fhir_auth::{
    FhirAuthLayer, FhirAuthLayerBuilder, Principal, ScopePolicy, authenticated, require_role,
    require_scope,
};

use crate::kit::{application, ask, bearer, by_scopes, send};
use crate::operator_log::OperatorLog;
use crate::support::Server;

const PROTECTED: &str = "/.well-known/oauth-protected-resource";

async fn hello(caller: Principal) -> String {
    format!("hello {}", caller.subject().unwrap_or("?"))
}

#[tokio::test]
async fn around_a_router_that_nests_the_layer_sees_whole_addresses() {
    let server = by_scopes().await;
    let api = || Router::new().route("/Patient/{id}", get(hello));
    let token = bearer(&server, "user/Patient.rs");
    let outside = Router::new().nest("/r4", api()).layer(server.layer.clone());
    let answer = ask(&outside, "/r4/Patient/1", Some(&token)).await;
    assert_eq!(answer.brief(), (200, "hello alice".to_owned()));
    assert_eq!(ask(&outside, "/r4/Patient/1", None).await.status, 401);
    assert_eq!(ask(&outside, &format!("{PROTECTED}/r4"), None).await.status, 200);
    // `nest` takes the prefix away: within, the address is no longer below the base URL.
    let within = Router::new().nest("/r4", api().layer(server.layer.clone()));
    let refused = ask(&within, "/r4/Patient/1", Some(&token)).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("base"), "it says so: {}", refused.text());
}

/// Another layer of the same issuer, for another API of the process.
async fn of_base(server: &Server, base: &str, outside: OutsideBase) -> FhirAuthLayer {
    let layer: FhirAuthLayerBuilder = FhirAuthLayer::builder(base)
        .issuer(server.issuer.trusted())
        .clock(server.clock.clone())
        .outside_base(outside)
        .authorizer(ScopePolicy::new());
    let layer = layer.build().unwrap();
    layer.ready().await;
    layer
}

fn for_base(server: &Server, base: &str) -> String {
    let token = server.token().claim("aud", base).claim("scope", "user/*.rs");
    format!("Bearer {}", token.sign().unwrap())
}

const CLINIC: &str = "https://api.example.org/clinic";
const LAB: &str = "https://api.example.org/lab";

#[tokio::test]
async fn one_layer_around_merged_routers_guards_each_base_and_its_documents() {
    let server = by_scopes().await;
    let bases = FhirBasesLayer::new().outside_base(OutsideBase::PassOn);
    for base in [CLINIC, LAB] {
        let layer = FhirAuthLayer::builder(base).issuer(server.issuer.trusted());
        bases.add(layer.clock(server.clock.clone()).authorizer(ScopePolicy::new())).unwrap();
    }
    for (_, layer) in bases.all() {
        layer.ready().await;
    }
    let app = Router::new()
        .route("/clinic/Patient/{id}", get(hello))
        .merge(Router::new().route("/lab/Observation/{id}", get(hello)))
        .route("/about", get(|| async { "open" }))
        .layer(bases);
    let (to_clinic, to_lab) = (for_base(&server, CLINIC), for_base(&server, LAB));
    for (path, token, expected) in [
        ("/clinic/Patient/1", Some(&to_clinic), (200, "hello alice")),
        ("/lab/Observation/1", Some(&to_lab), (200, "hello alice")),
        ("/clinic/Patient/1", Some(&to_lab), (401, "audience")),
        ("/lab/Observation/1", Some(&to_clinic), (401, "audience")),
        ("/clinic/Patient/1", None, (401, "OperationOutcome")),
        ("/lab/Observation/1", None, (401, "OperationOutcome")),
        ("/about", None, (200, "open")),
        ("/nowhere", None, (404, "")),
        (&*format!("{PROTECTED}/clinic"), None, (200, CLINIC)),
        (&*format!("{PROTECTED}/lab"), None, (200, LAB)),
        ("/clinic/.well-known/smart-configuration", None, (200, "authorization_endpoint")),
    ] {
        let answer = ask(&app, path, token.map(String::as_str)).await;
        assert_eq!(answer.status, expected.0, "{path}: {}", answer.text());
        let told = answer.text().contains(expected.1) || expected.1.contains("endpoint");
        assert!(told || answer.text().contains("`aud`"), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_layer_that_passes_on_reports_nothing_and_lets_nobody_into_what_is_its_own() {
    let server = by_scopes().await;
    let clinic = of_base(&server, CLINIC, OutsideBase::PassOn).await;
    let lab = of_base(&server, LAB, OutsideBase::PassOn).await;
    let of_the_clinic = clinic.require(authenticated());
    let app = Router::new()
        .route("/lab/Observation/{id}", get(|| async { "let in" }))
        .route("/lab/Device/{id}", get(hello))
        .route("/lab/Patient/{id}", get(hello).layer(of_the_clinic))
        .layer(clinic)
        .layer(lab);
    let token = for_base(&server, LAB);
    let log = OperatorLog::start();
    assert_eq!(ask(&app, "/lab/Observation/1", Some(&token)).await.status, 200);
    assert_eq!(log.lines("INFO", "tower_fhir_auth::audit: "), 1, "{}", log.text());
    // The caller of the one layer is nobody within the other.
    assert_eq!(ask(&app, "/lab/Device/1", Some(&token)).await.status, 500);
    assert_eq!(ask(&app, "/lab/Patient/1", Some(&token)).await.status, 500);
}

/// Where each router has its layer before they are merged, the fallback that is left is one of them.
#[tokio::test]
async fn a_layer_that_passes_on_does_not_refuse_documents_of_another() {
    let server = by_scopes().await;
    for (outside, status) in [(OutsideBase::Refuse, 401), (OutsideBase::PassOn, 404)] {
        let clinic = of_base(&server, CLINIC, outside).await;
        let lab = of_base(&server, LAB, outside).await;
        let clinic = Router::new().route("/clinic/Patient/{id}", get(hello)).layer(clinic);
        let lab = Router::new().route("/lab/Observation/{id}", get(hello)).layer(lab);
        let app = clinic.merge(lab);
        let documents = [format!("{PROTECTED}/clinic"), format!("{PROTECTED}/lab")];
        let mut statuses = Vec::new();
        for document in &documents {
            statuses.push(ask(&app, document, None).await.status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, status], "one of both answers in the fallback");
        for (path, base) in [("/clinic/Patient/1", CLINIC), ("/lab/Observation/1", LAB)] {
            let token = for_base(&server, base);
            assert_eq!(ask(&app, path, Some(&token)).await.status, 200, "{path}");
            assert_eq!(ask(&app, path, None).await.status, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn the_fallback_of_a_guarded_router_is_guarded_and_one_set_later_is_not() {
    let server = by_scopes().await;
    let guarded = application().fallback(|| async { "fallback" }).layer(server.layer.clone());
    assert_eq!(ask(&guarded, "/r4/Nothing/1", None).await.status, 401);
    let later = application().layer(server.layer.clone()).fallback(|| async { "fallback" });
    assert_eq!(ask(&later, "/r4/Patient/1", None).await.status, 401);
    assert_eq!(ask(&later, "/elsewhere", None).await.brief(), (200, "fallback".to_owned()));
    let document = ask(&later, &format!("{PROTECTED}/r4"), None).await;
    assert_eq!(document.text(), "fallback", "the layer's documents are answered in its fallback");
}

#[tokio::test]
async fn route_layer_guards_what_is_routed_and_leaves_404_to_the_router() {
    let server = by_scopes().await;
    let app = application().route_layer(server.layer.clone());
    let token = bearer(&server, "user/*.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", None).await.status, 401);
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    assert_eq!(ask(&app, "/r4/Nothing/1", None).await.status, 404);
    assert_eq!(ask(&app, &format!("{PROTECTED}/r4"), None).await.status, 404);
}

#[tokio::test]
async fn a_requirement_on_one_method_of_a_route_narrows_that_method_alone() {
    let server = Server::authorizing(authenticated()).await;
    let admins = server.layer.require(require_role("admin"));
    let methods = get(hello).merge(axum::routing::delete(hello).layer(admins));
    let app = Router::new().route("/r4/Patient/{id}", methods).layer(server.layer.clone());
    let token = bearer(&server, "user/*.cruds");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    let delete = || Request::delete("/r4/Patient/1");
    assert_eq!(send(&app, delete(), Some(&token)).await.status, 403);
    let admin = server.token().claim("roles", serde_json::json!(["admin"])).sign().unwrap();
    assert_eq!(send(&app, delete(), Some(&format!("Bearer {admin}"))).await.status, 200);
}

#[tokio::test]
async fn the_layer_on_one_method_router_guards_that_route_alone() {
    let server = Server::authorizing(require_scope("orders")).await;
    let orders = get(hello).layer(server.layer.clone());
    let app: Router = Router::new()
        .route("/r4/orders", orders)
        .route("/r4/about", get(|| async { "open" }))
        .with_state(());
    let token = bearer(&server, "orders");
    assert_eq!(ask(&app, "/r4/orders", Some(&token)).await.status, 200);
    assert_eq!(ask(&app, "/r4/orders", None).await.status, 401);
    assert_eq!(ask(&app, "/r4/about", None).await.brief(), (200, "open".to_owned()));
    let none = Request::post("/r4/orders").body(Body::empty()).unwrap();
    let refused = tower::ServiceExt::oneshot(app, none).await.unwrap();
    assert_eq!(refused.status(), 401, "a method that nobody handles is judged first");
}
