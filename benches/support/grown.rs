//! Layers that have grown: many keys, many issuers, many role definitions.

use serde_json::json;
use tower_fhir_auth::{FhirAuthLayer, RoleDefinitions, TrustedIssuer};

use super::world::{ISSUER, Key, layer, many_names, policy};

/// A layer with so many of something, which remembers so many tokens.
pub(crate) type Grown = fn(&Key, usize, usize) -> FhirAuthLayer;

pub(crate) const KINDS: [(&str, Grown); 3] =
    [("keys", keys), ("issuers", issuers), ("role definitions", roles)];

fn keys(key: &Key, number: usize, remembered: usize) -> FhirAuthLayer {
    let layer = layer(many_names(key, number)).token_cache_capacity(remembered);
    layer.build().expect("a layer")
}

fn issuers(key: &Key, number: usize, remembered: usize) -> FhirAuthLayer {
    let other = |n| TrustedIssuer::with_keys(format!("{ISSUER}/{n}"), key.set());
    let layer = layer(key.set()).issuers((1..number).map(other)).token_cache_capacity(remembered);
    layer.build().expect("a layer")
}

fn roles(key: &Key, number: usize, remembered: usize) -> FhirAuthLayer {
    let policy = policy(role_definitions(number));
    let layer = layer(key.set()).authorizer(policy).token_cache_capacity(remembered);
    layer.build().expect("a layer")
}

/// Definitions of which the last one is the token's.
fn role_definitions(number: usize) -> RoleDefinitions {
    let role = |name: String| json!({"name": name, "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]});
    let letters = |n: usize| -> String {
        let digit = |place: u32| {
            char::from(b'a' + u8::try_from(n / 10_usize.pow(place) % 10).expect("a digit"))
        };
        [3, 2, 1, 0].map(digit).iter().collect()
    };
    let others = (1..number).map(|n| role(format!("role-{}", letters(n))));
    let roles: Vec<_> = others.chain([role("globalReader".to_owned())]).collect();
    RoleDefinitions::parse(json!({"roles": roles}).to_string().as_bytes()).expect("definitions")
}
