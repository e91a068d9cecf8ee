//! Changes by a token of one patient, tried against the running server: about itself, before and
//! after, and nothing else.

use serde_json::{Value, json};

use crate::support::Fhir;

/// What patient 1 holds: everything of one's own.
const OWN: &str = "patient/*.cruds";

const ALL: &str = "user/*.cruds";

async fn scopes() -> Fhir {
    Fhir::start("scopes", &[]).await
}

/// Finding: whoever performed, recorded, asserted or wrote something could write it about others.
#[tokio::test]
async fn to_have_a_part_in_something_is_no_right_to_write_it() {
    let fhir = scopes().await;
    let (one, two) = (json!({"reference": "Patient/1"}), json!({"reference": "Patient/2"}));
    let gone = json!({"reference": "Patient/gone"});
    for (path, resource) in [
        ("Observation", json!({"subject": two, "performer": [one], "status": "final", "code": {}})),
        ("Observation", json!({"subject": gone, "performer": [one]})),
        ("Observation", json!({"subject": one, "performer": [two]})),
        ("Observation", json!({"performer": [one]})),
        ("AllergyIntolerance", json!({"patient": two, "recorder": one})),
        ("AllergyIntolerance", json!({"patient": two, "asserter": one})),
        ("DocumentReference", json!({"subject": two, "author": [one]})),
        ("Procedure", json!({"subject": two, "performer": [{"actor": one}]})),
        (
            "Provenance",
            json!({"target": [{"reference": "Observation/tobi-hba1c"}], "patient": one}),
        ),
        ("Provenance", json!({"target": [one]})),
        ("AuditEvent", json!({"agent": [{"who": one}]})),
        ("Group", json!({"member": [{"entity": one}]})),
        ("Person", json!({"link": [{"target": one}]})),
        ("Organization", json!({"name": "mine"})),
        ("Device", json!({"patient": two})),
        ("Questionnaire", json!({})),
        ("Patient", json!({})),
    ] {
        let mut resource = resource;
        resource["resourceType"] = path.into();
        let reply = fhir.with_body(OWN, "POST", &format!("/{path}"), resource.clone()).await;
        assert_eq!(reply.status, 403, "{resource}: {}", reply.text);
        assert!(reply.header("www-authenticate").contains("insufficient_scope"), "{resource}");
        assert!(!reply.header("www-authenticate").contains("scope=\"user"), "{resource}");
    }
    for (path, resource) in [
        ("Observation", json!({"subject": one, "status": "final", "code": {}})),
        ("AllergyIntolerance", json!({"patient": one, "recorder": one})),
        ("Device", json!({"patient": one})),
    ] {
        let mut resource = resource;
        resource["resourceType"] = path.into();
        let reply = fhir.with_body(OWN, "POST", &format!("/{path}"), resource.clone()).await;
        assert_eq!(reply.status, 201, "{resource}: {}", reply.text);
    }
}

/// Finding: `PUT` and `DELETE` of what is shared, or of a Group that one is a member of.
#[tokio::test]
async fn what_is_shared_is_refused_where_it_is_and_absent_where_it_is_not() {
    let fhir = scopes().await;
    for (path, expected) in [
        ("/Organization/hospital", 403),
        ("/Organization/nothing", 404),
        ("/Practitioner/house-doctor", 403),
        ("/Group/both", 404),
        ("/Group/nothing", 404),
        ("/Questionnaire/nothing", 404),
    ] {
        let (name, id) = path.trim_start_matches('/').split_once('/').unwrap();
        let resource = json!({"resourceType": name, "id": id});
        let patch = json!([{"op": "add", "path": "/active", "value": true}]);
        assert_eq!(fhir.with_body(OWN, "PUT", path, resource).await.status, expected, "{path}");
        assert_eq!(fhir.with_body(OWN, "PATCH", path, patch).await.status, expected, "{path}");
        assert_eq!(fhir.as_caller(OWN, "DELETE", path).await.status, expected, "{path}");
    }
    assert_eq!(fhir.as_caller(ALL, "GET", "/Organization/hospital").await.status, 200);
}

/// What is hidden and what does not exist get one answer, for every method and condition.
#[tokio::test]
async fn hidden_and_absent_are_alike_for_every_method() {
    let fhir = scopes().await;
    let mut answers: Vec<(String, String)> = Vec::new();
    for id in ["tobi-hba1c", "nothing"] {
        let path = format!("/Observation/{id}");
        let resource = json!({"resourceType": "Observation", "id": id, "status": "final",
            "code": {}, "subject": {"reference": "Patient/1"}});
        let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
        let mut all = String::new();
        let kind = ("content-type", "application/fhir+json");
        let to_patch = ("content-type", "application/json-patch+json");
        for (method, body, headers) in [
            ("GET", Value::Null, vec![]),
            ("PUT", resource.clone(), vec![kind]),
            ("PUT", resource.clone(), vec![kind, ("if-match", "W/\"1\"")]),
            ("PUT", resource.clone(), vec![kind, ("if-match", "W/\"77\"")]),
            ("PUT", resource.clone(), vec![kind, ("if-none-match", "*")]),
            ("PUT", resource.clone(), vec![kind, ("prefer", "return=minimal")]),
            ("PATCH", patch.clone(), vec![to_patch]),
            ("PATCH", patch.clone(), vec![to_patch, ("if-match", "W/\"77\"")]),
            ("DELETE", Value::Null, vec![]),
            ("DELETE", Value::Null, vec![("if-match", "W/\"77\"")]),
        ] {
            let reply = fhir.send(&fhir.token(OWN), method, &path, &headers, body).await;
            assert_eq!(reply.status, 404, "{method} {path} {headers:?}: {}", reply.text);
            all.push_str(&reply.text);
        }
        answers.push((id.to_owned(), all));
    }
    assert_eq!(answers[0].1, answers[1].1, "one answer for both");
    // Nor does it tell that the patient of the token is not known here.
    let ghost = fhir.token_with(json!({"scope": OWN, "patient": "ghost"}));
    for id in ["tobi-hba1c", "nothing"] {
        let path = format!("/Observation/{id}");
        let resource = json!({"resourceType": "Observation", "id": id,
            "subject": {"reference": "Patient/ghost"}});
        let kind = [("content-type", "application/fhir+json")];
        assert_eq!(fhir.send(&ghost, "PUT", &path, &kind, resource).await.status, 404, "{path}");
        let kind = [("content-type", "application/json-patch+json")];
        assert_eq!(fhir.send(&ghost, "PATCH", &path, &kind, json!([])).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn ones_own_deleted_resource_is_gone_and_not_brought_back() {
    let fhir = scopes().await;
    let path = "/Observation/amara-smoking";
    assert_eq!(fhir.as_caller(OWN, "DELETE", path).await.status, 204);
    let resource = json!({"resourceType": "Observation", "id": "amara-smoking", "status": "final",
        "code": {}, "subject": {"reference": "Patient/1"}});
    assert_eq!(fhir.as_caller(OWN, "GET", path).await.status, 410);
    assert_eq!(fhir.with_body(OWN, "PUT", path, resource.clone()).await.status, 410);
    let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    assert_eq!(fhir.with_body(OWN, "PATCH", path, patch).await.status, 410);
    assert_eq!(fhir.as_caller(OWN, "DELETE", path).await.status, 410);
    // To another patient there never was one; whoever may write everything brings it back.
    let other = fhir.token_with(json!({"scope": OWN, "patient": "2"}));
    assert_eq!(fhir.send(&other, "GET", path, &[], Value::Null).await.status, 404);
    assert_eq!(fhir.with_body(ALL, "PUT", path, resource).await.status, 201);
}

#[tokio::test]
async fn a_conditional_update_creates_only_under_an_id_of_the_server() {
    let fhir = scopes().await;
    let path = "/Observation?identifier=new|1";
    let mut resource = json!({"resourceType": "Observation", "status": "final", "code": {},
        "identifier": [{"system": "new", "value": "1"}], "subject": {"reference": "Patient/1"}});
    let reply = fhir.with_body(OWN, "PUT", path, resource.clone()).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    assert_eq!(fhir.with_body(OWN, "PUT", path, resource.clone()).await.status, 200);
    resource["id"] = "chosen".into();
    let path = "/Observation?identifier=new|2";
    assert_eq!(fhir.with_body(OWN, "PUT", path, resource.clone()).await.status, 404);
    resource["id"].take();
    let path = "/Observation?identifier=new|3";
    // There is no version that could be the one that was meant.
    for condition in ["W/\"1\"", "*"] {
        let headers = [("content-type", "application/fhir+json"), ("if-match", condition)];
        let reply = fhir.send(&fhir.token(OWN), "PUT", path, &headers, resource.clone()).await;
        assert_eq!(reply.status, 412, "{condition}: {}", reply.text);
    }
    resource["subject"] = json!({"reference": "Patient/2"});
    assert_eq!(fhir.with_body(OWN, "PUT", path, resource).await.status, 403);
}

#[tokio::test]
async fn a_provenance_and_a_device_are_seen_by_whose_they_are() {
    let fhir = scopes().await;
    for (path, resource) in [
        (
            "/Provenance/own",
            json!({"target": [{"reference": "Observation/amara-hba1c/_history/1"}]}),
        ),
        (
            "/Provenance/both",
            json!({"target": [{"reference": "Observation/amara-hba1c"},
            {"reference": "Observation/tobi-hba1c"}]}),
        ),
        ("/Provenance/gone", json!({"target": [{"reference": "Observation/nothing"}]})),
        ("/Device/own", json!({"patient": {"reference": "Patient/1"}})),
        ("/Device/other", json!({"patient": {"reference": "Patient/2"}})),
    ] {
        let (name, id) = path.trim_start_matches('/').split_once('/').unwrap();
        let mut resource = resource;
        resource["resourceType"] = name.into();
        resource["id"] = id.into();
        let reply = fhir.with_body(ALL, "PUT", path, resource).await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.text);
    }
    for (path, expected) in [
        ("/Provenance/own", 200),
        ("/Provenance/both", 404),
        ("/Provenance/gone", 404),
        ("/Device/own", 200),
        ("/Device/other", 404),
    ] {
        assert_eq!(fhir.as_caller(OWN, "GET", path).await.status, expected, "{path}");
    }
    let found = fhir.as_caller(OWN, "GET", "/Patient/1/*?_type=Provenance,Device").await;
    let own: Vec<String> =
        found.names().into_iter().filter(|name| !name.starts_with("Observation")).collect();
    assert!(own.contains(&"Device/own".to_owned()), "{own:?} {}", found.text);
    assert!(own.contains(&"Provenance/own".to_owned()), "{own:?}");
    let everything = fhir.as_caller(OWN, "GET", "/Patient/1/$everything").await.names();
    assert!(everything.contains(&"Device/own".to_owned()), "{everything:?}");
    assert!(everything.contains(&"Provenance/own".to_owned()), "{everything:?}");
    for (path, expected) in [("/Provenance/own", 403), ("/Provenance/both", 404)] {
        let id = path.rsplit('/').next().unwrap();
        let resource = json!({"resourceType": "Provenance", "id": id,
            "target": [{"reference": "Patient/1"}]});
        assert_eq!(fhir.with_body(OWN, "PUT", path, resource).await.status, expected, "{path}");
        assert_eq!(fhir.as_caller(OWN, "DELETE", path).await.status, expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_shared_can_be_searched_and_tells_nothing_of_others() {
    let fhir = scopes().await;
    let found = fhir.as_caller(OWN, "GET", "/Organization").await;
    assert_eq!((found.status, found.names()), (200, vec!["Organization/hospital".to_owned()]));
    let found = fhir.as_caller(OWN, "GET", "/Practitioner?_id=house-doctor").await;
    assert_eq!(found.names(), ["Practitioner/house-doctor"]);
    // Whose doctor it is would be told by whoever refers to it.
    let path = "/Practitioner?_has:Observation:performer:patient=2";
    assert_eq!(fhir.as_caller(OWN, "GET", path).await.status, 400);
    let path = "/Practitioner?_revinclude=Observation:performer";
    let found = fhir.as_caller(OWN, "GET", path).await;
    assert!(!found.text.contains("Patient/2"), "{}", found.text);
}

#[tokio::test]
async fn a_user_who_is_a_patient_is_confined_to_its_own_record() {
    let fhir = scopes().await;
    for (user, patient, path, expected) in [
        ("Patient/1", json!(null), "/Observation/amara-hba1c", 200),
        ("Patient/1", json!(null), "/Observation/tobi-hba1c", 404),
        ("Patient/1", json!(null), "/Patient/2", 403),
        ("RelatedPerson/x", json!("1"), "/Observation/tobi-hba1c", 404),
        ("RelatedPerson/x", json!(null), "/Observation/amara-hba1c", 403),
        ("Practitioner/house-doctor", json!(null), "/Observation/tobi-hba1c", 200),
        ("https://elsewhere.example.org/Practitioner/1", json!(null), "/Patient/1", 403),
    ] {
        let token = fhir.token_with(json!({"scope": ALL, "fhirUser": user, "patient": patient}));
        let reply = fhir.send(&token, "GET", path, &[], Value::Null).await;
        assert_eq!(reply.status, expected, "{user} {path}: {}", reply.text);
    }
}

/// An export without `_type` is of what the scopes grant, and so is the look at it afterwards.
#[tokio::test]
async fn an_export_is_narrowed_and_guarded_by_type() {
    let fhir = scopes().await;
    let begun = fhir.as_caller("system/Patient.rs", "GET", "/$export").await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let base = crate::support::BASE;
    let address = |reply: &crate::support::Reply| {
        reply.header("content-location").strip_prefix(base).unwrap().to_owned()
    };
    let narrow = address(&begun);
    let manifest = fhir.as_caller("system/Patient.rs", "GET", &narrow).await;
    let types: Vec<&str> = manifest.body["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| output["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["Patient"]);
    let wide = address(&fhir.as_caller("system/*.rs", "GET", "/$export").await);
    for (scope, expected) in
        [("system/*.rs", 200), ("system/Patient.rs", 403), ("user/*.rs", 403), ("system/*.r", 403)]
    {
        let reply = fhir.as_caller(scope, "GET", &wide).await;
        assert_eq!(reply.status, expected, "{scope}: {}", reply.text);
    }
    // Every type of the job, also those of which there is no resource.
    let empty =
        address(&fhir.as_caller("system/*.rs", "GET", "/$export?_type=Account,Patient").await);
    assert_eq!(fhir.as_caller("system/Patient.rs", "GET", &empty).await.status, 403);
    for (scope, expected) in [("user/*.rs", 403), ("patient/*.rs", 403), ("system/*.s", 403)] {
        assert_eq!(fhir.as_caller(scope, "GET", "/$export").await.status, expected, "{scope}");
    }
    // To cancel needs the owner alone.
    assert_eq!(fhir.as_caller("openid", "DELETE", &wide).await.status, 202);
    assert_eq!(fhir.as_caller("system/*.rs", "GET", &wide).await.status, 404);
}

/// A condition that is no string would be none, and the entry would do more than was asked.
#[tokio::test]
async fn a_condition_of_an_entry_that_is_no_string_is_refused() {
    let fhir = scopes().await;
    let resource = json!({"resourceType": "Observation", "id": "amara-hba1c", "status": "final",
        "code": {}, "subject": {"reference": "Patient/1"}});
    for (method, url, name, condition) in [
        ("PUT", "Observation/amara-hba1c", "ifMatch", json!(99)),
        ("PUT", "Observation/amara-hba1c", "ifNoneMatch", json!(["*"])),
        ("POST", "Observation", "ifNoneExist", json!(["_id=amara-hba1c"])),
    ] {
        let mut request = json!({"method": method, "url": url});
        request[name] = condition;
        for (kind, expected) in [("batch", 200), ("transaction", 400)] {
            let bundle = json!({"resourceType": "Bundle", "type": kind,
                "entry": [{"request": request, "resource": resource}]});
            let reply = fhir.with_body(OWN, "POST", "", bundle).await;
            assert_eq!(reply.status, expected, "{name} in a {kind}: {}", reply.text);
            if kind == "batch" {
                assert_eq!(reply.body["entry"][0]["response"]["status"], "400", "{}", reply.text);
            }
        }
    }
}

#[tokio::test]
async fn a_search_body_of_more_than_64_kib_is_413() {
    let fhir = scopes().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = |length: usize| format!("_id={}", "x".repeat(length - 4));
    for (length, expected) in [(1024, 200), (64 * 1024, 200), (64 * 1024 + 1, 413), (1 << 20, 413)]
    {
        let token = fhir.token(OWN);
        let reply = fhir.send(&token, "POST", "/Observation/_search", &form, body(length).into());
        let reply = reply.await;
        assert_eq!(reply.status, expected, "{length}");
        assert_eq!(reply.code(), if expected == 413 { "too-long" } else { "" });
    }
}

/// R5 section 3.2.0.4.3: what the condition has excluded is not what an id in the body is to overwrite.
#[tokio::test]
async fn a_conditional_update_overwrites_nothing_that_its_condition_does_not_find() {
    let fhir = scopes().await;
    let patient = |id: &str| json!({"resourceType": "Patient", "id": id});
    let put = async |id: &str| {
        fhir.with_body(ALL, "PUT", "/Patient?identifier=s|none", patient(id)).await
    };
    let refused = put("1").await;
    assert_eq!((refused.status, refused.code()), (409, "conflict"), "{}", refused.text);
    assert_eq!(fhir.as_caller(ALL, "GET", "/Patient/1").await.body["meta"]["versionId"], "1");
    assert_eq!(put("a-new-one").await.status, 201);
}

/// A value that is not read would delete without the history, or with it, against what was meant.
#[tokio::test]
async fn hard_deletion_is_asked_for_in_one_way() {
    let fhir = scopes().await;
    for value in ["1", "TRUE", "yes", ""] {
        let path = format!("/Observation/weight-2?_hardDelete={value}");
        assert_eq!(fhir.as_caller(ALL, "DELETE", &path).await.status, 400, "{value}");
    }
    let observation = json!({"resourceType": "Observation", "id": "weight-2"});
    let path = "/Observation/weight-2?_hardDelete=true";
    assert_eq!(fhir.with_body(ALL, "PUT", path, observation).await.status, 400);
    assert_eq!(fhir.as_caller(ALL, "DELETE", path).await.status, 204);
    assert_eq!(fhir.as_caller(ALL, "GET", "/Observation/weight-2/_history").await.status, 404);
}

#[tokio::test]
async fn a_preference_counts_beside_others() {
    let fhir = scopes().await;
    let token = fhir.token(ALL);
    let patient = json!({"resourceType": "Patient"});
    for (preference, is_empty) in [
        ("return=minimal", true),
        ("respond-async, return=minimal", true),
        ("Return=\"minimal\"; x=1", true),
        ("return=representation, return=minimal", false),
        ("return=representation", false),
    ] {
        let headers = [("content-type", "application/fhir+json"), ("prefer", preference)];
        let reply = fhir.send(&token, "POST", "/Patient", &headers, patient.clone()).await;
        assert_eq!((reply.status, reply.text.is_empty()), (201, is_empty), "{preference}");
    }
}
