//! References in resources (R4 section 2.3.0): which elements hold them, and what they name.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use super::parameter::PROVENANCE;
use crate::fhir::base_url::BaseUrl;
use crate::fhir::interaction::is_id;
use crate::fhir::resource_type::is_like_a_type;

/// Read access to a JSON value, whoever has parsed it.
pub(crate) trait Node<'a>: Copy {
    /// The member of an object.
    fn member(self, name: &str) -> Option<Self>;

    /// Each item of an array; any other value is its own only item.
    fn for_each(self, visit: &mut dyn FnMut(Self));

    /// The string, if it is one.
    fn string(self) -> Option<&'a str>;

    /// Reports whether it is an object, as every element but a primitive one is.
    fn is_object(self) -> bool;

    /// Returns the value as `serde_json` has it.
    fn to_value(self) -> Cow<'a, Value>;
}

impl<'a> Node<'a> for &'a Value {
    fn member(self, name: &str) -> Option<Self> {
        self.get(name)
    }

    fn for_each(self, visit: &mut dyn FnMut(Self)) {
        match self.as_array() {
            Some(items) => items.iter().for_each(visit),
            None => visit(self),
        }
    }

    fn string(self) -> Option<&'a str> {
        self.as_str()
    }

    fn is_object(self) -> bool {
        Value::is_object(self)
    }

    fn to_value(self) -> Cow<'a, Value> {
        Cow::Borrowed(self)
    }
}

/// Visits every value at an element path such as `participant.actor`, through arrays, and whatever on
/// the way is no object.
pub(crate) fn visit<'a, N: Node<'a>>(node: N, path: &str, found: &mut dyn FnMut(N)) {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let Some(member) = node.member(name) else { return };
    member.for_each(&mut |item| match rest {
        Some(rest) if item.is_object() => visit(item, rest, found),
        // Something that is no element of FHIR: others might look into it.
        Some(_) | None => found(item),
    });
}

/// A resource of this server, as a reference names it: `Patient/1`, absolute below the base URL or
/// relative to it, of any version.
///
/// ```
/// use tower_fhir_auth::fhir::ResourceReference;
///
/// let reference = ResourceReference::new("Patient", "amara");
/// assert_eq!((&*reference.resource_type, &*reference.id), ("Patient", "amara"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ResourceReference {
    /// The resource type.
    pub resource_type: String,
    /// The logical id.
    pub id: String,
}

/// The target of a Reference element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReferenceTarget<'a> {
    /// A resource of this server.
    Here { resource_type: Cow<'a, str>, id: Cow<'a, str> },
    /// A resource of another server, by an address that says of which type it is.
    Elsewhere { resource_type: &'a str },
    /// Something that only a look-up could tell: a condition, an identifier, a placeholder of a
    /// bundle, a contained resource, an address of no known form.
    Unresolved,
    /// Nothing: the element has no more than a display text.
    Nothing,
}

impl<'a> ReferenceTarget<'a> {
    /// Reads a Reference element.
    pub(crate) fn of<N: Node<'a>>(element: N, base: &BaseUrl) -> Self {
        let reference = element.member("reference");
        match reference.and_then(Node::string) {
            Some(text) => Self::parse(text, base),
            // No Reference at all, one that is no string, or a logical one (R4 section 2.3.0.3).
            None if !element.is_object()
                || reference.is_some()
                || element.member("identifier").is_some()
                || element.member("type").and_then(Node::string) == Some("Patient") =>
            {
                Self::Unresolved
            }
            None => Self::Nothing,
        }
    }

    /// Reads the text of a reference.
    pub(super) fn parse(text: &'a str, base: &BaseUrl) -> Self {
        if let Some((resource_type, id)) = instance(text) {
            return Self::Here { resource_type: resource_type.into(), id: id.into() };
        }
        if let Some(below) = base.relative(text) {
            let own = below.strip_prefix('/').and_then(instance);
            return own.map_or(Self::Unresolved, |(resource_type, id)| Self::Here {
                resource_type: resource_type.to_owned().into(),
                id: id.to_owned().into(),
            });
        }
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        let elsewhere = text.split_once("://").filter(|_| is_url && !text.contains(['?', '#']));
        let segments = elsewhere.map(|(_, rest)| rest.split('/').skip(1));
        let typed = segments.and_then(|segments| {
            let segments: Vec<&str> = segments.collect();
            let (_, last) = segments.split_at(segments.len().saturating_sub(4));
            // `…/Type/id` or `…/Type/id/_history/version`.
            let (resource_type, id) = match last {
                [resource_type, id, "_history", _] | [.., resource_type, id] => {
                    (*resource_type, *id)
                }
                _ => return None,
            };
            (is_like_a_type(resource_type) && is_id(id)).then_some(resource_type)
        });
        typed.map_or(Self::Unresolved, |resource_type| Self::Elsewhere { resource_type })
    }

    /// Reports whether it names this instance.
    pub(crate) fn names(&self, resource_type: &str, id: &str) -> bool {
        matches!(self, Self::Here { resource_type: of, id: own } if of == resource_type && own == id)
    }
}

/// The resource of this server that a string names as a reference does.
pub(crate) fn resource_of(text: &str, base: &BaseUrl) -> Option<ResourceReference> {
    match ReferenceTarget::parse(text, base) {
        ReferenceTarget::Here { resource_type, id } => {
            Some(ResourceReference { resource_type: resource_type.into(), id: id.into() })
        }
        ReferenceTarget::Elsewhere { .. }
        | ReferenceTarget::Unresolved
        | ReferenceTarget::Nothing => None,
    }
}

/// `Type/id`, or `Type/id/_history/version`, which is a version of the same instance.
fn instance(text: &str) -> Option<(&str, &str)> {
    let mut segments = text.split('/');
    let (resource_type, id) = (segments.next()?, segments.next()?);
    match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => {}
        (Some("_history"), Some(version), None) if is_id(version) => {}
        _ => return None,
    }
    (is_like_a_type(resource_type) && is_id(id)).then_some((resource_type, id))
}

impl ResourceReference {
    /// Names a resource by its type and id, which are not looked at.
    #[must_use]
    pub fn new(resource_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { resource_type: resource_type.into(), id: id.into() }
    }

    /// Reports whether it names this resource.
    pub(crate) fn is<'r, N: Node<'r>>(&self, resource: N) -> bool {
        let says = |name| resource.member(name).and_then(Node::string);
        says("resourceType") == Some(&*self.resource_type) && says("id") == Some(&*self.id)
    }

    pub(crate) fn is_provenance(&self) -> bool {
        self.resource_type == PROVENANCE
    }
}

impl fmt::Display for ResourceReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn here(resource_type: &str, id: &str) -> ReferenceTarget<'static> {
        ReferenceTarget::Here {
            resource_type: resource_type.to_owned().into(),
            id: id.to_owned().into(),
        }
    }

    #[test]
    fn a_reference_names_an_instance_here_or_says_why_not() {
        let base: BaseUrl = "https://fhir.example.org/r4".parse().unwrap();
        for (reference, expected) in [
            (json!("Patient/1"), here("Patient", "1")),
            (json!("Patient/1/_history/3"), here("Patient", "1")),
            (json!("https://fhir.example.org/r4/Patient/1"), here("Patient", "1")),
            (json!("HTTPS://FHIR.example.org:443/r4/Patient/1/_history/2"), here("Patient", "1")),
            (
                json!("https://other.example.org/r4/Patient/1"),
                ReferenceTarget::Elsewhere { resource_type: "Patient" },
            ),
            (
                json!("https://fhir.example.org/r4x/Device/1/_history/2"),
                ReferenceTarget::Elsewhere { resource_type: "Device" },
            ),
            (
                json!("http://other.example.org/Patient/1"),
                ReferenceTarget::Elsewhere { resource_type: "Patient" },
            ),
            (json!("http://other.example.org/Patient/1?x=y"), ReferenceTarget::Unresolved),
            (json!("https://other.example.org/r4?x=/Patient/1"), ReferenceTarget::Unresolved),
            (json!("https://other.example.org/patients/1"), ReferenceTarget::Unresolved),
            (json!("https://other.example.org/Patient/a_b"), ReferenceTarget::Unresolved),
            (json!("ftp://other.example.org/Patient/1"), ReferenceTarget::Unresolved),
            (json!("https://other.example.org/somebody"), ReferenceTarget::Unresolved),
            (json!("Patient?identifier=1"), ReferenceTarget::Unresolved),
            (
                json!("https://fhir.example.org/r4/Patient?identifier=1"),
                ReferenceTarget::Unresolved,
            ),
            (json!("urn:uuid:3a5d9c1e-6f8b-4b7c-9d3e-0a1b2c3d4e5f"), ReferenceTarget::Unresolved),
            (json!("#contained"), ReferenceTarget::Unresolved),
            (json!("/Patient/1"), ReferenceTarget::Unresolved),
            (json!("Patient/"), ReferenceTarget::Unresolved),
            (json!("Patient/a_b"), ReferenceTarget::Unresolved),
            (json!("patient/1"), ReferenceTarget::Unresolved),
            (json!("Patient/1/x"), ReferenceTarget::Unresolved),
            (json!("Patient/1/_history/a_b"), ReferenceTarget::Unresolved),
            (json!(""), ReferenceTarget::Unresolved),
            (json!(7), ReferenceTarget::Unresolved),
            (json!(null), ReferenceTarget::Unresolved),
        ] {
            let element = json!({"reference": reference});
            assert_eq!(ReferenceTarget::of(&element, &base), expected, "{element}");
        }
        let logical = json!({"type": "Patient", "identifier": {"value": "7"}});
        assert_eq!(ReferenceTarget::of(&logical, &base), ReferenceTarget::Unresolved);
        for odd in [json!("Patient/1"), json!([{"reference": "Patient/1"}]), json!(null)] {
            assert_eq!(ReferenceTarget::of(&odd, &base), ReferenceTarget::Unresolved, "{odd}");
        }
        assert_eq!(
            ReferenceTarget::of(&json!({"display": "Amara"}), &base),
            ReferenceTarget::Nothing
        );
    }

    #[test]
    fn an_instance_is_named_by_its_type_and_its_id() {
        for (target, expected) in [
            (here("Patient", "1"), true),
            (here("Group", "1"), false),
            (here("Patient", "2"), false),
            (ReferenceTarget::Elsewhere { resource_type: "Patient" }, false),
        ] {
            assert_eq!(target.names("Patient", "1"), expected, "{target:?}");
        }
        let reference = ResourceReference::new(PROVENANCE, "1");
        for (resource, expected) in [
            (json!({"resourceType": "Provenance", "id": "1"}), true),
            (json!({"resourceType": "Patient", "id": "1"}), false),
            (json!({"resourceType": "Provenance", "id": "2"}), false),
            (json!({"id": "1"}), false),
        ] {
            assert_eq!(reference.is(&resource), expected, "{resource}");
        }
        assert!(reference.is_provenance());
        assert!(!ResourceReference::new("Patient", "1").is_provenance());
    }

    #[test]
    fn a_path_is_followed_through_arrays() {
        let resource = json!({"a": [{"b": {"c": "1"}}, {"b": [{"c": "2"}, {"c": ["3", "4"]}]}]});
        let mut found = Vec::new();
        visit(&resource, "a.b.c", &mut |value| found.extend(value.string()));
        assert_eq!(found, ["1", "2", "3", "4"]);
        let odd = json!({"a": [[{"b": "1"}], "x"]});
        let mut found = 0;
        visit(&odd, "a.b", &mut |value| found += usize::from(!value.is_object()));
        assert_eq!(found, 2, "what is no element is looked at as it is");
        visit(&resource, "a.x.c", &mut |_| panic!("there is nothing"));
    }
}
