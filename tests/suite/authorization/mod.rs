//! The rights of a verified caller: scopes, roles, what they confine, and an oracle over all of it.

mod changes;
mod confinement;
mod denials;
mod enough;
mod everything;
mod local_rights;
mod many;
pub(crate) mod oracle;
mod patients;
mod plain;
mod provenances;
mod resources;
mod role_conditions;
mod role_definitions;
mod role_refusals;
mod roles;
mod scopes;
mod spellings;
