//! The documents that a resource server publishes about itself.

pub(crate) mod protected_resource;
