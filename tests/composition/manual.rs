//! The tables of the manual, against what they are about.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tower_fhir_auth::middleware::SPAN_FIELDS;
use tower_fhir_auth::telemetry::METRICS;

use crate::kit::{application, ask, bearer, by_scopes};
use crate::operator_log::OperatorLog;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The rows of the first table after a heading, as their cells.
fn table(page: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(&format!("src/manual/{page}.md"));
    let (_, section) = text.split_once(&format!("# {heading}\n")).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let lines = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    lines.map(cells).collect()
}

/// The names in the first column, without the marks of code.
fn names(page: &str, heading: &str) -> Vec<String> {
    let rows = table(page, heading);
    assert!(rows.len() > 2, "only {rows:?} were found: is the search broken?");
    rows.iter().map(|row| row[0].trim_matches('`').to_owned()).collect()
}

#[test]
fn the_table_of_metrics_is_that_of_the_crate() {
    let mut expected = String::new();
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, unit) = (metric.name, metric.kind.name(), metric.unit);
        writeln!(
            expected,
            "| `{name}` | {kind} | {unit} | {} | {} |",
            labels.join(", "),
            metric.help
        )
        .unwrap();
    }
    let page = read("src/manual/observability.md");
    assert!(page.contains(&expected), "the table should be:\n{expected}");
    assert_eq!(table("observability", "Metrics").len(), METRICS.len());
}

#[test]
fn the_table_of_span_fields_is_that_of_the_crate() {
    let documented = names("observability", "The span of a request");
    let own = ["http.request.method", "url.path", "http.response.status_code"];
    assert_eq!(documented, [&own[..], SPAN_FIELDS].concat());
}

#[tokio::test]
async fn the_fields_of_events_are_those_of_the_tables() {
    let server = by_scopes().await;
    let app = application().layer(server.layer.clone());
    let token = server.token().claim("scope", "user/*.rs").claim("patient", "p-1");
    let token = format!("Bearer {}", token.sign().unwrap());
    let log = OperatorLog::start();
    let request = http::Request::get("/r4/Observation/1").header("x-request-id", "r-1");
    assert_eq!(crate::kit::send(&app, request, Some(&token)).await.status, 200);
    let refused = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Observation/1", Some(&refused)).await.status, 403);
    for (target, heading) in [("audit", "The audit trail"), ("rejection", "Refusals")] {
        let text = log.text();
        let target = format!("tower_fhir_auth::{target}: ");
        let line = text.lines().find(|line| line.contains(&target)).unwrap();
        let (_, fields) = line.split_once(&target).unwrap();
        let found = fields.split('=').filter_map(|part| part.rsplit(' ').next());
        let found: Vec<_> = found.filter(|name| !name.contains(['"', '/', '`'])).collect();
        let documented = names("observability", heading);
        for name in &documented {
            assert!(found.contains(&name.as_str()), "`{name}` of {heading} is not in {line}");
        }
        assert!(found.len() <= documented.len(), "{found:?} are more than {documented:?}");
    }
}

/// A version that the lock file moves to is written here, and so is one that is tested no longer.
#[test]
fn the_versions_of_the_manual_are_those_that_are_tested() {
    let lock = read("Cargo.lock");
    let rows = table("composition", "Versions");
    let names: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    assert_eq!(names, ["axum", "tonic", "tower", "tower-http", "http", "hyper"]);
    for row in &rows {
        let name = row[0].trim_matches('`');
        let locked = format!("[[package]]\nname = \"{name}\"\nversion = \"");
        let locked = lock.split(&locked).skip(1).map(|rest| rest.split('"').next().unwrap());
        let locked: Vec<_> = locked.collect();
        let tested: Vec<_> = row[2].split(", ").collect();
        assert_eq!(tested, locked, "{name}");
        for (supported, tested) in row[1].split(", ").zip(&tested) {
            assert!(tested.starts_with(&format!("{supported}.")), "{name}: {supported}, {tested}");
        }
    }
}
