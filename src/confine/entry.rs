//! The resources of an answer that are judged.

use super::bundle::Entry;
use crate::authorization::{BorrowedResource, ResourceRef};
use crate::fhir::compartment;

/// A resource that is judged.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) resource_type: String,
    pub(super) resource: BorrowedResource<'a>,
    /// True for what is no result, but comes along with one.
    pub(super) comes_along: bool,
}

impl<'a> Candidate<'a> {
    /// Reads a resource, or says why it cannot be judged.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        let resource = BorrowedResource::parse(text).map_err(|_| "it is no FHIR JSON")?;
        match compartment::resource_type(ResourceRef::from(&resource)) {
            "" => Err("it is no FHIR resource"),
            name => {
                let resource_type = name.to_owned();
                Ok(Self { resource_type, resource, comes_along: false })
            }
        }
    }

    /// Reads the resource of an entry; `None` for one without a resource, such as that of a deletion, and for
    /// words of the server behind.
    pub(super) fn of_entry(entry: &Entry<'a>) -> Result<Option<Self>, &'static str> {
        let Some(text) = entry.resource().filter(|_| !entry.is_outcome()) else { return Ok(None) };
        Ok(Some(Self { comes_along: entry.comes_along(), ..Self::read(text)? }))
    }

    /// Returns the logical id.
    pub(super) fn id(&self) -> Option<&str> {
        compartment::id(ResourceRef::from(&self.resource))
    }
}
