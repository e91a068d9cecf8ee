//! References to resources of this server.

use std::sync::Arc;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reference {
    pub(crate) resource_type: String,
    pub(crate) id: String,
}

impl Reference {
    pub(crate) fn to(resource_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { resource_type: resource_type.into(), id: id.into() }
    }

    /// The reference to a resource itself.
    pub(crate) fn of(resource: &Value) -> Option<Self> {
        Some(Self::to(resource["resourceType"].as_str()?, resource["id"].as_str()?))
    }
}

/// The base URL of this server, which tells its own absolute references from those of others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base(Arc<str>);

impl Base {
    pub(crate) fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').into())
    }

    pub(crate) fn url(&self) -> &str {
        &self.0
    }

    /// `Type/id`, relative or under this base, with or without a version. Anything else, such as
    /// an address of another server, a `urn:` or a contained resource, is not in this store.
    pub(crate) fn reference(&self, text: &str) -> Option<Reference> {
        let mut parts = self.relative(text).split('/');
        let (resource_type, id) = (parts.next()?, parts.next()?);
        match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => {}
            (Some("_history"), Some(version), None) if is_id(version) => {}
            _ => return None,
        }
        let sound = is_type_name(resource_type) && is_id(id);
        sound.then(|| Reference::to(resource_type, id))
    }

    fn relative<'t>(&self, text: &'t str) -> &'t str {
        let under_base = text.strip_prefix(self.url()).and_then(|rest| rest.strip_prefix('/'));
        under_base.filter(|_| !self.url().is_empty()).unwrap_or(text)
    }
}

pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_type_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_references_are_found_in_every_form() {
        let base = Base::new("https://fhir.test/r4/");
        for text in [
            "Patient/1",
            "Patient/1/_history/3",
            "https://fhir.test/r4/Patient/1",
            "https://fhir.test/r4/Patient/1/_history/3",
        ] {
            assert_eq!(base.reference(text), Some(Reference::to("Patient", "1")), "{text}");
        }
    }

    #[test]
    fn other_references_are_not() {
        let base = Base::new("https://fhir.test/r4");
        for text in [
            "",
            "1",
            "/Patient/1",
            "Patient/",
            "Patient/1/",
            "Patient/1/_history",
            "Patient/1/_history/",
            "Patient/1/_history/3/4",
            "Patient/1/$everything",
            "Patient/1#name",
            "Patient/ 1",
            "patient/1",
            "#1",
            "#Patient/1",
            "urn:uuid:3a5d9c1e-6f8b-4b7c-9d3e-0a1b2c3d4e5f",
            "https://other.test/r4/Patient/1",
            "https://fhir.test/r4x/Patient/1",
            "https://fhir.test/r4//Patient/1",
            "https://fhir.test/Patient/1",
            "Patient?identifier=1",
        ] {
            assert_eq!(base.reference(text), None, "{text}");
        }
    }

    #[test]
    fn without_a_base_only_relative_references_are_own() {
        let base = Base::default();
        assert!(base.reference("Patient/1").is_some());
        assert_eq!(base.reference("/Patient/1"), None);
    }

    #[test]
    fn ids_are_those_of_fhir() {
        assert!(is_id("a-B.9") && is_id(&"x".repeat(64)));
        for text in ["", "a b", "a_b", "ä", "a/b"] {
            assert!(!is_id(text), "{text}");
        }
        assert!(!is_id(&"x".repeat(65)));
    }
}
