//! May they? From an [`AccessRequest`] to an [`Access`], or a [`Denial`].
//!
//! An [`Authorizer`] sees verified facts alone. It has to grant: what no authorizer grants is
//! refused. [`roles`] and [`scopes`] are the two for FHIR, [`access_policy`] puts them together, and
//! [`access`] is what the handler gets.
//!
//! ```text
//! AccessRequest ─► Authorizer ─► Grant: rule, confinement ─► Access ─► handler
//!                     │                                        │
//!                     └─► Denial                               └─► resource_filter: may it be shown?
//!                                                              └─► storage: may it be stored?
//! ```

mod access;
mod access_policy;
mod alternatives;
mod authorizer;
mod combinators;
mod confinement;
mod denial;
mod enforcement;
mod grant;
mod handlers;
mod job_owner;
mod require;
mod resource_filter;
mod resource_ref;
mod roles;
mod scopes;
mod storage;
mod subject;

pub(crate) use access::Policy;
pub use access::{Access, Answer};
pub use access_policy::{AccessMode, AccessPolicy};
pub use alternatives::{Alternative, Alternatives};
pub use authorizer::{AccessRequest, AuthorizeFn, Authorizer, authorize_fn};
pub use combinators::{AllOf, AnyOf, all_of, any_of};
pub use confinement::Confinement;
pub use denial::Denial;
pub(crate) use denial::Told;
pub use enforcement::Enforcement;
pub use grant::Grant;
pub use handlers::ConstraintMatcher;
pub(crate) use handlers::Handlers;
pub use job_owner::JobOwner;
pub use require::{
    Authenticated, RequireRoles, RequireScopes, authenticated, require_all_roles,
    require_all_scopes, require_any_role, require_any_scope, require_role, require_scope,
};
pub use resource_filter::{ResourceFilter, Visibility};
pub use resource_ref::{BorrowedResource, ResourceError, ResourceRef};
pub use roles::{
    Assignments, CallerId, DataAction, IssuerLimits, RoleDefinitions, RoleDefinitionsError,
    RolePolicy,
};
pub use scopes::ScopePolicy;
pub use storage::StoreError;
