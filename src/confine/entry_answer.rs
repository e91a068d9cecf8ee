//! The answers to the entries of a bundle.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ETAG, HeaderName, LOCATION};
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::Candidate;
use crate::authorization::ResourceRef;
use crate::fhir::OperationOutcome;
use crate::fhir::compartment::Node;

/// The answer to an entry, as it goes to the client.
#[derive(Debug, Default, Serialize)]
pub(super) struct EntryAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Box<RawValue>>,
    response: Described,
}

#[derive(Debug, Default, Serialize)]
struct Described {
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(rename = "lastModified", skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Box<RawValue>>,
}

/// The answer of the upstream server to a transaction.
#[derive(Debug, Deserialize)]
pub(super) struct ServerAnswers<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) entry: Vec<ServerAnswer<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ServerAnswer<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: ServerDescribed<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ServerDescribed<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) location: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) etag: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "lastModified")]
    pub(super) last_modified: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "<[EntryAnswer]>::is_empty")]
    entry: &'a [EntryAnswer],
}

impl EntryAnswer {
    /// Makes the answer of an entry out of the one that it would have had by itself.
    pub(super) fn of(response: &Response<Bytes>) -> Self {
        let header = |name: HeaderName| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let text = std::str::from_utf8(response.body()).unwrap_or_default();
        let body = RawValue::from_string(text.to_owned()).ok();
        let one = Candidate::read(text).ok();
        let is_outcome = response.status().is_client_error()
            || response.status().is_server_error()
            || one.as_ref().is_some_and(|one| one.resource_type == "OperationOutcome");
        // R4 has an `instant` here; `Last-Modified` is an HTTP-date (RFC 9110 section 8.8.2).
        let last_modified = one.filter(|_| !is_outcome).and_then(|one| {
            let updated = |resource: ResourceRef<'_>| {
                resource.member("meta")?.member("lastUpdated")?.string().map(str::to_owned)
            };
            one.look(updated)?
        });
        let (resource, outcome) = if is_outcome { (None, body) } else { (body, None) };
        let (status, location, etag) =
            (response.status().as_str().to_owned(), header(LOCATION), header(ETAG));
        let response = Described { status, location, etag, last_modified, outcome };
        Self { resource, response }
    }

    pub(super) fn refused(status: StatusCode, outcome: &OperationOutcome) -> Self {
        let outcome = RawValue::from_string(outcome.to_json()).ok();
        let status = status.as_str().to_owned();
        Self { resource: None, response: Described { status, outcome, ..Described::default() } }
    }

    /// Makes the answer of a change, with what of it may be shown.
    pub(super) fn changed(
        answer: &ServerAnswer<'_>,
        status: StatusCode,
        location: Option<String>,
        body: Option<String>,
    ) -> Self {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let response = Described {
            status: status.as_str().to_owned(),
            location,
            etag: text(&answer.response.etag),
            last_modified: text(&answer.response.last_modified),
            outcome: None,
        };
        Self { resource: body.and_then(|body| RawValue::from_string(body).ok()), response }
    }

    pub(super) fn with_status(status: StatusCode) -> Self {
        let status = status.as_str().to_owned();
        Self { resource: None, response: Described { status, ..Described::default() } }
    }

    /// Returns the length of its resource.
    pub(super) fn size(&self) -> usize {
        self.resource.as_ref().map_or(0, |resource| resource.get().len())
    }

    pub(super) fn without_resource(self) -> Self {
        Self { resource: None, ..self }
    }

    pub(super) fn is_success(&self) -> bool {
        self.response.status.starts_with('2')
    }
}

impl<'a> ServerAnswers<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let answers: Self = serde_json::from_str(text).ok()?;
        (answers.resource_type == "Bundle").then_some(answers)
    }
}

impl<'a> ServerAnswer<'a> {
    pub(super) fn resource(&self) -> Option<&'a str> {
        self.resource.map(RawValue::get)
    }

    /// Returns the status, of which servers write the words, too.
    pub(super) fn status(&self) -> Option<StatusCode> {
        let number = self.response.status.split(' ').next()?;
        StatusCode::from_bytes(number.as_bytes()).ok()
    }
}

/// Writes the answers to a batch or a transaction.
pub(super) fn write(kind: &'static str, entries: &[EntryAnswer]) -> Option<Vec<u8>> {
    serde_json::to_vec(&Written { resource_type: "Bundle", kind, entry: entries }).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn words_about_an_entry_are_its_outcome_and_all_else_its_resource() {
        let outcome =
            r#"{"resourceType":"OperationOutcome","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
        let patient = r#"{"resourceType":"Patient","meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}"#;
        for (status, body, is_outcome) in [
            (200_u16, patient, false),
            (201, patient, false),
            (200, outcome, true),
            (404, patient, true),
            (503, patient, true),
        ] {
            let response = Response::builder().status(status);
            let response = response.body(Bytes::from_static(body.as_bytes())).unwrap();
            let written = write("batch-response", &[EntryAnswer::of(&response)]).unwrap();
            let written: Value = serde_json::from_slice(&written).unwrap();
            let entry = &written["entry"][0];
            assert_eq!(entry["response"]["outcome"].is_object(), is_outcome, "{status} {entry}");
            assert_eq!(entry["resource"].is_object(), !is_outcome, "{status} {entry}");
            let has_date = entry["response"]["lastModified"].is_string();
            assert_eq!(has_date, !is_outcome, "{status} {entry}");
        }
    }

    #[test]
    fn only_a_status_of_success_says_that_something_was_changed() {
        for (status, expected) in
            [(200, true), (201, true), (204, true), (304, false), (404, false), (503, false)]
        {
            let answer = EntryAnswer::with_status(StatusCode::from_u16(status).unwrap());
            assert_eq!(answer.is_success(), expected, "{status}");
        }
    }
}
