//! Changes: the resource as it is and as it would be are judged, and what was judged is what is sent.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::requested_change::{Content, RequestedChange, check_patch, id_of};
use super::target::{ChangeTarget, is_confined};
use super::{BoxError, Judge};
use crate::authorization::{BorrowedResource, Denial, StoreError};
use crate::confine::entry::Candidate;
use crate::confine::patch::{patched, reveals_content};
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::confine::tree::Tree;
use crate::fhir::InteractionKind as Kind;

/// A change as it goes to the upstream server, judged where the caller is confined.
#[derive(Debug, Default)]
pub(super) struct OutgoingChange {
    pub(super) method: Method,
    /// Its address, relative to the base.
    pub(super) below: String,
    pub(super) body: Option<String>,
    /// True if the body is a JSON Patch, which goes on as it came.
    pub(super) is_patch: bool,
    /// The id of the instance, unless it is created.
    pub(super) id: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    pub(super) if_none_exist: Option<String>,
}

impl OutgoingChange {
    /// Returns the length of its body.
    pub(super) fn size(&self) -> usize {
        self.body.as_ref().map_or(0, String::len)
    }
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// A change of one resource.
    pub(super) async fn write(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let requested = self.requested_change().await?;
        match self.target(&requested).await? {
            ChangeTarget::Found(id) => self.found_instead(&id, requested.returned).await,
            ChangeTarget::Nothing => Ok(self.bare(StatusCode::NO_CONTENT)),
            ChangeTarget::Instance(id) => {
                let sent = self.change(&requested, &id).await?;
                self.send_and_judge(sent, requested.returned).await
            }
            ChangeTarget::New { condition } => self.create(&requested, condition).await,
        }
    }

    /// A creation. Where the upstream server has found something by the condition that the caller may not see, there is
    /// nothing for this caller, and it is made without.
    async fn create(
        &mut self,
        requested: &RequestedChange,
        condition: Option<String>,
    ) -> Judged<Response<Bytes>, S::Error> {
        let is_conditional = condition.is_some();
        let sent = self.creation(requested, condition)?;
        let answer = self.send(&sent, requested.returned).await?;
        let has_created = answer.status == StatusCode::CREATED;
        // A 412 means several matches (R4 section 3.1.0.8.1), all of which may be hidden.
        let has_found =
            answer.status.is_success() || answer.status == StatusCode::PRECONDITION_FAILED;
        if !is_conditional || has_created || !has_found {
            return self.written(&sent, &answer, requested.returned).await;
        }
        match self.target(requested).await? {
            ChangeTarget::Found(id) => self.found_instead(&id, requested.returned).await,
            ChangeTarget::Instance(_) => Err(Refusal::version_mismatch().into()),
            ChangeTarget::New { .. } | ChangeTarget::Nothing => {
                let sent = OutgoingChange { if_none_exist: None, ..sent };
                self.send_and_judge(sent, requested.returned).await
            }
        }
    }

    /// Judges a creation.
    pub(super) fn creation(
        &self,
        requested: &RequestedChange,
        condition: Option<String>,
    ) -> Judged<OutgoingChange, S::Error> {
        let mut body = self.with_opened_attachments(None, self.sent(requested)?.to_owned())?;
        self.check_store(None, Some(&body))?;
        // A server that heeds an id here would overwrite what nobody has judged.
        if id_of(&body).is_some() {
            let mut tree = tree(&body)?;
            tree.set_id(None);
            body = tree.write();
        }
        let resource_type = self.access.interaction().resource_type().unwrap_or_default();
        Ok(OutgoingChange {
            method: Method::POST,
            below: format!("/{resource_type}"),
            body: Some(body),
            if_none_exist: condition,
            ..OutgoingChange::default()
        })
    }

    /// Judges a change of an instance.
    pub(super) async fn change(
        &mut self,
        requested: &RequestedChange,
        id: &str,
    ) -> Judged<OutgoingChange, S::Error> {
        let resource_type =
            self.access.interaction().resource_type().unwrap_or_default().to_owned();
        let mut sent = OutgoingChange {
            below: format!("/{resource_type}/{id}"),
            id: Some(id.to_owned()),
            if_match: requested.if_match.clone(),
            if_none_match: requested.if_none_match.clone(),
            ..OutgoingChange::default()
        };
        // What a patch attaches can be told from what comes of it alone.
        let attaches = matches!(requested.content, Content::JsonPatch(_))
            && self.seals_attachments(&resource_type);
        if !self.is_confined() && !attaches {
            return self.unjudged(requested, id, sent);
        }
        if self.access.interaction().is_hard_delete() {
            let text =
                "deleting the whole history could delete versions that are hidden from this token";
            return Err(Stop::Denied(Denial::new(text)));
        }
        // Before the read, so that this refusal is the same for a hidden id and an absent one.
        self.check_versioning(&resource_type).await?;
        let before = self.before(id).await?;
        let replaced = match &requested.content {
            Content::Resource(_) => Some(self.sent_as(requested, id)?),
            Content::None | Content::JsonPatch(_) => None,
        };
        let version = before.version.ok_or_else(|| Stop::Denied(no_version()))?;
        let names = |tags: &Option<String>| tags.as_ref().map(|tags| version.is_among(tags));
        if names(&requested.if_match) == Some(false)
            || names(&requested.if_none_match) == Some(true)
        {
            return Err(Refusal::version_mismatch().into());
        }
        let after = match &requested.content {
            Content::JsonPatch(patch) => Some(self.after_patch(&before.text, patch).await?),
            Content::None | Content::Resource(_) => replaced,
        };
        let open = |after| self.with_opened_attachments(Some(&before.text), after);
        let after = after.map(open).transpose()?;
        self.check_store(Some(&before.text), after.as_deref())?;
        sent.method = if after.is_some() { Method::PUT } else { Method::DELETE };
        sent.body = after;
        sent.if_match = Some(version.tag().to_owned());
        sent.if_none_match = None;
        Ok(sent)
    }

    /// Makes a change for a caller who may change every resource of the type in this way.
    fn unjudged<E>(
        &self,
        requested: &RequestedChange,
        id: &str,
        mut sent: OutgoingChange,
    ) -> Judged<OutgoingChange, E> {
        (sent.method, sent.body) = match &requested.content {
            Content::None => (Method::DELETE, None),
            Content::JsonPatch(patch) => {
                check_patch(patch)?;
                (Method::PATCH, Some(patch.clone()))
            }
            Content::Resource(_) => {
                let after = self.sent_as(requested, id)?;
                (Method::PUT, Some(self.with_opened_attachments(None, after)?))
            }
        };
        sent.is_patch = sent.method == Method::PATCH;
        if self.is_hard() {
            sent.below.push_str("?_hardDelete=true");
        }
        Ok(sent)
    }

    /// Applies a patch, and returns the resource that comes of it.
    async fn after_patch(&mut self, before: &str, patch: &str) -> Judged<String, S::Error> {
        if reveals_content(patch) && !self.shows(before).await? {
            let text = "a patch with `test`, `copy` or `move` reveals the content of the resource, and needs the right \
                        to read it";
            return Err(Stop::Denied(Denial::new(text)));
        }
        let after = patched(&tree(before)?, patch, self.settings.max_body);
        let after = after.map_err(Refusal::of_patch)?.write();
        super::requested_change::check_resource(&after)?;
        Ok(after)
    }

    /// Reports whether the caller may read a resource as it is.
    async fn shows(&mut self, before: &str) -> Judged<bool, S::Error> {
        match Candidate::read(before) {
            Ok(one) => Ok(self.verdicts(&[one], false).await? == [true]),
            Err(_) => Ok(false),
        }
    }

    /// Asks whether a change may be made.
    fn check_store(&self, before: Option<&str>, after: Option<&str>) -> Judged<(), S::Error> {
        let unread = |_| Refusal::bad_request("the resource cannot be judged");
        let before = before.map(BorrowedResource::parse).transpose().map_err(unread)?;
        let after = after.map(BorrowedResource::parse).transpose().map_err(unread)?;
        match self.access.may_store(before.as_ref(), after.as_ref()) {
            Ok(()) => Ok(()),
            Err(StoreError::Denied(denial) | StoreError::DeniedIfShown(denial, _)) => {
                Err(Stop::Denied(denial))
            }
            Err(StoreError::Hidden) => Err(Refusal::not_found().into()),
        }
    }
}

impl<S, B> Judge<S, B> {
    /// Reports whether what may be changed is confined to some of the resources of the type.
    pub(super) fn is_confined(&self) -> bool {
        is_confined(&self.access)
    }

    /// Reports whether a deletion asks for the history to be deleted, too.
    fn is_hard(&self) -> bool {
        let query = self.access.interaction().query().unwrap_or_default();
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.any(|(name, value)| name == "_hardDelete" && value == "true")
    }

    /// Returns the resource of the body, if it is one of the type of the address.
    pub(super) fn sent<'o, E>(&self, requested: &'o RequestedChange) -> Judged<&'o str, E> {
        let Content::Resource(text) = &requested.content else {
            return Err(Refusal::bad_request("there is no resource").into());
        };
        let one = Candidate::read(text).ok();
        let sent = one.as_ref().map(|one| one.resource_type.as_str());
        if sent.is_none() || sent != self.access.interaction().resource_type() {
            let text = "`resourceType` of the body is not that of the address";
            return Err(Refusal::bad_request(text).into());
        }
        Ok(text)
    }

    /// Returns the resource of the body with an id, which it may leave out where a condition has found it.
    fn sent_as<E>(&self, requested: &RequestedChange, id: &str) -> Judged<String, E> {
        let resource = self.sent(requested)?;
        let is_conditional = self.access.interaction().kind() == Kind::ConditionalUpdate;
        match id_of(resource) {
            Some(own) if own == id => Ok(resource.to_owned()),
            None if is_conditional => {
                let mut tree = tree(resource)?;
                tree.set_id(Some(id));
                Ok(tree.write())
            }
            Some(_) | None => {
                Err(Refusal::bad_request("`id` of the body is not that of the address").into())
            }
        }
    }
}

fn tree<E>(text: &str) -> Judged<Tree, E> {
    Tree::parse(text).map_err(|_| Refusal::bad_request("the resource cannot be judged").into())
}

fn no_version() -> Denial {
    Denial::new(
        "the upstream server does not say the version of the resource, so that a change could be one of a version \
         that nobody has judged",
    )
}
