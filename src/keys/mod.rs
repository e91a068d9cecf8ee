//! The life of keys: from a provider to the check of a signature.
//!
//! ```text
//! discovery ─► https ─► parse (key by key) ─► hot swap ─► IssuerKeys: one snapshot per request
//!                ▲                                ▲           │ unknown key: ask once, wait
//!                └─────────── refresher ──────────┘           ▼
//!                   one task per issuer: schedule, ◄───── refresh gate
//!                   backoff, forced loads              single flight, cooldown
//! ```
//!
//! 1. **Requests never fetch.** They read a snapshot. The refresher loads, so a client that
//!    disconnects neither cancels nor delays a load.
//! 2. **Single flight.** Loads of an issuer follow one another, and requests that need the same one
//!    share it. An older answer never replaces a newer one.
//! 3. **At most one forced load per cooldown.** A request whose key is unknown waits at most
//!    `timeout`, and at most 1,024 requests of an issuer wait; the others are rejected at once.
//! 4. **The last good keys serve until `max_stale`**, whatever fails, by the monotonic clock.
//! 5. **Keys are replaced, never merged.** A withdrawn key is gone with the next load, and so are
//!    the signatures that were verified by it.
//!
//! The manual has [the whole life of keys](crate::manual::keys). [`KeySettings`] has the times and
//! sizes of all this, [`KeyHealth`] the state of each issuer. Implement [`KeySource`] to load keys
//! from elsewhere: a database, a vault, a message.

// From the documents of a provider to its key set:
#[cfg(any(feature = "client", fuzzing))]
mod discovery;
#[cfg(feature = "client")]
mod https;
#[cfg(feature = "client")]
mod public_address;
#[cfg(feature = "client")]
mod question;

// Where sets come from, and what a load brings:
mod error;
mod file;
#[cfg(feature = "client")]
mod openid;
mod source;

// The keys in use:
mod health;
mod issuer_keys;
mod refresh_gate;
mod snapshot;

// How they are kept fresh:
mod clients;
mod origin;
mod refresher;
mod schedule;
mod settings;
mod shared_keys;
mod starter;

#[cfg(fuzzing)]
pub use discovery::read_discovery;
#[cfg(feature = "client")]
pub(crate) use discovery::{address, address_of_metadata, endpoint};
pub use error::KeyError;
pub use health::{IntrospectionHealth, KeyHealth};
pub use settings::KeySettings;
pub use shared_keys::SharedKeys;
pub use source::{KeySource, KeyTag, LoadFuture, LoadedKeys};

#[cfg(feature = "config")]
pub(crate) use file::FileKeySource;
#[cfg(feature = "client")]
pub(crate) use https::{DocumentKind, HttpsClient, NamedBy};
pub(crate) use issuer_keys::{IssuerKeys, KeyWait};
pub(crate) use origin::{KeyOrigin, KeyPlan, StartedKeys};
#[cfg(feature = "client")]
pub(crate) use question::{Question, Reply};
#[cfg(feature = "client")]
pub(crate) use schedule::after_failure;
pub(crate) use snapshot::{KeySetId, Selected};
pub(crate) use starter::KeyStarter;
