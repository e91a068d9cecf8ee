//! Batches and transactions, as clients send them and as they go on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::bounded_list::BoundedList;
use super::refusal::Refusal;
use super::unambiguous::{self, JsonError};

/// The most entries of a bundle.
const MAX_ENTRIES: usize = 1000;

/// A bundle that a client has sent.
#[derive(Debug)]
pub(super) struct SentBundle<'a> {
    pub(super) is_transaction: bool,
    /// Each as it was written.
    pub(super) entries: Vec<&'a str>,
}

#[derive(Deserialize)]
struct ReceivedBundle<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    entry: Option<BoundedList<&'a RawValue, MAX_ENTRIES>>,
}

/// An entry of it.
#[derive(Debug, Deserialize)]
pub(super) struct SentEntry<'a> {
    #[serde(borrow, rename = "fullUrl")]
    pub(super) full_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) request: SentRequest<'a>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct SentRequest<'a> {
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) url: Cow<'a, str>,
    #[serde(borrow, rename = "ifMatch", skip_serializing_if = "Option::is_none")]
    pub(super) if_match: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ifNoneMatch", skip_serializing_if = "Option::is_none")]
    pub(super) if_none_match: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "ifNoneExist", skip_serializing_if = "Option::is_none")]
    pub(super) if_none_exist: Option<Cow<'a, str>>,
}

/// A transaction as it goes on.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    entry: &'a [WrittenEntry<'a>],
}

/// An entry as it goes on.
#[derive(Debug, Serialize)]
pub(super) struct WrittenEntry<'a> {
    #[serde(rename = "fullUrl", skip_serializing_if = "Option::is_none")]
    pub(super) full_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resource: Option<&'a RawValue>,
    pub(super) request: SentRequest<'a>,
}

impl<'a> SentBundle<'a> {
    /// Reads a bundle that is posted to the base.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        unambiguous::check(text).map_err(|fault| {
            Refusal::bad_request(match fault {
                JsonError::NotJson => "the body is not JSON",
                JsonError::DuplicateMember => "an object in the body has a duplicate member",
                JsonError::TooMany => "an object of the body has too many members",
            })
        })?;
        let no_bundle = |_| Refusal::bad_request("only a Bundle with a `type` is sent to the base");
        let form: ReceivedBundle<'a> = serde_json::from_str(text).map_err(no_bundle)?;
        let entries = form.entry.unwrap_or_default();
        if entries.has_more {
            return Err(Refusal::too_many_entries(MAX_ENTRIES));
        }
        let is_transaction = form.kind == "transaction";
        if form.resource_type != "Bundle" || !(is_transaction || form.kind == "batch") {
            let text = "only a Bundle whose `type` is `batch` or `transaction` is sent to the base";
            return Err(Refusal::bad_request(text));
        }
        let entries = entries.items.into_iter().map(RawValue::get).collect();
        Ok(Self { is_transaction, entries })
    }
}

impl<'a> SentEntry<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        serde_json::from_str(text).map_err(|_| {
            Refusal::bad_request(
                "an entry has no `request` with `method` and `url`, or a condition that is not a string",
            )
        })
    }

    /// Returns the resource as it was written.
    pub(super) fn resource(&self) -> Option<&'a str> {
        self.resource.map(RawValue::get)
    }

    /// Returns the name by which other entries may refer to it. Others than placeholders name resources that
    /// are there.
    pub(super) fn placeholder(&self) -> Option<&str> {
        let name = self.full_url.as_deref()?;
        (name.starts_with("urn:uuid:") || name.starts_with("urn:oid:")).then_some(name)
    }
}

/// Writes a transaction.
pub(super) fn write(entries: &[WrittenEntry<'_>]) -> Option<String> {
    let written = Written { resource_type: "Bundle", kind: "transaction", entry: entries };
    serde_json::to_string(&written).ok()
}
