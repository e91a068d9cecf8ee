//! `roles.json` → role definitions.
//!
//! It is accepted if `serde_json` and the model of the schema accept it, names a role no more than
//! once, and then its roles grant each of some requests if the model says so.

#![no_main]

use std::sync::LazyLock;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{
    AccessRequest, Authenticator, Authorizer, Interaction, RoleDefinitions, RolePolicy,
};
use tower_fhir_auth_fuzz::access::{claims, is_type, token};
use tower_fhir_auth_fuzz::issuer::authenticator;
use tower_fhir_auth_fuzz::model::json;
use tower_fhir_auth_fuzz::model::roles::{grant, parse, union};
use tower_fhir_auth_fuzz::model::route::{below, route};
use tower_fhir_auth_fuzz::service::at_once;

const REQUESTS: &[(&str, &str)] = &[
    ("GET", "/r4/Patient/1"),
    ("GET", "/r4/Patient"),
    ("GET", "/r4/Patient/1/_history"),
    ("POST", "/r4/Patient"),
    ("PUT", "/r4/Patient/1"),
    ("PUT", "/r4/Patient?identifier=x"),
    ("PATCH", "/r4/Patient/1"),
    ("DELETE", "/r4/Patient/1"),
    ("DELETE", "/r4/Patient/1?_hardDelete=true"),
    ("DELETE", "/r4/Patient?identifier=x"),
    ("DELETE", "/r4/Patient/1/_history"),
    ("POST", "/r4/ValueSet"),
    ("POST", "/r4/SearchParameter"),
    ("GET", "/r4/$export"),
    ("POST", "/r4/$import"),
    ("POST", "/r4/$reindex"),
    ("POST", "/r4/$convert-data"),
    ("POST", "/r4/Patient/$validate"),
    ("PATCH", "/r4/$bulk-update"),
    ("POST", "/r4/SearchParameter/$status"),
    ("POST", "/r4/$fly"),
    ("GET", "/r4/Patient//1"),
];

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| authenticator(0));
static INTERACTIONS: LazyLock<Vec<Interaction>> = LazyLock::new(|| {
    let base: BaseUrl = "https://fhir.example.org/r4".parse().unwrap();
    let parse = |(method, uri): &(&str, &str)| {
        let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
        Interaction::parse(&base, &method, &uri, &HeaderMap::new())
    };
    REQUESTS.iter().map(parse).collect()
});

fuzz_target!(|data: &[u8]| {
    let ours = RoleDefinitions::parse(data);
    let theirs = serde_json::from_slice::<Value>(data).ok().and_then(|document| parse(&document));
    let (Ok(ours), Some(theirs)) = (&ours, &theirs) else {
        // A value keeps the last of two members with one name, of which the crate refuses a role's.
        let is_strict = json::object(data).is_some();
        assert!(ours.is_err() && (theirs.is_none() || !is_strict), "{ours:?}, expected {theirs:?}");
        return;
    };
    let names: Vec<&str> = ours.names().collect();
    let mut expected: Vec<&str> = theirs.values().map(|(name, _)| name.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    // Every second role, in another case, and one that is not defined.
    let held: Vec<String> = names.iter().step_by(2).map(|name| name.to_ascii_uppercase()).collect();
    let held: Vec<String> = held.into_iter().chain(["nobody at all".to_owned()]).collect();
    let token = token(&claims(json!({"roles": held})));
    if token.len() > 16 * 1024 {
        return;
    }
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let principal = at_once(AUTHENTICATOR.authenticate(&headers, &Uri::from_static("/"))).unwrap();
    let policy = RolePolicy::new(ours.clone());
    let actions = union(theirs, held.iter().map(String::as_str));
    for ((method, uri), interaction) in REQUESTS.iter().zip(&*INTERACTIONS) {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let route = below("/r4", path)
            .and_then(|path| route(method, path, !query.is_empty(), false, is_type));
        let granted = policy.authorize(&AccessRequest::new(&principal, interaction)).is_ok();
        assert_eq!(
            granted,
            grant(&actions, method, route.as_ref(), query),
            "{method} {uri}: {actions:?}"
        );
    }
});
