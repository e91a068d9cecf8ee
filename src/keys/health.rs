//! The state of an issuer's keys, as data.

use std::fmt::Display;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::error::KeyError;
use crate::display_safe::sanitize;
use crate::error::ErrorCause;
use crate::jose::LeftOut;
use crate::time::UnixTime;

/// The state of one issuer's keys, for readiness checks and dashboards.
///
/// Serialised it is an object for a readiness response, with `age` and `next_refresh` as
/// `age_seconds` and `next_refresh_seconds`, in whole seconds.
///
/// ```
/// use tower_fhir_auth::FhirAuthLayer;
///
/// fn print(layer: &FhirAuthLayer) {
///     for issuer in layer.health() {
///         let last_error = issuer.last_error.map(|error| error.to_string()).unwrap_or_default();
///         println!("{}: {} keys {last_error}", issuer.issuer, issuer.keys);
///     }
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct KeyHealth {
    /// The issuer.
    pub issuer: String,
    /// `true` when tokens can be verified now: there are keys, and they are not too old.
    pub usable: bool,
    /// The number of keys in use.
    pub keys: usize,
    /// The time since they were loaded.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub age: Option<Duration>,
    /// The moment they were loaded, by the clock of the layer.
    #[serde(serialize_with = "string")]
    pub last_success: Option<UnixTime>,
    /// The error of the last load; `None` when it succeeded.
    #[serde(serialize_with = "string")]
    pub last_error: Option<KeyError>,
    /// The time until the next load that is not forced.
    #[serde(rename = "next_refresh_seconds", serialize_with = "seconds")]
    pub next_refresh: Option<Duration>,
    /// The number of loads that were begun.
    pub loads: u64,
    /// The entries of the last set that are not used, each with the reason.
    #[serde(serialize_with = "entries")]
    pub left_out: Vec<LeftOut>,
    /// The state of the introspection of its tokens, where there is any. It says nothing of the keys,
    /// and they say nothing of it: `usable` is about keys alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionHealth>,
}

/// The state of the introspection of an issuer's tokens, since the start of the layer.
///
/// Serialised it is an object, with `paused` as `paused_seconds`, in whole seconds.
///
/// ```
/// use tower_fhir_auth::FhirAuthLayer;
///
/// fn answers(layer: &FhirAuthLayer) -> bool {
///     let health = layer.health();
///     let mut asked = health.iter().filter_map(|issuer| issuer.introspection.as_ref());
///     asked.all(|provider| provider.reachable)
/// }
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct IntrospectionHealth {
    /// `false` while the provider cannot be asked, or does not answer as it should: the last question
    /// failed.
    pub reachable: bool,
    /// The number of questions that were put.
    pub asked: u64,
    /// The number of requests that were turned away because there were too many unknown tokens.
    pub turned_away: u64,
    /// The number of questions that are open now.
    pub open: usize,
    /// The time until the next question, while the provider is given a pause.
    #[serde(rename = "paused_seconds", serialize_with = "seconds")]
    pub paused: Option<Duration>,
    /// The moment of the last answer, by the clock of the layer.
    #[serde(serialize_with = "string")]
    pub last_success: Option<UnixTime>,
    /// The error of the last question; `None` when it was answered.
    #[serde(serialize_with = "string")]
    pub last_error: Option<ErrorCause>,
}

fn seconds<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs()).serialize(serializer)
}

fn string<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    // An error may repeat what a provider has sent.
    value.as_ref().map(|value| sanitize(&value.to_string())).serialize(serializer)
}

fn entries<S: Serializer>(left_out: &[LeftOut], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Entry<'a> {
        index: usize,
        kid: Option<&'a str>,
        reason: String,
    }
    serializer.collect_seq(left_out.iter().map(|entry| Entry {
        index: entry.index,
        kid: entry.kid.as_deref(),
        reason: entry.reason.to_string(),
    }))
}
