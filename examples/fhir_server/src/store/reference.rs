//! Names of resources.

use serde_json::Value;
use tower_fhir_auth::fhir::{ResourceReference, ResourceTypes};

/// The name of a resource itself.
pub(crate) fn name_of(resource: &Value) -> Option<ResourceReference> {
    let text = |member: &str| resource[member].as_str();
    Some(ResourceReference::new(text("resourceType")?, text("id")?))
}

pub(crate) fn is_type(name: &str) -> bool {
    ResourceTypes::r4().contains(name)
}

pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_fhir() {
        assert!(is_id("a-B.9") && is_id(&"x".repeat(64)));
        for text in ["", "a b", "a_b", "ä", "a/b"] {
            assert!(!is_id(text), "{text}");
        }
        assert!(!is_id(&"x".repeat(65)));
    }
}
