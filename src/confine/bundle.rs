//! Bundles as they come, and as they go on: the entries that may be seen, byte by byte as they were.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// A bundle of the server behind. Members that are not here do not go on.
#[derive(Debug, Deserialize)]
pub(super) struct Bundle<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow, default)]
    link: Vec<Link<'a>>,
    #[serde(borrow, default)]
    pub(super) entry: Vec<Entry<'a>>,
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
    request: Option<Asked<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    response: Option<Answered<'a>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Search<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    mode: Option<Cow<'a, str>>,
}

/// The change that made a version, in a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answered<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    etag: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "lastModified", skip_serializing_if = "Option::is_none")]
    last_modified: Option<Cow<'a, str>>,
}

/// A bundle as it goes on. It has no total, which would count what is hidden, but where nothing is.
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
    entry: Vec<Kept<'a>>,
}

/// An entry that is kept, with another text of its resource where that is written anew.
struct Kept<'a> {
    entry: &'a Entry<'a>,
    resource: Option<Box<RawValue>>,
}

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.resource {
            None => self.entry.serialize(serializer),
            Some(resource) => self.entry.with_resource(resource).serialize(serializer),
        }
    }
}

impl<'a> Bundle<'a> {
    /// Reads a bundle; one with a member twice is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let bundle: Self = serde_json::from_str(text).ok()?;
        (bundle.resource_type == "Bundle").then_some(bundle)
    }

    /// Returns the address of the next page, as the server behind writes it.
    pub(super) fn next_page(&self) -> Option<&str> {
        let mut next = self.link.iter().filter(|link| link.relation.as_deref() == Some("next"));
        next.find_map(|link| link.url.as_deref())
    }

    /// Returns the number of results as the server behind says it.
    pub(super) fn total(&self) -> Option<u64> {
        serde_json::from_str(self.total?.get()).ok()
    }

    /// Writes the entries that are kept, with links of this server, and with `other` texts of resources where
    /// there are such.
    pub(super) fn write(
        &self,
        kind: &'static str,
        own: String,
        next: Option<String>,
        kept: &[bool],
        other: impl Fn(&str) -> Option<String>,
    ) -> Option<Vec<u8>> {
        let next = next.map(|next| link("next", next));
        let entries = self.entry.iter().zip(kept).filter(|(_, kept)| **kept);
        let written = Written {
            resource_type: "Bundle",
            kind,
            total: None,
            link: std::iter::once(link("self", own)).chain(next).collect(),
            entry: entries.map(|(entry, _)| entry.written_with(&other)).collect(),
        };
        // What grows by doubling would hold more than there is.
        let length = |kept: &Kept<'_>| match &kept.resource {
            Some(written) => written.get().len(),
            None => kept.entry.resource().map_or(0, str::len),
        };
        let lengths = written.entry.iter().map(|kept| length(kept) + 256);
        let mut text = Vec::with_capacity(lengths.sum::<usize>() + 1024);
        serde_json::to_writer(&mut text, &written).ok()?;
        Some(text)
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
    pub(super) fn comes_along(&self) -> bool {
        self.mode() == Some("include")
    }

    /// Reports whether it is about the search itself: words of the server behind.
    pub(super) fn is_outcome(&self) -> bool {
        self.mode() == Some("outcome")
    }

    fn written_with(&self, other: impl Fn(&str) -> Option<String>) -> Kept<'_> {
        let resource = self.resource().and_then(other);
        let resource = resource.and_then(|text| RawValue::from_string(text).ok());
        Kept { entry: self, resource }
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
