//! Scope text → normal form (SMART App Launch 2.2).
//!
//! Each scope must be what the grammar of the model says, and its written form must be read as the
//! same. The normal form of the whole list grants what its scopes grant one by one, whatever their
//! order.

#![no_main]

use std::sync::LazyLock;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower_fhir_auth::smart::{Permissions, ScopeContext, ScopeKind, SmartScope};
use tower_fhir_auth::{Authenticator, Principal};
use tower_fhir_auth_fuzz::access::{claims, token};
use tower_fhir_auth_fuzz::issuer::authenticator;
use tower_fhir_auth_fuzz::model::scope::{LATER, Scope, parse, rights};
use tower_fhir_auth_fuzz::service::at_once;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| authenticator(0));

fuzz_target!(|data: &str| {
    let mut scopes = Vec::new();
    for text in data.split(' ') {
        let expected = parse(text, is_type);
        let found = text.parse::<SmartScope>().ok();
        assert_eq!(found.as_ref().map(parts), expected, "{text:?}");
        if let Some(found) = found {
            assert_eq!(found.to_string().parse::<SmartScope>(), Ok(found.clone()), "{text:?}");
            let letters = found.permissions();
            assert_eq!(Permissions::parse(&letters.to_string()), Some(letters));
            assert_eq!(ScopeKind::of(text), ScopeKind::Resource);
            assert_eq!(
                found.covers("Observation"),
                expected
                    .as_ref()
                    .is_some_and(|scope| { scope.on == "*" || scope.on == "Observation" })
            );
        } else {
            assert_ne!(ScopeKind::of(text), ScopeKind::Resource, "{text:?}");
        }
        scopes.extend(expected);
    }
    // Of more constraints than these the first ones count.
    let constrained = scopes.iter().filter(|scope| scope.constraint.is_some()).count();
    if scopes.is_empty() || constrained > 32 {
        return;
    }
    let in_order = rights_of(data);
    assert_eq!(in_order, rights(&scopes), "{data:?}");
    let mut backwards: Vec<&str> = data.split(' ').collect();
    backwards.reverse();
    assert_eq!(rights_of(&backwards.join(" ")), in_order, "{data:?}");
});

fn rights_of(scope: &str) -> std::collections::BTreeSet<tower_fhir_auth_fuzz::model::scope::Right> {
    let principal = principal(scope);
    let normal: Vec<Scope> = principal.smart_scopes().iter().map(parts).collect();
    // A normal form has each context, type and constraint once.
    let keys = |scope: &Scope| (scope.context, scope.on.clone(), scope.constraint.clone());
    let once: std::collections::BTreeSet<_> = normal.iter().map(keys).collect();
    assert_eq!(once.len(), normal.len(), "{scope:?}");
    rights(&normal)
}

fn principal(scope: &str) -> Principal {
    let token = token(&claims(json!({"scope": scope})));
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    at_once(AUTHENTICATOR.authenticate(&headers, &Uri::from_static("/r4/Patient/1"))).unwrap()
}

fn is_type(name: &str) -> bool {
    static R4: LazyLock<tower_fhir_auth::fhir::ResourceTypes> =
        LazyLock::new(tower_fhir_auth::fhir::ResourceTypes::r4);
    R4.contains(name) || LATER.contains(&name)
}

fn parts(scope: &SmartScope) -> Scope {
    Scope {
        context: match scope.context() {
            ScopeContext::Patient => "patient",
            ScopeContext::User => "user",
            ScopeContext::System => "system",
            _ => panic!("another context"),
        },
        on: scope.resource_type().unwrap_or("*").to_owned(),
        letters: scope.permissions().to_string(),
        constraint: scope.constraint().map(str::to_owned),
    }
}
