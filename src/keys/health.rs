//! How the keys of an issuer are doing, as data.

use std::time::Duration;

use crate::jose::LeftOut;
use crate::time::UnixTime;

/// The state of one issuer's keys, for readiness checks and dashboards.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyHealth {
    /// The issuer.
    pub issuer: String,
    /// Whether tokens can be judged now: there are keys, and they are not too old.
    pub usable: bool,
    /// How many keys are in use.
    pub keys: usize,
    /// How long ago they were loaded.
    pub age: Option<Duration>,
    /// When they were loaded.
    pub last_success: Option<UnixTime>,
    /// Why the last load failed; `None` when it succeeded.
    pub last_error: Option<String>,
    /// How long until the next load that is not forced.
    pub next_refresh: Option<Duration>,
    /// How many loads were begun.
    pub loads: u64,
    /// The entries of the last set that are not used, and why.
    pub left_out: Vec<LeftOut>,
}
