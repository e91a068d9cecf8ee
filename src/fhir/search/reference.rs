//! References as values of a search (R4, Search, "reference").

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::fhir::BaseUrl;
use crate::fhir::compartment::{ReferenceTarget, resource_of};
use crate::fhir::interaction::is_id;

/// The resources to look for among references, any one of which is enough. They are looked up: an element costs the
/// same, however many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct ReferenceTest {
    /// Resources of this server, by their ids.
    here: HashMap<String, Types>,
    /// Absolute URLs elsewhere, such as canonical ones; compared to the letter, with a version or without one.
    urls: HashSet<String>,
}

/// The types of which a resource with an id is looked for.
#[derive(Clone, Debug, Default)]
struct Types {
    /// True if some value is the id alone.
    any: bool,
    named: HashSet<String>,
}

impl ReferenceTest {
    pub(super) fn parse(
        base: &BaseUrl,
        modifier: Option<&str>,
        values: impl IntoIterator<Item = String>,
    ) -> Result<Self, String> {
        let mut test = Self::default();
        values.into_iter().try_for_each(|text| test.add(base, modifier, text))?;
        Ok(test)
    }

    fn add(&mut self, base: &BaseUrl, modifier: Option<&str>, text: String) -> Result<(), String> {
        if is_id(&text) {
            let types = self.here.entry(text).or_default();
            match modifier {
                Some(modifier) => drop(types.named.insert(modifier.to_owned())),
                None => types.any = true,
            }
            return Ok(());
        }
        if let Some(found) = resource_of(&text, base) {
            if text.contains("/_history/") {
                return Err(format!("`{text}` names a version"));
            }
            if modifier.is_some_and(|modifier| modifier != found.resource_type) {
                return Err(format!("`{text}` is of another type"));
            }
            self.here.entry(found.id).or_default().named.insert(found.resource_type);
            return Ok(());
        }
        if !text.contains("://") || modifier.is_some() {
            return Err(format!("`{text}` is not a reference"));
        }
        self.urls.insert(text);
        Ok(())
    }

    /// Compares a Reference, or a canonical URL. Where `target` names a type, only references to it count.
    pub(super) fn matches(&self, element: &Value, target: Option<&str>, base: &BaseUrl) -> bool {
        // Of what type a resource elsewhere is, only its own server can tell.
        self.names_here(element, target, base) || (target.is_none() && self.names_url(element))
    }

    fn names_here(&self, element: &Value, target: Option<&str>, base: &BaseUrl) -> bool {
        match ReferenceTarget::of(element, base) {
            ReferenceTarget::Here { resource_type, id } => {
                target.is_none_or(|target| resource_type == target)
                    && self
                        .here
                        .get(&*id)
                        .is_some_and(|types| types.any || types.named.contains(&*resource_type))
            }
            ReferenceTarget::Elsewhere { .. }
            | ReferenceTarget::Unresolved
            | ReferenceTarget::Nothing => false,
        }
    }

    fn names_url(&self, element: &Value) -> bool {
        let text = element.as_str().or_else(|| element.get("reference")?.as_str());
        text.is_some_and(|text| {
            let without_version = || text.split_once('|').map_or(text, |(url, _)| url);
            self.urls.contains(text) || self.urls.contains(without_version())
        })
    }
}
