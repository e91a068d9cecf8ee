//! What the example FHIR server can be searched by, and what it says of that.

use serde_json::{Value, json};

use crate::support::Fhir;

const ALL: &str = "user/*.cruds";

#[tokio::test]
async fn metadata_names_the_parameters_of_each_type() {
    let fhir = Fhir::start("scopes", &[]).await;
    let metadata = fhir.as_caller("", "GET", "/metadata").await.body;
    let resources = metadata["rest"][0]["resource"].as_array().unwrap();
    let of_type = |name: &str| resources.iter().find(|one| one["type"] == name).unwrap();
    for (of, name, code) in [
        ("Observation", "_id", "token"),
        ("Observation", "_lastUpdated", "date"),
        ("Observation", "patient", "reference"),
        ("Observation", "category", "token"),
        ("Observation", "date", "date"),
        ("Patient", "identifier", "token"),
        ("Patient", "name", "string"),
        ("Patient", "birthdate", "date"),
        ("Patient", "gender", "token"),
        ("Condition", "clinical-status", "token"),
        ("Condition", "encounter", "reference"),
        ("Provenance", "target", "reference"),
    ] {
        let listed = of_type(of)["searchParam"].as_array().unwrap();
        assert!(listed.contains(&json!({"name": name, "type": code})), "{of}.{name}: {listed:?}");
    }
    // What R4 defines and this server cannot evaluate is not listed, and is refused.
    for (of, name) in [("Observation", "code-value-quantity"), ("Patient", "phonetic")] {
        let listed = of_type(of)["searchParam"].as_array().unwrap();
        assert!(listed.iter().all(|one| one["name"] != name), "{of}.{name}");
        let reply = fhir.as_caller(ALL, "GET", &format!("/{of}?{name}=x")).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text);
    }
    assert_eq!(of_type("Binary")["searchInclude"], Value::Array(Vec::new()));
    let followed = of_type("Observation")["searchInclude"].as_array().unwrap();
    assert!(followed.contains(&json!("Observation:performer")), "{followed:?}");
}
