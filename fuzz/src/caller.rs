//! The caller of an accepted token, held against the model's.

use std::collections::BTreeSet;

use serde_json::Value;
use tower_fhir_auth::Principal;

use crate::model::token::Caller;

/// Asserts that a principal says what was signed, or answered.
pub fn says_what_was_signed(principal: &Principal, caller: &Caller) {
    let set =
        |items: Vec<&str>| -> BTreeSet<String> { items.into_iter().map(str::to_owned).collect() };
    assert_eq!(principal.issuer(), caller.issuer);
    assert_eq!(principal.subject(), caller.subject.as_deref());
    assert_eq!(principal.client_id(), caller.client.as_deref());
    assert_eq!(set(principal.roles().collect()), caller.roles);
    assert_eq!(set(principal.scopes().collect()), caller.scopes);
    assert_eq!(set(principal.groups().collect()), caller.groups);
    assert_eq!(principal.expires_at().as_secs(), caller.expires_at);
    for (name, value) in &caller.claims {
        assert_eq!(principal.claim::<Value>(name).as_ref(), Ok(&Some(value.clone())), "{name}");
    }
    assert_eq!(principal.claims::<Value>().unwrap(), Value::Object(caller.claims.clone()));
    let patient = caller.claims.get("patient").and_then(Value::as_str);
    assert_eq!(principal.patient(), patient);
}
