//! Questions to Prometheus, of metrics that the crate has.

use tower_fhir_auth::telemetry::{METRICS, Metric, MetricKind};

/// Returns the name of a metric, if the crate has it.
pub(crate) fn name(name: &str) -> Result<&'static str, String> {
    let metric = METRICS.iter().find(|metric| metric.name == name);
    metric.map(|metric| metric.name).ok_or_else(|| format!("there is no metric `{name}`"))
}

/// A query, with the text of a legend.
pub(crate) struct Query {
    pub(crate) expression: String,
    pub(crate) legend: String,
}

/// Returns what a metric is asked for, by its kind.
pub(crate) fn of(metric: &Metric) -> Vec<Query> {
    let name = metric.name;
    let labels = metric.labels.join(", ");
    let legend: Vec<_> = metric.labels.iter().map(|label| format!("{{{{{label}}}}}")).collect();
    let legend = legend.join(" ");
    if metric.kind == MetricKind::Histogram {
        let quantiles = [("0.5", "half"), ("0.99", "all but a hundredth")];
        let query = |(quantile, words)| Query {
            expression: format!(
                "histogram_quantile({quantile}, \
                 sum by (le, {labels}) (rate({name}_bucket[$__rate_interval])))"
            ),
            legend: format!("{words}, {legend}"),
        };
        return quantiles.map(query).into();
    }
    let expression = if metric.kind == MetricKind::Counter {
        format!("sum by ({labels}) (rate({name}[$__rate_interval]))")
    } else if name.ends_with("_timestamp_seconds") {
        // A moment is shown as the time that has passed since.
        format!("time() - max by ({labels}) ({name})")
    } else {
        format!("max by ({labels}) ({name})")
    };
    vec![Query { expression, legend }]
}
