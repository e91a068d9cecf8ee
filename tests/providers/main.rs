//! Real OpenID providers, and clients of other makes.
//!
//! Not part of a plain `cargo test`, because it needs Node 20 or later:
//!
//! ```text
//! npm ci --prefix tests/providers && cargo test --test providers
//! ```
//!
//! Keycloak and glewlwyd are ignored there: `.ci/world providers` fetches and runs them.
//!
//! [`node`] starts programs of Node, [`server`] is what they talk to.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod bound;
#[path = "../suite/keys/certified.rs"]
mod certified;
mod glewlwyd;
mod guide;
mod introspected;
mod judged;
mod keycloak;
mod node;
mod program;
mod rotation;
mod server;
mod step_up;
mod tls;
#[path = "../suite/keys/tls_listener.rs"]
mod tls_listener;
