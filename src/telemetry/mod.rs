//! Events and metrics for operators, each behind its feature.
//!
//! The page [observability](crate::manual::observability) of the manual has the tables of all names, and what to
//! put around the layer.

pub(crate) mod log;
pub(crate) mod meter;
#[cfg(feature = "metrics")]
mod metric;

#[cfg(feature = "metrics")]
pub use meter::describe_metrics;
#[cfg(feature = "metrics")]
pub use metric::{METRICS, Metric, MetricKind};
