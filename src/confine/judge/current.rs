//! The resource that is to be changed, as it is.

use http::header::HeaderMap;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge, absence, text_of_success};
use crate::authorization::{ResourceRef, StoreError};
use crate::confine::bundle::Bundle;
use crate::confine::entry::{Candidate, Room};
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::confine::upstream::UpstreamError;
use crate::confine::version::Version;
use crate::fhir::InteractionKind as Kind;
use crate::fhir::compartment::Node;
use crate::telemetry::log;

/// A resource that the caller may change.
pub(super) struct CurrentResource {
    pub(super) text: String,
    /// `None` where the upstream server does not say it.
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
    pub(super) async fn before(&mut self, id: &str) -> Judged<CurrentResource, S::Error> {
        let path = self.instance(id);
        let answer = match self.upstream.get(&path).await {
            Ok(answer) => answer,
            Err(UpstreamError::Refusal(unread)) if unread.is_unreadable() => {
                return Err(hide_unreadable(unread.text()));
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
        let text = match text_of_success::<S::Error>(&answer) {
            Ok(text) => text.to_owned(),
            Err(Stop::Refusal(unread)) if unread.is_unreadable() => {
                return Err(hide_unreadable(unread.text()));
            }
            Err(stop) => return Err(stop),
        };
        let version = self.judged_before(&text, id, &answer.headers).await?;
        Ok(CurrentResource { text, version })
    }

    /// Checks what was read, and returns its version.
    async fn judged_before(
        &mut self,
        text: &str,
        id: &str,
        headers: &HeaderMap,
    ) -> Judged<Option<Version>, S::Error> {
        let one = Candidate::read(text).map_err(hide_unreadable)?;
        if !self.is_instance(&one, id) {
            return Err(hide_unreadable("it is another resource than the one that was asked for"));
        }
        let version = one.look(|resource| Version::of(headers, resource)).flatten();
        self.may_touch(one).await?;
        Ok(version)
    }

    /// Checks that the caller may leave a resource as it is, or take it away.
    async fn may_touch(&mut self, one: Candidate<'_>) -> Judged<(), S::Error> {
        let deletes =
            matches!(self.access.interaction().kind(), Kind::Delete | Kind::ConditionalDelete);
        let stored = one
            .look(|resource| self.access.may_store(Some(resource), (!deletes).then_some(resource)));
        match stored.unwrap_or(Err(StoreError::Hidden)) {
            Ok(()) => Ok(()),
            Err(StoreError::Denied(denial)) => Err(Stop::Denied(denial)),
            // A Provenance, which is seen where all of its targets are.
            Err(StoreError::DeniedIfShown(denial, _)) => {
                match self.verdicts(&[one], false).await? == [true] {
                    true => Err(Stop::Denied(denial)),
                    false => Err(Refusal::not_found().into()),
                }
            }
            Err(StoreError::Hidden) => Err(Refusal::not_found().into()),
        }
    }

    /// Returns the answer for a resource that was deleted: whoever may have changed it before may know.
    async fn gone(&mut self, id: &str) -> Judged<Stop<S::Error>, S::Error> {
        let last = self.last_contents(id, None).await?;
        if last.is_empty() {
            return Ok(Refusal::not_found().into());
        }
        for text in &last {
            let Ok(one) = Candidate::read(text) else { return Ok(Refusal::not_found().into()) };
            if let Err(stop) = self.may_touch(one).await {
                return Ok(stop);
            }
        }
        Ok(Refusal::gone().into())
    }

    /// Returns the answer to a read of a resource that was deleted, or of the version that is its deletion: whoever
    /// may have seen it before may know.
    pub(super) async fn gone_to_readers(&mut self) -> Judged<Stop<S::Error>, S::Error> {
        let interaction = self.access.interaction();
        let is_version = interaction.kind() == Kind::VersionRead;
        let version = interaction.path().rsplit('/').next().filter(|_| is_version);
        let (id, version) = (interaction.id().map(str::to_owned), version.map(str::to_owned));
        let last = match id {
            Some(id) => self.last_contents(&id, version.as_deref()).await?,
            None => Vec::new(),
        };
        let mut room = Room::of_an_answer();
        let read = last.iter().map(|text| Candidate::read(text));
        let candidates: Result<Vec<_>, _> =
            read.map(|one| one.map(|one| one.held_within(&mut room))).collect();
        let Some(candidates) = candidates.ok().filter(|all| !all.is_empty()) else {
            return Ok(Refusal::not_found().into());
        };
        let verdicts = self.verdicts(&candidates, false).await?;
        Ok(match verdicts.iter().all(|is_shown| *is_shown) {
            true => Refusal::gone().into(),
            false => Refusal::not_found().into(),
        })
    }

    /// Returns the resource as it was before it was deleted, or before a version that is a deletion, if the history has
    /// it. Where it cannot be told which content was the last, that is each of them: the order of a history alone is
    /// the word of the upstream server.
    async fn last_contents(
        &mut self,
        id: &str,
        until: Option<&str>,
    ) -> Judged<Vec<String>, S::Error> {
        let path = format!("{}/_history", self.instance(id));
        let answer = match self.upstream.get(&path).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(_) => return Ok(Vec::new()),
            Err(UpstreamError::Refusal(unread)) if unread.is_unreadable() => return Ok(Vec::new()),
            Err(fault) => return Err(fault.into()),
        };
        let text = std::str::from_utf8(&answer.body).ok();
        let Some(Ok(bundle)) = text.map(Bundle::parse) else { return Ok(Vec::new()) };
        // The last content may be on a page that is not here: a history may begin with the oldest.
        if bundle.next_page().is_some() {
            return Ok(Vec::new());
        }
        let mut contents = Vec::new();
        for entry in bundle.entries() {
            match (Candidate::of_entry(entry), entry.resource()) {
                (Ok(None), _) | (_, None) => {}
                (Ok(Some(one)), Some(text)) if self.is_instance(&one, id) => {
                    contents.push((number_of(&one), text));
                }
                (Ok(Some(_)) | Err(_), _) => return Ok(Vec::new()),
            }
        }
        Ok(newest(&contents, until).into_iter().map(str::to_owned).collect())
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

/// The version of a resource, where it is a number.
fn number_of(one: &Candidate<'_>) -> Option<u64> {
    let number = |resource: ResourceRef<'_>| {
        resource.member("meta")?.member("versionId")?.string()?.parse().ok()
    };
    one.look(number)?
}

/// Returns the newest of contents up to a version; each of them, unless their numbers tell.
fn newest<'a>(contents: &[(Option<u64>, &'a str)], until: Option<&str>) -> Vec<&'a str> {
    let all = || contents.iter().map(|(_, text)| *text).collect();
    let numbered: Option<Vec<(u64, &str)>> =
        contents.iter().map(|(number, text)| number.zip(Some(*text))).collect();
    let until = until.map_or(Some(u64::MAX), |version| version.parse().ok());
    let Some((numbered, until)) = numbered.zip(until) else { return all() };
    let before = || numbered.iter().filter(|(number, _)| *number <= until);
    let Some(last) = before().map(|(number, _)| *number).max() else { return Vec::new() };
    before().filter(|(number, _)| *number == last).map(|(_, text)| *text).collect()
}

/// Hides what cannot be read. The operator is told.
fn hide_unreadable<E>(why: &str) -> Stop<E> {
    log::warn!(reason = why, "a resource of the upstream server that cannot be read is hidden");
    let _ = why;
    Refusal::not_found().into()
}
