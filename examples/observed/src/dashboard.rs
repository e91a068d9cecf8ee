//! The dashboard for Grafana: what is asked first, and a panel for each metric.

use serde_json::{Value, json};
use tower_fhir_auth::telemetry::METRICS;

use crate::query::{self, Query, name};

/// The panels of a row, and their size on Grafana's grid of 24 columns.
const COLUMNS: usize = 2;
const WIDTH: usize = 12;
const HEIGHT: usize = 8;

struct Panel {
    title: String,
    description: String,
    unit: &'static str,
    queries: Vec<Query>,
}

/// Returns the dashboard as JSON.
pub(crate) fn text() -> Result<String, Box<dyn std::error::Error>> {
    let panels = panels()?;
    let panels: Vec<_> = panels.iter().enumerate().map(|(n, panel)| of(panel, n)).collect();
    let dashboard = json!({
        "title": "FHIR authorization",
        "uid": "tower-fhir-auth",
        "tags": ["fhir", "oauth2"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
        ]},
        "panels": panels,
    });
    Ok(format!("{dashboard:#}\n"))
}

fn panels() -> Result<Vec<Panel>, String> {
    let decisions = name("fhir_auth_decisions_total")?;
    let (hits, verified) =
        (name("fhir_auth_token_cache_hits_total")?, name("fhir_auth_verified_total")?);
    let rate = |metric: &str| format!("sum by (issuer) (rate({metric}[$__rate_interval]))");
    let share = |title: &str, description: &str, expression: String, legend: &str| Panel {
        title: title.to_owned(),
        description: description.to_owned(),
        unit: "percentunit",
        queries: vec![Query { expression, legend: legend.to_owned() }],
    };
    let refused = format!("rate({decisions}{{verdict=\"refused\"}}[$__rate_interval])");
    let mut panels = vec![
        share(
            "Share of refused requests",
            "Refused decisions among all.",
            format!(
                "sum by (layer) ({refused}) / sum by (layer) (rate({decisions}[$__rate_interval]))"
            ),
            "{{layer}}",
        ),
        share(
            "Share of cached tokens",
            "Tokens that were recognised from the cache, among those that were accepted.",
            format!("{} / ({} + {})", rate(hits), rate(hits), rate(verified)),
            "{{issuer}}",
        ),
    ];
    panels.extend(METRICS.iter().map(|metric| Panel {
        title: metric.name.to_owned(),
        description: metric.help.to_owned(),
        unit: if metric.unit == "seconds" { "s" } else { "short" },
        queries: query::of(metric),
    }));
    Ok(panels)
}

fn of(panel: &Panel, number: usize) -> Value {
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    let targets = panel.queries.iter().zip('A'..='Z').map(|(query, id)| {
        let Query { expression, legend } = query;
        let id = id.to_string();
        json!({"refId": id, "expr": expression, "legendFormat": legend, "datasource": source})
    });
    json!({
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "gridPos": {
            "x": number % COLUMNS * WIDTH, "y": number / COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT,
        },
        "targets": targets.collect::<Vec<_>>(),
    })
}
