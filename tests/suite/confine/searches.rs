//! Searches, histories and `$everything`: entry by entry.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::authorization::{Alternative, RoleDefinitions, RolePolicy};
use tower_fhir_auth::{Denial, Grant, authorize_fn};

use super::careless::Careless;
use super::{Confined, bundle, observation, records};
use crate::support::{BASE, NOW};

const OWN: [&str; 5] =
    ["Patient/1", "Observation/a1", "Observation/b1", "Practitioner/p", "Provenance/own"];

#[tokio::test]
async fn every_entry_is_judged_by_itself() {
    let confined = Confined::before(Careless::with(records())).await;
    for below in [
        "/Observation",
        "/Observation?status=final&_count=50",
        "/Observation?_include=Observation:performer",
        "/Observation?code=count",
        "/Patient/1/Observation",
        "/Patient/1/*",
        "/Observation/_history",
        "/Observation/a1/_history",
        "?_type=Observation,Patient",
        "/_history",
        "/Patient/1/$everything",
        "/Patient/1/$everything?start=2024-01-01&end=2025-01-01",
    ] {
        let got = confined.get("patient/*.rs", below).await;
        assert_eq!(got.entries(), OWN, "{below}");
        assert!(!got.text.contains("mark-of-2"), "{below}: {}", got.text);
        assert!(!got.text.contains("mark-of-the-server"), "{below}: {}", got.text);
        assert!(!got.text.contains("mark-of-nobody"), "{below}: {}", got.text);
        assert!(got.json().get("total").is_none(), "{below}");
        let kind = if below.contains("_history") { "history" } else { "searchset" };
        assert_eq!(got.json()["type"], kind, "{below}");
    }
}

#[tokio::test]
async fn only_types_that_are_granted_come_along() {
    let confined = Confined::before(Careless::with(records())).await;
    let got = confined.get("patient/Observation.rs", "/Observation").await;
    assert_eq!(got.entries(), ["Observation/a1", "Observation/b1"]);
    let own = got.json()["link"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(own, "https://fhir.example.org/r4/Observation");
}

#[tokio::test]
async fn in_a_search_of_one_type_others_come_along_whatever_the_server_says_of_them() {
    for mode in [json!({"mode": "match"}), json!({}), Value::Null] {
        let entry = |resource: Value| json!({"resource": resource, "search": mode});
        let mut own = observation("a1", "1", "laboratory");
        own["performer"] = json!([{"reference": "Practitioner/of-1"}]);
        let mut other = observation("a2", "2", "laboratory");
        other["performer"] = json!([{"reference": "Practitioner/of-2"}]);
        let doctor = |id: &str| entry(json!({"resourceType": "Practitioner", "id": id}));
        // One that is the patient's says so itself.
        let visit = json!({"resourceType": "Encounter", "id": "of-1", "subject": {"reference": "Patient/1"}});
        let entries = [entry(own), entry(other), doctor("of-1"), doctor("of-2"), entry(visit)];
        let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
        for include in [
            "/Observation?_include=Observation%3Aperformer",
            "/Patient/1/Observation?_include=Observation%3Aperformer",
        ] {
            let confined =
                Confined::before(Careless::default().answering(include, 200, &found)).await;
            let got = confined.get("patient/*.rs", include).await;
            let expected = ["Observation/a1", "Practitioner/of-1", "Encounter/of-1"];
            assert_eq!(got.entries(), expected, "{}", got.text);
        }
    }
}

#[tokio::test]
async fn where_nothing_is_included_what_is_shared_is_judged_by_itself() {
    let doctor = json!({"resourceType": "Practitioner", "id": "q"});
    let (own, other) = (observation("a1", "1", "laboratory"), observation("a2", "2", "laboratory"));
    let beside = bundle(&[own, other, doctor.clone()], None);
    let server = Careless::default().answering("/Observation", 200, &beside);
    let server = server.answering("/Practitioner", 200, &bundle(&[doctor], None));
    let confined = Confined::before(server).await;
    let got = confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(got.entries(), ["Observation/a1", "Practitioner/q"], "{}", got.text);
    let got = confined.get("patient/*.rs", "/Practitioner").await;
    assert_eq!(got.entries(), ["Practitioner/q"], "{}", got.text);
}

#[tokio::test]
async fn the_address_of_a_bundle_is_that_of_its_search_here() {
    let confined = Confined::before(Careless::with(records())).await;
    for (below, own) in [
        ("?_type=Observation,Patient", "?_type=Observation%2CPatient"),
        ("/Observation?code=x", "/Observation?code=x"),
        ("/Patient/1/$everything", "/Patient/1/$everything"),
    ] {
        let got = confined.get("patient/*.rs", below).await;
        assert_eq!(got.json()["link"][0]["url"], format!("{BASE}{own}"), "{}", got.text);
    }
}

#[tokio::test]
async fn what_comes_along_with_hidden_results_alone_is_hidden() {
    let observed = |id: &str, patient: &str, doctor: &str| {
        let mut observed = observation(id, patient, "laboratory");
        observed["performer"] = json!([{"reference": format!("Practitioner/{doctor}")}]);
        json!({"resource": observed, "search": {"mode": "match"}})
    };
    let doctor = |id: &str| {
        let doctor = json!({"resourceType": "Practitioner", "id": id});
        json!({"resource": doctor, "search": {"mode": "include"}})
    };
    let entries =
        [observed("a1", "1", "of-1"), observed("a2", "2", "of-2"), doctor("of-1"), doctor("of-2")];
    let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
    let include = "/Observation?_include=Observation%3Aperformer";
    let confined = Confined::before(Careless::default().answering(include, 200, &found)).await;
    // Whose doctor somebody is would be told.
    let got = confined.get("patient/*.rs", include).await;
    assert_eq!(got.entries(), ["Observation/a1", "Practitioner/of-1"], "{}", got.text);
    let all = confined.get("user/Observation.rs system/Practitioner.r", include).await;
    assert_eq!(all.entries().len(), 4, "{}", all.text);
}

#[tokio::test]
async fn what_comes_along_with_a_hidden_companion_alone_is_hidden() {
    let entry =
        |resource: Value, mode: &str| json!({"resource": resource, "search": {"mode": mode}});
    let mut own = observation("a1", "1", "laboratory");
    own["encounter"] = json!({"reference": "Encounter/other"});
    let visit = json!({"resourceType": "Encounter", "id": "other",
        "subject": {"reference": "Patient/2"},
        "participant": [{"individual": {"reference": "Practitioner/of-2"}}]});
    // One that cannot be read may be whoever's.
    let unreadable = json!({"resourceType": "Encounter", "id": ["other"], "subject": {}});
    let nobody = json!({"id": "other"});
    let doctor = |id: &str| json!({"resourceType": "Practitioner", "id": id});
    let include =
        "/Observation?_include=Observation%3Aencounter&_include%3Aiterate=Encounter%3Aparticipant";
    for visit in [visit, unreadable, nobody] {
        let entries = [
            entry(own.clone(), "match"),
            entry(visit.clone(), "include"),
            entry(doctor("p"), "include"),
            entry(doctor("of-2"), "include"),
        ];
        let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
        let confined = Confined::before(Careless::default().answering(include, 200, &found)).await;
        let got = confined.get("patient/*.rs", include).await;
        assert_eq!(got.entries(), ["Observation/a1", "Practitioner/p"], "{visit}");
    }
}

/// R4 has them on the page of what they came along with (Search, "Including other resources in result").
#[tokio::test]
async fn what_came_along_is_hidden_on_a_page_apart_but_for_the_patients_own() {
    let along = |resource: Value| json!({"resource": resource, "search": {"mode": "include"}});
    let doctor = || along(json!({"resourceType": "Practitioner", "id": "p"}));
    let own = || along(observation("a1", "1", "laboratory"));
    let other = || along(json!({"resourceType": "Patient", "id": "2"}));
    let include = "/Observation?_include=Observation%3Aperformer";
    for (entries, scope, expected) in [
        ([doctor(), own()], "patient/*.rs", &["Observation/a1"][..]),
        // Whoever may see every Patient is not told whose an Observation was.
        ([other(), own()], "patient/Observation.rs user/Patient.r", &["Observation/a1"]),
        (
            [doctor(), other()],
            "user/Observation.rs system/Practitioner.r user/Patient.r",
            &["Practitioner/p", "Patient/2"],
        ),
    ] {
        let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
        let confined = Confined::before(Careless::default().answering(include, 200, &found)).await;
        let got = confined.get(scope, include).await;
        assert_eq!(got.entries(), expected, "{scope}: {}", got.text);
    }
}

#[tokio::test]
async fn what_comes_along_is_judged_by_the_right_to_read_it_also_of_the_type_of_the_results() {
    let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": observation("a1", "1", "laboratory"), "search": {"mode": "match"}},
        {"resource": observation("b2", "2", "vital-signs"), "search": {"mode": "include"}},
    ]});
    // As it is asked, narrowed.
    let server = Careless::default().answering("/Observation?category=laboratory", 200, &found);
    let confined = Confined::before(server).await;
    let laboratory = "user/Observation.rs?category=laboratory";
    for (scope, expected) in [
        (laboratory.to_owned(), &["Observation/a1"][..]),
        (format!("{laboratory} user/Observation.r"), &["Observation/a1", "Observation/b2"]),
    ] {
        let got = confined.get(&scope, "/Observation").await;
        assert_eq!(got.entries(), expected, "{scope}: {}", got.text);
    }
}

#[tokio::test]
async fn words_of_the_server_behind_about_the_search_do_not_go_on() {
    let words = json!({"resourceType": "OperationOutcome", "id": "w",
        "issue": [{"severity": "warning", "code": "not-supported", "diagnostics": "mark"}]});
    let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": observation("a1", "1", "laboratory"), "search": {"mode": "match"}},
        {"resource": words, "search": {"mode": "outcome"}},
    ]});
    let server = Careless::default().answering("/Observation", 200, &found);
    let confined = Confined::before(server).await;
    for scope in ["patient/*.rs", "system/Observation.rs system/OperationOutcome.rs"] {
        let got = confined.get(scope, "/Observation").await;
        assert_eq!(got.entries(), ["Observation/a1"], "{scope}: {}", got.text);
    }
}

#[tokio::test]
async fn a_search_by_post_is_judged_with_its_body() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    let search = || {
        Request::post("/r4/Observation/_search?_count=9")
            .header("content-type", "application/x-www-form-urlencoded")
    };
    let got = confined.send_with(&token, search(), "status=final&category=laboratory").await;
    assert_eq!(got.entries(), OWN);
    let (address, body) = confined.server.asked().first().cloned().unwrap();
    assert_eq!(address, "POST /r4/Observation/_search?_count=9");
    assert_eq!(body, "status=final&category=laboratory");
    let got = confined.send_with(&token, search(), "subject.name=x").await;
    assert_eq!(got.status, 403, "{}", got.text);
    let other = confined.send_with(&token, search(), "patient=2").await;
    assert_eq!(other.status, 403, "{}", other.text);
}

#[tokio::test]
async fn a_search_is_narrowed_where_one_parameter_says_it_exactly() {
    let confined = Confined::before(Careless::with(records())).await;
    for (scope, below, asked) in [
        ("patient/*.rs", "/Patient", "/r4/Patient?_id=1"),
        ("patient/*.rs", "/Device?status=active", "/r4/Device?status=active&patient=Patient%2F1"),
        ("user/Observation.rs?category=a%26b", "/Observation", "/r4/Observation?category=a%26b"),
        (
            "patient/Observation.rs?category=laboratory",
            "/Observation",
            "/r4/Observation?category=laboratory",
        ),
        // Members by another parameter would be lost.
        ("patient/*.rs", "/Observation", "/r4/Observation"),
        ("patient/*.rs", "/Practitioner", "/r4/Practitioner"),
        (
            "patient/Observation.rs?status=final user/Observation.rs?status=draft",
            "/Observation",
            "/r4/Observation",
        ),
    ] {
        let before = confined.server.asked().len();
        confined.get(scope, below).await;
        // What comes after it are look-ups.
        let (address, _) = confined.server.asked().get(before).cloned().unwrap();
        assert_eq!(address, format!("GET {asked}"), "{scope} {below}");
    }
}

#[tokio::test]
async fn the_server_is_asked_for_whole_resources_in_json() {
    let confined = Confined::before(Careless::with(records())).await;
    let below =
        "/Observation?_elements=id&_summary=true&_format=json&_pretty=true&_total=accurate&code=x";
    assert_eq!(confined.get("patient/*.rs", below).await.entries(), OWN);
    let (address, _) = confined.server.asked().first().cloned().unwrap();
    assert_eq!(address, "GET /r4/Observation?code=x");
}

#[tokio::test]
async fn a_search_of_every_type_stays_one_without_parameters_that_are_left_out() {
    let confined = Confined::before(Careless::with(records())).await;
    for query in ["_summary=data", "_total=none&_pretty=true", "_format=json", "&"] {
        let before = confined.server.asked().len();
        confined.get("patient/*.rs", &format!("?{query}")).await;
        let (address, _) = confined.server.asked().get(before).cloned().unwrap();
        assert_eq!(address, "GET /r4?_format=json", "{query}");
    }
}

#[tokio::test]
async fn parameters_that_look_into_what_is_hidden_are_refused() {
    let confined = Confined::before(Careless::with(records())).await;
    for (query, status) in [
        ("subject.name=x", 403),
        ("subject:Patient.name=x", 403),
        ("_has:Provenance:target:agent=x", 403),
        ("_filter=code%20eq%20x", 403),
        ("_text=x", 403),
        ("_content=x", 403),
        ("_query=x", 403),
        ("_contained=true", 403),
        ("_list=x", 403),
        ("_sort=subject.name", 403),
        ("_sort=-date", 200),
        ("unheard-of=x", 403),
        ("birthdate=2000", 403),
        ("code:in=http://v.test", 200),
        ("code-value-quantity=a$5", 200),
        ("_lastUpdated=ge2024&_id=a1", 200),
        ("_summary=count", 400),
        ("_summary:x=count", 400),
        ("_summary:x=true", 403),
        ("_elements:x=id", 403),
        ("_count:x=1", 403),
        ("_count:iterate=1", 403),
        ("code:in:x=y", 403),
        ("_type:not=Patient", 403),
        ("_include:iterate=Observation:performer", 200),
        ("_revinclude:recurse=Provenance:target", 200),
        ("_include:x=Observation:performer", 403),
        ("_offset=10", 403),
        ("_maxresults=10", 403),
        ("end=2024", 403),
        ("start=2024", 403),
    ] {
        let before = confined.server.asked().len();
        let got = confined.get("patient/*.rs", &format!("/Observation?{query}")).await;
        assert_eq!(got.status, status, "{query}: {}", got.text);
        let asked = confined.server.asked().len() - before;
        assert_eq!(asked > 0, status == 200, "{query}");
    }
}

#[tokio::test]
async fn callers_whose_results_are_not_confined_search_as_the_server_does() {
    let confined = Confined::before(Careless::with(records())).await;
    let two = "system/Observation.rs system/Patient.rs";
    for (scope, query, status) in [
        (two, "subject:Patient.name=x", 200),
        (two, "patient.name=x", 200),
        (two, "_has:Observation:patient:code=x", 200),
        (two, "_text=x", 200),
        (two, "unheard-of=x", 200),
        // What may look into types that were not granted.
        (two, "subject.name=x", 403),
        (two, "subject:Patient.organization.name=x", 403),
        (two, "subject:Group.member:Patient.name=x", 403),
        (two, "_has:Provenance:target:agent=x", 403),
        (two, "_has:Observation:patient:_has:Provenance:target:agent=x", 403),
        (two, "_has:Observation:patient:encounter.status=x", 403),
        (two, "_filter=x", 403),
        (two, "_list=x", 403),
        (two, "_query=x", 403),
        (two, "_sort=subject.name", 403),
        (two, "code:a:b=x", 403),
        // Behind a chain, too.
        (two, "patient._filter=x", 403),
        (two, "subject:Patient._list=x", 403),
        (two, "_has:Observation:patient:_filter=x", 403),
        (two, "_has:Observation:patient:_list=x", 403),
        (two, "patient._has:Observation:patient:code=x", 200),
        (
            "system/Observation.rs system/Patient.rs patient/Device.rs",
            "patient._has:Device:patient:type=x",
            403,
        ),
        (two, "subject:Patient._has:Provenance:target:agent=x", 403),
        (two, "_has:Observation:patient:subject:Patient._has:Provenance:target:agent=x", 403),
        ("system/Observation.rs system/Patient.rs?_id=1", "subject:Patient.name=x", 403),
        ("patient/Observation.rs system/Patient.rs", "subject:Patient.name=x", 403),
        ("system/Observation.rs?status=final system/Patient.rs", "unheard-of=x", 403),
    ] {
        let got = confined.get(scope, &format!("/Observation?{query}")).await;
        assert_eq!(got.status, status, "{scope} {query}: {}", got.text);
    }
}

#[tokio::test]
async fn an_operation_on_what_is_brought_along_needs_its_own_right_alone() {
    let role = |name: &str, action: &str| {
        let role =
            json!({"name": name, "dataActions": [action], "notDataActions": [], "scopes": ["/"]});
        RoleDefinitions::parse(json!({"roles": [role]}).to_string().as_bytes()).unwrap()
    };
    for (action, below, status) in [
        ("convertData", "/$convert-data", 200),
        ("resourceValidate", "/Patient/$validate", 200),
        ("resourceValidate", "/Patient/1/$validate", 403),
        ("resourceValidate", "/$convert-data", 403),
        ("read", "/Patient/1/$unheard-of", 403),
    ] {
        let server = Careless::with(records());
        let confined = Confined::ruled(server, |_| RolePolicy::new(role("r", action))).await;
        let token = confined.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
        let token = token.claim("roles", json!(["r"])).sign().unwrap();
        let request = Request::post(format!("/r4{below}"));
        let got = confined.send_with(&token, request, "{}").await;
        assert_ne!(
            got.status == 403,
            status == 200,
            "{action} {below}: {} {}",
            got.status,
            got.text
        );
    }
}

/// A rule of one's own that looks at types, and at no query.
#[tokio::test]
async fn what_looks_elsewhere_is_refused_whatever_the_rule_grants() {
    let rule = || {
        authorize_fn(|request| match request.interaction().resource_type() {
            Some("Observation" | "Patient") => Ok(Grant::by("a type")),
            _ => Err(Denial::new("another type")),
        })
    };
    let confined = Confined::ruled(Careless::with(records()), |_| rule()).await;
    for (query, status) in [
        ("patient.name=x", 200),
        ("patient._filter=x", 403),
        ("_has:Observation:patient:_list=x", 403),
        ("_has:Observation:patient:_in=Group/1", 403),
        ("_has:Observation:patient:_HAS:Device:patient:x=y", 403),
        ("_filter=x", 403),
    ] {
        let got = confined.get("", &format!("/Observation?{query}")).await;
        assert_eq!(got.status, status, "{query}: {}", got.text);
    }
}

/// What is brought along is nobody's record here, and a grant for one patient's is none for it.
#[tokio::test]
async fn a_grant_that_confines_runs_no_operation_on_what_is_brought_along() {
    let confining = |patient: Option<&'static str>| {
        authorize_fn(move |_| {
            let grant = Grant::by("a rule");
            Ok(match patient {
                Some(patient) => grant.confined_to(Alternative::new(Some(patient), None)),
                None => grant,
            })
        })
    };
    for (patient, is_refused) in [(None, false), (Some("1"), true)] {
        let confined = Confined::ruled(Careless::with(records()), |_| confining(patient)).await;
        let token = confined.token("", "1", "amara");
        let request = Request::post("/r4/Patient/$validate");
        let got = confined.send_with(&token, request, "{}").await;
        assert_eq!(got.status == 403, is_refused, "{patient:?}: {}", got.text);
    }
}

/// It changes nothing, and so nothing is said of where a change comes from.
#[tokio::test]
async fn a_search_by_post_goes_on_without_a_provenance() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    let request = Request::post("/r4/Observation/_search")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-provenance", "{}");
    let got = confined.send_with(&token, request, "_count=9").await;
    assert_eq!(got.status, 200, "{}", got.text);
}

#[tokio::test]
async fn everything_is_asked_for_by_parameters_of_its_own() {
    let confined = Confined::before(Careless::with(records())).await;
    for (query, status) in [
        ("start=2024-01-01&end=2025-01-01", 200),
        ("_since=2024-01-01T00:00:00Z", 200),
        ("status=final", 403),
        ("start:missing=true", 403),
    ] {
        let got = confined.get("patient/*.rs", &format!("/Patient/1/$everything?{query}")).await;
        assert_eq!(got.status, status, "{query}: {}", got.text);
    }
}

#[tokio::test]
async fn the_body_of_a_search_is_a_text_of_at_most_64_kib() {
    let confined = Confined::before(Careless::with(records())).await;
    let long = "x".repeat(64 * 1024);
    for (body, status, words) in [
        (format!("code={long}").into_bytes(), 413, "more than 64 KiB"),
        (b"code=\xff".to_vec(), 400, "not a form"),
        (b"code=x".to_vec(), 200, ""),
    ] {
        let token = confined.token("patient/*.rs", "1", "amara");
        let request = Request::post("/r4/Observation/_search")
            .header("content-type", "application/x-www-form-urlencoded");
        let got = confined.send_with(&token, request, body).await;
        assert_eq!(got.status, status, "{}", got.text);
        assert!(got.text.contains(words), "no `{words}` in {}", got.text);
        assert_eq!(confined.server.asked().is_empty(), status != 200, "{status}");
    }
}
