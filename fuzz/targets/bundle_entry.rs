//! Entry of a bundle → grant, for a caller who is confined to patient 1.
//!
//! The first line is a method and a `request.url`, the second an `ifNoneExist`. The entry must be
//! judged as the same request by itself, at the address that the model makes of the URL; where that
//! has none it is refused. Another patient's path is never let in.

#![no_main]

use std::sync::LazyLock;

use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use tower_fhir_auth::{Access, Enforcement, FhirAuthLayer, ScopePolicy};
use tower_fhir_auth_fuzz::access::{TYPES, claims, is_type, layer, token};
use tower_fhir_auth_fuzz::model::route::{below, is_public, route};
use tower_fhir_auth_fuzz::model::token::BASE;
use tower_fhir_auth_fuzz::service::send;

struct Caller {
    layer: FhirAuthLayer,
    token: String,
    bundle: Access,
}

static CALLERS: LazyLock<Vec<Caller>> = LazyLock::new(|| {
    [
        "patient/*.cruds",
        "patient/Observation.rs patient/Encounter.c",
        "user/Observation.cruds?category=x",
    ]
    .map(|scope| {
        let layer = layer(ScopePolicy::new(), Enforcement::ALL, 100);
        let token = token(&claims(serde_json::json!({"scope": scope, "patient": "1"})));
        let reply =
            send(&layer, request(&token, &Method::POST, &"/r4".parse().unwrap(), None).unwrap());
        Caller { bundle: reply.access.unwrap(), layer, token }
    })
    .into()
});

fn request(
    token: &str,
    method: &Method,
    uri: &Uri,
    condition: Option<&str>,
) -> Option<http::Request<()>> {
    let request = http::Request::builder().method(method).uri(uri);
    let request = request.header("authorization", format!("Bearer {token}"));
    let request =
        condition.into_iter().fold(request, |request, one| request.header("if-none-exist", one));
    request.body(()).ok()
}

fuzz_target!(|data: &str| {
    let mut lines = data.split('\n');
    let Some((method, url)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let condition = lines.next();
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    for caller in &*CALLERS {
        check(caller, &method, url, condition);
    }
});

fn check(caller: &Caller, method: &Method, url: &str, condition: Option<&str>) {
    let verdict = caller.bundle.authorize_entry(method, url, condition);
    let address = address(url).and_then(|address| address.parse::<Uri>().ok());
    let Some(address) = address else {
        assert!(verdict.is_err(), "{url:?} has no address");
        return;
    };
    let has_query = address.query().is_some_and(|query| !query.is_empty());
    let route = below("/r4", address.path())
        .and_then(|below| route(method.as_str(), below, has_query, condition.is_some(), is_type));
    if let Ok(access) = &verdict {
        let route = route.as_ref().expect("what is no interaction is never granted");
        assert_ne!(route.kind, "batch", "a bundle within a bundle");
        assert_eq!(access.interaction().kind().code(), route.kind);
        assert_eq!(access.interaction().id(), route.id.as_deref());
        let names_another = route.resource_type.as_deref() == Some("Patient")
            && route.id.as_deref().is_some_and(|id| id != "1");
        assert!(!names_another || caller.token == CALLERS[2].token, "{method} {url}");
    }
    if route.as_ref().is_some_and(|route| route.kind == "batch") {
        assert!(verdict.is_err());
        return;
    }
    // Public paths need no grant, and preflights are no entries.
    let is_public = is_public(address.path());
    let Some(request) = request(&caller.token, method, &address, condition) else { return };
    let by_itself = send(&caller.layer, request);
    let is_document = by_itself.principal.is_none() && by_itself.rejection.is_none();
    if !is_public && !is_document {
        assert_eq!(verdict.is_ok(), by_itself.access.is_some(), "{method} {url}: {verdict:?}");
    }
}

/// The address that a `request.url` stands for.
fn address(url: &str) -> Option<String> {
    if url.contains('#') {
        return None;
    }
    if let Some(rest) = url.strip_prefix(BASE)
        && (rest.is_empty() || rest.starts_with(['/', '?']))
    {
        return Some(format!("/r4{rest}"));
    }
    if let Some(rest) = url.strip_prefix('/') {
        let first = rest.split(['/', '?']).next().unwrap_or_default();
        let name = first.strip_prefix('$').or_else(|| first.strip_prefix("%24"));
        let is_operation = name.is_some_and(|name| {
            let is_plain = |one: char| one.is_ascii_alphanumeric() || one == '-';
            (1..=64).contains(&name.len()) && name.chars().all(is_plain)
        });
        return match rest.starts_with('?') {
            true => Some(format!("/r4{rest}")),
            false if first == "_history" || is_operation || TYPES.contains(first) => {
                Some(format!("/r4{url}"))
            }
            false => None,
        };
    }
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_scheme = |one: char| one.is_ascii_alphanumeric() || "+-.".contains(one);
    match !scheme.is_empty() && scheme.chars().all(is_scheme) {
        true => None,
        false if url.is_empty() || url.starts_with('?') => Some(format!("/r4{url}")),
        false => Some(format!("/r4/{url}")),
    }
}
