//! Figures for dashboards, through the `metrics` facade where the feature is on.
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `fhir_auth_refusals_total` | counter | `kind`, `check` |
//! | `fhir_auth_verified_total` | counter, tokens that were verified and accepted, not those from the cache | `issuer` |
//! | `fhir_auth_key_loads_total` | counter | `issuer`, `outcome`: `ok`, `failed` |
//! | `fhir_auth_introspections_total` | counter | `issuer`, `outcome`: `active`, `inactive`, `failed`, `turned-away` (not asked) |
//! | `fhir_auth_keys` | gauge, keys in use | `issuer` |
//! | `fhir_auth_keys_left_out` | gauge, entries of the set that are not used | `issuer` |
//! | `fhir_auth_keys_loaded_timestamp_seconds` | gauge, seconds since 1970 | `issuer` |

#[cfg(feature = "metrics")]
mod on {
    use std::sync::Arc;

    use metrics::{Key, Label, Level, Metadata};

    use crate::time::UnixTime;

    pub(crate) fn refusal(kind: &'static str, check: Option<&'static str>) {
        let check = check.unwrap_or("none");
        metrics::counter!("fhir_auth_refusals_total", "kind" => kind, "check" => check)
            .increment(1);
    }

    /// Counts the verified tokens of an issuer. The name of the metric is built once.
    #[derive(Debug)]
    pub(crate) struct Verified(Key);

    impl Verified {
        pub(crate) fn of(issuer: &Arc<str>) -> Self {
            let issuer = Label::new("issuer", Arc::clone(issuer));
            Self(Key::from_parts("fhir_auth_verified_total", vec![issuer]))
        }

        pub(crate) fn increment(&self) {
            const PLACE: &str = module_path!();
            static ABOUT: Metadata<'static> = Metadata::new(PLACE, Level::INFO, Some(PLACE));
            metrics::with_recorder(|to| to.register_counter(&self.0, &ABOUT)).increment(1);
        }
    }

    pub(crate) fn load(issuer: &str, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "failed" };
        let issuer = issuer.to_owned();
        metrics::counter!("fhir_auth_key_loads_total", "issuer" => issuer, "outcome" => outcome)
            .increment(1);
    }

    #[cfg(feature = "client")]
    pub(crate) fn introspection(issuer: &str, outcome: &'static str) {
        let issuer = issuer.to_owned();
        metrics::counter!("fhir_auth_introspections_total", "issuer" => issuer, "outcome" => outcome)
            .increment(1);
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "gauges are floating point; these numbers are small"
    )]
    pub(crate) fn keys(issuer: &str, keys: usize, left_out: usize, loaded_at: UnixTime) {
        let issuer = issuer.to_owned();
        metrics::gauge!("fhir_auth_keys", "issuer" => issuer.clone()).set(keys as f64);
        metrics::gauge!("fhir_auth_keys_left_out", "issuer" => issuer.clone()).set(left_out as f64);
        metrics::gauge!("fhir_auth_keys_loaded_timestamp_seconds", "issuer" => issuer)
            .set(loaded_at.as_secs() as f64);
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::sync::Arc;

    use crate::time::UnixTime;

    pub(crate) fn refusal(_: &'static str, _: Option<&'static str>) {}
    pub(crate) fn load(_: &str, _: bool) {}
    #[cfg(feature = "client")]
    pub(crate) fn introspection(_: &str, _: &'static str) {}
    pub(crate) fn keys(_: &str, _: usize, _: usize, _: UnixTime) {}

    #[derive(Debug)]
    pub(crate) struct Verified;

    impl Verified {
        pub(crate) fn of(_: &Arc<str>) -> Self {
            Self
        }

        pub(crate) fn increment(&self) {}
    }
}

#[cfg(all(feature = "client", not(feature = "metrics")))]
pub(crate) use off::introspection;
#[cfg(not(feature = "metrics"))]
pub(crate) use off::{Verified, keys, load, refusal};
#[cfg(all(feature = "client", feature = "metrics"))]
pub(crate) use on::introspection;
#[cfg(feature = "metrics")]
pub(crate) use on::{Verified, keys, load, refusal};
