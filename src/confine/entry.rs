//! The resources of an answer that are judged.

use super::bundle::Entry;
use crate::authorization::{BorrowedResource, ResourceRef};
use crate::fhir::compartment;

/// The most names and values that are held of the resources of an answer as they were read. A tree takes many times the
/// bytes of its text, and it is strangers who fill pages: beyond, a resource is read again when it is looked at.
const MAX_HELD: usize = 65_535;

/// A resource that is judged.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) resource_type: String,
    /// True for what is no result, but comes along with one.
    pub(super) is_included: bool,
    id: Option<String>,
    text: &'a str,
    /// `None` where there was no room for it.
    read: Option<Box<BorrowedResource<'a>>>,
}

/// The room for what is held of the resources of an answer.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn of_an_answer() -> Self {
        Self(MAX_HELD)
    }
}

impl<'a> Candidate<'a> {
    /// Reads a resource, or says why it cannot be judged.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        let read = BorrowedResource::parse(text).map_err(|_| "it is not FHIR JSON")?;
        let resource = ResourceRef::from(&read);
        let id = compartment::id(resource).map(str::to_owned);
        match compartment::resource_type(resource) {
            "" => Err("it is not a FHIR resource"),
            name => {
                let resource_type = name.to_owned();
                let read = Some(Box::new(read));
                Ok(Self { resource_type, is_included: false, id, text, read })
            }
        }
    }

    /// Reads the resource of an entry; `None` for one without a resource, such as that of a deletion, and for words of
    /// the upstream server.
    pub(super) fn of_entry(entry: &Entry<'a>) -> Result<Option<Self>, &'static str> {
        let Some(text) = entry.resource().filter(|_| !entry.is_outcome()) else { return Ok(None) };
        Ok(Some(Self { is_included: entry.is_included(), ..Self::read(text)? }))
    }

    /// Holds what was read as far as there is room.
    pub(super) fn held_within(mut self, room: &mut Room) -> Self {
        match room.0.checked_sub(self.read.as_ref().map_or(0, |read| read.len())) {
            Some(left) => room.0 = left,
            None => self.read = None,
        }
        self
    }

    /// Returns the logical id.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Calls `look` with the resource. `None` only if its text cannot be parsed a second time, which never happens.
    pub(super) fn look<T>(&self, look: impl FnOnce(ResourceRef<'_>) -> T) -> Option<T> {
        match &self.read {
            Some(read) => Some(look((&**read).into())),
            None => BorrowedResource::parse(self.text).ok().map(|read| look((&read).into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::bundle::Bundle;
    use crate::fhir::compartment::Node;

    #[test]
    fn of_a_page_no_more_is_held_than_of_one_resource_and_the_rest_is_read_again() {
        let values = |count: usize| vec!["0"; count].join(",");
        let entry = |id: &str, count: usize| {
            let values = values(count);
            format!(r#"{{"resource":{{"resourceType":"Basic","id":"{id}","x":[{values}]}}}}"#)
        };
        let entries =
            [entry("a", 40_000), entry("b", 40_000), entry("c", 20_000), entry("d", 1)].join(",");
        let text = format!(r#"{{"resourceType":"Bundle","entry":[{entries}]}}"#);
        let bundle = Bundle::parse(&text).unwrap();
        let mut room = Room::of_an_answer();
        let read = bundle.entries().iter().map(|one| Candidate::of_entry(one).unwrap().unwrap());
        let read: Vec<Candidate<'_>> = read.map(|one| one.held_within(&mut room)).collect();
        let held: Vec<bool> = read.iter().map(|one| one.read.is_some()).collect();
        assert_eq!(held, [true, false, true, true]);
        let id = |resource: ResourceRef<'_>| {
            resource.member("id").and_then(Node::string).map(str::to_owned)
        };
        let ids: Vec<Option<String>> = read.iter().map(|one| one.look(id).unwrap()).collect();
        assert!(ids.iter().map(Option::as_deref).eq(["a", "b", "c", "d"].map(Some)));
        assert!(read.iter().map(Candidate::id).eq(["a", "b", "c", "d"].map(Some)));
    }
}
