//! Answers that must not reveal whether a resource exists.

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge};
use crate::authorization::Visibility;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::confine::upstream::{FoundResource, UpstreamError};
use crate::fhir::compartment::resource_of;
use crate::fhir::{InteractionKind as Kind, ResourceReference};
use crate::smart::Permissions;
use crate::telemetry::log;

impl<S, B> Judge<S, B> {
    /// Reports whether results of the interaction may be hidden by a patient or a constraint. Where they are
    /// of several types, some may be.
    pub(super) fn hides_results(&self) -> bool {
        let interaction = self.access.interaction();
        let of_one = match interaction.searched_type() {
            Some(name) => Some(name),
            None if matches!(interaction.kind(), Kind::SearchCompartment | Kind::Operation) => None,
            None => interaction.resource_type(),
        };
        of_one.is_none_or(|name| !self.access.shown(name).is_open())
    }

    /// Reports whether a history, a compartment or `$everything` is one of an instance that may be hidden.
    /// The token's own Patient is not.
    pub(super) fn hides_instance(&self) -> bool {
        let interaction = self.access.interaction();
        let (Some(name), Some(id)) = (interaction.resource_type(), interaction.id()) else {
            return false;
        };
        let (principal, base) = (self.access.principal(), interaction.base());
        let is_own = |text: &str| {
            let named = resource_of(text, base);
            text == id || named.is_some_and(|named| named.resource_type == name && named.id == id)
        };
        let own = principal.patient().or_else(|| principal.fhir_user());
        let is_own = name == "Patient" && own.is_some_and(is_own);
        !is_own && !self.access.may(Permissions::READ, name).is_open()
    }

    /// Turns an answer that cannot be judged into a 404 if it would reveal that the resource exists, and logs a
    /// warning.
    pub(super) fn hidden_if_unreadable<T, E>(
        &self,
        judged: Judged<Response<T>, E>,
        hides: bool,
    ) -> Judged<Response<T>, E> {
        match judged {
            Err(Stop::Refusal(answer)) if hides && answer.is_unreadable() => {
                log::warn!(reason = answer.text(), "an answer of the upstream server is hidden");
                Err(Refusal::not_found().into())
            }
            judged => judged,
        }
    }
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Reports whether the instance whose compartment is searched may be read: then it may be empty. Where that
    /// cannot be told it may not.
    pub(super) async fn shows_instance(&mut self) -> Judged<bool, S::Error> {
        let interaction = self.access.interaction();
        let (Kind::SearchCompartment, Some(name), Some(id)) =
            (interaction.kind(), interaction.resource_type(), interaction.id())
        else {
            return Ok(false);
        };
        let base = interaction.base().path().to_owned();
        let named = ResourceReference::new(name, id);
        let found = match self.upstream.look_up(&base, &named).await {
            Ok(found) => found,
            Err(UpstreamError::Refusal(_)) => None,
            Err(UpstreamError::Service(error)) => return Err(Stop::Service(error)),
        };
        let filter = self.access.may(Permissions::READ, &named.resource_type);
        let found = found.as_ref().and_then(FoundResource::resource);
        Ok(found.is_some_and(|found| filter.shows(&found) == Visibility::Shown))
    }
}
