//! Searches of the example FHIR server, and what it says of them.

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
    for (of, listed) in [
        ("Patient", "Observation:subject"),
        ("Encounter", "Condition:encounter"),
        ("Medication", "MedicationRequest:medication"),
        ("Observation", "Provenance:target"),
    ] {
        let followed = of_type(of)["searchRevInclude"].as_array().unwrap();
        assert!(followed.contains(&json!(listed)), "{of}: {followed:?}");
        assert!(!followed.contains(&json!("Task:performer")), "which is no reference");
    }
}

async fn put(fhir: &Fhir, resource: Value) {
    let text = |name: &str| resource[name].as_str().unwrap().to_owned();
    let path = format!("/{}/{}", text("resourceType"), text("id"));
    let reply = fhir.with_body(ALL, "PUT", &path, resource).await;
    assert_eq!(reply.status, 201, "{path}: {}", reply.text);
}

#[tokio::test]
async fn each_parameter_finds_what_its_definition_reads() {
    let fhir = Fhir::start("scopes", &[]).await;
    put(
        &fhir,
        json!({"resourceType": "Patient", "id": "mona", "gender": "female",
        "birthDate": "1990-05-01", "name": [{"family": "Lindgren", "given": ["Mona", "Eva"]}]}),
    )
    .await;
    let clinical = "http://terminology.hl7.org/CodeSystem/condition-clinical";
    put(
        &fhir,
        json!({"resourceType": "Condition", "id": "over", "subject": {"reference": "Patient/mona"},
        "clinicalStatus": {"coding": [{"system": clinical, "code": "resolved"}]}}),
    )
    .await;
    put(
        &fhir,
        json!({"resourceType": "Provenance", "id": "p", "recorded": "2026-01-01T00:00:00Z",
        "target": [{"reference": "Condition/over/_history/1"}]}),
    )
    .await;
    let resolved = format!("/Condition?clinical-status={clinical}|resolved");
    for (path, expected) in [
        ("/Patient?name=eva", &["Patient/mona"][..]),
        ("/Patient?name=lind", &["Patient/3", "Patient/mona"]),
        ("/Patient?name=gren", &[]),
        ("/Patient?birthdate=1990-05", &["Patient/mona"]),
        ("/Patient?birthdate=ge1990", &["Patient/3", "Patient/mona"]),
        ("/Patient?gender=female", &["Patient/mona"]),
        ("/Encounter?date=2026-03-02&patient=1", &["Encounter/amara-visit"]),
        ("/Encounter?date=lt2026-03-02", &[]),
        ("/Observation?date=2026-03-02&_id=amara-hba1c,weight-1", &["Observation/amara-hba1c"]),
        ("/Condition?clinical-status=resolved", &["Condition/over"]),
        (&resolved, &["Condition/over"]),
        ("/Condition?clinical-status=active&patient=mona", &[]),
        ("/Provenance?target=Condition/over", &["Provenance/p"]),
        ("/Provenance?target=Patient/mona", &[]),
        ("/Condition?_id=over&_revinclude=Provenance:target", &["Condition/over", "Provenance/p"]),
        ("?_type=Patient,Practitioner&name=okafor", &["Practitioner/house-doctor"]),
    ] {
        let reply = fhir.as_caller(ALL, "GET", path).await;
        assert_eq!((reply.status, reply.names()), (200, own(expected)), "{path}: {}", reply.text);
    }
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_count_of_none_tells_the_total_of_what_may_be_seen() {
    let fhir = Fhir::start("scopes", &[]).await;
    for (scope, total) in [(ALL, 11), ("patient/*.cruds", 5)] {
        let whole = fhir.as_caller(scope, "GET", "/Observation").await;
        assert_eq!((whole.names().len(), &whole.body["total"]), (total, &json!(total)), "{scope}");
        for query in ["_count=0", "_summary=count", "_summary=count&_count=5"] {
            let include = "_include=Observation:subject&_revinclude=Provenance:target";
            let path = format!("/Observation?{query}&{include}");
            let reply = fhir.as_caller(scope, "GET", &path).await;
            assert_eq!(reply.body["total"], total, "{query} with {scope}: {}", reply.text);
            assert_eq!(reply.body.get("entry"), None, "{query} with {scope}");
            let links = reply.body["link"].as_array().unwrap();
            assert!(links.iter().all(|link| link["relation"] == "self"), "{links:?}");
        }
    }
    for refused in ["_summary=true", "_summary=text", "_summary=", "_summary=count&_summary=count"]
    {
        let reply = fhir.as_caller(ALL, "GET", &format!("/Observation?{refused}")).await;
        assert_eq!(reply.status, 400, "{refused}: {}", reply.text);
    }
    assert_eq!(fhir.as_caller(ALL, "GET", "/Observation?_summary=false").await.names().len(), 11);
}

#[tokio::test]
async fn a_page_holds_a_hundred_or_as_many_as_are_asked_for() {
    let fhir = Fhir::start("scopes", &[]).await;
    let entry = json!({"request": {"method": "POST", "url": "Basic"},
        "resource": {"resourceType": "Basic", "code": {"text": "x"}}});
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": vec![entry; 1200]});
    assert_eq!(fhir.with_body(ALL, "POST", "", bundle).await.status, 200);
    for (query, expected) in [("", 100), ("?_count=1100", 1100), ("?_count=5000", 1200)] {
        let reply = fhir.as_caller(ALL, "GET", &format!("/Basic{query}")).await;
        assert_eq!(
            (reply.names().len(), &reply.body["total"]),
            (expected, &json!(1200)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_condition_by_what_cannot_be_evaluated_is_refused() {
    let fhir = Fhir::start("scopes", &[]).await;
    let patient = json!({"resourceType": "Patient"});
    for condition in [
        "phonetic=x",
        "name:exact=x",
        "gender:not=male",
        "name=x&_summary=count",
        "birthdate=yesterday",
        "birthdate=ap1990",
        "general-practitioner:Doctor=1",
        "name=x&nonsense=1",
    ] {
        let path = format!("/Patient?{condition}");
        for (method, body) in [
            ("PUT", patient.clone()),
            ("PATCH", json!([{"op": "add", "path": "/active", "value": true}])),
            ("DELETE", Value::Null),
        ] {
            let reply = fhir.with_body(ALL, method, &path, body).await;
            assert_eq!(reply.status, 400, "{method} {condition}: {}", reply.text);
        }
        let headers = [("if-none-exist", condition)];
        let reply =
            fhir.send(&fhir.token(ALL), "POST", "/Patient", &headers, patient.clone()).await;
        assert_eq!(reply.status, 400, "If-None-Exist: {condition}: {}", reply.text);
    }
    assert_eq!(fhir.as_caller(ALL, "GET", "/Patient").await.body["total"], 3, "nothing was made");
}

#[tokio::test]
async fn links_have_commas_between_values_and_what_is_encoded_stays_so() {
    let fhir = Fhir::start("scopes", &[]).await;
    let reply = fhir.as_caller(ALL, "GET", "?_type=Observation,Patient&_count=1").await;
    let links = reply.body["link"].as_array().unwrap();
    assert_eq!(links.len(), 2, "{links:?}");
    for link in links {
        let url = link["url"].as_str().unwrap();
        assert!(url.contains("?_type=Observation,Patient&"), "{url}");
    }
    let reply = fhir.as_caller(ALL, "GET", "/Patient?name=a%252Cb%26c").await;
    let url = reply.body["link"][0]["url"].as_str().unwrap();
    assert!(url.ends_with("/Patient?name=a%252Cb%26c"), "{url}");
}

#[tokio::test]
async fn everything_comes_page_by_page() {
    let fhir = Fhir::start("scopes", &[]).await;
    let whole = fhir.as_caller(ALL, "GET", "/Patient/1/$everything").await.body;
    let all = whole["entry"].as_array().unwrap().len();
    assert!(all > 4, "{whole}");
    let mut path = "/Patient/1/$everything?_count=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = fhir.as_caller(ALL, "GET", &path).await.body;
        assert_eq!(page["total"], all, "{page}");
        let entries = page["entry"].as_array().unwrap();
        seen.extend(entries.iter().map(|entry| entry["fullUrl"].clone()));
        let next = page["link"].as_array().unwrap().iter().find(|link| link["relation"] == "next");
        let Some(next) = next else { break };
        let url = next["url"].as_str().unwrap();
        path = format!("/Patient{}", url.split_once("/Patient").unwrap().1);
    }
    let expected: Vec<Value> =
        whole["entry"].as_array().unwrap().iter().map(|entry| entry["fullUrl"].clone()).collect();
    assert_eq!(seen, expected);
    let reply = fhir.as_caller(ALL, "GET", "/Patient/1/$everything?_since=2020-01-01,lt2030").await;
    assert_eq!(reply.status, 400, "{}", reply.text);
}

#[tokio::test]
async fn types_and_times_are_selected_once_and_in_the_same_way() {
    let fhir = Fhir::start("scopes", &[]).await;
    for path in ["/Patient/1/$everything", "/$export", "/_history"] {
        for (query, words) in [
            ("_since=2020-01-01T00:00:00Z&_since=2030-01-01T00:00:00Z", "`_since` appears more"),
            ("_type=Patient&_type=Observation", "`_type` appears more"),
            ("_type=Patient,Person_", "`Person_` is no type of R4"),
            ("_since=never", "never"),
        ] {
            let reply = fhir.as_caller("system/*.rs", "GET", &format!("{path}?{query}")).await;
            assert_eq!(reply.status, 400, "{path}?{query}: {}", reply.text);
            assert!(reply.text.contains(words), "{path}?{query}: {}", reply.text);
        }
    }
    for path in ["/Patient/1/$everything", "/_history"] {
        let time = "_since=2100-01-01T00:00:00Z";
        let reply = fhir.as_caller(ALL, "GET", &format!("{path}?_type=Observation&{time}")).await;
        assert_eq!((reply.status, &reply.body["total"]), (200, &json!(0)), "{path}");
        let reply = fhir.as_caller(ALL, "GET", &format!("{path}?_type=Observation")).await;
        assert!(reply.body["total"].as_u64() > Some(0), "{path}: {}", reply.text);
    }
    // It would be ignored there.
    let reply = fhir.as_caller(ALL, "GET", "/Patient/1/_history?_type=Patient").await;
    assert_eq!(reply.status, 400, "{}", reply.text);
}

/// Browsers keep what says nothing about it, and the next one who signs in has the same browser.
#[tokio::test]
async fn nobody_keeps_an_answer() {
    let fhir = Fhir::start("scopes", &[]).await;
    for path in ["/Patient/1", "/Observation?_count=1", "/Patient/1/$everything", "/Patient/none"] {
        let reply = fhir.as_caller(ALL, "GET", path).await;
        assert_eq!(reply.headers["cache-control"], "no-store", "{path}");
    }
}
