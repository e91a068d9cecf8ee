//! Services of tower around the layer and within it.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::load_shed::error::Overloaded;
use tower::steer::Steer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fhir_auth::middleware::ResponseBody;
use tower_fhir_auth::{Principal, require_scope};
use tower_test::mock::{self, Handle};

use crate::kit::{bearer, by_scopes};
use crate::support::Server;

type Asked = Request<String>;
type Told = Response<Full<Bytes>>;

fn request(path: &str, bearer: Option<&str>) -> Asked {
    let request = Request::get(path);
    let request = match bearer {
        Some(bearer) => request.header("authorization", bearer),
        None => request,
    };
    request.body(String::new()).unwrap()
}

fn told(text: &str) -> Told {
    Response::new(Full::new(Bytes::from(text.to_owned())))
}

async fn text(response: Response<ResponseBody<Full<Bytes>>>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Answers the next request with its caller.
async fn answer(handle: &mut Handle<Asked, Told>) {
    let (request, respond) = handle.next_request().await.unwrap();
    let caller: &Principal = request.extensions().get().unwrap();
    respond.send_response(told(caller.subject().unwrap()));
}

#[tokio::test]
async fn the_first_layer_of_a_service_builder_is_the_outermost() {
    let server = by_scopes().await;
    let mark = |name: &'static str| {
        tower::util::MapRequestLayer::new(move |mut request: Asked| {
            let known = request.extensions().get::<Principal>().is_some();
            request.headers_mut().append("seen", format!("{name}:{known}").parse().unwrap());
            request
        })
    };
    let app = ServiceBuilder::new()
        .layer(mark("outside"))
        .layer(server.layer.clone())
        .layer(mark("within"))
        .service_fn(|request: Asked| async move {
            let seen = request.headers().get_all("seen").iter();
            let seen: Vec<_> = seen.map(|value| value.to_str().unwrap().to_owned()).collect();
            Ok::<_, Infallible>(told(&seen.join(" ")))
        });
    let token = bearer(&server, "user/*.rs");
    let told = app.oneshot(request("/r4/Patient/1", Some(&token))).await.unwrap();
    assert_eq!(text(told).await, "outside:false within:true");
}

#[tokio::test]
async fn a_refusal_takes_no_place_of_a_service_that_sheds_load() {
    let server = by_scopes().await;
    let (mock, mut handle) = mock::pair::<Asked, Told>();
    handle.allow(1);
    let app = ServiceBuilder::new().load_shed().layer(server.layer.clone()).service(mock);
    let token = bearer(&server, "user/*.rs");
    for _ in 0..5 {
        let refused = app.clone().oneshot(request("/r4/Patient/1", None)).await.unwrap();
        assert_eq!(refused.status(), 401);
    }
    let served = app.clone().oneshot(request("/r4/Patient/1", Some(&token)));
    let (served, ()) = tokio::join!(served, answer(&mut handle));
    assert_eq!(text(served.unwrap()).await, "alice");
    let shed = app.oneshot(request("/r4/Patient/1", Some(&token))).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed}");
}

#[tokio::test]
async fn within_the_layer_load_is_shed_for_callers_alone() {
    let server = by_scopes().await;
    let (mock, mut handle) = mock::pair::<Asked, Told>();
    handle.allow(0);
    let app = ServiceBuilder::new().layer(server.layer.clone()).load_shed().service(mock);
    let refused = app.clone().oneshot(request("/r4/Patient/1", None)).await.unwrap();
    assert_eq!(refused.status(), 401, "a stranger learns nothing of the load");
    let token = bearer(&server, "user/*.rs");
    let shed = app.oneshot(request("/r4/Patient/1", Some(&token))).await.unwrap_err();
    assert!(shed.is::<Overloaded>(), "{shed}");
}

#[tokio::test]
async fn a_buffer_outside_shares_one_guarded_service() {
    let server = by_scopes().await;
    let (mock, mut handle) = mock::pair::<Asked, Told>();
    let app = ServiceBuilder::new().buffer(8).layer(server.layer.clone()).service(mock);
    let token = bearer(&server, "user/*.rs");
    let served = app.clone().oneshot(request("/r4/Patient/1", Some(&token)));
    let refused = app.clone().oneshot(request("/r4/Patient/1", None));
    let (served, refused, ()) = tokio::join!(served, refused, answer(&mut handle));
    assert_eq!(text(served.unwrap()).await, "alice");
    assert_eq!(refused.unwrap().status(), 401);
}

/// A buffer makes a service that is not `Clone` one that the layer can stand around.
#[tokio::test]
async fn a_buffer_within_is_for_services_that_are_not_clone() {
    struct Single(u32);

    impl Service<Asked> for Single {
        type Response = Told;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Told, Infallible>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Asked) -> Self::Future {
            self.0 += 1;
            std::future::ready(Ok(told(&self.0.to_string())))
        }
    }

    let server = by_scopes().await;
    let app = ServiceBuilder::new().layer(server.layer.clone()).buffer(8).service(Single(0));
    let token = bearer(&server, "user/*.rs");
    for count in ["1", "2"] {
        let told = app.clone().oneshot(request("/r4/Patient/1", Some(&token))).await.unwrap();
        assert_eq!(text(told).await, count);
    }
}

#[tokio::test]
async fn steer_picks_among_services_that_are_each_guarded_by_their_layer() {
    let by_scope = |scope: &'static str| Server::authorizing(require_scope(scope));
    let (orders, reports) = (by_scope("orders").await, by_scope("reports").await);
    type Handler = fn(Asked) -> std::future::Ready<Result<Told, Infallible>>;
    let ok: Handler = |_| std::future::ready(Ok(told("served")));
    let services = [&orders, &reports].map(|server| server.layer.layer(service_fn(ok)));
    let pick = |request: &Asked, _: &[_]| usize::from(request.uri().path().contains("reports"));
    let mut app = Steer::new(services, pick);
    let token = bearer(&orders, "orders");
    for (path, status) in [("/r4/orders", 200), ("/r4/reports", 401)] {
        let asked = request(path, Some(&token));
        assert_eq!(app.ready().await.unwrap().call(asked).await.unwrap().status(), status);
    }
}
