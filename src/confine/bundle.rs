//! Bundles as they come, and as they go on: the entries that may be seen, byte by byte as they were.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::bounded::{self, TooLong};
use super::bounded_list::BoundedList;
use super::refusal::Refusal;

/// The most entries of a bundle of the upstream server, and the most links.
const MAX_ENTRIES: usize = 65_535;
const MAX_LINKS: usize = 1000;

/// An address that is below no base.
const NOWHERE: &str = "#";

/// A bundle of the upstream server. Members that are not here do not go on.
#[derive(Debug, Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow, default)]
    link: BoundedList<Link<'a>, MAX_LINKS>,
    #[serde(borrow, default)]
    entry: BoundedList<Entry<'a>, MAX_ENTRIES>,
    #[serde(borrow)]
    total: Option<&'a RawValue>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Link<'a> {
    #[serde(borrow)]
    relation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry<'a> {
    #[serde(borrow, rename = "fullUrl", skip_serializing_if = "Option::is_none")]
    full_url: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    resource: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    search: Option<Search<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    request: Option<EntryRequest<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    response: Option<EntryResponse<'a>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Search<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    mode: Option<Cow<'a, str>>,
}

/// The change that made a version, in a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct EntryRequest<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct EntryResponse<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    etag: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "lastModified", skip_serializing_if = "Option::is_none")]
    last_modified: Option<Cow<'a, str>>,
}

/// A bundle as it is sent to the client. The upstream server's total could count hidden entries, so it is sent only
/// where nothing is hidden.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    link: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entry: Vec<KeptEntry<'a>>,
}

/// An entry that is kept, with another text of its resource where that is written anew.
struct KeptEntry<'a> {
    entry: &'a Entry<'a>,
    resource: Option<Box<RawValue>>,
}

impl KeptEntry<'_> {
    /// Returns the length of its resource.
    fn length(&self) -> usize {
        match &self.resource {
            Some(written) => written.get().len(),
            None => self.entry.resource().map_or(0, str::len),
        }
    }
}

impl Serialize for KeptEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.resource {
            None => self.entry.serialize(serializer),
            Some(resource) => self.entry.with_resource(resource).serialize(serializer),
        }
    }
}

impl<'a> Bundle<'a> {
    /// Reads a bundle; one with a member twice is none.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let no_bundle = || Refusal::unreadable("it is not a Bundle");
        let bundle: Self = serde_json::from_str(text).map_err(|_| no_bundle())?;
        if bundle.resource_type != "Bundle" {
            return Err(no_bundle());
        }
        match bundle.entry.has_more || bundle.link.has_more {
            true => Err(Refusal::too_many_upstream_entries(MAX_ENTRIES)),
            false => Ok(bundle),
        }
    }

    pub(super) fn entries(&self) -> &[Entry<'a>] {
        &self.entry.items
    }

    /// Returns the address of the next page, as the upstream server writes it. A link without one leads nowhere, and
    /// yet there are more results.
    pub(super) fn next_page(&self) -> Option<&str> {
        let mut next =
            self.link.items.iter().filter(|link| link.relation.as_deref() == Some("next"));
        next.next().map(|link| link.url.as_deref().unwrap_or(NOWHERE))
    }

    /// Returns the number of results as the upstream server says it.
    pub(super) fn total(&self) -> Option<u64> {
        serde_json::from_str(self.total?.get()).ok()
    }

    /// Writes the entries that are kept, with links of this server, and with `other` texts of resources where
    /// there are such, into no more than so many bytes. `other` is told how many of them are left.
    pub(super) fn write(
        &self,
        kind: &'static str,
        own: String,
        next: Option<String>,
        kept: &[bool],
        limit: usize,
        other: impl Fn(&str, usize) -> Result<Option<String>, TooLong>,
    ) -> Result<Vec<u8>, TooLong> {
        let next = next.map(|next| link("next", next));
        let kept = self.entries().iter().zip(kept).filter(|(_, kept)| **kept);
        let mut room = limit;
        let mut entry = Vec::new();
        for (kept, _) in kept {
            let one = kept.written_with(|resource| other(resource, room))?;
            room = room.checked_sub(one.length()).ok_or(TooLong)?;
            entry.push(one);
        }
        let written = Written {
            resource_type: "Bundle",
            kind,
            total: None,
            link: std::iter::once(link("self", own)).chain(next).collect(),
            entry,
        };
        let lengths = written.entry.iter().map(|kept| kept.length() + 256);
        bounded::to_vec(&written, lengths.sum::<usize>() + 1024, limit)
    }
}

/// Writes the bundle of a search that asks for the number of its results alone.
pub(super) fn of_count(own: String, total: u64) -> Option<Vec<u8>> {
    let written = Written {
        resource_type: "Bundle",
        kind: "searchset",
        total: Some(total),
        link: vec![link("self", own)],
        entry: Vec::new(),
    };
    serde_json::to_vec(&written).ok()
}

fn link(relation: &'static str, url: String) -> Link<'static> {
    Link { relation: Some(Cow::Borrowed(relation)), url: Some(url.into()) }
}

impl<'a> Entry<'a> {
    /// Returns the resource as it was written.
    pub(super) fn resource(&self) -> Option<&'a str> {
        self.resource.map(RawValue::get)
    }

    /// Returns the address of what was deleted, of the entry of a history that says so.
    pub(super) fn deleted(&self) -> Option<&str> {
        let asked = self.request.as_ref().filter(|asked| asked.method == "DELETE")?;
        self.resource.is_none().then_some(&*asked.url)
    }

    /// Reports whether it is no result of the search, but comes along with one.
    pub(super) fn is_included(&self) -> bool {
        self.mode() == Some("include")
    }

    /// Reports whether it is about the search itself: words of the upstream server.
    pub(super) fn is_outcome(&self) -> bool {
        self.mode() == Some("outcome")
    }

    fn written_with(
        &self,
        other: impl Fn(&str) -> Result<Option<String>, TooLong>,
    ) -> Result<KeptEntry<'_>, TooLong> {
        let resource = self.resource().map(other).transpose()?.flatten();
        let resource = resource.and_then(|text| RawValue::from_string(text).ok());
        Ok(KeptEntry { entry: self, resource })
    }

    fn with_resource<'b>(&'b self, resource: &'b RawValue) -> Entry<'b> {
        let Self { full_url, search, request, response, .. } = self;
        let (search, request) = (search.clone(), request.clone());
        let response = response.clone();
        Entry { full_url: full_url.clone(), resource: Some(resource), search, request, response }
    }

    fn mode(&self) -> Option<&str> {
        self.search.as_ref()?.mode.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_a_bounded_number_of_links() {
        let of = |links: usize| {
            let links = vec!["{}"; links].join(",");
            format!(r#"{{"resourceType":"Bundle","link":[{links}]}}"#)
        };
        assert!(Bundle::parse(&of(MAX_LINKS)).is_ok());
        let refused = Bundle::parse(&of(MAX_LINKS + 1)).err();
        assert_eq!(refused, Some(Refusal::too_many_upstream_entries(MAX_ENTRIES)));
    }
}
