//! References as values of a search (R4, Search, "reference").

use serde_json::Value;

use crate::fhir::BaseUrl;
use crate::fhir::compartment::{Target, resource_of};
use crate::fhir::interaction::is_id;

/// A resource to look for among references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReferenceTest {
    /// A resource of this server: its type, where the search names one, and its id.
    Here(Option<String>, String),
    /// An absolute URL elsewhere, such as a canonical one; compared to the letter, with its version or
    /// without one.
    Url(String),
}

impl ReferenceTest {
    pub(super) fn parse(
        base: &BaseUrl,
        modifier: Option<&str>,
        text: &str,
    ) -> Result<Self, String> {
        if is_id(text) {
            return Ok(Self::Here(modifier.map(str::to_owned), text.to_owned()));
        }
        if let Some(found) = resource_of(text, base) {
            if text.contains("/_history/") {
                return Err(format!("`{text}` names a version"));
            }
            if modifier.is_some_and(|modifier| modifier != found.resource_type) {
                return Err(format!("`{text}` is of another type"));
            }
            return Ok(Self::Here(Some(found.resource_type), found.id));
        }
        match text.contains("://") && modifier.is_none() {
            true => Ok(Self::Url(text.to_owned())),
            false => Err(format!("`{text}` is no reference")),
        }
    }

    /// Compares a Reference, or a canonical URL. Where `target` names a type, only references to it count.
    pub(super) fn matches(&self, element: &Value, target: Option<&str>, base: &BaseUrl) -> bool {
        match self {
            Self::Here(wanted, wanted_id) => match Target::of(element, base) {
                Target::Here { resource_type, id } => {
                    id == *wanted_id
                        && wanted.as_ref().is_none_or(|wanted| resource_type == *wanted)
                        && target.is_none_or(|target| resource_type == target)
                }
                Target::Elsewhere { .. } | Target::Unresolved | Target::Nothing => false,
            },
            Self::Url(wanted) => {
                let text = element.as_str().or_else(|| element.get("reference")?.as_str());
                target.is_none()
                    && text.is_some_and(|text| {
                        text == wanted || text.split_once('|').is_some_and(|(url, _)| url == wanted)
                    })
            }
        }
    }
}
