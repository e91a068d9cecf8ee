//! The life of keys: from a provider to the check of a signature.
//!
//! ```text
//! discovery ─► https ─► parse (key by key) ─► store ─► ring: one snapshot per request
//!                ▲                             ▲
//!                └───────── refresher ─────────┘   one task per issuer: schedule, backoff,
//!                               ▲                  forced loads with a cooldown
//!                             shared               a request whose key is unknown asks and waits
//! ```
//!
//! Requests never fetch. They read a snapshot, and where it lacks their key they may ask the
//! refresher once and wait a bounded time. The load goes on when the client disconnects.

mod file;
mod health;
mod provider;
mod refresh_gate;
mod refresher;
mod ring;
mod schedule;
mod settings;
mod shared;
mod source;
mod store;

#[cfg(feature = "client")]
mod discovery;
#[cfg(feature = "client")]
mod https;
#[cfg(feature = "client")]
mod openid;
#[cfg(feature = "client")]
mod public_address;

pub use health::KeyHealth;
pub use settings::KeySettings;
pub use source::{KeyError, KeySource, KeyTag, LoadFuture, LoadedKeys};

#[cfg(feature = "client")]
pub(crate) use openid::OpenIdKeySource;
pub(crate) use store::{KeySetNumber, Selected};
pub(crate) use {file::FileKeySource, provider::Provider, ring::KeyRing, shared::KeyWait};
