//! Figures for dashboards, through the `metrics` facade where the feature is on. Their names are in
//! [`metric`](super::metric).

/// The verdict of a decision, as a label.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DecisionLabel {
    Granted,
    Refused,
    /// No token was required, or the answer was a document of the layer.
    Open,
}

#[cfg(feature = "metrics")]
impl DecisionLabel {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Open => "open",
        }
    }
}

#[cfg(feature = "metrics")]
mod on {
    use std::future::Future;
    use std::sync::Arc;
    use std::time::Instant;

    use metrics::{Counter, Histogram, Key, Label, Level, Metadata, SharedString, Unit};

    use super::DecisionLabel;
    use crate::telemetry::metric::{self, METRICS, Metric, MetricKind};
    use crate::time::UnixTime;

    const PLACE: &str = module_path!();
    static ABOUT: Metadata<'static> = Metadata::new(PLACE, Level::INFO, Some(PLACE));

    /// Tells the exporter units and help texts of all metrics. [`FhirAuthLayerBuilder::build`] does it as
    /// well, so that this is only needed where the exporter is installed later.
    ///
    /// [`FhirAuthLayerBuilder::build`]: crate::FhirAuthLayerBuilder::build
    pub fn describe_metrics() {
        for Metric { name, kind, unit, help, .. } in METRICS {
            let unit = if *unit == "seconds" { Unit::Seconds } else { Unit::Count };
            let (name, help) = (SharedString::const_str(name), SharedString::const_str(help));
            metrics::with_recorder(|to| match kind {
                MetricKind::Counter => to.describe_counter(name.into(), Some(unit), help),
                MetricKind::Gauge => to.describe_gauge(name.into(), Some(unit), help),
                MetricKind::Histogram => to.describe_histogram(name.into(), Some(unit), help),
            });
        }
    }

    /// The metrics of one layer. Their handles are those of the recorder that is installed when the layer
    /// is built, so that a decision looks nothing up.
    #[derive(Debug)]
    pub(crate) struct LayerMeter {
        layer: Arc<str>,
        granted: Counter,
        refused: Counter,
        open: Counter,
        duration: Histogram,
        waits: Histogram,
        /// `false` where there is no recorder: then nobody asks for the time.
        is_recorded: bool,
    }

    /// The moment at which a decision began.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Started(Option<Instant>);

    impl LayerMeter {
        pub(crate) fn new(layer: &str) -> Self {
            describe_metrics();
            let layer: Arc<str> = layer.into();
            let verdict = |verdict: DecisionLabel| {
                let verdict = Label::from_static_parts("verdict", verdict.name());
                let labels = vec![Label::new("layer", Arc::clone(&layer)), verdict];
                let counter = counter(&Key::from_parts(metric::DECISIONS.name, labels));
                // What has not happened yet is there as 0, so that its rate is known from the start.
                counter.increment(0);
                counter
            };
            let histogram = |metric: Metric| {
                let layer = Label::new("layer", Arc::clone(&layer));
                let key = Key::from_parts(metric.name, vec![layer]);
                metrics::with_recorder(|to| to.register_histogram(&key, &ABOUT))
            };
            Self {
                granted: verdict(DecisionLabel::Granted),
                refused: verdict(DecisionLabel::Refused),
                open: verdict(DecisionLabel::Open),
                duration: histogram(metric::DECISION_DURATION),
                waits: histogram(metric::WAIT_DURATION),
                is_recorded: is_recorded(),
                layer,
            }
        }

        pub(crate) fn start(&self) -> Started {
            Started(self.is_recorded.then(Instant::now))
        }

        pub(crate) fn decided(&self, started: Started, verdict: impl FnOnce() -> DecisionLabel) {
            if let Some(started) = started.0 {
                match verdict() {
                    DecisionLabel::Granted => self.granted.increment(1),
                    DecisionLabel::Refused => self.refused.increment(1),
                    DecisionLabel::Open => self.open.increment(1),
                }
                self.duration.record(started.elapsed());
            }
        }

        /// Counts a refusal.
        pub(crate) fn refusal(&self, kind: &'static str, check: Option<&'static str>) {
            // Its labels take 600 of the 7,100 instructions of a refusal.
            if !is_recorded() {
                return;
            }
            let labels = vec![
                Label::from_static_parts("kind", kind),
                Label::from_static_parts("check", check.unwrap_or("none")),
                Label::new("layer", Arc::clone(&self.layer)),
            ];
            counter(&Key::from_parts(metric::REFUSALS.name, labels)).increment(1);
        }

        /// Measures a wait.
        pub(crate) fn waiting<W: Future>(
            &self,
            wait: W,
        ) -> impl Future<Output = W::Output> + use<W> {
            let (started, waits) = (Instant::now(), self.waits.clone());
            async move {
                let over = wait.await;
                waits.record(started.elapsed());
                over
            }
        }
    }

    /// Counts the accepted tokens of an issuer.
    #[derive(Debug)]
    pub(crate) struct Accepted {
        verified: Key,
        recognised: Counter,
    }

    impl Accepted {
        pub(crate) fn of(issuer: &Arc<str>) -> Self {
            let key = |metric: Metric| {
                Key::from_parts(metric.name, vec![Label::new("issuer", Arc::clone(issuer))])
            };
            let (verified, recognised) = (key(metric::VERIFIED), counter(&key(metric::CACHE_HITS)));
            Self { verified, recognised }
        }

        /// Counts a token that was verified.
        pub(crate) fn count_verified(&self) {
            counter(&self.verified).increment(1);
        }

        /// Counts a token that was recognised from the cache.
        pub(crate) fn count_cached(&self) {
            self.recognised.increment(1);
        }
    }

    pub(crate) fn load(issuer: &str, succeeded: bool) {
        count_outcome(metric::KEY_LOADS, issuer, if succeeded { "ok" } else { "failed" });
    }

    #[cfg(feature = "client")]
    pub(crate) fn introspection(issuer: &str, outcome: &'static str) {
        count_outcome(metric::INTROSPECTIONS, issuer, outcome);
    }

    fn count_outcome(metric: Metric, issuer: &str, outcome: &'static str) {
        let issuer = Label::new("issuer", issuer.to_owned());
        let labels = vec![issuer, Label::from_static_parts("outcome", outcome)];
        counter(&Key::from_parts(metric.name, labels)).increment(1);
    }

    /// Reports whether anybody has installed a recorder by now.
    fn is_recorded() -> bool {
        // One that keeps anything has a size; the one in place of none has not.
        metrics::with_recorder(|to| size_of_val(to) > 0)
    }

    fn counter(key: &Key) -> Counter {
        metrics::with_recorder(|to| to.register_counter(key, &ABOUT))
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "gauges are floating point; these numbers are small"
    )]
    pub(crate) fn keys(issuer: &str, keys: usize, left_out: usize) {
        set(metric::KEYS, issuer, keys as f64);
        set(metric::KEYS_LEFT_OUT, issuer, left_out as f64);
    }

    /// Records when keys were loaded, or confirmed as those that are in use.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a gauge is floating point, and exact for seconds of this era"
    )]
    pub(crate) fn keys_loaded(issuer: &str, at: UnixTime) {
        set(metric::KEYS_LOADED, issuer, at.as_secs() as f64);
    }

    fn set(metric: Metric, issuer: &str, value: f64) {
        let key = Key::from_parts(metric.name, vec![Label::new("issuer", issuer.to_owned())]);
        metrics::with_recorder(|to| to.register_gauge(&key, &ABOUT)).set(value);
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::future::Future;
    use std::sync::Arc;

    use super::DecisionLabel;
    use crate::time::UnixTime;

    #[derive(Debug)]
    pub(crate) struct LayerMeter;

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Started;

    impl LayerMeter {
        pub(crate) fn new(_: &str) -> Self {
            Self
        }

        pub(crate) fn start(&self) -> Started {
            Started
        }

        pub(crate) fn decided(&self, _: Started, _: impl FnOnce() -> DecisionLabel) {}

        pub(crate) fn refusal(&self, _: &'static str, _: Option<&'static str>) {}

        pub(crate) fn waiting<W: Future>(&self, wait: W) -> W {
            wait
        }
    }

    #[derive(Debug)]
    pub(crate) struct Accepted;

    impl Accepted {
        pub(crate) fn of(_: &Arc<str>) -> Self {
            Self
        }

        pub(crate) fn count_verified(&self) {}

        pub(crate) fn count_cached(&self) {}
    }

    pub(crate) fn load(_: &str, _: bool) {}
    #[cfg(feature = "client")]
    pub(crate) fn introspection(_: &str, _: &'static str) {}
    pub(crate) fn keys(_: &str, _: usize, _: usize) {}
    pub(crate) fn keys_loaded(_: &str, _: UnixTime) {}
}

#[cfg(all(feature = "client", not(feature = "metrics")))]
pub(crate) use off::introspection;
#[cfg(not(feature = "metrics"))]
pub(crate) use off::{Accepted, LayerMeter, Started, keys, keys_loaded, load};
#[cfg(feature = "metrics")]
pub use on::describe_metrics;
#[cfg(all(feature = "client", feature = "metrics"))]
pub(crate) use on::introspection;
#[cfg(feature = "metrics")]
pub(crate) use on::{Accepted, LayerMeter, Started, keys, keys_loaded, load};
