//! What the crate should have answered, without a line of the crate.

pub mod asking;
pub mod bearer;
pub mod compartment;
pub mod grants;
pub mod json;
pub mod proof;
pub mod roles;
pub mod route;
pub mod scope;
pub mod shown;
pub mod token;
