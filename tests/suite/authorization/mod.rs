//! What a verified caller may do: scopes, roles, what they confine, and an oracle over all of it.

mod confinement;
mod denials;
mod enough;
mod everything;
mod local_rights;
pub(crate) mod oracle;
mod plain;
mod resources;
mod role_conditions;
mod role_definitions;
mod role_refusals;
mod roles;
mod scopes;
mod spellings;
