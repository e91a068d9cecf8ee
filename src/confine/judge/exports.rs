//! Exports (Bulk Data Access 2.0): their beginning, their status, their files and their end.
//!
//! Nothing is kept here: an address has in its seal whose it is, and leads to the upstream server as long as that knows
//! it. What that server has ended is 404, and so are the files of it: before each its status is asked for.

use bytes::Bytes;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_LOCATION, CONTENT_TYPE, EXPIRES, HeaderName, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge, join, text_of_success};
use crate::authorization::{Access, Denial, JobOwner};
use crate::confine::body::ConfinedBody;
use crate::confine::job::{Job, Part};
use crate::confine::kick_off::KickOff;
use crate::confine::lines::Lines;
use crate::confine::manifest;
use crate::confine::pending_body::PendingBody;
use crate::confine::refusal::{Refusal, document};
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::confine::upstream::{UpstreamAnswer, check_plain};
use crate::fhir::{Format, InteractionKind as Kind};
use crate::telemetry::log;

/// The time for which addresses of an export serve, in seconds: large ones take days.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);

const PREFER: HeaderName = HeaderName::from_static("prefer");
const X_PROGRESS: HeaderName = HeaderName::from_static("x-progress");

const NDJSON: &str = "application/fhir+ndjson";

/// The forms of a status that can be read.
const WANTED_STATUS: &str = "application/json, application/fhir+json;q=0.9";

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Begins an export.
    pub(super) async fn export(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let owner = self.access.owner().ok_or_else(|| {
            let text = "an export belongs to the subject of the token, which has none";
            Refusal::bad_request(text)
        })?;
        let own = self.request.uri.query().unwrap_or_default().to_owned();
        let KickOff { query, types } = KickOff::of(&self.access, &own)?;
        let address = join(&self.path(), &query);
        let method = self.access.interaction().method().clone();
        let body = match std::mem::replace(&mut self.body, PendingBody::Taken) {
            PendingBody::Client(body) if method == Method::POST => RequestBody::passed(body),
            PendingBody::Client(_) | PendingBody::Bytes(_) | PendingBody::Taken => {
                RequestBody::default()
            }
        };
        self.body_is_unread = method == Method::GET;
        let kind = self.request.headers.get(CONTENT_TYPE).filter(|_| method == Method::POST);
        let kind = kind.map(|value| (CONTENT_TYPE, value.clone()));
        let later = (PREFER, HeaderValue::from_static("respond-async"));
        let asked = kind.into_iter().chain([later]);
        let answer = self.upstream.send(method, &address, body, asked).await?;
        let answer = self.upstream.read(answer).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(answer.refusal().into());
        }
        let location = answer.headers.get(CONTENT_LOCATION).and_then(|value| value.to_str().ok());
        let link = location.and_then(|location| self.below(location));
        let link = link.filter(|link| !link.is_empty());
        let link = link.ok_or_else(|| {
            unreadable("the address of its status is not one of the upstream server")
        })?;
        let below = self.request.uri.path().strip_prefix(self.access.interaction().base().path());
        let request = join(&format!("{}{}", self.base(), below.unwrap_or_default()), &own);
        let expires = self.layer_parts.now().saturating_add(LIFETIME);
        let job = Job::new(link, Part::Status { request }, types, &owner, expires);
        let address = self.address_of(&job);
        let address = address.ok_or_else(|| unreadable("the address of its status is too long"))?;
        let mut response = accepted(&answer.headers);
        response.headers_mut().insert(CONTENT_LOCATION, address);
        Ok(response)
    }

    /// Answers for an export that has begun.
    pub(super) async fn job(&mut self) -> Judged<Response<ConfinedBody<R>>, S::Error> {
        let interaction = self.access.interaction();
        let is_export = interaction.operation() == Some("export");
        let sealed = interaction.id().filter(|id| is_export && interaction.path().ends_with(id));
        let owner = self.access.owner();
        let opened = sealed.zip(owner).and_then(|(sealed, owner)| self.opened(sealed, &owner));
        let job = opened.ok_or_else(Refusal::no_such_export)?;
        let bytes = |response: Response<Bytes>| response.map(ConfinedBody::bytes);
        match (interaction.kind(), &job.part) {
            (Kind::JobCancel, Part::Status { .. }) => self.cancel(&job).await.map(bytes),
            (Kind::JobCancel, _) => Err(Refusal::no_such_export().into()),
            (_, Part::Status { request }) => {
                self.may_still_export(&job)?;
                self.status(&job, request).await.map(bytes)
            }
            (_, Part::Resources | Part::Deletions | Part::Errors) => {
                self.may_still_export(&job)?;
                self.file(&job).await
            }
        }
    }

    /// Ends an export: its owner may, whatever the token holds by now.
    async fn cancel(&mut self, job: &Job) -> Judged<Response<Bytes>, S::Error> {
        let address = self.below_base(&job.link);
        let answer =
            self.upstream.send(Method::DELETE, &address, RequestBody::default(), []).await?;
        let answer = self.upstream.read(answer).await?;
        match answer.status {
            StatusCode::OK | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
                self.body_is_unread = false;
                Ok(accepted(&HeaderMap::new()))
            }
            _ => Err(refusal_of_export(&answer).into()),
        }
    }

    async fn status(&mut self, job: &Job, request: &str) -> Judged<Response<Bytes>, S::Error> {
        if !Format::takes_json(&self.request) {
            return Err(Refusal::only_json().into());
        }
        let address = self.below_base(&job.link);
        let json = HeaderValue::from_static(WANTED_STATUS);
        let answer = self
            .upstream
            .send(Method::GET, &address, RequestBody::default(), [(ACCEPT, json)])
            .await?;
        let answer = self.upstream.read(answer).await?;
        match answer.status {
            StatusCode::ACCEPTED => return Ok(accepted(&answer.headers)),
            StatusCode::OK => {}
            _ => return Err(refusal_of_export(&answer).into()),
        }
        let is_exported = |name: &str| job.has(name);
        let address = |url: &str, part: Part| {
            let link = self.below(url)?;
            let address = self.address_of(&job.other(link, part))?;
            address.to_str().ok().map(str::to_owned)
        };
        let written = manifest::rewritten(
            text_of_success(&answer)?,
            request,
            is_exported,
            address,
            self.settings.max_body,
        );
        let written = written.ok_or_else(|| unreadable("it is not the manifest of an export"))?;
        let mut response =
            document(StatusCode::OK, "application/json", written.into(), &self.request);
        copy_header(&EXPIRES, &answer.headers, response.headers_mut());
        Ok(response)
    }

    /// Checks that the upstream server still knows the export that a file is of: of one that was ended it may go on to
    /// serve files.
    async fn check_not_ended(&mut self, job: &Job) -> Judged<(), S::Error> {
        let Some(status) = &job.status else { return Err(Refusal::no_such_export().into()) };
        let address = self.below_base(status);
        let json = HeaderValue::from_static(WANTED_STATUS);
        let wanted = [(ACCEPT, json)];
        let answer =
            self.upstream.send(Method::GET, &address, RequestBody::default(), wanted).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::ACCEPTED => Ok(()),
            _ => Err(refusal_of_export(&self.upstream.read(answer).await?).into()),
        }
    }

    /// A file, as it streams by.
    async fn file(&mut self, job: &Job) -> Judged<Response<ConfinedBody<R>>, S::Error> {
        let address = self.below_base(&job.link);
        let wanted = "application/fhir+ndjson, application/ndjson;q=0.9, */*;q=0.1";
        let wanted = (ACCEPT, HeaderValue::from_static(wanted));
        self.check_not_ended(job).await?;
        if job.types.is_some() || matches!(job.part, Part::Errors) {
            self.upstream.mark_read_by_line();
        }
        let answer =
            self.upstream.send(Method::GET, &address, RequestBody::default(), [wanted]).await?;
        if answer.status() != StatusCode::OK {
            let answer = self.upstream.read(answer).await?;
            return Err(refusal_of_export(&answer).into());
        }
        check_plain(answer.headers())?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind.is_some_and(|kind| kind.trim_start().starts_with("application/fhir+json")) {
            return Err(unreadable("it is a resource, and no file of an export"));
        }
        let (parts, body) = answer.into_parts();
        let limit = self.settings.max_body;
        let body = match (&job.part, &job.types, self.request.method == Method::HEAD) {
            (.., true) => ConfinedBody::default(),
            (Part::Errors, ..) => {
                let outcomes = vec!["OperationOutcome".to_owned()];
                ConfinedBody::lines(Lines::of_types(body, outcomes, limit))
            }
            (Part::Deletions, Some(types), _) => {
                ConfinedBody::lines(Lines::of_deletions(body, types.clone(), limit))
            }
            (_, Some(types), _) => ConfinedBody::lines(Lines::of_types(body, types.clone(), limit)),
            (_, None, _) => ConfinedBody::inner(body),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        copy_header(&EXPIRES, &parts.headers, headers);
        Ok(response)
    }
}

impl<S, B> Judge<S, B> {
    /// Checks that the token that comes may still export all that is exported.
    fn may_still_export<E>(&self, job: &Job) -> Judged<(), E> {
        let check = |name: &str| {
            let asked =
                self.access.authorize_entry(&Method::GET, &format!("$export?_type={name}"), None);
            let asked = asked.map_err(Stop::Denied)?;
            match asked.may_export(name) {
                true => Ok(()),
                false => Err(Stop::Denied(Denial::new(format!("the token may not export {name}")))),
            }
        };
        match &job.types {
            Some(types) => types.iter().try_for_each(|name| check(name)),
            None => self.access.interaction().resource_types().names().try_for_each(check),
        }
    }

    fn opened(&self, sealed: &str, owner: &JobOwner) -> Option<Job> {
        let now = self.layer_parts.now();
        Job::open(sealed, &self.settings.keys, &self.seal_context(), owner, now)
    }

    /// Returns the address of a part of an export here. One that nobody would judge is none.
    fn address_of(&self, job: &Job) -> Option<HeaderValue> {
        let sealed = job.seal(self.settings.keys.first()?, &self.seal_context())?;
        let address = format!("{}/_operations/export/{sealed}", self.base());
        if address.len() > Access::MAX_SEARCH_BODY {
            log::warn!(length = address.len(), "an address of an export is too long");
            return None;
        }
        HeaderValue::try_from(address).ok()
    }
}

/// Makes the answer that something goes on, with how far it is.
fn accepted(from: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for name in [&RETRY_AFTER, &X_PROGRESS] {
        copy_header(name, from, headers);
    }
    response
}

fn copy_header(name: &HeaderName, from: &HeaderMap, to: &mut HeaderMap) {
    if let Some(value) = from.get(name) {
        to.insert(name, value.clone());
    }
}

/// Returns the refusal of the upstream server to tell about an export.
fn refusal_of_export(answer: &UpstreamAnswer) -> Refusal {
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Refusal::no_such_export(),
        _ => answer.refusal(),
    }
}
