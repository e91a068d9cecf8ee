//! Events for operators: `tracing` where the feature is on, nothing where it is not. No caller
//! needs a `cfg` of its own.

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, error, info, warn};

/// Reports whether events of a target are enabled at the level `INFO`.
#[cfg(feature = "tracing")]
macro_rules! is_on {
    ($target:literal) => {
        tracing::event_enabled!(target: $target, tracing::Level::INFO)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! is_on {
    ($target:literal) => {
        false
    };
}

pub(crate) use is_on;

#[cfg(not(feature = "tracing"))]
mod off {
    macro_rules! off {
        ($($any:tt)*) => {};
    }
    pub(crate) use {off as debug, off as error, off as info, off as warn};
}

#[cfg(not(feature = "tracing"))]
pub(crate) use off::{debug, error, info, warn};
