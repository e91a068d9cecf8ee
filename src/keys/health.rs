//! The state of an issuer's keys, as data.

use std::time::Duration;

use serde_json::{Value, json};

use crate::jose::LeftOut;
use crate::time::UnixTime;

/// The state of one issuer's keys, for readiness checks and dashboards.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyHealth {
    /// The issuer.
    pub issuer: String,
    /// `true` when tokens can be verified now: there are keys, and they are not too old.
    pub usable: bool,
    /// The number of keys in use.
    pub keys: usize,
    /// The time since they were loaded.
    pub age: Option<Duration>,
    /// The moment they were loaded.
    pub last_success: Option<UnixTime>,
    /// The error of the last load; `None` when it succeeded.
    pub last_error: Option<String>,
    /// The time until the next load that is not forced.
    pub next_refresh: Option<Duration>,
    /// The number of loads that were begun.
    pub loads: u64,
    /// The entries of the last set that are not used, each with the reason.
    pub left_out: Vec<LeftOut>,
}

impl KeyHealth {
    /// Returns the state as JSON, for a readiness response. Ages are in whole seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
        let left_out = self.left_out.iter().map(|entry| {
            json!({"index": entry.index, "kid": entry.kid, "reason": entry.reason.to_string()})
        });
        json!({
            "issuer": self.issuer,
            "usable": self.usable,
            "keys": self.keys,
            "age_seconds": seconds(self.age),
            "last_success": self.last_success.map(|time| time.to_string()),
            "last_error": self.last_error,
            "next_refresh_seconds": seconds(self.next_refresh),
            "loads": self.loads,
            "left_out": left_out.collect::<Vec<_>>(),
        })
    }
}
