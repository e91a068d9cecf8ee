//! Paths where a token is not required: `public`, `optional`, `public_outside`, `outside_base`.

use std::sync::Arc;

use http::{Request, StatusCode};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::confine::ConfineSettings;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::middleware::{OutsideBase, RequireAuthLayer};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{
    Access, BuildError, FhirAuthLayer, FhirAuthLayerBuilder, Principal, Rejection, RejectionKind,
    TrustedIssuer, authenticated, require_scope,
};

use crate::support::{BASE, NOW, Server, send};

async fn layer(
    server: &Server,
    with: fn(FhirAuthLayerBuilder) -> FhirAuthLayerBuilder,
) -> FhirAuthLayer {
    let builder = FhirAuthLayer::builder(BASE)
        .clock(server.clock.clone())
        .issuer(TrustedIssuer::discover(server.issuer.url()))
        .authorizer(authenticated());
    let layer = with(builder).build().unwrap();
    layer.ready().await;
    layer
}

/// The status, and whether the inner service found a principal and an access.
async fn ask(
    layer: &FhirAuthLayer,
    path: &str,
    token: Option<&str>,
) -> (StatusCode, Option<(bool, bool)>) {
    let inner = tower::service_fn(|request: Request<String>| async move {
        let found = request.extensions();
        let found = (found.get::<Principal>().is_some(), found.get::<Access>().is_some());
        let mut response = http::Response::new(String::new());
        response.extensions_mut().insert(found);
        Ok::<_, std::convert::Infallible>(response)
    });
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let request = request.body(String::new()).unwrap();
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    (response.status(), response.extensions().get::<(bool, bool)>().copied())
}

#[tokio::test]
async fn where_a_token_is_optional_one_that_comes_is_authenticated_and_not_authorized() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.optional(["/docs/", "/about"])).await;
    let good = format!("Bearer {}", server.token().sign().unwrap());
    let forged = good.replacen("Bearer e", "Bearer f", 1);
    for path in ["/r4/docs/", "/r4/docs/a/b", "/r4/docs/a*b", "/r4/docs/{a}", "/r4/about"] {
        assert_eq!(ask(&layer, path, None).await, (StatusCode::OK, Some((false, false))), "{path}");
        let other = ask(&layer, path, Some("Basic dTpw")).await;
        assert_eq!(other, (StatusCode::OK, Some((false, false))), "another scheme is no token");
        assert_eq!(
            ask(&layer, path, Some(&good)).await,
            (StatusCode::OK, Some((true, false))),
            "{path}"
        );
        assert_eq!(ask(&layer, path, Some(&forged)).await, (StatusCode::UNAUTHORIZED, None));
        assert_eq!(ask(&layer, path, Some("Bearer ")).await, (StatusCode::BAD_REQUEST, None));
    }
    for path in ["/r4/docs", "/r4/about/", "/r4/aboutx", "/docs/a"] {
        assert_eq!(ask(&layer, path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in [
        "/r4/docs/../Patient",
        "/r4/docs/./a",
        "/r4/docs//a",
        "/r4/docs/%2e%2e/Patient",
        "/r4/docs/%2E/a",
        "/r4/docs/a%2fb",
        "/r4/docs/a%5Cb",
        "/r4/docs/a;b",
        "/r4/docs/a%3bb",
        "/r4/docs/%252e%252e/a",
        "/r4/docs/%25252525252e%2e/a",
        "/r4//docs/a",
    ] {
        assert_eq!(ask(&layer, path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_requirement_on_an_optional_path_asks_for_a_token_and_is_then_the_only_rule() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| {
        builder.optional(["/docs/"]).authorizer(require_scope("of.the.layer"))
    });
    let layer = layer.await;
    let guarded = |layer: &FhirAuthLayer, route: RequireAuthLayer| {
        let inner = tower::service_fn(|request: Request<String>| async move {
            let who = request.extensions().get::<Principal>();
            let subject = who.and_then(Principal::subject).unwrap_or("nobody").to_owned();
            Ok::<_, std::convert::Infallible>(http::Response::new(subject))
        });
        layer.layer(layer.require(authenticated()).layer(route.layer(inner)))
    };
    let service = guarded(&layer, layer.require(require_scope("docs.read")));
    let get = |path: &str, authorization: Option<String>| {
        let mut request = Request::get(path.to_owned());
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        service.clone().oneshot(request.body(String::new()).unwrap())
    };
    let bearer = |scope: &str| {
        Some(format!("Bearer {}", server.token().claim("scope", scope).sign().unwrap()))
    };
    for (case, authorization, status) in [
        ("no token", None, 401),
        ("another scheme", Some("Basic dTpw".to_owned()), 401),
        ("a token without the scope", bearer("of.the.layer"), 403),
        ("a token with the scope", bearer("docs.read"), 200),
    ] {
        let reply = get("/r4/docs/a", authorization).await.unwrap();
        assert_eq!(reply.status(), status, "{case}");
        let kind = reply.extensions().get::<Rejection>().map(Rejection::kind);
        let challenge =
            reply.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        match status {
            401 => {
                assert_eq!(kind, Some(RejectionKind::MissingCredentials), "{case}");
                let challenge = challenge.unwrap();
                assert!(challenge.starts_with("Bearer realm="), "{case}: {challenge}");
                assert!(!challenge.contains("error"), "{case}: {challenge}");
            }
            403 => assert!(challenge.unwrap().contains("scope=\"docs.read\""), "{case}"),
            _ => assert_eq!(kind, None, "{case}"),
        }
    }
    // Elsewhere the rule of the layer stands, and a requirement of another layer lets nobody in.
    assert_eq!(get("/r4/docs", bearer("docs.read")).await.unwrap().status(), 403);
    let other = Server::layered(|builder| builder.optional(["/docs/"])).await;
    let within = guarded(&layer, other.layer.require(authenticated()));
    for authorization in [None, bearer("docs.read")] {
        let mut request = Request::get("/r4/docs/a");
        let status = if authorization.is_some() { 500 } else { 401 };
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let reply = within.clone().oneshot(request.body(String::new()).unwrap()).await.unwrap();
        assert_eq!(reply.status(), status);
    }
}

/// The layer alone verifies: what came behind it proves nothing.
#[tokio::test]
async fn a_token_that_was_put_in_behind_the_layer_lets_nobody_in() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.optional(["/docs/"])).await;
    let inner = tower::service_fn(|_: Request<String>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    let route = layer.require(authenticated()).layer(inner);
    let bearer = format!("Bearer {}", server.token().sign().unwrap());
    let bearer: http::HeaderValue = bearer.parse().unwrap();
    let between = tower::util::MapRequest::new(route, move |mut request: Request<String>| {
        request.headers_mut().insert("authorization", bearer.clone());
        request
    });
    let request = Request::get("/r4/docs/a").body(String::new()).unwrap();
    let reply = layer.layer(between).oneshot(request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    let kind = reply.extensions().get::<Rejection>().map(Rejection::kind);
    assert_eq!(kind, Some(RejectionKind::MissingCredentials));
}

/// Also where the layer has marked the request for one within that confines.
#[tokio::test]
async fn a_requirement_on_a_public_path_lets_nobody_in() {
    let server = Server::start().await;
    let settings = || {
        let builder = FhirAuthLayer::builder(BASE).issuer(server.issuer.trusted());
        builder.authorizer(authenticated()).public(["/health"])
    };
    let confined = settings().build_confined(ConfineSettings::default()).unwrap();
    for layer in [settings().build().unwrap(), confined.auth().clone()] {
        let inner = tower::service_fn(|_: Request<String>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let service = layer.layer(layer.require(authenticated()).layer(inner));
        let request = Request::get("/r4/health").body(String::new()).unwrap();
        let reply = service.oneshot(request).await.unwrap();
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let kind = reply.extensions().get::<Rejection>().map(Rejection::kind);
        assert_eq!(kind, Some(RejectionKind::Unguarded));
    }
}

/// A router in between may take a prefix away: what is judged is the address as it came.
#[tokio::test]
async fn a_requirement_on_an_optional_path_judges_the_address_as_it_came() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.optional(["/docs/"])).await;
    let inner = tower::service_fn(|request: Request<String>| async move {
        let granted = request.extensions().get::<Access>().is_some();
        Ok::<_, std::convert::Infallible>(http::Response::new(granted.to_string()))
    });
    let route = layer.require(tower_fhir_auth::ScopePolicy::new()).layer(inner);
    // As axum's `nest("/r4/docs", …)` does.
    let nested = tower::util::MapRequest::new(route, |mut request: Request<String>| {
        let path = request.uri().path().strip_prefix("/r4/docs").unwrap().to_owned();
        *request.uri_mut() = path.parse().unwrap();
        request
    });
    let token = server.token().claim("scope", "user/Patient.r").sign().unwrap();
    for path in ["/r4/docs/r4/Patient/1", "/r4/docs/Patient/1"] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(String::new()).unwrap();
        let reply = layer.layer(nested.clone()).oneshot(request).await.unwrap();
        assert_eq!(reply.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn an_explanation_of_an_optional_path_tells_of_no_interaction() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.optional(["/docs/"])).await;
    let stale = server.token().claim("exp", 1).sign().unwrap();
    let request = Request::get("/r4/docs/a").header("authorization", format!("Bearer {stale}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let text = layer.explain(&parts).await.to_string();
    let rest =
        "not reached  introspection, certificate, proof, interaction, authorization, step-up\n";
    assert!(text.contains(rest), "{text}");
}

#[tokio::test]
async fn an_explanation_of_an_optional_path_is_the_decision() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.optional(["/docs/"])).await;
    let token = format!("Bearer {}", server.token().sign().unwrap());
    for (header, accepted, public) in
        [(None, true, true), (Some(token.as_str()), true, false), (Some("Bearer x"), false, false)]
    {
        let mut request = Request::get("/r4/docs/a");
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let explanation = layer.explain(&parts).await;
        assert_eq!(explanation.is_accepted(), accepted, "{header:?}: {explanation}");
        assert_eq!(explanation.is_public(), public, "{header:?}");
    }
}

#[tokio::test]
async fn a_path_outside_the_base_url_is_public_only_where_it_is_listed() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.public_outside(["/healthz"])).await;
    assert_eq!(ask(&layer, "/healthz", None).await, (StatusCode::OK, Some((false, false))));
    for path in ["/healthz/", "/healthZ", "/other", "/r4/healthz", "//healthz"] {
        assert_eq!(ask(&layer, path, None).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn what_is_outside_the_base_url_can_be_passed_on() {
    let server = Server::start().await;
    let layer = layer(&server, |builder| builder.outside_base(OutsideBase::PassOn)).await;
    for path in ["/", "/other", "/r4x/Patient/1"] {
        assert_eq!(ask(&layer, path, None).await, (StatusCode::OK, Some((false, false))), "{path}");
    }
    assert_eq!(ask(&layer, "/r4/Patient/1", None).await.0, StatusCode::UNAUTHORIZED);
    // Some servers read these as the base.
    for path in [
        "//r4/Patient/1",
        "/x/../r4/Patient/1",
        "/%724/Patient/1",
        "/%2525252525724/Patient/1",
        "/r4;x/Patient/1",
        "/x/%2e%2e/r4/%252e%252e/y",
    ] {
        let status = ask(&layer, path, None).await.0;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let metadata = ask(&layer, "/.well-known/oauth-protected-resource/r4", None).await;
    assert_eq!(metadata, (StatusCode::OK, None), "the layer's own document");
}

#[test]
fn a_path_that_cannot_be_optional_or_public_is_an_error_in_code_and_file() {
    for (setting, path) in [
        ("optional", ""),
        ("optional", "/"),
        ("optional", "docs/"),
        ("optional", "/docs/*"),
        ("optional", "/metadata"),
        ("optional", "/Patient/"),
        ("optional", "/Patient/1"),
        ("optional", "/Patient/1/"),
        ("optional", "/_history"),
        ("optional", "/_operations/"),
        ("optional", "/$export"),
        ("optional", "/docs//"),
        ("public_outside", "/r4/docs"),
        ("public_outside", "/r4"),
        ("public_outside", ""),
        ("public_outside", "healthz"),
        ("public_outside", "/health/{id}"),
        ("public_outside", "/a/../b"),
        ("public", ""),
        ("public", "/docs/*"),
        ("public", "/docs/{id}"),
    ] {
        let text = format!(
            "base_url = 'https://fhir.example.org/r4'\n{setting} = ['/fine', '{path}']\n\
             [[issuers]]\nissuer = 'https://idp.example.org'"
        );
        let error = Config::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(&format!("{setting}[1]: expected")), "{path}: {error}");
        let builder = FhirAuthLayer::builder(BASE);
        let builder = match setting {
            "optional" => builder.optional([path]),
            "public" => builder.public([path]),
            _ => builder.public_outside([path]),
        };
        let error = builder.authorizer(authenticated()).build().unwrap_err();
        assert!(
            matches!(&error, BuildError::Path { setting: named, .. } if *named == setting),
            "{path}: {error}"
        );
    }
}

/// A server that decodes serves it as one of the base.
#[test]
fn a_path_that_reads_as_one_of_the_base_is_not_outside() {
    let builder = FhirAuthLayer::builder("https://fhir.example.org/t/%61mber");
    let builder = builder.public_outside(["/t/amber/x"]).authorizer(authenticated());
    let error = builder.build().unwrap_err();
    assert!(matches!(error, BuildError::Path { setting: "public_outside", .. }), "{error}");
}

/// A type that the application declares spells interactions as those of R4 do.
#[test]
fn a_path_of_a_declared_type_cannot_be_optional() {
    for path in ["/Docs/", "/Docs", "/Docs/1"] {
        let builder = || FhirAuthLayer::builder(BASE).authorizer(authenticated()).optional([path]);
        let error = builder().resource_types(["Docs"]).build().unwrap_err();
        assert!(matches!(error, BuildError::Path { setting: "optional", .. }), "{path}: {error}");
        let undeclared = builder().build().unwrap_err();
        assert_eq!(undeclared, BuildError::NoIssuer, "{path} is a path like any other");
    }
}

#[test]
fn what_is_wrong_with_an_optional_path_that_is_public_too_or_the_base_is_told() {
    for (path, words) in [("/about", "not public as well"), ("/", "not the base URL itself")] {
        let builder = FhirAuthLayer::builder(BASE).public(["/about"]).optional([path]);
        let error = builder.authorizer(authenticated()).build().unwrap_err().to_string();
        assert!(error.contains(words), "no `{words}` in: {error}");
    }
}

const ISSUER: &str = "https://idp.example.org";

/// The verdicts that are counted of one request to a layer of its own.
async fn counted(
    keys: &JwkSet,
    base: &str,
    outside: OutsideBase,
    request: http::request::Builder,
) -> Vec<String> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let layer = FhirAuthLayer::builder(base)
        .issuer(TrustedIssuer::with_keys(ISSUER, keys.clone()))
        .authorizer(authenticated())
        .clock(TestClock::at(NOW))
        .public_outside(["/healthz"])
        .outside_base(outside)
        .build()
        .unwrap();
    send(&layer, request).await;
    let mut verdicts = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let is_counted = !matches!(value, DebugValue::Counter(0));
        if key.key().name() == "fhir_auth_decisions_total" && is_counted {
            let labels = key.key().labels().filter(|label| label.key() == "verdict");
            verdicts.extend(labels.map(|label| label.value().to_owned()));
        }
    }
    verdicts
}

#[tokio::test]
async fn each_decision_is_counted_by_its_verdict_and_none_on_what_is_passed_on() {
    use OutsideBase::{PassOn, Refuse};
    let key = Arc::new(SigningKey::generate("one", Algorithm::Ed25519).unwrap());
    let keys = json!({ "keys": [key.jwk()] }).to_string();
    let keys = JwkSet::parse(keys.as_bytes()).unwrap();
    let token = TokenBuilder::new(ISSUER, key, UnixTime::from_secs(NOW)).claim("aud", BASE);
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let with_token = |path: &str| Request::get(path).header("authorization", &bearer);
    let preflight =
        |path: &str| Request::options(path).header("access-control-request-method", "GET");
    let metadata = "/.well-known/oauth-protected-resource/r4";
    for (case, outside, request, verdict) in [
        ("a token", Refuse, with_token("/r4/Patient/1"), Some("granted")),
        ("no token", Refuse, Request::get("/r4/Patient/1"), Some("refused")),
        ("public", Refuse, Request::get("/r4/metadata"), Some("open")),
        ("public outside", Refuse, Request::get("/healthz"), Some("open")),
        ("outside", Refuse, Request::get("/other"), Some("refused")),
        ("a preflight", Refuse, preflight("/r4/Patient/1"), Some("open")),
        ("a preflight outside", Refuse, preflight("/other"), Some("open")),
        ("a token", PassOn, with_token("/r4/Patient/1"), Some("granted")),
        ("no token", PassOn, Request::get("/r4/Patient/1"), Some("refused")),
        ("public", PassOn, Request::get("/r4/metadata"), Some("open")),
        ("public outside", PassOn, Request::get("/healthz"), Some("open")),
        ("a document of the layer", PassOn, Request::get(metadata), Some("open")),
        ("outside", PassOn, Request::get("/other"), None),
        ("a preflight outside", PassOn, preflight("/other"), None),
    ] {
        let verdicts = counted(&keys, BASE, outside, request).await;
        assert_eq!(verdicts, Vec::from_iter(verdict), "{outside:?}: {case}");
    }
    // Decoded, the path of this base is another.
    let base = "https://fhir.example.org/r%C3%A9";
    let verdicts = counted(&keys, base, PassOn, Request::get("/r%C3%A9/metadata")).await;
    assert_eq!(verdicts, ["open"]);
    for path in ["/r%c3%a9/Patient/1", "/%72%C3%A9/Patient/1", "/r%C3%A9/Patient/1"] {
        let verdicts = counted(&keys, base, PassOn, Request::get(path)).await;
        assert_eq!(verdicts, ["refused"], "{path}");
    }
}
