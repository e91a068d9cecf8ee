//! Places of the inner service, which `poll_ready` reserves; and requirements on single routes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::limit::{ConcurrencyLimit, ConcurrencyLimitLayer};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_fhir_auth::authorization::Alternative;
use tower_fhir_auth::test_util::Answer;
use tower_fhir_auth::{
    FhirAuthLayer, Grant, Principal, authenticated, authorize_fn, require_scope,
};

use crate::support::{BASE, Server};

type Body = Full<Bytes>;

async fn inner(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let caller = request.extensions().get::<Principal>();
    let name = caller.and_then(Principal::subject).unwrap_or("nobody").to_owned();
    Ok(Response::new(Full::new(Bytes::from(name))))
}

fn request(path: &str, token: Option<String>) -> Request<Body> {
    let request = Request::get(path.to_owned());
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    request.body(Body::default()).unwrap()
}

/// Sends a request to a service that is kept, as a connection keeps it, and then a good one to
/// another clone of it, which finds the only place free.
async fn leaves_the_place<S, R>(
    mut service: S,
    refused: Request<Body>,
    good: Request<Body>,
    case: &str,
) where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible> + Clone,
{
    let other = service.clone();
    let reply = service.ready().await.unwrap().call(refused).await.unwrap();
    drop(reply);
    let good = tokio::time::timeout(Duration::from_secs(2), other.oneshot(good)).await;
    let good = good.unwrap_or_else(|_| panic!("{case}: no place")).unwrap();
    assert_eq!(good.status(), StatusCode::OK, "{case}");
    drop(service);
}

#[tokio::test]
async fn a_refused_request_keeps_no_place_of_the_inner_service() {
    let server = Server::authorizing(require_scope("a")).await;
    let token = || server.token().claim("scope", "a");
    let good = || request("/r4/Patient/1", Some(token().sign().unwrap()));
    let service = || {
        let inner = ConcurrencyLimitLayer::new(1).layer(service_fn(inner));
        server.layer.layer(inner)
    };
    for (case, refused) in [
        ("no token", request("/r4/Patient/1", None)),
        ("a bad one", request("/r4/Patient/1", Some("x".to_owned()))),
        ("no right", request("/r4/Patient/1", Some(server.token().sign().unwrap()))),
        ("a document", request("/.well-known/oauth-protected-resource/r4", None)),
        (
            "an unknown key",
            request("/r4/Patient/1", Some(token().header("kid", "x").sign().unwrap())),
        ),
    ] {
        leaves_the_place(service(), refused, good(), case).await;
    }
    // A requirement on a route refuses without keeping one, too.
    let route = server.layer.require(require_scope("b"));
    let limited = ConcurrencyLimitLayer::new(1).layer(service_fn(inner));
    let service = server.layer.layer(route.layer(limited));
    let both = token().claim("scope", "a b").sign().unwrap();
    let kept = request("/r4/Patient/1", Some(both));
    leaves_the_place(service, good(), kept, "a requirement").await;
}

#[tokio::test]
async fn a_request_that_waits_for_a_key_keeps_no_place_of_a_service_that_is_kept() {
    let server = Server::start().await;
    server.issuer.answer("/jwks", Answer::hang());
    let limited: ConcurrencyLimit<_> = ConcurrencyLimitLayer::new(1).layer(service_fn(inner));
    let mut service = server.layer.layer(limited);
    let other = service.clone();
    let unknown = server.token().header("kid", "unknown").sign().unwrap();
    let waiting = service.ready().await.unwrap().call(request("/r4/Patient/1", Some(unknown)));
    let waiting = tokio::spawn(waiting);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let good = request("/r4/Patient/1", Some(server.token().sign().unwrap()));
    let good = tokio::time::timeout(Duration::from_secs(2), other.oneshot(good)).await;
    assert_eq!(good.unwrap().unwrap().status(), StatusCode::OK);
    waiting.abort();
    drop(service);
}

#[tokio::test]
async fn a_requirement_on_a_route_confines_only_what_handlers_enforce() {
    let server = Server::start().await;
    let own =
        authorize_fn(|_| Ok(Grant::by("the route").confined_to(Alternative::new(Some("1"), None))));
    let service = server.layer.layer(server.layer.require(own).layer(service_fn(inner)));
    let good = request("/r4/Patient/1", Some(server.token().sign().unwrap()));
    assert_eq!(service.oneshot(good).await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_preflight_on_a_route_with_a_requirement_is_the_inner_services() {
    let server = Server::start().await;
    let service =
        server.layer.layer(server.layer.require(require_scope("orders")).layer(service_fn(inner)));
    let preflight = |method: &str, header: &str| {
        let request = Request::builder().method(method).uri("/r4/orders").header(header, "GET");
        service.clone().oneshot(request.body(Body::default()).unwrap())
    };
    let asked = "access-control-request-method";
    assert_eq!(preflight("OPTIONS", asked).await.unwrap().status(), 200);
    assert_eq!(preflight("OPTIONS", "x").await.unwrap().status(), 401);
    assert_eq!(preflight("GET", asked).await.unwrap().status(), 401);
    // What a request brings along is not handed on as a caller.
    let reply = server.get(server.token()).await;
    let principal = reply.is_let_in().clone();
    let unguarded = server.layer.require(authenticated()).layer(service_fn(|request| async {
        let request: Request<Body> = request;
        assert!(request.extensions().get::<Principal>().is_none());
        Ok::<_, Infallible>(Response::new(Body::default()))
    }));
    let request = Request::options("/r4/x").header(asked, "GET").extension(principal);
    let reply = unguarded.oneshot(request.body(Body::default()).unwrap()).await.unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn a_requirement_takes_no_caller_of_another_layer() {
    let (one, two) = (Server::start().await, Server::start().await);
    let token = Some(two.token().sign().unwrap());
    let ask = async |outer: &FhirAuthLayer, of: &FhirAuthLayer| {
        let service = outer.layer(of.require(authenticated()).layer(service_fn(inner)));
        service.oneshot(request("/r4/Patient/1", token.clone())).await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&two.layer, &two.layer).await, 200);
    assert_eq!(ask(&two.layer, &two.layer.clone()).await, 200, "a clone is the same layer");
    assert_eq!(ask(&two.layer, &one.layer).await, 500);
    // Not even one that trusts the same issuer, by another rule.
    let twin = FhirAuthLayer::builder(BASE).issuer(two.issuer.trusted()).clock(two.clock.clone());
    let twin = twin.authorizer(require_scope("never")).build().unwrap();
    twin.ready().await;
    assert_eq!(ask(&two.layer, &twin).await, 500);
    // Requirements of one layer may stand in one another.
    let inside = two.layer.require(authenticated()).layer(service_fn(inner));
    let service = two.layer.layer(two.layer.require(authenticated()).layer(inside));
    let reply = service.oneshot(request("/r4/Patient/1", token.clone())).await.unwrap();
    assert_eq!(reply.status(), 200);
}

/// Whom the layer has let in is not asked for a token again.
#[tokio::test]
async fn a_requirement_whose_caller_was_taken_away_on_the_way_is_one_of_an_unguarded_route() {
    let server = Server::start().await;
    let route = server.layer.require(authenticated()).layer(service_fn(inner));
    let taken = tower::util::MapRequest::new(route, |mut request: Request<Body>| {
        request.extensions_mut().remove::<Principal>();
        request
    });
    let token = server.token().sign().unwrap();
    let service = server.layer.layer(taken);
    let reply = service.oneshot(request("/r4/Patient/1", Some(token))).await.unwrap();
    assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
