//! Resources as they come: parsed by `serde_json`, or as JSON text that is read without a copy.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::Value;

use crate::fhir::compartment::Node;
use crate::jose::json::{Document, Json, JsonError};

/// A resource that is handed over to be judged: a [`Value`], or a [`BorrowedResource`].
///
/// ```
/// use serde_json::json;
/// use tower_fhir_auth::authorization::ResourceRef;
///
/// let patient = json!({"resourceType": "Patient", "id": "amara"});
/// let resource: ResourceRef<'_> = (&patient).into();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResourceRef<'a>(Inner<'a>);

#[derive(Clone, Copy, Debug)]
enum Inner<'a> {
    Value(&'a Value),
    Borrowed(&'a BorrowedResource<'a>),
    /// A part of a JSON text.
    Part(Json<'a>),
}

/// A resource as JSON text, read without copying its strings: for proxies and stores that keep
/// bytes, and have no use for a tree.
///
/// ```
/// use tower_fhir_auth::authorization::BorrowedResource;
/// use tower_fhir_auth::{Access, Visibility};
///
/// /// Passes a stored document on, or hides it. A document that cannot be read is hidden.
/// fn show<'a>(access: &Access, stored: &'a str) -> Option<&'a str> {
///     let resource = BorrowedResource::parse(stored).ok()?;
///     (access.may_show(&resource) == Visibility::Shown).then_some(stored)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct BorrowedResource<'a> {
    text: &'a str,
    document: Document<'a>,
    /// For matchers of constraints, which are asked scope by scope.
    value: OnceLock<Value>,
}

/// A text is no JSON object, has a member twice in one object, is nested deeper than 32 levels, or has
/// more than 65,535 names and values.
///
/// ```
/// use tower_fhir_auth::authorization::BorrowedResource;
///
/// assert!(BorrowedResource::parse("[]").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the resource {0}")]
pub struct ResourceError(JsonError);

impl<'a> BorrowedResource<'a> {
    /// Reads a text that is one JSON object.
    ///
    /// # Errors
    ///
    /// When it is none, or one that others might read differently.
    pub fn parse(text: &'a str) -> Result<Self, ResourceError> {
        let document = Document::parse(text).map_err(ResourceError)?;
        Ok(Self { text, document, value: OnceLock::new() })
    }

    /// Returns the number of its names and values.
    #[cfg(feature = "confine")]
    pub(crate) fn len(&self) -> usize {
        self.document.len()
    }
}

impl<'a> From<&'a Value> for ResourceRef<'a> {
    fn from(value: &'a Value) -> Self {
        Self(Inner::Value(value))
    }
}

impl<'a> From<&'a BorrowedResource<'a>> for ResourceRef<'a> {
    fn from(resource: &'a BorrowedResource<'a>) -> Self {
        Self(Inner::Borrowed(resource))
    }
}

#[cfg(feature = "confine")]
impl ResourceRef<'_> {
    /// Visits every object in it, itself included, without making a tree of it.
    pub(crate) fn for_each_object(self, visit: &mut dyn FnMut(Self)) {
        if self.is_object() {
            visit(self);
        }
        match self.0 {
            Inner::Value(Value::Array(items)) => {
                items.iter().for_each(|item| Self::from(item).for_each_object(visit));
            }
            Inner::Value(Value::Object(members)) => {
                members.values().for_each(|member| Self::from(member).for_each_object(visit));
            }
            Inner::Borrowed(resource) => {
                let whole = resource.document.whole();
                whole.into_iter().for_each(|part| parts(part, visit));
            }
            Inner::Part(part) => parts(part, visit),
            Inner::Value(_) => {}
        }
    }
}

/// Visits the objects within the items of an array, or the values of an object.
#[cfg(feature = "confine")]
fn parts<'a>(of: Json<'a>, visit: &mut dyn FnMut(ResourceRef<'a>)) {
    if let Json::Array(row) | Json::Object(row) = of {
        // The names of members are strings, in which there is no object.
        row.for_each(|part| ResourceRef(Inner::Part(part)).for_each_object(visit));
    }
}

impl<'a> Node<'a> for ResourceRef<'a> {
    fn member(self, name: &str) -> Option<Self> {
        match self.0 {
            Inner::Value(value) => value.get(name).map(Self::from),
            Inner::Borrowed(resource) => {
                resource.document.get(name).map(|part| Self(Inner::Part(part)))
            }
            Inner::Part(Json::Object(members)) => {
                members.member(name).map(|part| Self(Inner::Part(part)))
            }
            Inner::Part(_) => None,
        }
    }

    fn for_each(self, visit: &mut dyn FnMut(Self)) {
        match self.0 {
            Inner::Value(Value::Array(items)) => items.iter().map(Self::from).for_each(visit),
            Inner::Part(Json::Array(items)) => {
                items.map(|item| Self(Inner::Part(item))).for_each(visit);
            }
            Inner::Value(_) | Inner::Borrowed(_) | Inner::Part(_) => visit(self),
        }
    }

    fn string(self) -> Option<&'a str> {
        match self.0 {
            Inner::Value(value) => value.as_str(),
            Inner::Part(part) => part.as_str(),
            Inner::Borrowed(_) => None,
        }
    }

    fn is_object(self) -> bool {
        match self.0 {
            Inner::Value(value) => value.is_object(),
            Inner::Borrowed(_) | Inner::Part(Json::Object(_)) => true,
            Inner::Part(_) => false,
        }
    }

    /// The whole resource, for those who evaluate constraints; parts are not asked for.
    fn to_value(self) -> Cow<'a, Value> {
        match self.0 {
            Inner::Value(value) => Cow::Borrowed(value),
            Inner::Borrowed(resource) => {
                let read = || serde_json::from_str(resource.text).unwrap_or_default();
                Cow::Borrowed(resource.value.get_or_init(read))
            }
            Inner::Part(_) => Cow::Owned(Value::Null),
        }
    }
}
