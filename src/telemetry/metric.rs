//! The names of metrics, with all that a dashboard or an exporter has to know of them.

use std::fmt;

/// A metric of this crate.
///
/// ```
/// use tower_fhir_auth::telemetry::{METRICS, MetricKind};
///
/// let durations = METRICS.iter().filter(|metric| metric.kind == MetricKind::Histogram);
/// assert!(durations.clone().count() > 0);
/// assert!(durations.into_iter().all(|metric| metric.name.ends_with("_seconds")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// The name, which ends with the unit.
    pub name: &'static str,
    /// The kind of its figures.
    pub kind: MetricKind,
    /// The unit: `seconds`, or that of a count, for example `requests`.
    pub unit: &'static str,
    /// The names of its labels. Their values are words of this crate, and what the operator has
    /// configured: nothing that a client sends.
    pub labels: &'static [&'static str],
    /// One sentence for exporters (`HELP`).
    pub help: &'static str,
}

/// The kind of a metric.
///
/// ```
/// use tower_fhir_auth::telemetry::MetricKind;
///
/// assert_eq!(MetricKind::Histogram.name(), "histogram");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A count that only grows.
    Counter,
    /// A figure that goes up and down.
    Gauge,
    /// A distribution of measurements.
    Histogram,
}

impl MetricKind {
    /// Returns the word that Prometheus has for the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) const DECISIONS: Metric = Metric {
    name: "fhir_auth_decisions_total",
    kind: MetricKind::Counter,
    unit: "requests",
    labels: &["layer", "verdict"],
    help: "Requests by verdict: granted, refused, or open where no token is required.",
};

pub(super) const DECISION_DURATION: Metric = Metric {
    name: "fhir_auth_decision_duration_seconds",
    kind: MetricKind::Histogram,
    unit: "seconds",
    labels: &["layer"],
    help: "Time that a decision took, without waits and without the service within.",
};

pub(super) const WAIT_DURATION: Metric = Metric {
    name: "fhir_auth_wait_duration_seconds",
    kind: MetricKind::Histogram,
    unit: "seconds",
    labels: &["layer"],
    help: "Time that requests waited for an unknown key or for an introspection.",
};

pub(super) const REFUSALS: Metric = Metric {
    name: "fhir_auth_refusals_total",
    kind: MetricKind::Counter,
    unit: "requests",
    labels: &["kind", "check", "layer"],
    help: "Refusals by kind and failed check, those of routes and handlers included.",
};

pub(super) const VERIFIED: Metric = Metric {
    name: "fhir_auth_verified_total",
    kind: MetricKind::Counter,
    unit: "tokens",
    labels: &["issuer"],
    help: "Tokens that were verified and accepted, not those recognised from the cache.",
};

pub(super) const CACHE_HITS: Metric = Metric {
    name: "fhir_auth_token_cache_hits_total",
    kind: MetricKind::Counter,
    unit: "tokens",
    labels: &["issuer"],
    help: "Tokens that were recognised from the cache.",
};

pub(super) const KEY_LOADS: Metric = Metric {
    name: "fhir_auth_key_loads_total",
    kind: MetricKind::Counter,
    unit: "loads",
    labels: &["issuer", "outcome"],
    help: "Loads of an issuer's keys by outcome: ok, failed.",
};

#[cfg(feature = "client")]
pub(super) const INTROSPECTIONS: Metric = Metric {
    name: "fhir_auth_introspections_total",
    kind: MetricKind::Counter,
    unit: "questions",
    labels: &["issuer", "outcome"],
    help: "Introspections by outcome: active, inactive, failed, turned-away (not asked).",
};

pub(super) const KEYS: Metric = Metric {
    name: "fhir_auth_keys",
    kind: MetricKind::Gauge,
    unit: "keys",
    labels: &["issuer"],
    help: "Keys in use.",
};

pub(super) const KEYS_LEFT_OUT: Metric = Metric {
    name: "fhir_auth_keys_left_out",
    kind: MetricKind::Gauge,
    unit: "keys",
    labels: &["issuer"],
    help: "Entries of the key set that cannot be used.",
};

pub(super) const KEYS_LOADED: Metric = Metric {
    name: "fhir_auth_keys_loaded_timestamp_seconds",
    kind: MetricKind::Gauge,
    unit: "seconds",
    labels: &["issuer"],
    help: "Time of the last successful load of the keys, in seconds since 1970.",
};

/// All metrics, in the order of the manual's table.
pub const METRICS: &[Metric] = &[
    DECISIONS,
    DECISION_DURATION,
    WAIT_DURATION,
    REFUSALS,
    VERIFIED,
    CACHE_HITS,
    KEY_LOADS,
    #[cfg(feature = "client")]
    INTROSPECTIONS,
    KEYS,
    KEYS_LEFT_OUT,
    KEYS_LOADED,
];
