//! The resource that a change is about, found by its address or by a condition.

use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::requested_change::{RequestedChange, id_of};
use super::{BoxError, Judge};
use crate::authorization::{Access, Denial};
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::fhir::InteractionKind as Kind;
use crate::fhir::is_id;
use crate::smart::Permissions;

/// The resource that a change is about.
#[derive(Debug)]
pub(super) enum ChangeTarget {
    /// One that is there, or that the address names.
    Instance(String),
    /// A new one, unless the upstream server finds one by this condition.
    New { condition: Option<String> },
    /// The one that a conditional creation has found instead.
    Found(String),
    /// None: a conditional deletion has found nothing.
    Nothing,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Finds the resource that a change is about.
    pub(super) async fn target(
        &mut self,
        requested: &RequestedChange,
    ) -> Judged<ChangeTarget, S::Error> {
        let interaction = self.access.interaction().clone();
        let query = interaction.query().unwrap_or_default();
        let kind = interaction.kind();
        let conditional = matches!(
            kind,
            Kind::ConditionalUpdate | Kind::ConditionalPatch | Kind::ConditionalDelete
        );
        if !conditional {
            self.check_parameters(query)?;
        }
        if kind == Kind::ConditionalCreate {
            let condition = requested.if_none_exist.as_deref().unwrap_or_default();
            let found = self.only_match(condition).await?;
            return Ok(match found.id {
                Some(id) => ChangeTarget::Found(id),
                None => ChangeTarget::New { condition: found.exact },
            });
        }
        if !conditional {
            return Ok(match interaction.id() {
                Some(id) => ChangeTarget::Instance(id.to_owned()),
                None => ChangeTarget::New { condition: None },
            });
        }
        let found = self.only_match(query).await?;
        match (found.id, kind) {
            (Some(id), _) => Ok(ChangeTarget::Instance(id)),
            (None, Kind::ConditionalDelete) => Ok(ChangeTarget::Nothing),
            (None, Kind::ConditionalPatch) => Err(Refusal::no_match().into()),
            (None, _) => self.new_by_update(requested, found.exact).await,
        }
    }

    /// A conditional update that finds nothing creates, also with an id of its own. Where that is another
    /// resource's, the condition has excluded it (R5 section 3.2.0.4.3; R4 does not say).
    async fn new_by_update(
        &mut self,
        requested: &RequestedChange,
        condition: Option<String>,
    ) -> Judged<ChangeTarget, S::Error> {
        let resource = self.sent(requested)?;
        match id_of(resource) {
            // Any other answer would tell whether a hidden resource has this id.
            Some(_) if self.is_confined() => Err(Refusal::not_found().into()),
            Some(id) if is_id(&id) => {
                let path = self.instance(&id);
                let answer = self.upstream.get(&path).await?;
                match answer.status {
                    StatusCode::NOT_FOUND | StatusCode::GONE => Ok(ChangeTarget::Instance(id)),
                    status if status.is_success() => Err(Refusal::excluded_by_condition().into()),
                    // It may be there.
                    _ => Err(answer.refusal().into()),
                }
            }
            Some(_) => Err(Refusal::bad_request("`id` of the body is not an id").into()),
            // `If-Match` is false where there is no resource (RFC 9110 section 13.1.1).
            None if requested.if_match.is_some() => Err(Refusal::version_mismatch().into()),
            None => Ok(ChangeTarget::New { condition }),
        }
    }

    /// Checks the parameters of an address that is no search.
    fn check_parameters(&self, query: &str) -> Judged<(), S::Error> {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_hard = name == "_hardDelete" && matches!(&*value, "true" | "false");
            if !matches!(&*name, "_format" | "_pretty") && !is_hard {
                let name = crate::display_safe::sanitize(&name);
                let text = format!(
                    "`{name}` is no parameter of this interaction in R4, and might reach more than was granted"
                );
                return Err(Stop::Denied(Denial::new(text)));
            }
        }
        Ok(())
    }
}

/// Reports whether what may be changed is confined to some of the resources of the type.
pub(super) fn is_confined(access: &Access) -> bool {
    let interaction = access.interaction();
    let kind = interaction.kind();
    let permission = if matches!(kind, Kind::Delete | Kind::ConditionalDelete) {
        Permissions::DELETE
    } else if matches!(kind, Kind::Create | Kind::ConditionalCreate) {
        Permissions::CREATE
    } else {
        Permissions::UPDATE
    };
    let resource_type = interaction.resource_type().unwrap_or_default();
    !access.may(permission, resource_type).is_open()
}
