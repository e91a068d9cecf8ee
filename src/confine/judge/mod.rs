//! A request whose answer is judged: what is asked, and what of the answer goes on.

mod batch;
mod binaries;
mod change_answer;
mod condition;
mod counts;
mod current;
mod exports;
mod hiding;
mod pages;
mod placeholders;
mod requested_change;
mod searches;
mod single;
mod target;
mod transaction;
mod verdicts;
mod versioning;
mod write;

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::body::ConfinedBody;
use super::capability::Capabilities;
use super::entry::Candidate;
use super::handling::Handling;
use super::known::KnownVerdicts;
use super::page::Page;
use super::pending_body::PendingBody;
use super::query;
use super::refusal::{Refusal, copy_version_headers, document, not_modified};
use super::refused_entries::RefusedEntries;
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use super::stop::{Judged, Stop, unreadable};
use super::upstream::{Upstream, UpstreamAnswer};
use crate::authentication::bearer::Scheme;
use crate::authorization::{Access, Denial};
use crate::fhir::Format;
use crate::middleware::{LayerParts, announce_close};
use crate::rejection::Rejection;
use crate::telemetry::log;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const FHIR_JSON: &str = "application/fhir+json";

/// The handling of one request whose answer is judged.
pub(super) struct Judge<S, B> {
    upstream: Upstream<S>,
    layer_parts: Arc<LayerParts>,
    settings: Arc<ConfineSettings>,
    capabilities: Arc<Capabilities>,
    access: Access,
    handling: Handling,
    request: Parts,
    /// The headers of each entry, of a bundle.
    of_entries: HeaderMap,
    refused_entries: RefusedEntries,
    /// The number of links that were dropped because they lead away from the upstream server.
    links_elsewhere: Cell<usize>,
    body: PendingBody<B>,
    /// True until all of the body has been read.
    body_is_unread: bool,
    known: KnownVerdicts,
    /// The resources that were looked up, for all pages that were looked at.
    looked_up: usize,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    pub(super) fn new(
        ready: S,
        layer_parts: Arc<LayerParts>,
        (settings, capabilities): (Arc<ConfineSettings>, Arc<Capabilities>),
        (handling, access): (Handling, Access),
        (request, body): (Parts, B),
    ) -> Self {
        let upstream = Upstream::new(ready, &request, settings.max_body);
        let (known, body) = (KnownVerdicts::default(), PendingBody::Client(body));
        let body_is_unread = true;
        Self {
            upstream,
            layer_parts,
            settings,
            capabilities,
            access,
            handling,
            request,
            of_entries: HeaderMap::new(),
            refused_entries: RefusedEntries::default(),
            links_elsewhere: Cell::new(0),
            body,
            body_is_unread,
            known,
            looked_up: 0,
        }
    }

    pub(super) async fn answer(mut self) -> Result<Response<ConfinedBody<R>>, S::Error> {
        let judged = if self.handling == Handling::Job {
            self.job().await
        } else if self.handling == Handling::Page {
            self.page_or_binary().await
        } else {
            self.judged().await.map(|response| response.map(ConfinedBody::bytes))
        };
        let links = self.links_elsewhere.get();
        if links > 0 {
            log::warn!(links, "links of the upstream server lead elsewhere, and were dropped");
        }
        let mut response = match judged {
            Ok(response) => response,
            Err(Stop::Service(error)) => return Err(error),
            Err(Stop::Refusal(answer)) => {
                self.layer_parts.note_refusal(answer.code(), None, answer.text(), &self.request);
                answer.respond(&self.request).map(ConfinedBody::bytes)
            }
            Err(Stop::Denied(denial)) => {
                let rejection = Rejection::of_authorization(&denial, &self.layer_parts.server)
                    .of_scheme(Scheme::of(&self.request.headers));
                self.layer_parts.respond(rejection, &self.request).map(ConfinedBody::bytes)
            }
        };
        if self.body_is_unread {
            announce_close(&self.request, response.headers_mut());
        }
        Ok(response)
    }

    async fn judged(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let accepts_any_format = matches!(
            self.handling,
            Handling::Refused | Handling::RefusedProvenance | Handling::Binary
        );
        if !accepts_any_format && !Format::takes_json(&self.request) {
            return Err(Refusal::only_json().into());
        }
        match self.handling {
            Handling::Batch => self.bundle().await,
            Handling::RefusedProvenance => {
                let text = "`X-Provenance` needs the right to create Provenance, of all patients and \
                            without a constraint";
                Err(Stop::Denied(Denial::new(text)))
            }
            Handling::Through
            | Handling::Resource
            | Handling::Bundle
            | Handling::SearchByPost
            | Handling::Page
            | Handling::Export
            | Handling::Binary
            | Handling::Job
            | Handling::Write
            | Handling::Refused => self.single_answer().await,
        }
    }

    /// The answer to a request that is no bundle.
    async fn single_answer(&mut self) -> Judged<Response<Bytes>, S::Error> {
        match self.handling {
            Handling::Resource => self.read_one().await,
            Handling::Bundle => self.search().await,
            Handling::SearchByPost => self.search_by_post().await,
            Handling::Page => self.page().await,
            Handling::Export => self.export().await,
            Handling::Binary => self.binary().await,
            Handling::Write => self.write().await,
            Handling::Through
            | Handling::Refused
            | Handling::RefusedProvenance
            | Handling::Batch
            | Handling::Job => Err(Stop::Denied(self.refusal())),
        }
    }

    fn refusal(&self) -> Denial {
        let code = self.access.interaction().kind().code();
        Denial::new(format!(
            "`{code}` is refused, because it cannot be limited to what the token grants"
        ))
    }

    /// A read, or a version.
    async fn read_one(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let hides = self.hides_results();
        let path = self.path();
        let answer = self.upstream.get(&path).await?;
        if hides && answer.status == StatusCode::GONE {
            return Err(self.gone_to_readers().await?);
        }
        if let Some(absence) = absence(answer.status, hides) {
            return Err(absence.into());
        }
        let one = Candidate::read(text_of_success(&answer)?).map_err(unreadable)?;
        let interaction = self.access.interaction();
        let is_asked = interaction.resource_type() == Some(&*one.resource_type)
            && interaction.id() == one.id();
        if !is_asked {
            return Err(another_resource(hides));
        }
        if self.verdicts(&[one], false).await? != [true] {
            return Err(Refusal::not_found().into());
        }
        // Only after the verdict: a 304 would confirm that a hidden resource has this version.
        let mut response = match is_known(&self.request.headers, &answer.headers) {
            true => not_modified(),
            false => {
                let body = self.with_sealed_attachments(answer.body)?;
                document(StatusCode::OK, FHIR_JSON, body, &self.request)
            }
        };
        copy_version_headers(&answer.headers, response.headers_mut());
        Ok(response)
    }

    /// A further page, judged as the search that it is of would be now.
    async fn page(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let sealed = self.access.interaction().id().unwrap_or_default().to_owned();
        let now = self.layer_parts.now();
        let (keys, context) = (&self.settings.keys, self.seal_context());
        let page = Page::open(&sealed, keys, &context, self.access.principal(), now);
        let page = page.ok_or_else(Refusal::no_such_page)?;
        self.access = self.access.authorize_page(&page.of).map_err(Stop::Denied)?;
        // What may be asked depends on the token, too.
        let asked = page.of.split_once('?').map_or("", |(_, query)| query);
        query::rewritten(&self.access, self.upstream_base(), asked)?;
        let address = self.below_base(&page.link);
        let answer = self.upstream.get(&address).await?;
        self.filtered(&answer, &page.of, page.number, false).await
    }

    /// The path of this request, in the one spelling that goes on: `%24` is the `$` of an operation.
    fn path(&self) -> String {
        self.request.uri.path().replace("%24", "$")
    }

    /// The address of the search that this request is, by `GET` and below the base: with the parameters of its
    /// body, in the spelling that this layer has read.
    fn own_address(&self, queries: &[&str]) -> String {
        let path = self.path();
        let below = self.access.interaction().base().below(&path).unwrap_or_default();
        let below = below.strip_suffix("/_search").unwrap_or(below);
        match (below.trim_start_matches('/'), query::joined(queries)) {
            ("", query) => join("", &query::never_empty(query)),
            (below, query) => join(below, &query),
        }
    }
}

/// Returns the text of an answer that is a success.
fn text_of_success<E>(answer: &UpstreamAnswer) -> Judged<&str, E> {
    if answer.status != StatusCode::OK {
        return Err(answer.refusal().into());
    }
    std::str::from_utf8(&answer.body).map_err(|_| unreadable("it is not UTF-8"))
}

/// Returns the refusal for a status that means, or might mean, that the resource does not exist. Where a hidden
/// resource must look absent, that is every 4xx but those about the form of a request, its credentials or its rate.
fn absence(status: StatusCode, hides: bool) -> Option<Refusal> {
    let of_others = [
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::NOT_ACCEPTABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    match status {
        status if hides => {
            (status.is_client_error() && !of_others.contains(&status)).then(Refusal::not_found)
        }
        StatusCode::NOT_FOUND => Some(Refusal::not_found()),
        StatusCode::GONE => Some(Refusal::gone()),
        _ => None,
    }
}

/// The stop where the upstream server sends another resource than the one that was asked for, which it may do for what
/// is hidden alone.
fn another_resource<E>(hides: bool) -> Stop<E> {
    match hides {
        true => Refusal::not_found().into(),
        false => unreadable("it is another resource than the one that was asked for"),
    }
}

/// Reports whether a client knows the version already, by its tag, or else its date (RFC 9110 section 13.2.2).
fn is_known(asked: &HeaderMap, answer: &HeaderMap) -> bool {
    fn weak(tag: &str) -> &str {
        tag.trim().trim_start_matches("W/")
    }
    let text = |name| answer.get(name).and_then(|value| value.to_str().ok());
    if asked.contains_key(IF_NONE_MATCH) {
        let mut known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let etag = text(ETAG).map(weak);
        let is_it = |tag: &str| tag.trim() == "*" || etag.is_some_and(|etag| weak(tag) == etag);
        return known.any(|tags| tags.split(',').any(is_it));
    }
    let since = asked.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    match (since.and_then(date), text(LAST_MODIFIED).and_then(date)) {
        (Some(since), Some(modified)) => modified <= since,
        (None, _) | (_, None) => false,
    }
}

fn join(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
