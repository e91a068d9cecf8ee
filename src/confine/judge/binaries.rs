//! Binaries: judged by what they are the content of, or by who was shown their address.

use std::cell::OnceCell;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, FHIR_JSON, Judge, text_of_success};
use crate::authorization::{Alternative, ResourceRef};
use crate::confine::attachment::Attachment;
use crate::confine::attachments::Attachments;
use crate::confine::binary;
use crate::confine::body::ConfinedBody;
use crate::confine::bounded::TooLong;
use crate::confine::caller::Caller;
use crate::confine::entry::Candidate;
use crate::confine::refusal::{Refusal, copy_version_headers, document, not_modified};
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::confine::upstream::{UpstreamAnswer, check_plain};
use crate::fhir::Format;
use crate::fhir::compartment::{Node, resource_of};
use crate::smart::Permissions;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// A read of a Binary, or a version of one.
    pub(super) async fn binary(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let wants_content = Format::wants_other(&self.request);
        if !wants_content && !Format::takes_json(&self.request) {
            return Err(Refusal::only_json().into());
        }
        let hides = self.hides_results();
        let path = self.path();
        let answer = self.upstream.get(&path).await?;
        if let Some(absence) = super::absence(answer.status, hides) {
            return Err(absence.into());
        }
        let text = text_of_success(&answer)?;
        let one = Candidate::read(text).map_err(unreadable)?;
        let id = self.access.interaction().id();
        if one.resource_type != "Binary" || one.id() != id {
            return Err(super::another_resource(hides));
        }
        let context = |resource: ResourceRef<'_>| {
            let context = resource.member("securityContext")?;
            Some(context.member("reference").and_then(Node::string).map(str::to_owned))
        };
        let is_shown = match one.look(context).flatten() {
            None => self.verdicts(&[one], false).await? == [true],
            Some(named) => self.shows_content_of(named.as_deref()).await?,
        };
        if !is_shown {
            return Err(Refusal::not_found().into());
        }
        let mut response = match wants_content {
            _ if super::is_known(&self.request.headers, &answer.headers) => not_modified(),
            true => binary::content(text, &self.request)
                .ok_or_else(|| unreadable("it has no content"))?,
            false => document(StatusCode::OK, FHIR_JSON, answer.body.clone(), &self.request),
        };
        copy_version_headers(&answer.headers, response.headers_mut());
        Ok(response)
    }

    /// Judges a Binary by the resource that it is the content of: who may read that may read it, too.
    async fn shows_content_of(&mut self, context: Option<&str>) -> Judged<bool, S::Error> {
        let base = self.access.interaction().base().clone();
        let Some(named) = context.and_then(|text| resource_of(text, &base)) else {
            return Ok(false);
        };
        let Ok(of_context) = self.access.authorize_entry(&Method::GET, &named.to_string(), None)
        else {
            return Ok(false);
        };
        if !self.may_read_binaries() {
            return Ok(false);
        }
        let Some(found) = self.upstream.look_up(base.path(), &named).await? else {
            return Ok(false);
        };
        let Ok(one) = Candidate::read(found.text()) else { return Ok(false) };
        let own = std::mem::replace(&mut self.access, of_context);
        let verdicts = self.verdicts(&[one], true).await;
        self.access = own;
        Ok(verdicts? == [true])
    }

    /// A further page, or a Binary whose address was sealed as one is.
    pub(super) async fn page_or_binary(&mut self) -> Judged<Response<ConfinedBody<R>>, S::Error> {
        let sealed = self.access.interaction().id().unwrap_or_default();
        let caller = Caller::of(self.access.principal()).and_then(|caller| caller.mark());
        let open =
            |caller| Attachment::open(sealed, &self.settings.keys, &self.seal_context(), &caller);
        let attachment = caller.and_then(open);
        match attachment.filter(|one| one.serves(self.layer_parts.now())) {
            Some(attachment) => self.sealed_binary(&attachment.link).await,
            None => self.judged().await.map(|response| response.map(ConfinedBody::bytes)),
        }
    }

    /// A Binary that the caller has been shown the address of: what it is the content of needs no look, and it
    /// streams by.
    async fn sealed_binary(&mut self, link: &str) -> Judged<Response<ConfinedBody<R>>, S::Error> {
        let asked = link.trim_start_matches('/');
        self.access =
            self.access.authorize_entry(&Method::GET, asked, None).map_err(Stop::Denied)?;
        if !self.may_read_binaries() {
            return Err(Refusal::not_found().into());
        }
        let address = self.below_base(link);
        if !Format::wants_other(&self.request) {
            if !Format::takes_json(&self.request) {
                return Err(Refusal::only_json().into());
            }
            let answer = self.upstream.get(&address).await?;
            if let Some(absence) = super::absence(answer.status, true) {
                return Err(absence.into());
            }
            self.check_binary(&answer)?;
            let body = answer.body.clone();
            let mut response = document(StatusCode::OK, FHIR_JSON, body, &self.request);
            copy_version_headers(&answer.headers, response.headers_mut());
            return Ok(response.map(ConfinedBody::bytes));
        }
        self.streamed_content(&address).await
    }

    /// Checks that an answer is the Binary that was asked for.
    fn check_binary(&self, answer: &UpstreamAnswer) -> Judged<(), S::Error> {
        let one = Candidate::read(text_of_success(answer)?).map_err(unreadable)?;
        if one.resource_type != "Binary" || one.id() != self.access.interaction().id() {
            return Err(unreadable("it is another resource than the one that was asked for"));
        }
        Ok(())
    }

    async fn streamed_content(
        &mut self,
        address: &str,
    ) -> Judged<Response<ConfinedBody<R>>, S::Error> {
        let wanted = self.request.headers.get_all(ACCEPT).iter().next().cloned();
        let wanted = wanted.map(|wanted| (ACCEPT, wanted));
        let answer =
            self.upstream.send(Method::GET, address, RequestBody::default(), wanted).await?;
        // A server may send the resource whatever `Accept` says; the content is then taken out of it.
        if binary::is_resource(answer.headers()) || answer.status() != StatusCode::OK {
            let answer = self.upstream.read(answer).await?;
            if let Some(absence) = super::absence(answer.status, true) {
                return Err(absence.into());
            }
            self.check_binary(&answer)?;
            let content = binary::content(text_of_success(&answer)?, &self.request);
            let mut content = content.ok_or_else(|| unreadable("it has no content"))?;
            copy_version_headers(&answer.headers, content.headers_mut());
            return Ok(content.map(ConfinedBody::bytes));
        }
        check_plain(answer.headers())?;
        let (parts, body) = answer.into_parts();
        let is_head = self.request.method == Method::HEAD;
        let mut response = Response::new(match is_head {
            true => ConfinedBody::default(),
            false => ConfinedBody::inner(body),
        });
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        binary::set_content_headers(parts.headers.get(CONTENT_TYPE).cloned(), headers);
        copy_version_headers(&parts.headers, headers);
        if let Some(length) = parts.headers.get(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, length.clone());
        }
        Ok(response)
    }
}

impl<S, B> Judge<S, B> {
    /// Returns the sealer of the resources of an answer, which is made once for all of them. It returns each with
    /// the addresses of its Binaries sealed, where the caller may not read every Binary anyway, and `None` where it
    /// stays as it is.
    pub(super) fn sealing(&self) -> impl Fn(&str, usize) -> Result<Option<String>, TooLong> {
        let attachments = OnceCell::new();
        move |resource, room| {
            if memchr::memmem::find(resource.as_bytes(), b"Binary").is_none() {
                return Ok(None);
            }
            let reads_all = || self.access.may(Permissions::READ, "Binary").is_open();
            let made = attachments.get_or_init(|| (!reads_all()).then(|| self.attachments()));
            made.as_ref().map_or(Ok(None), |made| made.sealed(resource, room))
        }
    }

    /// Returns an answer that is one resource with the addresses of its Binaries sealed.
    pub(super) fn with_sealed_attachments(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let limit = self.settings.max_body;
        let Ok(text) = std::str::from_utf8(&body) else { return Ok(body) };
        match self.sealing()(text, limit) {
            Ok(Some(sealed)) => Ok(sealed.into()),
            Ok(None) => Ok(body),
            Err(TooLong) => Err(Refusal::written_too_large(limit)),
        }
    }

    /// Reports whether resources of a type have the addresses of their Binaries sealed for this caller.
    pub(super) fn seals_attachments(&self, resource_type: &str) -> bool {
        Attachments::TYPES.contains(&resource_type)
            && !self.access.may(Permissions::READ, "Binary").is_open()
    }

    /// Returns a resource that a client sends with the addresses of its Binaries as the upstream server knows them.
    pub(super) fn with_opened_attachments(
        &self,
        before: Option<&str>,
        sent: String,
    ) -> Result<String, Refusal> {
        if self.access.may(Permissions::READ, "Binary").is_open() {
            return Ok(sent);
        }
        let opened = self.attachments().opened(before, &sent, self.settings.max_body)?;
        Ok(opened.unwrap_or(sent))
    }

    /// Returns the opener and sealer of attachments for this caller.
    pub(super) fn attachments(&self) -> Attachments<'_> {
        let now = self.layer_parts.now();
        Attachments {
            caller: Caller::of(self.access.principal()).and_then(|caller| caller.mark()),
            keys: &self.settings.keys,
            context: self.seal_context(),
            base: self.access.interaction().base(),
            upstream_base: self.upstream_base(),
            now,
            expires: now.saturating_add(self.settings.page_lifetime),
        }
    }

    /// Reports whether Binaries may be read, but for whose they are: a constraint cannot be judged by what they
    /// are the content of.
    fn may_read_binaries(&self) -> bool {
        let filter = self.access.may(Permissions::READ, "Binary");
        let is_plain = |one: &Alternative| one.constraint().is_none();
        filter.confinement().sets().all(|set| set.iter().any(is_plain))
    }
}
