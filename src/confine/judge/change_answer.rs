//! The answers to changes, judged like reads before they leave.

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::write::OutgoingChange;
use super::{BoxError, FHIR_JSON, Judge};
use crate::confine::bounded::TooLong;
use crate::confine::entry::Candidate;
use crate::confine::preference::ReturnPreference;
use crate::confine::refusal::{Refusal, document};
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, unreadable};
use crate::confine::upstream::{Change, UpstreamAnswer};
use crate::fhir::is_id;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");

/// The answer of the upstream server to a change, by itself or in a bundle.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EntryResponse<'a> {
    pub(super) location: Option<&'a str>,
    pub(super) content_location: Option<&'a str>,
    /// The resource, where there is one.
    pub(super) body: Option<&'a str>,
}

/// The part of it that goes on.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) location: Option<String>,
    pub(super) content_location: Option<String>,
    pub(super) body: Option<String>,
    /// True if it is about something that the caller may not see.
    pub(super) is_hidden: bool,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Sends a change that was judged, and judges its answer.
    pub(super) async fn send_and_judge(
        &mut self,
        sent: OutgoingChange,
        returned: ReturnPreference,
    ) -> Judged<Response<Bytes>, S::Error> {
        let answer = self.send(&sent, returned).await?;
        self.written(&sent, &answer, returned).await
    }

    pub(super) async fn send(
        &mut self,
        sent: &OutgoingChange,
        returned: ReturnPreference,
    ) -> Judged<UpstreamAnswer, S::Error> {
        let mut headers = HeaderMap::new();
        if sent.body.is_some() {
            let json = if sent.is_patch { "application/json-patch+json" } else { FHIR_JSON };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(json));
        }
        headers.insert(PREFER, HeaderValue::from_static(returned.asked()));
        for (name, value) in [
            (IF_MATCH, &sent.if_match),
            (IF_NONE_MATCH, &sent.if_none_match),
            (IF_NONE_EXIST, &sent.if_none_exist),
        ] {
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value)
                .map_err(|_| Refusal::bad_request(format!("`{name}` is not a string")))?;
            headers.insert(name, value);
        }
        // It was granted, or the request would not have come so far.
        if let Some(provenance) = self.request.headers.get(PROVENANCE) {
            headers.insert(PROVENANCE, provenance.clone());
        }
        let address = self.below_base(&sent.below);
        let body = sent.body.clone().unwrap_or_default();
        let change = Change { method: sent.method.clone(), address, body, headers };
        // The change may invalidate earlier verdicts.
        self.known = Default::default();
        Ok(self.upstream.change(change).await?)
    }

    /// Judges the answer to a change.
    pub(super) async fn written(
        &mut self,
        sent: &OutgoingChange,
        answer: &UpstreamAnswer,
        returned: ReturnPreference,
    ) -> Judged<Response<Bytes>, S::Error> {
        let deletes = sent.method == Method::DELETE;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT => {}
            StatusCode::CREATED if !deletes => {}
            StatusCode::ACCEPTED if deletes => {}
            StatusCode::PRECONDITION_FAILED => return Err(Refusal::version_mismatch().into()),
            _ if self.is_confined() => return Err(answer.refusal_of_change().into()),
            StatusCode::NOT_FOUND => return Err(Refusal::not_found().into()),
            StatusCode::GONE => return Err(Refusal::gone().into()),
            _ => return Err(answer.refusal().into()),
        }
        let status = match answer.status {
            // A 200 announces a body (R4 section 3.1.0.7), and that of the upstream server does not go on.
            StatusCode::OK if deletes => StatusCode::NO_CONTENT,
            status => status,
        };
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let body = match deletes || returned != ReturnPreference::Resource || answer.body.is_empty()
        {
            true => None,
            false => Some(std::str::from_utf8(&answer.body).map_err(|_| unreadable(NO_RESOURCE))?),
        };
        let answered = EntryResponse {
            location: header(LOCATION),
            content_location: header(CONTENT_LOCATION),
            body,
        };
        let shown = self.shown(sent, status, answered).await?;
        let mut response = match (shown.body, returned) {
            (Some(body), _) => document(status, FHIR_JSON, body.into(), &self.request),
            (None, ReturnPreference::Outcome) => {
                let status = if status == StatusCode::NO_CONTENT { StatusCode::OK } else { status };
                document(status, FHIR_JSON, Bytes::from_static(DONE), &self.request)
            }
            (None, ReturnPreference::Resource | ReturnPreference::Nothing) => self.bare(status),
        };
        let headers = [(LOCATION, shown.location), (CONTENT_LOCATION, shown.content_location)];
        for (name, address) in headers {
            let address = address.and_then(|address| HeaderValue::try_from(address).ok());
            response.headers_mut().extend(address.map(|address| (name, address)));
        }
        for name in [ETAG, LAST_MODIFIED] {
            let value = answer.headers.get(&name).filter(|_| !deletes && !shown.is_hidden);
            response.headers_mut().extend(value.map(|value| (name, value.clone())));
        }
        Ok(response)
    }

    /// Judges what the upstream server says about the resource that it changed. Anything else is never forwarded.
    pub(super) async fn shown(
        &mut self,
        sent: &OutgoingChange,
        status: StatusCode,
        answered: EntryResponse<'_>,
    ) -> Judged<Shown, S::Error> {
        let one = match answered.body.map(Candidate::read) {
            None => None,
            Some(Ok(one)) if one.resource_type == "OperationOutcome" => None,
            Some(Ok(one)) => Some(one),
            Some(Err(_)) => return Err(unreadable(NO_RESOURCE)),
        };
        let own = one.as_ref().and_then(Candidate::id).map(str::to_owned);
        let id = sent.id.clone().or_else(|| own.clone());
        if let Some(one) = &one
            && !id.as_deref().is_some_and(|id| self.is_instance(one, id))
        {
            return Err(unreadable("it is another resource than the one that was changed"));
        }
        let is_shown = match one {
            Some(one) => self.verdicts(&[one], false).await? == [true],
            None => false,
        };
        // What was there before is no creation of this caller's.
        let has_found = sent.method == Method::POST && status != StatusCode::CREATED;
        let is_hidden = has_found && !is_shown && self.hides_results();
        let address = |address: Option<&str>| {
            let address = address.filter(|_| !is_hidden);
            address.and_then(|address| self.public_address(address, id.as_deref()))
        };
        Ok(Shown {
            is_hidden,
            location: address(answered.location),
            content_location: address(answered.content_location),
            body: answered.body.filter(|_| is_shown).and_then(|text| {
                match self.sealing()(text, self.settings.max_body) {
                    Ok(sealed) => Some(sealed.unwrap_or_else(|| text.to_owned())),
                    // What was changed is told without the resource.
                    Err(TooLong) => None,
                }
            }),
        })
    }
}

/// The fault of an answer to a change that shows no resource.
const NO_RESOURCE: &str = "it is not a FHIR resource, though the change may have been made";

/// The OperationOutcome of a change that was made.
const DONE: &[u8] = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational","diagnostics":"the change has been made"}]}"#;

impl<S, B> Judge<S, B> {
    /// Writes an address of the upstream server as clients know it, if it names an instance of the type, or a version:
    /// this one, where it is known.
    fn public_address(&self, address: &str, id: Option<&str>) -> Option<String> {
        let below = self.below(address.trim())?;
        let interaction = self.access.interaction();
        let mut segments = below.strip_prefix('/')?.split('/');
        let (name, found) = (segments.next()?, segments.next()?);
        let is_version = match (segments.next(), segments.next(), segments.next()) {
            (None, ..) => true,
            (Some("_history"), Some(version), None) => is_id(version),
            _ => false,
        };
        let is_one = Some(name) == interaction.resource_type()
            && is_id(found)
            && id.is_none_or(|id| id == found);
        let base = interaction.base().as_str().trim_end_matches('/');
        (is_version && is_one).then(|| format!("{base}{below}"))
    }

    /// A response without a body.
    pub(super) fn bare(&self, status: StatusCode) -> Response<Bytes> {
        let mut response = document(status, FHIR_JSON, Bytes::new(), &self.request);
        response.headers_mut().remove(CONTENT_TYPE);
        if status == StatusCode::NO_CONTENT {
            // RFC 9110 section 8.6.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }
}
