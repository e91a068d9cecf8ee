//! Layers and grants that targets ask again and again.

use std::sync::LazyLock;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authorization::ConstraintMatcher;
use tower_fhir_auth::fhir::ResourceTypes;
use tower_fhir_auth::{Access, Authorizer, Enforcement, FhirAuthLayer, ScopePolicy};

use crate::issuer::{StandingStill, sign, strictly_trusted, trusted};
use crate::model::token::{BASE, ISSUER, NOW};
use crate::service::send;

/// The types of R4, and one that the application declares.
pub static TYPES: LazyLock<ResourceTypes> =
    LazyLock::new(|| ResourceTypes::r4().with(["Foo"]).unwrap());

/// Reports whether a type is one of the API. The names are data; which requests they make
/// interactions is the model's own knowledge.
pub fn is_type(name: &str) -> bool {
    TYPES.contains(name)
}

/// Constraints by the status of an Observation.
#[derive(Clone, Copy, Debug)]
pub struct ByStatus;

impl ConstraintMatcher for ByStatus {
    fn supports(&self, resource_type: &str, parameter: &str) -> bool {
        (resource_type, parameter) == ("Observation", "status")
    }

    fn matches(&self, resource: &Value, _: &str, value: &str) -> bool {
        value.split(',').any(|status| resource["status"] == status)
    }
}

/// A layer whose handlers enforce so much, with so many tokens in the cache.
pub fn layer(rule: impl Authorizer, enforced: Enforcement, cached: usize) -> FhirAuthLayer {
    FhirAuthLayer::builder(BASE)
        .issuer(trusted())
        .issuer(strictly_trusted())
        .authorizer(rule)
        .handlers_enforce(enforced)
        .resource_types(["Foo"])
        .clock(StandingStill)
        .token_cache_capacity(cached)
        .build()
        .unwrap()
}

/// The same with constraints that are evaluated.
fn evaluating() -> FhirAuthLayer {
    FhirAuthLayer::builder(BASE)
        .issuer(trusted())
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL)
        .constraint_matcher(ByStatus)
        .clock(StandingStill)
        .build()
        .unwrap()
}

/// The claims of a good token, with further ones.
pub fn claims(more: Value) -> Value {
    let mut claims = json!({"iss": ISSUER, "aud": BASE, "sub": "alice", "exp": NOW + 300});
    let (Value::Object(all), Value::Object(more)) = (&mut claims, more) else {
        panic!("claims are an object")
    };
    all.extend(more);
    claims
}

/// A token with these claims.
pub fn token(claims: &Value) -> String {
    sign(br#"{"alg":"EdDSA","kid":"fuzz","typ":"at+jwt"}"#, claims.to_string().as_bytes())
}

/// The grant of a request with these scopes, for patient 1.
pub fn granted(method: &str, below: &str, scope: &str) -> Access {
    static LAYER: LazyLock<FhirAuthLayer> = LazyLock::new(evaluating);
    let user = if scope.contains("patient/") { json!("1") } else { Value::Null };
    let token = token(&claims(json!({"scope": scope, "patient": user})));
    let request = Request::builder().method(method).uri(format!("/r4{below}"));
    let request = request.header("authorization", format!("Bearer {token}")).body(()).unwrap();
    let reply = send(&LAYER, request);
    reply.access.unwrap_or_else(|| panic!("{method} {below} with {scope}: {:?}", reply.body))
}
