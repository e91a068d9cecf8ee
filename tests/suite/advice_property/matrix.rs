//! Three hundred requests, and what the tables say each of them takes.

use std::sync::LazyLock;

/// A request, with what it takes as [`oracle`](crate::authorization::oracle) writes it.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) actions: &'static str,
    pub(crate) scopes: String,
    /// The patient whom the address names.
    pub(crate) names: Option<&'static str>,
}

const TYPES: [&str; 25] = [
    "AllergyIntolerance",
    "Appointment",
    "CarePlan",
    "CareTeam",
    "Claim",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Flag",
    "Goal",
    "Immunization",
    "Location",
    "Medication",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
    "Provenance",
    "ServiceRequest",
    "VisionPrescription",
];

pub(crate) static MATRIX: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = TYPES.iter().flat_map(|on| of_type(on)).collect();
    rows.extend(of_patients());
    assert_eq!(rows.len(), 300);
    rows
});

fn row(method: &'static str, path: String, actions: &'static str, scopes: String) -> Row {
    Row { method, path, actions, scopes, names: None }
}

fn of_type(on: &str) -> [Row; 11] {
    let own = (on == "Patient").then_some("1");
    let of_instance = |row: Row| Row { names: own, ..row };
    [
        of_instance(row("GET", format!("/{on}/1"), "read|readById", format!("r {on}"))),
        of_instance(row("GET", format!("/{on}/1/_history/1"), "read|readById", format!("r {on}"))),
        of_instance(row("GET", format!("/{on}/1/_history"), "read|search", format!("r {on}"))),
        row("GET", format!("/{on}/_history"), "read|search", format!("s {on}")),
        row("GET", format!("/{on}"), "read|search", format!("s {on}")),
        row("GET", format!("/{on}?_lastUpdated=gt2026"), "read|search", format!("s {on}")),
        row("POST", format!("/{on}"), "write|create", format!("c {on}")),
        of_instance(row("PUT", format!("/{on}/1"), "write|update", format!("u {on}"))),
        of_instance(row("PATCH", format!("/{on}/1"), "read&write|update", format!("u {on}"))),
        of_instance(row("DELETE", format!("/{on}/1"), "delete", format!("d {on}"))),
        row(
            "DELETE",
            format!("/{on}?_lastUpdated=lt2020"),
            "delete&read|delete&search",
            format!("d {on},s {on}"),
        ),
    ]
}

/// What is about one patient, and about another.
fn of_patients() -> Vec<Row> {
    let mut rows = Vec::new();
    for id in ["1", "2"] {
        for on in ["Observation", "Condition", "Encounter", "MedicationRequest", "Procedure"] {
            let search = |path| Row {
                names: Some(id),
                ..row("GET", path, "read|search", format!("s {on}"))
            };
            rows.push(search(format!("/{on}?patient={id}")));
            rows.push(search(format!("/Patient/{id}/{on}")));
        }
        let everything = format!("/Patient/{id}/$everything");
        rows.push(Row { names: Some(id), ..row("GET", everything, "read", "r *,s *".into()) });
    }
    rows.push(row(
        "GET",
        "?_type=Observation,Patient".into(),
        "read|search",
        "s Observation,s Patient".into(),
    ));
    rows.push(row("GET", "/_history".into(), "read|search", "s *".into()));
    rows.push(row("POST", "/$reindex".into(), "reindex", "never".into()));
    rows
}
