//! The access that was granted, and the questions that a handler has about it.

use std::fmt;
use std::sync::Arc;

use super::authorizer::authorize_all;
use super::caller_memo::CallerMemo;
use super::policy::{EveryType, Policy, interaction_of};
use super::targets::{Shows, TargetCount, Writes};
use super::{
    AccessRequest, Authorizer, Confinement, Denial, Grant, JobOwner, ResourceFilter, ResourceRef,
    StoreError, Visibility,
};
use crate::authentication::Principal;
use crate::fhir::base_url::MAX_ADDRESS;
use crate::fhir::compartment::resource_type;
use crate::fhir::{Interaction, InteractionKind, PatientCompartment};
use crate::smart::Permissions;
use http::Method;

/// The access that a request was granted, which also answers what a handler still has to enforce. The layer puts it
/// into the request's extensions beside the [`Principal`].
///
/// The layer judges what an address spells. What it cannot see is the handler's, which asks here;
/// every answer comes from the rules that let the request in.
///
/// | the handler | asks |
/// |---|---|
/// | shows a match, an entry of a history, a version | [`may_show`](Self::may_show) |
/// | shows an included resource | [`may_include`](Self::may_include) |
/// | creates, changes or deletes | [`may_store`](Self::may_store) |
/// | narrows its own query | [`answer`](Self::answer), [`may`](Self::may) |
/// | follows a chain | `may` with [`SEARCH`](Permissions::SEARCH) |
/// | has read the body of `POST …/_search` | [`authorize_search_body`](Self::authorize_search_body) |
/// | executes an entry of a bundle | [`authorize_entry`](Self::authorize_entry) |
/// | exports, or shows an export | [`may_export`](Self::may_export) |
/// | shows an asynchronous job | [`owns`](Self::owns) |
///
/// Declare as [`Enforcement`](super::Enforcement) only what the handlers really enforce.
///
/// The example hides what depends on other resources; a store shows these by [`shows_with`](ResourceFilter::shows_with).
///
/// ```
/// use serde_json::Value;
/// use tower_fhir_auth::{Access, Visibility};
///
/// /// Leaves of what was found what the caller may see.
/// fn shown(access: &Access, found: Vec<Value>) -> Vec<Value> {
///     let is_shown = |resource: &Value| access.may_show(resource) == Visibility::Shown;
///     found.into_iter().filter(|resource| is_shown(resource)).collect()
/// }
/// ```
#[derive(Clone)]
pub struct Access {
    interaction: Interaction,
    grant: Grant,
    principal: Principal,
    policy: Arc<Policy>,
    /// Rules of single routes, which have to grant too.
    further: Vec<Arc<dyn Authorizer>>,
    memo: CallerMemo,
}

/// The kind of answer that an [`Access`] has to the question which resources its interaction is
/// about.
///
/// ```
/// use serde_json::Value;
/// use tower_fhir_auth::authorization::Answer;
/// use tower_fhir_auth::{Access, Visibility};
///
/// fn may_be_sent(access: &Access, resource: &Value) -> bool {
///     match access.answer() {
///         Answer::Plain(filter) => filter.shows(resource) == Visibility::Shown,
///         // None has a resource, and those of a composite are judged entry by entry.
///         _ => false,
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer<'a> {
    /// One permission on one type: a read, a version, a history of an instance or type, a search of
    /// a type or of one type in a compartment, a creation, an update, a patch, a deletion.
    Plain(ResourceFilter<'a>),
    /// Several permissions or types, such as a conditional update, a search of all types,
    /// `$everything` or a bundle: ask [`Access::may`] for each.
    Composite,
    /// The interaction is not about resources that could be confined: `metadata`, a job, an
    /// operation that has no permissions of its own.
    None,
}

impl Access {
    /// The longest body of a search that is judged, in bytes.
    pub const MAX_SEARCH_BODY: usize = MAX_ADDRESS;

    /// Asks the rule of a layer about an interaction.
    pub(crate) fn authorize(
        policy: &Arc<Policy>,
        principal: &Principal,
        interaction: Interaction,
    ) -> Result<Self, Denial> {
        // One question needs no memo.
        let request = AccessRequest::before(&policy.handlers, principal, &interaction);
        let enforced = policy.handlers.enforcement;
        let grant = policy.authorizer.authorize(&request)?;
        grant.check_enforceable(enforced)?;
        // After the grant: nobody is sent to sign in anew for what the token does not grant.
        policy.step_up.check(principal, &interaction, enforced)?;
        let (principal, policy) = (principal.clone(), Arc::clone(policy));
        let (further, memo) = (Vec::new(), CallerMemo::default());
        Ok(Self { interaction, grant, principal, policy, further, memo })
    }

    /// Returns the rule of the layer that has given it.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Narrows this access by a further rule.
    pub(crate) fn narrowed(&self, rule: &Arc<dyn Authorizer>) -> Result<Self, Denial> {
        let mut narrowed = Self { memo: self.memo.shared(), ..self.clone() };
        narrowed.further.push(Arc::clone(rule));
        narrowed.grant = narrowed.ask(&self.interaction)?;
        Ok(narrowed)
    }

    /// Asks all rules about another interaction of the same caller.
    pub(super) fn ask(&self, interaction: &Interaction) -> Result<Grant, Denial> {
        let request = AccessRequest::before(&self.policy.handlers, &self.principal, interaction);
        let grant = authorize_all(self.rules(), &request.with_memo(&self.memo))?;
        grant.check_enforceable(self.policy.handlers.enforcement).map(|()| grant)
    }

    /// Asks all rules whether they grant another interaction of the caller without confining it.
    pub(super) fn is_granted_unconfined(&self, interaction: &Interaction) -> bool {
        let request = AccessRequest::before(&self.policy.handlers, &self.principal, interaction);
        let request = request.with_memo(&self.memo);
        self.rules().all(|rule| rule.grants_unconfined(&request))
    }

    /// All rules that have to grant.
    pub(super) fn rules(&self) -> impl Iterator<Item = &dyn Authorizer> {
        let further = self.further.iter().map(|rule| &**rule);
        std::iter::once(&*self.policy.authorizer).chain(further)
    }

    pub(super) fn every_type(&self) -> &EveryType {
        &self.policy.every_type
    }

    pub(super) fn grant(&self) -> &Grant {
        &self.grant
    }

    fn with_interaction(&self, interaction: Interaction) -> Result<Self, Denial> {
        let grant = self.ask(&interaction)?;
        let enforced = self.policy.handlers.enforcement;
        self.policy.step_up.check(&self.principal, &interaction, enforced)?;
        let (principal, policy) = (self.principal.clone(), Arc::clone(&self.policy));
        let (further, memo) = (self.further.clone(), self.memo.shared());
        Ok(Self { interaction, grant, principal, policy, further, memo })
    }

    fn filter(&self, confinement: Confinement) -> ResourceFilter<'_> {
        let base = self.interaction.base();
        ResourceFilter::new(confinement, &self.policy.handlers, base)
    }

    /// Reports whether the caller meets every requirement on how it was authenticated, whatever it
    /// asks for.
    pub(super) fn meets_every_step_up(&self) -> bool {
        self.policy.step_up.are_met_everywhere(&self.principal)
    }

    #[cfg(feature = "confine")]
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The interaction that was granted.
    #[must_use]
    pub fn interaction(&self) -> &Interaction {
        &self.interaction
    }

    /// The rule that granted it, to be written into audit logs.
    #[must_use]
    pub fn granted_by(&self) -> impl fmt::Display {
        self.grant.rule()
    }

    /// Returns which resources this very interaction was granted for, if that has one answer.
    #[must_use]
    pub fn answer(&self) -> Answer<'_> {
        match TargetCount::of(&self.interaction) {
            TargetCount::One => Answer::Plain(self.filter(self.grant.confinement().clone())),
            TargetCount::Several => Answer::Composite,
            TargetCount::None => Answer::None,
        }
    }

    /// Returns for which resources of a type the caller holds all of these permissions.
    #[must_use]
    pub fn may(&self, permissions: Permissions, resource_type: &str) -> ResourceFilter<'_> {
        self.filter(self.confinement(permissions, resource_type))
    }

    fn confinement(&self, permissions: Permissions, resource_type: &str) -> Confinement {
        let each = permissions.iter().map(|permission| {
            let kind = interaction_of(permission);
            let interaction = self.interaction.on_type(kind, resource_type);
            let grant = self.ask(&interaction);
            grant.map_or_else(|_| Confinement::none(), |grant| grant.confinement().clone())
        });
        each.reduce(Confinement::and).unwrap_or_else(Confinement::none)
    }

    /// Returns which resources of a type may come along with a result: those that the caller may
    /// read or search.
    #[must_use]
    pub fn readable(&self, resource_type: &str) -> ResourceFilter<'_> {
        let read = self.confinement(Permissions::READ, resource_type);
        if read.is_open() {
            return self.filter(read);
        }
        self.filter(read.or(self.confinement(Permissions::SEARCH, resource_type)))
    }

    /// Returns the compartment of a patient, for handlers of compartment searches, `$everything` and
    /// exports: whose a resource is, whoever asks.
    #[must_use]
    pub fn compartment(&self, patient: &str) -> ResourceFilter<'_> {
        ResourceFilter::compartment(patient, self.patient_compartment(), self.interaction.base())
    }

    /// The rules by which a resource belongs to a patient here.
    #[must_use]
    pub fn patient_compartment(&self) -> &PatientCompartment {
        &self.policy.handlers.compartment
    }

    /// Judges a resource that this interaction would show: what is read, a match of a search, an
    /// entry of a history, what a change has made.
    ///
    /// For very many resources of one type, ask [`answer`](Self::answer) or [`may`](Self::may)
    /// once, and the [`ResourceFilter`] for each.
    ///
    /// ```
    /// use serde_json::Value;
    /// use tower_fhir_auth::{Access, Visibility};
    ///
    /// /// The answer to a read: what is hidden looks as if it did not exist.
    /// fn show(access: &Access, found: Option<Value>) -> Option<Value> {
    ///     found.filter(|resource| access.may_show(resource) == Visibility::Shown)
    /// }
    /// ```
    pub fn may_show<'r>(&self, resource: impl Into<ResourceRef<'r>>) -> Visibility {
        let resource = resource.into();
        self.shown(resource_type(resource)).shows(resource)
    }

    /// Returns which resources of a type this interaction may show.
    #[must_use]
    pub fn shown(&self, resource_type: &str) -> ResourceFilter<'_> {
        match Shows::of(&self.interaction, resource_type) {
            Shows::Granted => self.filter(self.grant.confinement().clone()),
            Shows::Held(permissions) => self.may(permissions, resource_type),
            Shows::Exported if self.may_export(resource_type) => self.filter(Confinement::open()),
            Shows::Exported | Shows::Nothing => self.filter(Confinement::none()),
        }
    }

    /// Judges a resource that would come along with a result of this interaction.
    ///
    /// ```
    /// use serde_json::Value;
    /// use tower_fhir_auth::{Access, Visibility};
    ///
    /// /// Leaves of what an `_include` has found what the caller may see.
    /// fn included(access: &Access, found: Vec<Value>) -> Vec<Value> {
    ///     let is_shown = |resource: &Value| access.may_include(resource) == Visibility::Shown;
    ///     found.into_iter().filter(|resource| is_shown(resource)).collect()
    /// }
    /// ```
    pub fn may_include<'r>(&self, resource: impl Into<ResourceRef<'r>>) -> Visibility {
        let resource = resource.into();
        self.readable(resource_type(resource)).shows(resource)
    }

    /// Judges a change by the resource as it is and as it would be: `None` before a creation, and
    /// after a deletion. A change may be made where it was granted for both states, and for a token
    /// that is confined to a patient, where both are *about* that patient and no other.
    ///
    /// # Errors
    ///
    /// Whether the change is denied (403), or the resource must look as if there were none (404).
    ///
    /// ```
    /// use serde_json::Value;
    /// use tower_fhir_auth::authorization::StoreError;
    /// use tower_fhir_auth::Access;
    ///
    /// /// The status of an update.
    /// fn update(access: &Access, stored: Option<&Value>, sent: &Value) -> u16 {
    ///     match access.may_store(stored, Some(sent)) {
    ///         Ok(()) => 200,
    ///         Err(StoreError::Denied(_)) => 403,
    ///         Err(_) => 404,
    ///     }
    /// }
    /// ```
    pub fn may_store<'r, R: Into<ResourceRef<'r>>>(
        &self,
        before: Option<R>,
        after: Option<R>,
    ) -> Result<(), StoreError> {
        let (before, after) = (before.map(Into::into), after.map(Into::into));
        let Some(Writes { permission, names_instance }) = Writes::of(&self.interaction) else {
            return Err(Denial::new("the interaction changes nothing").into());
        };
        let Some(resource) = before.or(after) else {
            return Err(Denial::new("there is no resource to be changed").into());
        };
        let resource_type = resource_type(resource);
        if self.interaction.resource_type() != Some(resource_type) {
            return Err(Denial::new("the resource is not of the type of the address").into());
        }
        self.may(permission, resource_type).check_store(names_instance, before, after)
    }

    /// Judges an entry of a bundle as if it had come by itself: its `request.method`,
    /// `request.url` and `request.ifNoneExist`. The URL is relative to the base, with or without a
    /// leading slash, or absolute below the base.
    ///
    /// ```
    /// use http::Method;
    /// use serde_json::Value;
    /// use tower_fhir_auth::{Access, Denial};
    ///
    /// /// What is granted to an entry of a batch, for the handler of its interaction.
    /// fn entry(access: &Access, entry: &Value) -> Result<Access, Denial> {
    ///     let text = |name: &str| entry["request"][name].as_str();
    ///     let method = text("method").and_then(|method| method.parse().ok()).unwrap_or(Method::GET);
    ///     access.authorize_entry(&method, text("url").unwrap_or_default(), text("ifNoneExist"))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Why the entry is refused. A bundle within a bundle always is.
    pub fn authorize_entry(
        &self,
        method: &Method,
        url: &str,
        if_none_exist: Option<&str>,
    ) -> Result<Self, Denial> {
        let entry = self.interaction.entry(method, url, if_none_exist);
        if entry.kind() == InteractionKind::Batch {
            return Err(Denial::new("an entry of a bundle must not be a bundle"));
        }
        self.with_interaction(entry)
    }

    /// Judges a search with the parameters of its body (`application/x-www-form-urlencoded`),
    /// which count beside those of the address. A body of more than [`MAX_SEARCH_BODY`] bytes is
    /// answered with 413 by the handler, and refused here.
    ///
    /// [`MAX_SEARCH_BODY`]: Self::MAX_SEARCH_BODY
    ///
    /// ```
    /// use tower_fhir_auth::{Access, Denial};
    ///
    /// /// `POST /Observation/_search`: what is granted when the body counts, too.
    /// fn searched(access: &Access, body: &str) -> Result<Access, Denial> {
    ///     access.authorize_search_body(body)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Why the search is refused.
    pub fn authorize_search_body(&self, parameters: &str) -> Result<Self, Denial> {
        if parameters.len() > Self::MAX_SEARCH_BODY {
            return Err(Denial::new("the body of the search has more than 64 KiB"));
        }
        self.with_interaction(self.interaction.with_body(parameters))
    }

    /// Judges a further page of a search or history: by the address of that, relative to the base, with the
    /// parameters that were in its body.
    ///
    /// ```
    /// use tower_fhir_auth::{Access, Denial};
    ///
    /// /// A further page of a search whose address was sealed into the link that now comes back.
    /// fn page(access: &Access, opened: &str) -> Result<Access, Denial> {
    ///     access.authorize_page(opened)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The reason for which the present token is refused.
    pub fn authorize_page(&self, url: &str) -> Result<Self, Denial> {
        self.authorize_entry(&Method::GET, url, None)
    }

    /// Reports whether the caller may export resources of a type (`$export`): to narrow an export
    /// without `_type`, and to judge again whoever asks for the status or the files of one. It takes the step that
    /// an export requires, too. A grant that confines exports nothing: an export shows types whole.
    ///
    /// ```
    /// use tower_fhir_auth::Access;
    ///
    /// /// The types of an export without `_type`.
    /// fn exported<'t>(access: &Access, types: &[&'t str]) -> Vec<&'t str> {
    ///     types.iter().filter(|name| access.may_export(name)).copied().collect()
    /// }
    /// ```
    #[must_use]
    pub fn may_export(&self, resource_type: &str) -> bool {
        let asked = self.with_interaction(self.interaction.export_of(resource_type));
        asked.is_ok_and(|access| access.grant.confinement().is_open())
    }

    /// The owner to record for a job that this request starts. `None` for a token without a
    /// subject, which could not be told from another.
    #[must_use]
    pub fn owner(&self) -> Option<JobOwner> {
        let subject = self.principal.subject()?;
        Some(JobOwner::new(self.principal.issuer(), subject))
    }

    /// Reports whether a job is the caller's. Nobody else's rights reach it.
    #[must_use]
    pub fn owns(&self, owner: &JobOwner) -> bool {
        self.owner().is_some_and(|caller| caller == *owner)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("interaction", &self.interaction().kind())
            .field("granted_by", &format_args!("{}", self.granted_by()))
            .finish_non_exhaustive()
    }
}
