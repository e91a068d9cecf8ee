//! The resource that is to be changed, as it is.

use http::header::HeaderMap;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge, absence, whole};
use crate::authorization::{ResourceRef, StoreError};
use crate::confine::answer::NoAnswer;
use crate::confine::bundle::Bundle;
use crate::confine::entry::Candidate;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::confine::upstream::Fault;
use crate::confine::version::Version;
use crate::fhir::InteractionKind as Kind;
use crate::telemetry::log;

/// A resource that the caller may change.
pub(super) struct Before {
    pub(super) text: String,
    /// `None` where the server behind does not say it.
    pub(super) version: Option<Version>,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Reads a resource and checks that the caller may leave it as it is, or take it away: whoever may not
    /// learns as much as of one that does not exist.
    pub(super) async fn before(&mut self, id: &str) -> Judged<Before, S::Error> {
        let path = self.instance(id);
        let answer = match self.upstream.get(&path).await {
            Ok(answer) => answer,
            Err(Fault::NoAnswer(unread)) if unread.is_unreadable() => {
                return Err(hidden(unread.text()));
            }
            Err(fault) => return Err(fault.into()),
        };
        match answer.status {
            StatusCode::GONE => return Err(self.gone(id).await?),
            status => {
                if let Some(absence) = absence(status, true) {
                    return Err(absence.into());
                }
            }
        }
        let text = match whole::<S::Error>(&answer) {
            Ok(text) => text.to_owned(),
            Err(Stop::NoAnswer(unread)) if unread.is_unreadable() => {
                return Err(hidden(unread.text()));
            }
            Err(stop) => return Err(stop),
        };
        let version = self.judged_before(&text, id, &answer.headers).await?;
        Ok(Before { text, version })
    }

    /// Checks what was read, and returns its version.
    async fn judged_before(
        &mut self,
        text: &str,
        id: &str,
        headers: &HeaderMap,
    ) -> Judged<Option<Version>, S::Error> {
        let one = Candidate::read(text).map_err(hidden)?;
        if !self.is_instance(&one, id) {
            return Err(hidden("it is another resource than the one that was asked for"));
        }
        let version = Version::of(headers, ResourceRef::from(&one.resource));
        self.may_touch(one).await?;
        Ok(version)
    }

    /// Checks that the caller may leave a resource as it is, or take it away.
    async fn may_touch(&mut self, one: Candidate<'_>) -> Judged<(), S::Error> {
        let deletes =
            matches!(self.access.interaction().kind(), Kind::Delete | Kind::ConditionalDelete);
        let after = (!deletes).then_some(&one.resource);
        match self.access.may_store(Some(&one.resource), after) {
            Ok(()) => Ok(()),
            Err(StoreError::Denied(denial)) => Err(Stop::Denied(denial)),
            // A Provenance, which is seen where all of its targets are.
            Err(StoreError::DeniedIfShown(denial, _)) => {
                match self.verdicts(&[one], false).await? == [true] {
                    true => Err(Stop::Denied(denial)),
                    false => Err(NoAnswer::not_found().into()),
                }
            }
            Err(StoreError::Hidden) => Err(NoAnswer::not_found().into()),
        }
    }

    /// Returns the answer for a resource that was deleted: whoever may have changed it before may know.
    async fn gone(&mut self, id: &str) -> Judged<Stop<S::Error>, S::Error> {
        let Some(last) = self.last_content(id).await? else {
            return Ok(NoAnswer::not_found().into());
        };
        let Ok(one) = Candidate::read(&last) else { return Ok(NoAnswer::not_found().into()) };
        Ok(match self.may_touch(one).await {
            Ok(()) => NoAnswer::gone().into(),
            Err(stop) => stop,
        })
    }

    /// Returns the answer to a read of a resource that was deleted: whoever may have seen it before may know.
    pub(super) async fn gone_to_readers(&mut self) -> Judged<Stop<S::Error>, S::Error> {
        let interaction = self.access.interaction();
        // A version that was deleted would have to be judged by the one before it.
        let id = interaction.id().filter(|_| interaction.kind() == Kind::Read).map(str::to_owned);
        let last = match id {
            Some(id) => self.last_content(&id).await?,
            None => None,
        };
        let Some(Ok(one)) = last.as_deref().map(Candidate::read) else {
            return Ok(NoAnswer::not_found().into());
        };
        Ok(match self.verdicts(&[one], false).await? == [true] {
            true => NoAnswer::gone().into(),
            false => NoAnswer::not_found().into(),
        })
    }

    /// Returns the resource before it was deleted, if the history has it.
    pub(super) async fn last_content(&mut self, id: &str) -> Judged<Option<String>, S::Error> {
        let path = format!("{}/_history", self.instance(id));
        let answer = match self.upstream.get(&path).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(_) => return Ok(None),
            Err(Fault::NoAnswer(unread)) if unread.is_unreadable() => return Ok(None),
            Err(fault) => return Err(fault.into()),
        };
        let text = std::str::from_utf8(&answer.body).ok();
        let Some(bundle) = text.and_then(Bundle::parse) else { return Ok(None) };
        // The newest comes first.
        for entry in &bundle.entry {
            match Candidate::of_entry(entry) {
                Ok(None) => {}
                Ok(Some(one)) if self.is_instance(&one, id) => {
                    return Ok(entry.resource().map(str::to_owned));
                }
                Ok(Some(_)) | Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }
}

impl<S, B> Judge<S, B> {
    /// The address of an instance of the type of this request.
    pub(super) fn instance(&self, id: &str) -> String {
        let resource_type = self.access.interaction().resource_type().unwrap_or_default();
        self.below_base(&format!("/{resource_type}/{id}"))
    }

    /// Reports whether a resource is one of the type of this request, with this id.
    pub(super) fn is_instance(&self, one: &Candidate<'_>, id: &str) -> bool {
        self.access.interaction().resource_type() == Some(&*one.resource_type)
            && one.id() == Some(id)
    }
}

/// Hides what cannot be read. The operator is told.
fn hidden<E>(why: &str) -> Stop<E> {
    log::warn!(reason = why, "a resource of the server behind that cannot be read is hidden");
    let _ = why;
    NoAnswer::not_found().into()
}
