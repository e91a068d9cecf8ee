//! The verdicts on the resources of an answer.

use std::cell::RefCell;

use hashbrown::HashMap;
use serde_json::Value;

use crate::authorization::{Access, BorrowedResource, ResourceFilter};
use crate::fhir::ResourceReference;

/// The most resources that are looked up for one answer, to judge what points to them.
const MAX_LOOKUPS: usize = 256;

/// Judges the resources of one answer.
pub(super) struct View<'a> {
    access: &'a Access,
    filters: RefCell<HashMap<(String, bool), ResourceFilter<'a>>>,
    /// The resources that were looked up: `None` where there is no such one.
    known: HashMap<ResourceReference, Option<Value>>,
    missing: RefCell<Vec<ResourceReference>>,
}

/// The verdict on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Shown,
    Hidden,
    /// It depends on what has to be looked up first.
    Undecided,
}

impl<'a> View<'a> {
    pub(super) fn new(access: &'a Access) -> Self {
        Self {
            access,
            filters: RefCell::default(),
            known: HashMap::new(),
            missing: RefCell::default(),
        }
    }

    /// Judges a resource of a type: a result of the interaction, or one that comes along with a result.
    pub(super) fn verdict(
        &self,
        resource_type: &str,
        resource: &BorrowedResource<'_>,
        comes_along: bool,
    ) -> Verdict {
        let key = (resource_type.to_owned(), comes_along);
        let mut filters = self.filters.borrow_mut();
        let filter = filters.entry(key).or_insert_with(|| match comes_along {
            true => self.access.readable(resource_type),
            false => self.access.shown(resource_type),
        });
        let mut undecided = false;
        let look_up = |to: &ResourceReference| match self.known.get(to) {
            Some(found) => found.as_ref(),
            None => {
                undecided = true;
                let mut missing = self.missing.borrow_mut();
                if !missing.contains(to) && missing.len() < MAX_LOOKUPS {
                    missing.push(to.clone());
                }
                None
            }
        };
        match filter.shows_with(resource, look_up) {
            true => Verdict::Shown,
            false if undecided => Verdict::Undecided,
            false => Verdict::Hidden,
        }
    }

    /// Returns what has to be looked up, as long as that is not too much.
    pub(super) fn to_look_up(&self) -> Vec<ResourceReference> {
        let room = MAX_LOOKUPS.saturating_sub(self.known.len());
        let mut missing = self.missing.take();
        missing.truncate(room);
        missing
    }

    /// Adds what a look-up has found.
    pub(super) fn found(&mut self, reference: ResourceReference, resource: Option<Value>) {
        self.known.insert(reference, resource);
    }
}
