//! Layers that are nested, merged, in the wrong order, or fed by somebody else.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, map_request};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::Method;
use tower::{ServiceBuilder, ServiceExt};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{Access, FhirAuthLayer, Principal, authenticated, require_scope};

use crate::kit::{Answer, Attack, Pair, Refused};
use crate::support::{BASE, Server};
use crate::wire::named;

const UNTRUSTED: Refused = Refused::Token(Check::Issuer, "`iss` is not a trusted issuer");
const NONE: Refused = Refused::Credentials("no bearer token in the `Authorization` header");

pub(crate) fn attacks() -> Vec<Attack> {
    let hand = "tried by hand: layers nested, merged and in the wrong order";
    vec![
        Attack::new("a token of the outer layer within an inner one", hand, nested),
        Attack::new("a token of the inner layer before an outer one", hand, nested_outwards),
        Attack::new("a token of one merged router before another", hand, merged),
        Attack::new("a requirement outside its layer", hand, || required(Place::Outside)),
        Attack::new("a requirement without its layer", hand, || required(Place::Alone)),
        Attack::new("a requirement of another layer", hand, || required(Place::Elsewhere)),
        Attack::new(
            "a requirement on a public path, with a caller from outside",
            hand,
            foreign_on_public,
        ),
        Attack::new("a caller that is put in from outside", hand, foreign),
        Attack::new(
            "a caller that is put in from outside, on a path that nobody guards",
            hand,
            unguarded,
        ),
        Attack::new("a route layer without a token", hand, || routed("/r4/Patient/1")),
        Attack::new("CORS outside, without a token", hand, || cors(true)),
        Attack::new("CORS inside, without a token", hand, || cors(false)),
        Attack::new("a layer within a nest, and the whole path twice", hand, within_a_nest),
    ]
    .into_iter()
    .chain(public_paths())
    .collect()
}

fn inner() -> Router {
    Router::new().fallback(named)
}

async fn send(app: Router, uri: &str, token: Option<&str>) -> Answer {
    request(app, Method::GET, uri, token, &[]).await
}

async fn request(
    app: Router,
    method: Method,
    uri: &str,
    token: Option<&str>,
    fields: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    answered(app.oneshot(request.body(Body::empty()).unwrap()).await).await
}

async fn answered(response: Result<Response, Infallible>) -> Answer {
    let (parts, body) = response.unwrap().into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    Answer::read(parts.status.as_u16(), &parts.headers, &String::from_utf8_lossy(&body))
}

/// Two providers, and a layer that trusts both.
async fn two() -> (Server, Server, FhirAuthLayer) {
    let (one, two) = (Server::start().await, Server::start().await);
    let both = FhirAuthLayer::builder(BASE)
        .issuers([one.issuer.trusted(), two.issuer.trusted()])
        .clock(one.clock.clone())
        .authorizer(authenticated())
        .build()
        .unwrap();
    both.ready().await;
    (one, two, both)
}

async fn nested() -> Pair {
    let (one, two, both) = two().await;
    let app = || inner().layer(two.layer.clone()).layer(both.clone());
    let twin = send(app(), "/r4/Patient/1", Some(&two.token().sign().unwrap())).await;
    assert!(twin.principal.as_ref().unwrap().contains(two.issuer.url()));
    let attack = send(app(), "/r4/Patient/1", Some(&one.token().sign().unwrap())).await;
    Pair::new(twin, attack, UNTRUSTED)
}

async fn nested_outwards() -> Pair {
    let (one, two, both) = two().await;
    let app = || inner().layer(both.clone()).layer(two.layer.clone());
    let twin = send(app(), "/r4/Patient/1", Some(&two.token().sign().unwrap())).await;
    let attack = send(app(), "/r4/Patient/1", Some(&one.token().sign().unwrap())).await;
    Pair::new(twin, attack, UNTRUSTED)
}

async fn merged() -> Pair {
    let (one, two, _) = two().await;
    let guarded = |path: &str, layer: &FhirAuthLayer| {
        Router::new().route(path, get(named)).layer(layer.clone())
    };
    let app =
        || guarded("/r4/Patient/{id}", &one.layer).merge(guarded("/r4/Group/{id}", &two.layer));
    let token = one.token().sign().unwrap();
    let twin = send(app(), "/r4/Patient/1", Some(&token)).await;
    Pair::new(twin, send(app(), "/r4/Group/1", Some(&token)).await, UNTRUSTED)
}

enum Place {
    Outside,
    Alone,
    Elsewhere,
}

async fn required(place: Place) -> Pair {
    let (server, other) = (Server::start().await, Server::start().await);
    let requirement = server.layer.require(authenticated());
    let token = server.token().sign().unwrap();
    let inside = inner().layer(requirement.clone()).layer(server.layer.clone());
    let twin = send(inside, "/r4/Patient/1", Some(&token)).await;
    let wrong = match place {
        Place::Outside => inner().layer(server.layer.clone()).layer(requirement),
        Place::Alone => inner().layer(requirement),
        Place::Elsewhere => {
            let requirement = other.layer.require(authenticated());
            inner().layer(requirement).layer(server.layer.clone())
        }
    };
    Pair::new(twin, send(wrong, "/r4/Patient/1", Some(&token)).await, Refused::Unguarded)
}

/// Puts what another layer has granted into every request.
async fn stolen() -> impl Fn(Request) -> std::future::Ready<Request> + Clone {
    let other = Server::start().await;
    let reply = other.get(other.token().claim("sub", "mallory")).await;
    let (principal, access): (Principal, Access) =
        (reply.principal.unwrap(), reply.access.unwrap());
    move |mut request: Request| {
        request.extensions_mut().insert(principal.clone());
        request.extensions_mut().insert(access.clone());
        std::future::ready(request)
    }
}

async fn foreign() -> Pair {
    let server = Server::start().await;
    let put_in = stolen().await;
    let app = || inner().layer(server.layer.clone()).layer(map_request(put_in.clone()));
    let twin = send(app(), "/r4/Patient/1", Some(&server.token().sign().unwrap())).await;
    let caller = twin.principal.clone().unwrap();
    assert!(caller.starts_with("alice") && caller.ends_with(server.issuer.url()), "{caller}");
    // A public path is nobody's, whoever was put in.
    assert_eq!(send(app(), "/r4/metadata", None).await.principal, None);
    Pair::new(twin, send(app(), "/r4/Patient/1", None).await, NONE)
}

async fn foreign_on_public() -> Pair {
    let server = Server::start().await;
    let put_in = stolen().await;
    let requirement = server.layer.require(require_scope("x"));
    let app = || {
        inner()
            .layer(requirement.clone())
            .layer(server.layer.clone())
            .layer(map_request(put_in.clone()))
    };
    let token = server.token().claim("scope", "x").sign().unwrap();
    let twin = send(app(), "/r4/Patient/1", Some(&token)).await;
    Pair::new(twin, send(app(), "/r4/metadata", None).await, Refused::Unguarded)
}

/// A requirement knows what its own layer has granted from what anybody else puts in.
async fn unguarded() -> Pair {
    let server = Server::start().await;
    let put_in = stolen().await;
    let requirement = server.layer.require(authenticated());
    let token = server.token().sign().unwrap();
    let inside = inner().layer(requirement.clone()).layer(server.layer.clone());
    let twin = send(inside.layer(map_request(put_in.clone())), "/r4/Patient/1", Some(&token)).await;
    let outside = inner().layer(requirement).layer(map_request(put_in));
    Pair::new(twin, send(outside, "/r4/Patient/1", Some(&token)).await, Refused::Unguarded)
}

async fn routed(uri: &'static str) -> Pair {
    let server = Server::start().await;
    let app =
        || Router::new().route("/r4/Patient/{id}", get(named)).route_layer(server.layer.clone());
    let twin = send(app(), uri, Some(&server.token().sign().unwrap())).await;
    // What has no route has no guard, and nothing behind it either.
    assert_eq!(send(app(), "/r4/Group/1", None).await.status, 404);
    Pair::new(twin, send(app(), uri, None).await, NONE)
}

/// Answers preflights, and marks all other responses.
async fn allow(request: Request, next: Next) -> Response {
    let is_preflight = *request.method() == Method::OPTIONS
        && request.headers().contains_key("access-control-request-method");
    let mut response = match is_preflight {
        true => ().into_response(),
        false => next.run(request).await,
    };
    let any = http::HeaderValue::from_static("*");
    response.headers_mut().insert("access-control-allow-origin", any);
    response
}

/// A preflight needs no token, wherever it is answered; the request that follows does.
async fn cors(outside: bool) -> Pair {
    let server = Server::start().await;
    let app = || match outside {
        true => inner().layer(server.layer.clone()).layer(from_fn(allow)),
        false => inner().layer(from_fn(allow)).layer(server.layer.clone()),
    };
    let asks = [("origin", "https://app.example"), ("access-control-request-method", "GET")];
    let twin = request(app(), Method::OPTIONS, "/r4/Patient/1", None, &asks).await;
    let attack = request(app(), Method::GET, "/r4/Patient/1", None, &asks).await;
    Pair::public(twin, attack, NONE)
}

/// A nest takes its path away: what a layer within sees is not below the base.
async fn within_a_nest() -> Pair {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let outside = Router::new().nest("/r4", inner()).layer(server.layer.clone());
    let twin = send(outside, "/r4/Patient/1", Some(&token)).await;
    let scopes = Server::authorizing(tower_fhir_auth::ScopePolicy::new()).await;
    let within = Router::new().nest("/r4", inner().layer(scopes.layer.clone()));
    let token = scopes.token().claim("scope", "system/*.cruds").sign().unwrap();
    let attack = send(within, "/r4/Patient/1", Some(&token)).await;
    Pair::new(twin, attack, Refused::Address("outside the base URL"))
}

/// Spellings of a public path, in a nest.
fn public_paths() -> Vec<Attack> {
    [
        "/r4/metadata/",
        "/r4//metadata",
        "/r4/Metadata",
        "/r4/metadata/../Patient/1",
        "/r4/metadata/..;/Patient/1",
        "/r4/./metadata",
        "/r4/%6detadata",
        "/r4/metadata%2f..%2fPatient%2f1",
        "/r4/metadata;x",
        "/metadata",
        "/r4/r4/metadata",
        "//r4/metadata",
        "/r4/metadata%00",
        "/r4/.well-known/smart-configuration/",
    ]
    .map(|spelling| {
        let name = format!("{spelling} as a public path");
        Attack::new(name, "tried by hand: a public path under a nest", move || async move {
            let server = Server::start().await;
            let nested = || Router::new().nest("/r4", inner()).fallback(named);
            let app = || nested().layer(ServiceBuilder::new().layer(server.layer.clone()));
            let twin = send(app(), "/r4/metadata", None).await;
            Pair::public(twin, send(app(), spelling, None).await, NONE)
        })
    })
    .into()
}
