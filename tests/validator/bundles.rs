//! CapabilityStatements and bundles: searches, histories, batches, transactions, pages, compartments.

use serde_json::{Value, json};

use crate::collected::Collected;
use crate::servers::{BASE, Server, observation, unprotected};

/// What is asked of a server; the same of each.
const READS: [&str; 20] = [
    "/Patient",
    "/Patient/1",
    "/Observation?_count=2",
    "/Observation?_count=0",
    "/Observation?_summary=count",
    "/Observation?code=nothing",
    "/Observation?patient=1&_include=Observation:subject&_include=Observation:performer",
    "/Encounter?_revinclude=Observation:encounter&_revinclude=Provenance:target",
    "/MedicationRequest?_include=MedicationRequest:medication",
    "/Patient/1/Observation",
    "/Patient/1/Condition",
    "/Patient/1/$everything",
    "/Patient/1/_history",
    "/Observation/_history?_count=3",
    "/Observation/added/_history",
    "/Practitioner",
    "/Condition",
    "/AllergyIntolerance",
    "/DocumentReference",
    "/Location",
];

pub(crate) async fn collect(into: &mut Collected) {
    let store = unprotected();
    let statement = reqwest::Client::new().get(format!("{}/metadata", store.base));
    into.ask("unprotected metadata", statement, 200).await;
    let gateway = Server::gateway(&store.base, "").await.ready().await;
    let example = Server::example("reason").await.ready().await;
    for (name, server) in [("example", &example), ("gateway", &gateway)] {
        into.ask(&format!("{name} metadata"), server.request("GET", "/metadata"), 200).await;
        writes(into, server, name).await;
        for (kind, scope) in [("service", "system/*.cruds"), ("patient", "patient/*.cruds")] {
            for path in READS {
                // A patient's history of a type is not every server's.
                let response = server.scoped(scope, "GET", path).send().await.unwrap();
                if response.status() != 200 {
                    let status = response.status().as_u16();
                    assert!(matches!(status, 400 | 403 | 404), "{name} {kind} {path}: {status}");
                }
                let body = into.keep(&format!("{name} {kind} {path}"), response).await;
                pages(into, server, scope, &body, &format!("{name} {kind} {path}")).await;
            }
            let form = server.scoped(scope, "POST", "/Observation/_search");
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            into.ask(&format!("{name} {kind} _search"), form.body("patient=1&_count=3"), 200).await;
            batch(into, server, scope, &format!("{name} {kind}")).await;
        }
        for path in ["/_history?_count=5", "?_type=Patient,Observation&_count=5"] {
            let request = server.scoped("system/*.cruds", "GET", path);
            into.ask(&format!("{name} {path}"), request, 200).await;
        }
    }
}

/// Versions of one Observation.
async fn writes(into: &mut Collected, server: &Server, name: &str) {
    let added = observation("Patient/1").replacen('{', "{\"id\":\"added\",", 1);
    for number in 0..2 {
        let request = server.scoped("system/*.cruds", "PUT", "/Observation/added");
        let request = request.header("content-type", "application/fhir+json");
        let response = request.body(added.clone()).send().await.unwrap();
        assert!(response.status().is_success(), "{name}");
        into.keep(&format!("{name} put {number}"), response).await;
    }
}

/// Follows the links to further pages.
async fn pages(into: &mut Collected, server: &Server, scope: &str, first: &Value, name: &str) {
    let mut page = first.clone();
    for number in 2..6 {
        let links = page["link"].as_array().cloned().unwrap_or_default();
        let Some(next) = links.iter().find(|link| link["relation"] == "next") else { return };
        let url = next["url"].as_str().unwrap();
        let path = url.strip_prefix(BASE).unwrap_or_else(|| panic!("{name}: {url}"));
        page = into
            .ask(&format!("{name} page {number}"), server.scoped(scope, "GET", path), 200)
            .await;
    }
}

/// A batch of which some is refused, and a transaction.
async fn batch(into: &mut Collected, server: &Server, scope: &str, name: &str) {
    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    let mut created = entry("POST", "Observation");
    created["resource"] = serde_json::from_str(&observation("Patient/1")).unwrap();
    created["fullUrl"] = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0".into();
    let mut outside = created.clone();
    outside["resource"]["subject"]["reference"] = "Patient/2".into();
    outside["fullUrl"] = "urn:uuid:5f7d3a1e-2f2b-4d50-9c5a-7b1c1a9de8a1".into();
    let entries = [
        entry("GET", "Patient/1"),
        entry("GET", "Patient/2"),
        entry("GET", "Observation/tobi-hba1c"),
        entry("GET", "Observation/none"),
        entry("GET", "Observation?patient=1&_count=2"),
        entry("GET", "Nothing/1"),
        entry("DELETE", "Observation/none"),
        created.clone(),
        outside,
    ];
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": entries});
    let post = |bundle: &Value| {
        let request = server.scoped(scope, "POST", "");
        request.header("content-type", "application/fhir+json").body(bundle.to_string())
    };
    into.ask(&format!("{name} batch"), post(&bundle), 200).await;
    let transaction =
        |entries: Value| json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    for (kind, entries) in [
        ("transaction", json!([created, entry("GET", "Patient/1")])),
        ("refused transaction", json!([created, entry("GET", "Nothing/1")])),
    ] {
        let response = post(&transaction(entries)).send().await.unwrap();
        let status = response.status().as_u16();
        into.keep(&format!("{name} {kind} {status}"), response).await;
    }
}
