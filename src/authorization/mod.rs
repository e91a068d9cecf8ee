//! Authorization ("may they?"): from an [`AccessRequest`] to an [`Access`], or a [`Denial`].
//!
//! An [`Authorizer`] sees verified facts alone. It has to grant: what no authorizer grants is
//! refused.
//!
//! ```text
//! AccessRequest ─► Authorizer ─► Grant: rule, confinement ─► Access ─► handler
//!                     │                                        ├─► may_show: hidden, or shown?
//!                     └─► Denial: reason, requirements         ├─► may_store: before and after
//!                                                              └─► authorize_entry, …: once more
//! ```
//!
//! | for | there are |
//! |---|---|
//! | FHIR by roles | [`RolePolicy`], with [`RoleDefinitions`] as Microsoft's server has them, [`Assignments`], [`IssuerLimits`] |
//! | FHIR by SMART scopes | [`ScopePolicy`] |
//! | FHIR by both | [`AccessPolicy`] in an [`AccessMode`] |
//! | any other API | [`require_scope`], [`require_role`] and their siblings, [`authenticated`] |
//! | rules of your own | [`authorize_fn`], or the trait |
//! | rules made of rules | [`Authorizer::or`], [`Authorizer::and`]; [`any_of`] and [`all_of`] for lists |
//!
//! # What is left to the handler
//!
//! The layer sees addresses, and neither bodies nor resources. A [`Grant`] may therefore have a
//! [`Confinement`]: the alternatives of patient and constraint, one of which a resource has to
//! meet. The handler finds them in its [`Access`] and asks it about each resource
//! ([`Access::may_show`], [`Access::may_store`]), each type to be searched ([`Access::shown`]), each
//! entry of a bundle ([`Access::authorize_entry`]). What it does, the application declares as
//! [`Enforcement`]; a grant that needs more is a refusal.

mod access;
mod access_policy;
mod access_request;
mod alternatives;
mod authorize_fn;
mod authorizer;
mod caller_memo;
mod confinement;
mod criteria;
mod denial;
mod enforcement;
mod grant;
mod handlers;
mod job_owner;
mod policy;
mod require;
mod resource_filter;
mod resource_ref;
mod role_names;
mod roles;
mod scopes;
mod step_up;
mod storage;
mod targets;
mod unconfined;

pub use access::{Access, Answer};
pub use access_policy::{AccessMode, AccessPolicy};
pub use access_request::AccessRequest;
pub use alternatives::{Alternative, Alternatives};
pub use authorize_fn::{AuthorizeFn, authorize_fn};
pub use authorizer::{AllOf, AnyOf, Authorizer, all_of, any_of};
pub use confinement::Confinement;
pub use denial::Denial;
pub use enforcement::Enforcement;
pub use grant::Grant;
pub use handlers::ConstraintMatcher;
pub(crate) use handlers::{ConstraintEvaluation, Handlers};
pub use job_owner::JobOwner;
pub(crate) use policy::Policy;
pub use require::{
    Authenticated, RequireRoles, RequireScopes, authenticated, require_all_roles,
    require_all_scopes, require_any_role, require_any_scope, require_role, require_scope,
};
pub use resource_filter::{ResourceFilter, Visibility};
pub use resource_ref::{BorrowedResource, ResourceError, ResourceRef};
pub use roles::{
    Assignments, CallerId, DataAction, IssuerLimits, RoleCondition, RoleDefinitions,
    RoleDefinitionsError, RolePolicy,
};
pub use scopes::ScopePolicy;
pub(crate) use step_up::{Insufficient, StepUpChallenge, StepUpRules};
pub use step_up::{StepUp, StepUpCallers};
pub use storage::StoreError;
