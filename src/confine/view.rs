//! The verdicts on the resources of an answer.

use hashbrown::HashMap;
use serde_json::Value;

use super::entry::Candidate;
use crate::authorization::{Access, ResourceFilter, ResourceRef, Visibility};
use crate::fhir::ResourceReference;
use crate::fhir::compartment::{self, MAX_LOOKUPS, Node};
use crate::smart::Permissions;

/// Judges the resources of one answer.
pub(super) struct View<'a> {
    access: &'a Access,
    filters: HashMap<(String, bool), ResourceFilter<'a>>,
}

/// The verdict on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Shown,
    Hidden,
    /// It depends on these.
    Depends(Vec<ResourceReference>),
}

/// The resources that are known beside those of an answer: `None` where there is no such one.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<ResourceReference, Option<Value>>);

impl Known {
    pub(super) fn has(&self, reference: &ResourceReference) -> bool {
        self.0.contains_key(reference)
    }

    pub(super) fn insert(&mut self, reference: ResourceReference, resource: Option<Value>) {
        self.0.insert(reference, resource);
    }
}

impl<'a> View<'a> {
    pub(super) fn new(access: &'a Access) -> Self {
        Self { access, filters: HashMap::new() }
    }

    /// Judges a resource by itself.
    pub(super) fn verdict(&mut self, one: &Candidate<'_>) -> Verdict {
        let resource = ResourceRef::from(&one.resource);
        match self.filter(one).shows(resource) {
            Visibility::Shown if self.hides_content(resource) => Verdict::Hidden,
            Visibility::Shown => Verdict::Shown,
            Visibility::Depends(targets) if !targets.iter().any(|to| to.is(resource)) => {
                Verdict::Depends(targets)
            }
            Visibility::Hidden | Visibility::Depends(_) => Verdict::Hidden,
        }
    }

    /// Reports whether it is a Binary that is the content of something of a type which may not be read
    /// altogether (R4, `Binary.securityContext`). By itself each of these is read.
    fn hides_content(&self, resource: ResourceRef<'_>) -> bool {
        let context = resource.member("securityContext");
        let Some(context) = context.filter(|_| compartment::resource_type(resource) == "Binary")
        else {
            return false;
        };
        let base = self.access.interaction().base();
        let named = context.member("reference").and_then(Node::string);
        let named = named.and_then(|text| compartment::resource_of(text, base));
        named.is_none_or(|named| {
            let may_read = || self.access.may(Permissions::READ, &named.resource_type).is_open();
            // A Binary may be the content of something again.
            named.resource_type == "Binary" || !may_read()
        })
    }

    /// Judges a resource by what it depends on, as far as that is known. The rest is added to `missing`, all
    /// of it at once.
    pub(super) fn settle(
        &mut self,
        verdict: &mut Verdict,
        one: &Candidate<'_>,
        known: &Known,
        missing: &mut Vec<ResourceReference>,
    ) {
        let Verdict::Depends(targets) = verdict else { return };
        let filter = self.filter(one);
        let unknown = missing.len();
        match all_shown(filter, ResourceRef::from(&one.resource), targets, known, missing) {
            false => {
                missing.truncate(unknown);
                *verdict = Verdict::Hidden;
            }
            true if missing.len() == unknown => *verdict = Verdict::Shown,
            true => {}
        }
    }

    fn filter(&mut self, one: &Candidate<'_>) -> &ResourceFilter<'a> {
        let access = self.access;
        let key = (one.resource_type.clone(), one.comes_along);
        self.filters.entry(key).or_insert_with(|| match one.comes_along {
            true => access.readable(&one.resource_type),
            false => access.shown(&one.resource_type),
        })
    }
}

/// Reports whether nothing of what a resource depends on is hidden, as far as it is known. It may take
/// [`MAX_LOOKUPS`] resources; one that leads back to itself leads to nobody.
fn all_shown(
    filter: &ResourceFilter<'_>,
    resource: ResourceRef<'_>,
    targets: &[ResourceReference],
    known: &Known,
    missing: &mut Vec<ResourceReference>,
) -> bool {
    let mut pending = targets.to_vec();
    let mut next = 0;
    while let Some(target) = pending.get(next).cloned() {
        next += 1;
        if next > MAX_LOOKUPS {
            return false;
        }
        let found = match known.0.get(&target) {
            Some(Some(found)) => found,
            Some(None) => return false,
            None => {
                missing.push(target);
                continue;
            }
        };
        match filter.shows_target(found) {
            Visibility::Shown => {}
            Visibility::Hidden => return false,
            Visibility::Depends(further) => {
                for one in further {
                    match pending.contains(&one) || one.is(resource) {
                        true if one.is_provenance() => return false,
                        true => {}
                        false => pending.push(one),
                    }
                }
            }
        }
    }
    true
}

/// The resources of an answer by type and id: each is looked up, and not looked for.
pub(super) struct Among<'c, 'a> {
    candidates: &'c [Candidate<'a>],
    /// `None` where two are called alike.
    places: HashMap<(&'c str, &'c str), Option<usize>>,
}

impl<'c, 'a> Among<'c, 'a> {
    pub(super) fn new(candidates: &'c [Candidate<'a>]) -> Self {
        let mut places = HashMap::new();
        for (place, one) in candidates.iter().enumerate() {
            let Some(id) = one.id() else { continue };
            let name = (&*one.resource_type, id);
            places.entry(name).and_modify(|place| *place = None).or_insert(Some(place));
        }
        Self { candidates, places }
    }

    /// Returns the one that another one of the answer depends on, if there is exactly one such.
    pub(super) fn find(&self, reference: &ResourceReference) -> Option<Value> {
        let place = (*self.places.get(&(&*reference.resource_type, &*reference.id))?)?;
        let resource = ResourceRef::from(&self.candidates.get(place)?.resource);
        reference.is(resource).then(|| resource.to_value().into_owned())
    }
}
