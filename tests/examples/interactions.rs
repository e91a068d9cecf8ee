//! The interactions of the example FHIR server, and the roles that it asks for.

use serde_json::{Value, json};

use crate::support::{BASE, Fhir};

const ALL: &str = "user/*.cruds";

fn patient(family: &str) -> Value {
    json!({"resourceType": "Patient", "name": [{"family": family}],
        "identifier": [{"system": "s", "value": family}]})
}

#[tokio::test]
async fn the_life_of_a_resource() {
    let fhir = Fhir::start("scopes", &[]).await;
    let created = fhir.with_body(ALL, "POST", "/Patient", patient("Haddad")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let id = created.body["id"].as_str().unwrap().to_owned();
    assert_eq!(created.header("location"), format!("{BASE}/Patient/{id}/_history/1"));
    assert_eq!(created.header("etag"), "W/\"1\"");
    let path = format!("/Patient/{id}");
    let mut second = patient("Haddad-Roy");
    second["id"] = id.clone().into();
    let updated = fhir.with_body(ALL, "PUT", &path, second.clone()).await;
    assert_eq!((updated.status, updated.header("etag")), (200, "W/\"2\""));
    let token = fhir.token(ALL);
    let stale = fhir.send(&token, "PUT", &path, &[("if-match", "W/\"1\"")], second.clone()).await;
    assert_eq!(stale.status, 412);
    let fresh = fhir.send(&token, "PUT", &path, &[("if-match", "W/\"2\"")], second).await;
    assert_eq!(fresh.status, 200);
    let patch = json!([{"op": "add", "path": "/active", "value": true}]);
    let patched = fhir.with_body(ALL, "PATCH", &path, patch).await;
    assert_eq!((patched.status, &patched.body["active"]), (200, &json!(true)));
    // Lines of a list are one list, and media types have no case.
    let (other, own) = (("if-match", "W/\"7\""), ("if-match", "W/\"4\""));
    let patch = json!([{"op": "test", "path": "/active", "value": true}]);
    let kind = ("content-type", "Application/JSON-Patch+JSON");
    let lines = fhir.send(&token, "PATCH", &path, &[other, own, kind], patch).await;
    assert_eq!(lines.status, 200, "{}", lines.text);
    for tags in ["W/\"5\"", "\"5\"", "W/\"7\", W/\"5\"", "*"] {
        let headers = [("if-none-match", tags)];
        let unchanged = fhir.send(&token, "GET", &path, &headers, Value::Null).await;
        assert_eq!(unchanged.status, 304, "{tags}");
    }
    for method in ["PUT", "PATCH"] {
        let address = "/Patient?identifier=x&_hardDelete=true";
        let unknown = fhir.with_body(ALL, method, address, patient("Haddad")).await;
        assert_eq!(unknown.status, 400, "{method}: {}", unknown.text);
    }
    for (date, status) in [
        ("Sat, 01 Jan 2033 00:00:00 GMT", 304),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
        ("a day", 200),
    ] {
        let headers = [("if-modified-since", date)];
        let reply = fhir.send(&token, "GET", &path, &headers, Value::Null).await;
        assert_eq!(reply.status, status, "{date}");
    }
    let mut third = patient("Haddad");
    third["id"] = id.clone().into();
    let only_new = fhir.send(&token, "PUT", &path, &[("if-none-match", "*")], third.clone()).await;
    assert_eq!(only_new.status, 412);
    let lines = [("if-none-match", "W/\"7\""), ("if-none-match", "*")];
    let lines = fhir.send(&token, "PUT", &path, &lines, third.clone()).await;
    assert_eq!(lines.status, 412);
    let quiet = [("if-match", "*"), ("prefer", "return=minimal")];
    let quiet = fhir.send(&token, "PUT", &path, &quiet, third).await;
    assert_eq!((quiet.status, quiet.text.as_str()), (200, ""));
    let xml = [("content-type", "application/fhir+xml")];
    let xml = fhir.send(&token, "POST", "/Patient", &xml, "<Patient/>".into()).await;
    assert_eq!((xml.status, xml.code()), (415, "not-supported"));
    let method = fhir.send(&token, "POST", "/metadata", &[], Value::Null).await;
    assert_eq!((method.status, method.header("cache-control")), (405, "no-store"));
    assert_eq!(fhir.as_caller(ALL, "DELETE", &path).await.status, 204);
    assert_eq!(fhir.as_caller(ALL, "GET", &path).await.status, 410);
    let history = fhir.as_caller(ALL, "GET", &format!("{path}/_history")).await;
    let methods = history.body["entry"].as_array().unwrap().iter();
    let methods: Vec<&str> = methods.map(|e| e["request"]["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["DELETE", "PUT", "PUT", "PUT", "PUT", "PUT", "POST"], "newest first");
    let mut own_id = patient("Okonkwo");
    own_id["id"] = "own-id".into();
    assert_eq!(fhir.with_body(ALL, "PUT", "/Patient/own-id", own_id).await.status, 201);
    let history = fhir.as_caller(ALL, "GET", "/Patient/own-id/_history").await;
    let born = &history.body["entry"][0];
    let request = json!({"method": "PUT", "url": "Patient/own-id"});
    assert_eq!((&born["request"], &born["response"]["status"]), (&request, &json!("201")));
    let first = fhir.as_caller(ALL, "GET", &format!("{path}/_history/1")).await;
    assert_eq!(first.body["name"][0]["family"], "Haddad");
    for (method, path, body, expected) in [
        ("PUT", "/Patient/9", patient("x"), 400),
        ("POST", "/Patient", json!({"resourceType": "Device"}), 400),
        ("POST", "/Patient", "nonsense".into(), 400),
        ("PATCH", "/Patient/1", json!({"resourceType": "Patient"}), 400),
        ("POST", "/Foo", json!({"resourceType": "Foo"}), 403),
        ("GET", "/Foo/1", Value::Null, 403),
    ] {
        let reply = fhir.with_body(ALL, method, path, body).await;
        assert_eq!(reply.status, expected, "{method} {path}: {}", reply.text);
        assert_eq!(reply.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn conditional_interactions() {
    let fhir = Fhir::start("scopes", &[]).await;
    let create = async |condition: &str| {
        let token = fhir.token(ALL);
        let headers = [("if-none-exist", condition)];
        fhir.send(&token, "POST", "/Patient", &headers, patient("Ito")).await
    };
    let first = create("identifier=s|Ito").await;
    let again = create("identifier=s|Ito").await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.body["id"], again.body["id"]);
    let updated = fhir.with_body(ALL, "PUT", "/Patient?identifier=s|Ito", patient("Ito")).await;
    assert_eq!((updated.status, &updated.body["id"]), (200, &first.body["id"]));
    let made = fhir.with_body(ALL, "PUT", "/Patient?identifier=s|New", patient("New")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(fhir.with_body(ALL, "POST", "/Patient", patient("Ito")).await.status, 201);
    assert_eq!(create("identifier=s|Ito").await.status, 412);
    assert_eq!(fhir.as_caller(ALL, "DELETE", "/Patient?identifier=s|Ito").await.status, 412);
    assert_eq!(fhir.as_caller(ALL, "DELETE", "/Patient?identifier=s|New").await.status, 204);
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(fhir.as_caller(ALL, "GET", &format!("/Patient/{id}")).await.status, 410);
}

#[tokio::test]
async fn searches_find_and_includes_come_along() {
    let fhir = Fhir::start("scopes", &[]).await;
    for (path, expected) in [
        ("/Observation?patient=1&category=laboratory", &["Observation/amara-hba1c"][..]),
        ("/Observation?subject=Patient/1&code=http://loinc.org|29463-7", &["Observation/weight-1"]),
        ("/Observation?_id=weight-1,weight-3", &["Observation/weight-1", "Observation/weight-3"]),
        ("/Observation?encounter=amara-visit&status=final&_count=1", &["Observation/amara-hba1c"]),
        ("/Observation?_id=weight-1&_lastUpdated=gt2020", &["Observation/weight-1"]),
        ("/Patient?identifier=amara", &["Patient/1"]),
        ("/Patient/1/Condition", &["Condition/amara-headache", "Condition/amara-diabetes"]),
        ("/Encounter/amara-visit/MedicationRequest", &["MedicationRequest/amara-painkiller"]),
        ("?_type=Organization", &["Organization/hospital"]),
        (
            "/Condition?encounter=amara-visit&_include=Condition:encounter",
            &["Condition/amara-headache", "Encounter/amara-visit"],
        ),
        (
            "/Observation?_id=amara-blood-pressure&_include=Observation:performer&_include=Observation:encounter",
            &[
                "Observation/amara-blood-pressure",
                "Practitioner/house-doctor",
                "Encounter/amara-visit",
            ],
        ),
        (
            "/Encounter?_id=amara-visit&_include=Encounter:patient",
            &["Encounter/amara-visit", "Patient/1"],
        ),
        (
            "/MedicationRequest?patient=1&_include=MedicationRequest:medication&_include=MedicationRequest:requester",
            &[
                "MedicationRequest/amara-painkiller",
                "Medication/paracetamol",
                "Practitioner/house-doctor",
            ],
        ),
        ("/Patient?_id=3&_revinclude=Observation:patient", &["Patient/3", "Observation/weight-3"]),
    ] {
        let reply = fhir.as_caller(ALL, "GET", path).await;
        assert_eq!(reply.names(), expected, "{path}: {}", reply.text);
    }
    // A page, and the way to the next one.
    let mut seen = Vec::new();
    let mut next = Some("/Observation?_count=4".to_owned());
    while let Some(path) = next {
        let page = fhir.as_caller(ALL, "GET", &path).await;
        assert!(page.names().len() <= 4);
        seen.extend(page.names());
        let links = page.body["link"].as_array().unwrap().clone();
        let link = links.iter().find(|link| link["relation"] == "next");
        let url = link.map(|link| link["url"].as_str().unwrap());
        next = url.map(|url| url.strip_prefix(BASE).unwrap().to_owned());
        let total = page.body["total"].as_u64().unwrap();
        assert_eq!(next.is_some(), seen.len() < usize::try_from(total).unwrap());
    }
    assert!(seen.len() > 8, "{seen:?}");
    let several = "?_type=Observation,Condition&patient=1&code=x";
    let several = fhir.as_caller(ALL, "GET", several).await;
    assert_eq!((several.status, several.body.get("entry")), (200, None), "no empty lists");
    for unknown in ["/Foo", "/Foo/_history", "/Patient/1/Foo"] {
        assert_eq!(fhir.as_caller(ALL, "GET", unknown).await.status, 403, "{unknown}");
    }
    let posted = fhir
        .send(
            &fhir.token(ALL),
            "POST",
            "/Observation/_search?patient=1",
            &[("content-type", "application/x-www-form-urlencoded")],
            "category=laboratory".into(),
        )
        .await;
    assert_eq!(posted.names(), ["Observation/amara-hba1c"]);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing_and_its_references_become_real() {
    let fhir = Fhir::start("scopes", &[]).await;
    let urn = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a";
    let bundle = |last: Value| {
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {"request": {"method": "POST", "url": "Observation"},
             "resource": {"resourceType": "Observation", "status": "final", "code": {}, "subject": {"reference": urn}}},
            {"fullUrl": urn, "request": {"method": "POST", "url": "Patient"}, "resource": patient("Urn")},
            last,
        ]})
    };
    let bad = bundle(json!({"request": {"method": "DELETE", "url": "Patient/nothing"}}));
    assert_eq!(fhir.with_body(ALL, "POST", "", bad).await.status, 404);
    assert_eq!(fhir.as_caller(ALL, "GET", "/Patient?identifier=s|Urn").await.body["total"], 0);
    let good = bundle(json!({"request": {"method": "GET", "url": "Patient?identifier=s|Urn"}}));
    let reply = fhir.with_body(ALL, "POST", "", good).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.body["type"], "transaction-response");
    let subject = reply.body["entry"][0]["resource"]["subject"]["reference"].as_str().unwrap();
    let id = reply.body["entry"][1]["resource"]["id"].as_str().unwrap();
    assert_eq!(subject, format!("Patient/{id}"));
    assert_eq!(reply.body["entry"][2]["resource"]["total"], 1, "reads see what was written");
    let entry = |method: &str, url: &str, resource: Value| json!({"request": {"method": method, "url": url}, "resource": resource});
    let delete = |url: &str| entry("DELETE", url, Value::Null);
    let weight = json!({"resourceType": "Observation", "status": "final", "code": {}});
    let conditional = |id: &str| {
        let mut entry = entry("POST", "Patient", patient("Twice"));
        entry["request"]["ifNoneExist"] = "identifier=s|Twice".into();
        entry["fullUrl"] = format!("urn:uuid:{id}").into();
        entry
    };
    let mut unresolved = weight.clone();
    unresolved["subject"] = json!({"reference": "Patient?identifier=amara"});
    let mut of_a_system = weight.clone();
    of_a_system["subject"]["reference"] = "Patient?identifier=http://example.org/ids|amara".into();
    let mut absolute = weight.clone();
    absolute["subject"]["reference"] = "https://fhir.example.org/r4/Patient?identifier=1".into();
    let mut rooted = weight.clone();
    rooted["subject"]["reference"] = "/Patient?identifier=1".into();
    let named = json!({"resourceType": "Patient", "id": "9"});
    for overlap in [
        [delete("Observation/weight-1"), delete("Observation/weight-1")],
        [delete("Observation?_id=weight-1"), delete("Observation/weight-1")],
        [entry("PUT", "Observation?_id=weight-1", weight), delete("Observation/weight-1")],
        [conditional("1"), conditional("2")],
        [entry("POST", "Observation", unresolved), entry("GET", "Patient/1", Value::Null)],
        [entry("POST", "Observation", of_a_system), entry("GET", "Patient/1", Value::Null)],
        [entry("POST", "Observation", absolute), entry("GET", "Patient/1", Value::Null)],
        [entry("POST", "Observation", rooted), entry("GET", "Patient/1", Value::Null)],
        [
            entry("PUT", "Patient?identifier=s|none", named.clone()),
            entry("PUT", "Patient/9", named),
        ],
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": overlap});
        let reply = fhir.with_body(ALL, "POST", "", bundle).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
    }
    // Any `fullUrl` of what is created is a name for it.
    let url = "https://client.example.org/Patient/77";
    let mut created = entry("POST", "Patient", patient("Absolute"));
    created["fullUrl"] = url.into();
    let observation = json!({"resourceType": "Observation", "subject": {"reference": url}});
    let entries = [entry("POST", "Observation", observation), created];
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let reply = fhir.with_body(ALL, "POST", "", bundle).await;
    let id = reply.body["entry"][1]["resource"]["id"].as_str().unwrap();
    let subject = &reply.body["entry"][0]["resource"]["subject"]["reference"];
    assert_eq!(*subject, format!("Patient/{id}"));
}

#[tokio::test]
async fn roles_are_asked_for_what_the_table_says() {
    let fhir = Fhir::start("roles", &[]).await;
    let ask = async |role: &str, method: &str, path: &str| {
        let token = fhir.token_with(json!({"roles": [role], "scope": "patient/*.cruds"}));
        fhir.send(&token, method, path, &[], Value::Null).await.status
    };
    for (role, method, path, expected) in [
        ("globalReader", "GET", "/Patient/1", 200),
        ("GLOBALREADER", "GET", "/Patient/2", 200),
        ("globalReader", "GET", "/Patient/1/$everything", 200),
        ("globalReader", "DELETE", "/Patient/1", 403),
        ("globalReader", "GET", "/$export", 403),
        ("globalExporter", "GET", "/$export", 202),
        ("globalWriter", "DELETE", "/Observation/weight-3", 204),
        ("globalWriter", "DELETE", "/Observation/weight-2?_hardDelete=true", 403),
        ("globalAdmin", "DELETE", "/Observation/weight-2?_hardDelete=true", 204),
        ("globalAdmin", "GET", "/Observation/weight-2", 404),
        ("globalAdmin", "GET", "/nonsense/of/any/kind", 404),
        ("globalReader", "GET", "/nonsense/of/any/kind", 403),
    ] {
        assert_eq!(ask(role, method, path).await, expected, "{role} {method} {path}");
    }
    let smart = Fhir::start("microsoft", &[]).await;
    let token = smart
        .token_with(json!({"roles": ["smartUser"], "scope": "patient/Patient.r", "patient": "1"}));
    for (path, expected) in
        [("/Patient/1", 200), ("/Patient/2", 403), ("/Observation/weight-1", 403)]
    {
        let reply = smart.send(&token, "GET", path, &[], Value::Null).await;
        assert_eq!(reply.status, expected, "{path}");
    }
}

/// What one reader takes for the first and another for the last is not taken at all.
#[tokio::test]
async fn a_body_that_names_a_member_twice_is_refused() {
    let fhir = Fhir::start("scopes", &[]).await;
    let (about, patch) =
        (r#""subject":{"reference":"Patient/1"}"#, r#""op":"add","path":"/issued""#);
    let observation = format!(r#"{{"resourceType":"Observation",{about},{about}}}"#);
    let nested =
        r#"{"resourceType":"Patient","id":"1","name":[{"family":"A","given":[],"family":"B"}]}"#;
    // An escape is another spelling of the same name.
    let escaped = r#"{"resourceType":"Patient","id":"1","active":true,"\u0061ctive":false}"#;
    let entry = r#"{"request":{"method":"GET","url":"Patient/1","url":"Patient/2"}}"#;
    let bundle =
        |kind: &str| format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}"#);
    for (method, path, body) in [
        ("POST", "/Observation", observation),
        ("PUT", "/Patient/1", nested.to_owned()),
        ("PUT", "/Patient/1", escaped.to_owned()),
        ("POST", "", bundle("batch")),
        ("POST", "", bundle("transaction")),
        ("PATCH", "/Observation/weight-1", format!(r#"[{{{patch},"value":1,"value":2}}]"#)),
        ("PATCH", "/Observation/weight-1", format!(r#"[{{{patch},"value":{{"a":1,"a":2}}}}]"#)),
    ] {
        let reply = fhir.with_body(ALL, method, path, body.clone().into()).await;
        assert_eq!((reply.status, reply.code()), (400, "invalid"), "{body}: {}", reply.text);
        assert!(reply.text.contains("more than once"), "{body}: {}", reply.text);
    }
    let version = fhir.as_caller(ALL, "GET", "/Patient/1").await.body["meta"]["versionId"].clone();
    assert_eq!(version, "1", "nothing was stored");
    // In a patch within a bundle, too.
    let patch = format!(r#"[{{{patch},"value":1,"value":2}}]"#);
    let data = base64_of(&patch);
    let binary = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": data});
    let entry =
        json!({"request": {"method": "PATCH", "url": "Observation/weight-1"}, "resource": binary});
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
    let reply = fhir.with_body(ALL, "POST", "", batch).await;
    assert_eq!(reply.body["entry"][0]["response"]["status"], "400", "{}", reply.text);
    // One name in two objects is fine, and so are numbers of any form.
    let sound = json!({"resourceType": "Patient", "name": [{"family": "A"}, {"family": "A"}],
        "multipleBirthInteger": 2, "extension": [{"url": "x", "valueDecimal": -1.50e3}]});
    let reply = fhir.with_body(ALL, "POST", "/Patient", sound).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
