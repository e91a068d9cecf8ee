//! The leaks that servers of this kind have had, each tried against the running one. The numbers
//! are those of a list that the field keeps: chains, includes, system searches, bodies, histories,
//! conditions, bundles, moves, containers, jobs, operations, counts, overrides, spellings, links.

use serde_json::{Value, json};

use crate::support::{BASE, Fhir, Reply, raw_status};

/// What patient 1 holds: everything of one's own.
const OWN: &str = "patient/*.cruds";

async fn scopes() -> Fhir {
    Fhir::start("scopes", &[]).await
}

/// Nothing of the second patient's record but what names the first as its performer.
#[track_caller]
fn shows_nothing_of_another(reply: &Reply) {
    let text = reply.text.replace("tobi-seen-by-amara", "");
    let names = ["tobi-", "Oyelaran", "weight-2", "weight-3", "Lindqvist"];
    for name in names {
        assert!(!text.contains(name), "`{name}` in {text}");
    }
}

fn observation(subject: &str) -> Value {
    json!({
        "resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "subject": {"reference": subject},
    })
}

#[tokio::test]
async fn leak_01_chains_reveal_nothing_of_types_that_are_not_granted() {
    let fhir = scopes().await;
    for (query, statuses) in [
        ("?subject:Patient.name=Peeters", [403, 403]),
        ("?subject:Practitioner.name=x", [403, 403]),
        ("?_has:Provenance:target:agent=x", [403, 403]),
        ("?subject.name=Peeters", [403, 403]),
        ("?patient.identifier=tobi", [403, 403]),
        ("?_sort=subject.name", [403, 403]),
        ("?_filter=subject.name%20eq%20x", [403, 403]),
        ("?_list=1", [403, 403]),
    ] {
        for (scope, expected) in
            ["user/Observation.rs", "patient/Observation.rs"].iter().zip(statuses)
        {
            let reply = fhir.as_caller(scope, "GET", &format!("/Observation{query}")).await;
            assert_eq!(reply.status, expected, "{query} with {scope}: {}", reply.text);
        }
    }
    for chain in ["subject:Patient.name=x", "patient.name=x"] {
        let path = format!("/Observation?{chain}");
        let constrained = "user/Observation.rs user/Patient.s?_id=1";
        let reply = fhir.as_caller(constrained, "GET", &path).await;
        assert_eq!(reply.status, 403, "a constraint cannot be seen through a chain");
        // Granted, but the store has no chains, and ignores none.
        let granted = "user/Observation.rs user/Patient.s";
        assert_eq!(fhir.as_caller(granted, "GET", &path).await.status, 400, "{chain}");
        assert_eq!(fhir.as_caller(granted, "DELETE", &path).await.status, 403);
        let conditional = "user/Observation.rsd user/Patient.s";
        assert_eq!(fhir.as_caller(conditional, "DELETE", &path).await.status, 403, "no letter");
        let conditional = "user/Observation.rds user/Observation.ds user/Patient.s";
        assert_eq!(fhir.as_caller(conditional, "DELETE", &path).await.status, 400, "{chain}");
    }
}

#[tokio::test]
async fn leak_01_each_link_of_a_chain_is_judged_and_the_scope_is_of_the_tokens_kind() {
    let fhir = scopes().await;
    for (scope, path, missing) in [
        (
            "user/Observation.s user/Encounter.s",
            "/Observation?encounter.patient.name=x",
            "user/Patient.s",
        ),
        (
            "user/Observation.s user/Patient.s",
            "/Observation?subject:Patient.organization.name=x",
            "user/",
        ),
        (
            "user/Patient.s user/Observation.s",
            "/Patient?_has:Observation:patient:encounter.status=x",
            "user/Encounter.s",
        ),
        ("patient/Observation.rs patient/Patient.rs", "/Observation?subject.name=x", "patient/"),
        ("system/Observation.rs", "/Observation?encounter.status=x", "system/Encounter.s"),
    ] {
        let reply = fhir.as_caller(scope, "GET", path).await;
        assert_eq!(reply.status, 403, "{path} with {scope}: {}", reply.text);
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        let asked = challenge.split_once("scope=\"").map(|(_, rest)| rest).unwrap_or_default();
        assert!(
            asked.starts_with(missing) || asked.contains(&format!(" {missing}")),
            "{path}: {challenge}"
        );
    }
}

#[tokio::test]
async fn leak_02_includes_bring_only_what_may_be_read() {
    let fhir = scopes().await;
    let own = fhir.as_caller(OWN, "GET", "/Observation?_include=Observation:subject").await;
    shows_nothing_of_another(&own);
    assert!(own.names().contains(&"Patient/1".to_owned()), "{:?}", own.names());
    let own = fhir.as_caller(OWN, "GET", "/Patient?_revinclude=Observation:subject").await;
    shows_nothing_of_another(&own);
    assert!(own.names().contains(&"Observation/amara-hba1c".to_owned()), "{:?}", own.names());
    // Create on a type is no read of it.
    let scope = "patient/Observation.rs patient/Patient.c";
    let reply = fhir.as_caller(scope, "GET", "/Observation?_include=Observation:subject").await;
    assert!(reply.status == 200 && reply.names().iter().all(|name| !name.starts_with("Patient/")));
    let reply =
        fhir.as_caller(scope, "GET", "/Observation?_include=Observation:subject:Patient").await;
    assert!(reply.status == 200 && reply.names().iter().all(|name| !name.starts_with("Patient/")));
    for refused in ["_include:iterate=Observation:subject", "_include=*", "_revinclude=*"] {
        let reply = fhir.as_caller(OWN, "GET", &format!("/Observation?{refused}")).await;
        assert!(matches!(reply.status, 400 | 403), "{refused}: {}", reply.text);
    }
    // A constraint holds for what comes along, too.
    let scope = "user/Patient.rs user/Observation.rs?category=laboratory";
    let reply = fhir.as_caller(scope, "GET", "/Patient?_revinclude=Observation:subject").await;
    let observations = reply.names().into_iter().filter(|name| name.starts_with("Observation"));
    assert_eq!(
        observations.collect::<Vec<_>>(),
        ["Observation/amara-hba1c", "Observation/tobi-hba1c"]
    );
    // Shared types come along, and are read by id.
    let reply = fhir
        .as_caller(OWN, "GET", "/MedicationRequest?_include=MedicationRequest:medication")
        .await;
    assert!(reply.names().contains(&"Medication/paracetamol".to_owned()), "{:?}", reply.names());
}

#[tokio::test]
async fn leak_03_a_search_of_all_types_takes_all_types() {
    let fhir = scopes().await;
    for (scope, path, expected) in [
        ("user/Patient.rs", "?_id=1", 403),
        ("user/Patient.rs", "?_id=1&_type=Patient", 200),
        ("user/Patient.rs", "?_id=1&_type=Patient,Observation", 403),
        ("user/Patient.rs", "?_id=1&_type=Patient%2CObservation", 403),
        ("user/Patient.rs", "?_id=1&_type=Patient&_type=Observation", 403),
        ("user/Patient.rs", "/_history", 403),
        ("user/Patient.rs", "/_history?_type=Patient", 200),
        (OWN, "?_id=1", 200),
    ] {
        assert_eq!(
            fhir.as_caller(scope, "GET", path).await.status,
            expected,
            "{path} with {scope}"
        );
    }
    let own = fhir.as_caller(OWN, "GET", "?_type=Patient,Observation,Encounter").await;
    shows_nothing_of_another(&own);
    assert_eq!(own.body["total"], own.names().len());
    shows_nothing_of_another(&fhir.as_caller(OWN, "GET", "/_history").await);
}

#[tokio::test]
async fn leak_04_the_body_of_a_search_is_judged_like_its_address() {
    let fhir = scopes().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let post = async |scope: &str, path: &str, body: &str| {
        fhir.send(&fhir.token(scope), "POST", path, &form, body.into()).await
    };
    let own = post(OWN, "/Observation/_search", "code=29463-7").await;
    shows_nothing_of_another(&own);
    assert_eq!(own.names(), ["Observation/weight-1"]);
    for (scope, path, body, expected) in [
        (OWN, "/Observation/_search", "patient=2", 403),
        (OWN, "/Observation/_search?patient=1", "patient=2", 403),
        (OWN, "/Observation/_search?patient=2", "", 403),
        (OWN, "/_search", "_type=Patient", 200),
        ("user/Patient.rs", "/_search", "_type=Observation", 403),
        ("user/Patient.rs", "/_search", "", 403),
        ("user/Patient.rs", "/_search", "_type=Patient", 200),
        ("user/Patient.rs", "/Patient/_search", "_revinclude=Observation:subject", 200),
        ("user/Observation.rs", "/Observation/_search", "subject:Patient.name=x", 403),
        ("user/Observation.r", "/Observation/_search", "", 403),
    ] {
        let reply = post(scope, path, body).await;
        assert_eq!(reply.status, expected, "{path} {body} with {scope}: {}", reply.text);
        shows_nothing_of_another_if(scope == OWN, &reply);
    }
}

#[track_caller]
fn shows_nothing_of_another_if(confined: bool, reply: &Reply) {
    if confined {
        shows_nothing_of_another(reply);
    }
}

#[tokio::test]
async fn leak_05_each_version_is_judged_by_itself() {
    let fhir = scopes().await;
    let all = "user/*.cruds";
    // It was another's, and is now one's own; and the other way round.
    for (id, before, after) in
        [("came", "Patient/2", "Patient/1"), ("went", "Patient/1", "Patient/2")]
    {
        for subject in [before, after] {
            let mut resource = observation(subject);
            resource["id"] = id.into();
            let path = format!("/Observation/{id}");
            let put = fhir.with_body(all, "PUT", &path, resource).await;
            assert!(matches!(put.status, 200 | 201), "{}", put.text);
        }
    }
    for (path, expected) in [
        ("/Observation/came", 200),
        ("/Observation/came/_history/2", 200),
        ("/Observation/came/_history/1", 404),
        ("/Observation/went", 404),
        ("/Observation/went/_history/1", 200),
        ("/Observation/went/_history/2", 404),
        ("/Observation/tobi-hba1c/_history/1", 404),
        ("/Observation/tobi-hba1c/_history", 404),
        ("/Observation/nothing/_history", 404),
    ] {
        assert_eq!(fhir.as_caller(OWN, "GET", path).await.status, expected, "{path}");
    }
    // What takes the history with it takes what could not be seen, too.
    let hard = fhir.as_caller(OWN, "DELETE", "/Observation/came?_hardDelete=true").await;
    assert_eq!(hard.status, 403, "{}", hard.text);
    let history = fhir.as_caller(OWN, "GET", "/Observation/came/_history").await;
    assert_eq!(history.body["total"], 1, "{}", history.text);
    let history = fhir.as_caller(OWN, "GET", "/Observation/_history?_count=5000").await;
    shows_nothing_of_another(&history);
    // A version is that version, not the present one.
    let first = fhir.as_caller(OWN, "GET", "/Observation/went/_history/1").await;
    assert_eq!(first.body["subject"]["reference"], "Patient/1");
    assert_eq!(first.header("etag"), "W/\"1\"");
}

#[tokio::test]
async fn leak_06_conditions_do_not_tell_what_exists() {
    let fhir = scopes().await;
    let all = "user/*.cruds";
    let mut hidden = observation("Patient/2");
    hidden["identifier"] = json!([{"system": "s", "value": "hidden"}]);
    assert_eq!(fhir.with_body(all, "POST", "/Observation", hidden).await.status, 201);
    let mut own = observation("Patient/1");
    own["identifier"] = json!([{"system": "s", "value": "other"}]);
    for condition in ["identifier=s|hidden", "identifier=s|nothing"] {
        // What is hidden and what does not exist get one answer.
        let token = fhir.token(OWN);
        let created = fhir
            .send(&token, "POST", "/Observation", &[("if-none-exist", condition)], own.clone())
            .await;
        assert_eq!(created.status, 201, "{condition}: {}", created.text);
        let path = format!("/Observation?{condition}");
        let updated = fhir.with_body(OWN, "PUT", &path, own.clone()).await;
        assert_eq!(updated.status, 201, "{condition}: {}", updated.text);
        let patch = json!([{"op": "add", "path": "/issued", "value": "2026-01-01T00:00:00Z"}]);
        assert_eq!(fhir.with_body(OWN, "PATCH", &path, patch).await.status, 404, "{condition}");
        assert_eq!(fhir.as_caller(OWN, "DELETE", &path).await.status, 204, "{condition}");
    }
    let still = fhir.as_caller(all, "GET", "/Observation?identifier=s|hidden").await;
    assert_eq!(still.body["total"], 1, "{}", still.text);
    // The letter for searching is needed, and an unknown condition is never ignored.
    let token = fhir.token("user/Observation.c");
    let refused = fhir
        .send(&token, "POST", "/Observation", &[("if-none-exist", "identifier=s|x")], own.clone())
        .await;
    assert_eq!(refused.status, 403);
    for condition in ["nonsense=x", "_count=1", "identifier=s|x&_count=1", "subject.name=x", ""] {
        let token = fhir.token(all);
        let refused = fhir
            .send(&token, "POST", "/Observation", &[("if-none-exist", condition)], own.clone())
            .await;
        assert_eq!(refused.status, 400, "{condition}: {}", refused.text);
    }
    assert_eq!(fhir.as_caller(all, "DELETE", "/Observation?nonsense=x").await.status, 400);
}

#[tokio::test]
async fn leak_07_entries_of_bundles_are_judged_one_by_one() {
    let fhir = scopes().await;
    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry("GET", "Patient/1"),
        entry("GET", "Patient/2"),
        entry("GET", &format!("{BASE}/Patient/2")),
        entry("GET", "https://elsewhere.example.org/r4/Patient/1"),
        entry("GET", "Observation/tobi-hba1c"),
        entry("GET", "Observation?patient=2"),
        entry("GET", "Observation?code=29463-7"),
        entry("POST", ""),
        entry("GET", "Patient/%32"),
        entry("DELETE", "Observation/tobi-hba1c"),
        json!({"request": {"method": "POST", "url": "Observation"}, "resource": observation("Patient/2")}),
        json!({
            "fullUrl": "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059",
            "request": {"method": "POST", "url": "Observation", "ifNoneExist": "patient=2"},
            "resource": observation("Patient/1"),
        }),
        json!("nonsense"),
    ]});
    let reply = fhir.with_body(OWN, "POST", "", batch).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    shows_nothing_of_another(&reply);
    let statuses: Vec<&str> = reply.body["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        ["200", "403", "403", "403", "404", "403", "200", "403", "403", "404", "403", "403", "400"]
    );
    assert_eq!(reply.body["entry"][1]["response"]["outcome"]["issue"][0]["code"], "forbidden");

    // A transaction: that refusal for the whole, and nothing is stored.
    let good = json!({"request": {"method": "POST", "url": "Observation"}, "resource": observation("Patient/1")});
    let before = fhir.as_caller(OWN, "GET", "/Observation").await.body["total"].clone();
    for bad in [
        entry("GET", "Patient/2"),
        json!({"request": {"method": "POST", "url": "Observation"}, "resource": observation("Patient/2")}),
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [good, bad]});
        let reply = fhir.with_body(OWN, "POST", "", bundle).await;
        assert_eq!((reply.status, reply.code()), (403, "forbidden"), "{}", reply.text);
        assert!(reply.header("www-authenticate").contains("insufficient_scope"));
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let after = fhir.as_caller(OWN, "GET", "/Observation").await;
    assert_eq!(after.body["total"], before);
    // A reference to an entry means what the entry becomes: a new patient is not the first one.
    let smuggled = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"fullUrl": "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059",
         "request": {"method": "POST", "url": "Encounter"},
         "resource": {"resourceType": "Encounter", "status": "planned", "class": {}, "subject": {"reference": "Patient/1"}}},
        {"request": {"method": "POST", "url": "Observation"},
         "resource": observation("urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059")},
    ]});
    assert_eq!(fhir.with_body(OWN, "POST", "", smuggled).await.status, 403);
}

#[tokio::test]
async fn leak_08_nothing_moves_into_or_out_of_a_compartment() {
    let fhir = scopes().await;
    let put = async |id: &str, subject: &str| {
        let mut resource = observation(subject);
        resource["id"] = id.into();
        fhir.with_body(OWN, "PUT", &format!("/Observation/{id}"), resource).await.status
    };
    assert_eq!(put("weight-1", "Patient/1").await, 200);
    assert_eq!(put("weight-1", "Patient/2").await, 403);
    assert_eq!(put("weight-2", "Patient/1").await, 404);
    assert_eq!(put("weight-2", "Patient/2").await, 404);
    for subject in
        ["urn:uuid:1", "#p", "Patient?identifier=x", "https://other.example.org/Patient/1", ""]
    {
        assert_eq!(put("weight-1", subject).await, 403, "{subject}");
    }
    let patch = |op: Value| json!([op]);
    let moved = patch(json!({"op": "replace", "path": "/subject/reference", "value": "Patient/2"}));
    assert_eq!(fhir.with_body(OWN, "PATCH", "/Observation/weight-1", moved).await.status, 403);
    let lost = patch(json!({"op": "remove", "path": "/subject"}));
    assert_eq!(fhir.with_body(OWN, "PATCH", "/Observation/weight-1", lost).await.status, 403);
    let taken = patch(json!({"op": "replace", "path": "/subject/reference", "value": "Patient/1"}));
    assert_eq!(fhir.with_body(OWN, "PATCH", "/Observation/weight-2", taken).await.status, 404);
    assert_eq!(fhir.as_caller(OWN, "DELETE", "/Observation/weight-2").await.status, 404);
    // A patient whom nobody knows here has no compartment.
    let stranger = fhir.token_with(json!({"scope": OWN, "patient": "99"}));
    for (method, path, body, expected) in [
        ("POST", "/Observation", observation("Patient/99"), 403),
        ("PUT", "/Patient/99", json!({"resourceType": "Patient", "id": "99"}), 404),
    ] {
        let reply = fhir.send(&stranger, method, path, &[], body).await;
        assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text);
    }
    let unrelated = json!({"resourceType": "Observation", "status": "final", "code": {}});
    assert_eq!(fhir.with_body(OWN, "POST", "/Observation", unrelated).await.status, 403);
    // A constraint is one before and after a change, too.
    let lab = "user/Observation.cruds?category=laboratory";
    assert_eq!(
        fhir.with_body(lab, "POST", "/Observation", observation("Patient/1")).await.status,
        403
    );
    let off = patch(json!({"op": "remove", "path": "/category"}));
    assert_eq!(fhir.with_body(lab, "PATCH", "/Observation/amara-hba1c", off).await.status, 403);
    assert_eq!(fhir.as_caller(lab, "DELETE", "/Observation/amara-smoking").await.status, 404);
}

#[tokio::test]
async fn leak_09_containers_confer_nothing() {
    let fhir = scopes().await;
    // What has no place in a compartment is nobody's own: a Binary, a Bundle, a Questionnaire.
    let all = "user/*.cruds";
    let binary = json!({"resourceType": "Binary", "id": "b", "contentType": "text/plain",
        "securityContext": {"reference": "Patient/1"}});
    assert_eq!(fhir.with_body(all, "PUT", "/Binary/b", binary.clone()).await.status, 201);
    assert_eq!(fhir.as_caller(OWN, "GET", "/Binary/b").await.status, 404);
    assert_eq!(fhir.with_body(OWN, "PUT", "/Binary/c", binary.clone()).await.status, 404);
    assert_eq!(fhir.with_body(OWN, "PUT", "/Binary/b", binary.clone()).await.status, 404);
    assert_eq!(fhir.with_body(OWN, "POST", "/Binary", binary).await.status, 403);
    // A contained resource is not a way to a subject.
    let mut contained = observation("#p");
    contained["contained"] = json!([{"resourceType": "Patient", "id": "p"}]);
    assert_eq!(fhir.with_body(OWN, "POST", "/Observation", contained).await.status, 403);
    assert_eq!(fhir.as_caller(OWN, "GET", "/Observation?_contained=true").await.status, 400);
}

#[tokio::test]
async fn leak_10_a_job_is_its_owners_alone() {
    let fhir = scopes().await;
    let kick_off = fhir.as_caller("system/*.rs", "GET", "/$export?_type=Patient").await;
    assert_eq!(kick_off.status, 202, "{}", kick_off.text);
    let location = kick_off.header("content-location").strip_prefix(BASE).unwrap().to_owned();
    let status = fhir.as_caller("system/*.rs", "GET", &location).await;
    assert_eq!((status.status, &status.body["requiresAccessToken"]), (200, &json!(true)));
    let file =
        status.body["output"][0]["url"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
    let lines = fhir.as_caller("system/*.rs", "GET", &file).await;
    assert_eq!((lines.status, lines.text.lines().count()), (200, 3));
    assert_eq!(lines.header("content-type"), "application/fhir+ndjson");
    for scope in ["system/*.cruds", "user/Patient.r", "patient/*.rs"] {
        let other = fhir.token_with(json!({"sub": "bob", "scope": scope, "patient": "1"}));
        for (method, path) in [("GET", &location), ("GET", &file), ("DELETE", &location)] {
            let reply = fhir.send(&other, method, path, &[], Value::Null).await;
            assert_eq!((reply.status, reply.code()), (404, "not-found"), "{method} {path}");
            let none = path.replace(|c: char| c.is_ascii_digit(), "0");
            let none = fhir.send(&other, method, &none, &[], Value::Null).await;
            assert_eq!(none.text, reply.text, "as for no such job");
        }
    }
    // Nor does the owner get with a weaker token what it could not have begun with it.
    assert_eq!(fhir.as_caller("system/Device.rs", "GET", &file).await.status, 403);
    assert_eq!(fhir.as_caller("system/*.rs", "DELETE", &location).await.status, 202);
    for path in [&location, &file] {
        assert_eq!(fhir.as_caller("system/*.rs", "GET", path).await.status, 404);
    }
}

#[tokio::test]
async fn leak_11_operations_take_their_own_right() {
    let fhir = scopes().await;
    let everything = fhir.as_caller(OWN, "GET", "/Patient/1/$everything").await;
    assert_eq!(everything.status, 200);
    shows_nothing_of_another(&everything);
    assert!(everything.names().len() > 8, "{:?}", everything.names());
    for (scope, query) in
        [("patient/Observation.rs", "_type=Observation"), (OWN, "_type=Observation&_count=2")]
    {
        let path = format!("/Patient/1/$everything?{query}");
        let reply = fhir.as_caller(scope, "GET", &path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        assert!(reply.names().iter().all(|name| name.starts_with("Observation/")));
    }
    for (scope, method, path) in [
        (OWN, "GET", "/Patient/2/$everything"),
        ("user/Patient.rs", "GET", "/Patient/1/$everything"),
        (OWN, "POST", "/$graphql"),
        (OWN, "GET", "/Patient/1/$graph"),
        ("user/*.cruds system/*.cruds", "POST", "/Patient/$validate"),
        (OWN, "GET", "/$export"),
        ("user/*.rs", "GET", "/Patient/$export"),
    ] {
        assert_eq!(fhir.as_caller(scope, method, path).await.status, 403, "{path} with {scope}");
    }
}

#[tokio::test]
async fn leak_12_counts_count_what_may_be_seen() {
    let fhir = scopes().await;
    let own = fhir.as_caller(OWN, "GET", "/Observation?_count=1").await;
    let all = fhir.as_caller("user/*.rs", "GET", "/Observation?_count=1").await;
    assert!(own.body["total"].as_u64() < all.body["total"].as_u64());
    assert_eq!(own.names().len(), 1);
    let none = fhir.as_caller(OWN, "GET", "/Observation?_id=tobi-hba1c").await;
    assert_eq!((none.status, &none.body["total"]), (200, &json!(0)));
    for facet in ["_summary=count", "_count=0"] {
        let counted = fhir.as_caller(OWN, "GET", &format!("/Observation?{facet}")).await;
        assert_eq!(counted.body["total"], own.body["total"], "{facet}: {}", counted.text);
        let hidden = format!("/Observation?_id=tobi-hba1c&{facet}");
        assert_eq!(fhir.as_caller(OWN, "GET", &hidden).await.body["total"], 0, "{facet}");
    }
    assert_eq!(fhir.as_caller(OWN, "GET", "/Observation?_total=accurate").await.status, 400);
}

#[tokio::test]
async fn leak_13_overrides_of_the_method_do_nothing() {
    let fhir = scopes().await;
    for header in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let token = fhir.token("user/Observation.r");
        let reply = fhir
            .send(&token, "GET", "/Observation/weight-1", &[(header, "DELETE")], Value::Null)
            .await;
        assert_eq!((reply.status, reply.body["id"].as_str()), (200, Some("weight-1")), "{header}");
        let reply = fhir
            .send(&token, "POST", "/Observation", &[(header, "GET")], observation("Patient/1"))
            .await;
        assert_eq!(reply.status, 403, "{header}");
    }
    let reply =
        fhir.as_caller("user/Observation.r", "GET", "/Observation/weight-1?_method=DELETE").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        fhir.as_caller("user/Observation.r", "GET", "/Observation/weight-1").await.status,
        200
    );
}

#[tokio::test]
async fn leak_14_an_address_has_one_spelling() {
    let fhir = scopes().await;
    for path in [
        "/Pa%74ient/1",
        "/Patient/%31",
        "/Patient/1/",
        "//Patient/1",
        "/Patient//1",
        "/./Patient/1",
        "/Patient;x=1/1",
        "/Patient/1;x=1",
        "/patient/1",
        "/PATIENT/1",
        "/Patient%2F1",
        "/Patient/1%00",
    ] {
        let url = fhir.server.url(path);
        let status = raw_status(&url, &fhir.token("user/*.cruds")).await;
        assert_eq!(status, 403, "{path}");
    }
}

#[tokio::test]
async fn leak_15_a_link_does_not_make_two_patients_one() {
    let fhir = scopes().await;
    let all = "user/*.cruds";
    let linked = json!({"resourceType": "Patient", "id": "2", "name": [{"family": "Oyelaran"}],
        "link": [{"other": {"reference": "Patient/1"}, "type": "seealso"}]});
    assert_eq!(fhir.with_body(all, "PUT", "/Patient/2", linked).await.status, 200);
    assert_eq!(fhir.as_caller(OWN, "GET", "/Patient/2").await.status, 403);
    for path in [
        "/Patient",
        "/Patient?_id=2",
        "/Patient/1/$everything",
        "/Patient/1/*",
        "/Patient/_history",
    ] {
        let reply = fhir.as_caller(OWN, "GET", path).await;
        assert_eq!(reply.status, 200, "{path}");
        shows_nothing_of_another(&reply);
    }
    // Nor can the first patient write one.
    let patch = json!([{"op": "add", "path": "/link", "value": [{"other": {"reference": "Patient/2"}, "type": "seealso"}]}]);
    assert_eq!(fhir.with_body(OWN, "PATCH", "/Patient/1", patch).await.status, 403);
    shows_nothing_of_another_if(true, &fhir.as_caller(OWN, "GET", "/Observation").await);
}

#[tokio::test]
async fn leak_16_nobody_subscribes_to_what_belongs_to_no_patient() {
    let fhir = scopes().await;
    let subscription = json!({"resourceType": "Subscription", "status": "requested",
        "criteria": "Observation?patient=2", "channel": {"type": "rest-hook"}});
    assert_eq!(fhir.with_body(OWN, "POST", "/Subscription", subscription).await.status, 403);
}

#[tokio::test]
async fn leak_17_what_is_hidden_looks_like_what_does_not_exist() {
    let fhir = scopes().await;
    let all = "user/*.cruds";
    assert_eq!(fhir.as_caller(all, "DELETE", "/Observation/tobi-smoking").await.status, 204);
    assert_eq!(fhir.as_caller(all, "GET", "/Observation/tobi-smoking").await.status, 410);
    let nothing = fhir.as_caller(OWN, "GET", "/Observation/nothing").await;
    assert_eq!((nothing.status, nothing.code()), (404, "not-found"));
    for id in ["tobi-hba1c", "tobi-smoking", "tobi-about-amara"] {
        for method in ["GET", "DELETE"] {
            let hidden = fhir.as_caller(OWN, method, &format!("/Observation/{id}")).await;
            assert_eq!((hidden.status, &hidden.text), (404, &nothing.text), "{method} {id}");
        }
    }
    // Another patient is refused by name, whether it exists or not.
    let other = fhir.as_caller(OWN, "GET", "/Patient/2").await;
    let nobody = fhir.as_caller(OWN, "GET", "/Patient/nobody").await;
    assert_eq!((other.status, nobody.status), (403, 403));
    assert_eq!(other.text, nobody.text);
    // A performer is a member as the definition says; what it is about is not.
    assert_eq!(fhir.as_caller(OWN, "GET", "/Observation/tobi-seen-by-amara").await.status, 200);
}
