//! Inferno's tests of a resource server, as cases of our own that name the ids of its tests. The manual's
//! page on Inferno has all ids, and `tests/suite/inferno.rs` compares the two.
//!
//! The records of two patients, `own` and `other`, with one resource of each type that US Core has, and what
//! both share.

mod access;
mod documents;
mod export;
mod granular;
mod searches;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Fhir, Reply};

/// By type: the members of a resource, and what finds it by which search parameter.
static RECORDS: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("records.json")).unwrap());

/// Profiles of Observation: how ids of Inferno name them, the category, and a code.
const OBSERVATIONS: [(&str, &str, &str); 24] = [
    ("average_blood_pressure", "vital-signs", "96607-7"),
    ("blood_pressure", "vital-signs", "85354-9"),
    ("bmi", "vital-signs", "39156-5"),
    ("body_height", "vital-signs", "8302-2"),
    ("body_temperature", "vital-signs", "8310-5"),
    ("body_weight", "vital-signs", "29463-7"),
    ("care_experience_preference", "care-experience-preference", "95541-9"),
    ("head_circumference", "vital-signs", "9843-4"),
    ("head_circumference_percentile", "vital-signs", "8289-1"),
    ("heart_rate", "vital-signs", "8867-4"),
    ("observation_clinical_result", "imaging", "19005-8"),
    ("observation_lab", "laboratory", "4548-4"),
    ("observation_occupation", "social-history", "11341-5"),
    ("observation_pregnancyintent", "social-history", "86645-9"),
    ("observation_pregnancystatus", "social-history", "82810-3"),
    ("observation_screening_assessment", "survey", "44249-1"),
    ("observation_sexual_orientation", "social-history", "76690-7"),
    ("pediatric_bmi_for_age", "vital-signs", "59576-9"),
    ("pediatric_weight_for_height", "vital-signs", "77606-2"),
    ("pulse_oximetry", "vital-signs", "59408-5"),
    ("respiratory_rate", "vital-signs", "9279-1"),
    ("simple_observation", "activity", "41950-7"),
    ("smokingstatus", "social-history", "72166-2"),
    ("treatment_intervention_preference", "treatment-intervention-preference", "75773-2"),
];

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// The types that both patients share.
const SHARED: [&str; 5] =
    ["Location", "Medication", "Organization", "Practitioner", "PractitionerRole"];

/// The example server with these records.
pub(super) struct Stand {
    pub(super) fhir: Fhir,
    _data: TempDir,
}

impl Stand {
    pub(super) async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let entries = records().into_iter().map(|resource| json!({"resource": resource}));
        let bundle = json!({
            "resourceType": "Bundle", "type": "collection", "entry": entries.collect::<Vec<_>>(),
        });
        std::fs::write(data.path().join("records.json"), bundle.to_string()).unwrap();
        let folder = data.path().to_str().unwrap();
        let fhir = Fhir::start("scopes", &["--data", folder]).await;
        Self { fhir, _data: data }
    }

    /// A token of the patient `own`.
    pub(super) fn patient(&self, scopes: &str) -> String {
        self.fhir.token_with(json!({"scope": scopes, "patient": "own", "sub": "amara"}))
    }

    /// A token of a backend service.
    pub(super) fn service(&self, scopes: &str) -> String {
        self.fhir.token_with(json!({"scope": scopes, "sub": "service"}))
    }

    pub(super) async fn get(&self, token: &str, path: &str) -> Reply {
        self.fhir.send(token, "GET", path, &[], Value::Null).await
    }
}

/// The records of both patients.
fn records() -> Vec<Value> {
    let mut records = Vec::new();
    for (name, record) in RECORDS.iter() {
        let resource = |id: &str| {
            let text = record["resource"].to_string().replace("$id", id);
            let patient = json!({"reference": format!("Patient/{id}")}).to_string();
            let mut resource: Value =
                serde_json::from_str(&text.replace("\"$patient\"", &patient)).unwrap();
            resource["resourceType"] = name.as_str().into();
            resource["id"] = id.into();
            resource
        };
        if SHARED.contains(&name.as_str()) {
            records.push(resource("shared"));
            continue;
        }
        for id in ["own", "other"] {
            if name == "Observation" {
                let profiles = OBSERVATIONS.iter().map(|of| observation(resource(id), of));
                records.extend(profiles);
            } else {
                records.push(resource(id));
            }
        }
    }
    let provenances: Vec<Value> = records.iter().map(provenance).collect();
    records.extend(provenances);
    let mut problem = records.iter().find(|one| is(one, "Condition", "own")).unwrap().clone();
    problem["id"] = "own-problem".into();
    problem["category"][0]["coding"][0]["code"] = "problem-list-item".into();
    let member = |id: &str| json!({"entity": {"reference": format!("Patient/{id}")}});
    records.push(problem);
    records.push(json!({
        "resourceType": "Group", "id": "both", "type": "person", "actual": true,
        "member": [member("own"), member("other")],
    }));
    records
}

fn is(resource: &Value, resource_type: &str, id: &str) -> bool {
    resource["resourceType"] == resource_type && resource["id"] == id
}

fn observation(mut resource: Value, (profile, category, code): &(&str, &str, &str)) -> Value {
    let coding = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    resource["id"] = id_of(resource["id"].as_str().unwrap(), profile).into();
    resource["category"] = json!([coding(CATEGORY, category)]);
    resource["code"] = coding("http://loinc.org", code);
    resource
}

/// The id of an Observation.
fn id_of(whose: &str, profile: &str) -> String {
    format!("{whose}-{}", profile.replace('_', "-"))
}

/// Where a resource comes from.
fn provenance(of: &Value) -> Value {
    let (name, id) = (of["resourceType"].as_str().unwrap(), of["id"].as_str().unwrap());
    json!({
        "resourceType": "Provenance", "id": format!("{name}-{id}"),
        "target": [{"reference": format!("{name}/{id}")}], "recorded": "2026-03-02T10:00:00Z",
        "agent": [{"who": {"reference": "Practitioner/shared"}}],
    })
}

/// A search of the kit: its id, the type, and the parameters.
pub(super) struct Asked {
    pub(super) id: &'static str,
    pub(super) resource_type: &'static str,
    pub(super) parameters: Vec<&'static str>,
}

pub(super) fn asked(list: &'static str) -> Vec<Asked> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let asked = lines.map(|line| {
        let mut words = line.split(' ');
        let (id, resource_type) = (words.next().unwrap(), words.next().unwrap());
        Asked { id, resource_type, parameters: words.collect() }
    });
    asked.collect()
}

impl Asked {
    /// The Observation's profile that it is about.
    fn observation(&self) -> Option<&'static (&'static str, &'static str, &'static str)> {
        if self.resource_type != "Observation" {
            return None;
        }
        let longest = OBSERVATIONS.iter().filter(|(profile, ..)| self.id.starts_with(profile));
        longest.max_by_key(|(profile, ..)| profile.len())
    }

    /// The id of the resource that it has to find.
    pub(super) fn wanted(&self) -> String {
        match self.observation() {
            Some((profile, ..)) => id_of("own", profile),
            None if SHARED.contains(&self.resource_type) => "shared".to_owned(),
            None => "own".to_owned(),
        }
    }

    /// What it looks for. None where the parameter is US Core's own.
    pub(super) fn value(&self, parameter: &str) -> Option<String> {
        let observation = self.observation();
        match (parameter, observation) {
            ("patient", _) => return Some("own".to_owned()),
            ("_id", _) => return Some(self.wanted()),
            ("_lastUpdated", _) => return Some("ge2020-01-01".to_owned()),
            ("category", Some((_, category, _))) => return Some(format!("{CATEGORY}|{category}")),
            ("code", Some((.., code))) => return Some(format!("http://loinc.org|{code}")),
            _ => {}
        }
        let value = RECORDS[self.resource_type]["values"][parameter].as_str();
        value.map(|value| value.replace("$id", "own"))
    }

    /// Names and values; `None` where one is a parameter of US Core alone.
    pub(super) fn query(&self) -> Option<Vec<(String, String)>> {
        let pair = |name: &&'static str| Some(((*name).to_owned(), self.value(name)?));
        self.parameters.iter().map(pair).collect()
    }
}

/// A query as it stands in an address, or in a body.
pub(super) fn encoded(pairs: &[(String, String)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", pairs).unwrap();
    url.query().unwrap_or_default().to_owned()
}
