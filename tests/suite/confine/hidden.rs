//! Answers that must not tell whether there is something.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;

use super::careless::Careless;
use super::{Confined, bundle, observation, patient};
use crate::support::{BASE, NOW};

/// A server where `a2` is another patient's, `zz` does not exist, and `gone` is deleted.
fn histories() -> Careless {
    let a2 = observation("a2", "2", "laboratory");
    let own = observation("a1", "1", "laboratory");
    let mut server = Careless::default();
    for (below, hidden) in [
        ("/Observation/ID/_history", bundle(std::slice::from_ref(&a2), None)),
        ("/Encounter/ID/Observation", bundle(std::slice::from_ref(&a2), None)),
        (
            "/Observation/ID/_history?_count=1",
            bundle(&[a2], Some("https://fhir.example.org/r4?_page=9")),
        ),
    ] {
        let at = |id: &str| below.replace("ID", id);
        server = server
            .answering(&at("a2"), 200, &hidden)
            .answering(&at("odd"), 200, "no bundle")
            .answering(&at("zz"), 404, "{}")
            .answering(&at("gone"), 410, "{}")
            .answering(&at("a1"), 200, &bundle(std::slice::from_ref(&own), None));
    }
    server
        .answering("?_page=9", 200, &bundle(&[], None))
        .answering("/Patient/1/Observation", 200, &bundle(&[], None))
        .answering("/Patient/2/Observation", 200, &bundle(&[], None))
        .answering("/Patient/1/$everything", 200, &bundle(&[], None))
        .answering("/Encounter/own/Observation", 200, &bundle(&[], None))
        .answering("/Encounter/own", 200, &encounter("own", "1"))
        .answering("/Encounter/a2", 200, &encounter("a2", "2"))
}

fn encounter(id: &str, patient: &str) -> Value {
    let subject = json!({"reference": format!("Patient/{patient}")});
    json!({"resourceType": "Encounter", "id": id, "subject": subject})
}

#[tokio::test]
async fn a_history_or_a_compartment_of_what_is_hidden_is_as_of_nothing() {
    let confined = Confined::before(histories()).await;
    let absent = confined.get("patient/*.rs", "/Observation/zz/_history").await;
    assert_eq!(absent.status, 404, "{}", absent.text);
    for below in [
        "/Observation/a2/_history",
        "/Observation/gone/_history",
        "/Observation/odd/_history",
        "/Observation/a2/_history?_count=1",
        "/Observation/zz/_history?_count=1",
        "/Encounter/a2/Observation",
        "/Encounter/zz/Observation",
        "/Encounter/gone/Observation",
    ] {
        let got = confined.get("patient/*.rs", below).await;
        assert_eq!((got.status, &got.text), (absent.status, &absent.text), "{below}");
        assert_eq!(format!("{:?}", got.headers), format!("{:?}", absent.headers), "{below}");
    }
    for below in ["/Observation/a1/_history", "/Encounter/a1/Observation"] {
        assert_eq!(confined.get("patient/*.rs", below).await.entries(), ["Observation/a1"]);
    }
    // One's own record may be empty, and what belongs to a part of it.
    for below in ["/Patient/1/Observation", "/Patient/1/$everything", "/Encounter/own/Observation"]
    {
        assert!(confined.get("patient/*.rs", below).await.entries().is_empty(), "{below}");
    }
    // Who may see every Patient may know which there are.
    let open = "system/Observation.rs system/Patient.r";
    assert!(confined.get(open, "/Patient/2/Observation").await.entries().is_empty());
    let gone = confined.get("system/Observation.rs", "/Observation/gone/_history").await;
    assert_eq!(gone.status, 410, "{}", gone.text);
    let unseen = confined.get("system/Observation.rs", "/Patient/2/Observation").await;
    assert_eq!(unseen.status, 404, "{}", unseen.text);
}

#[tokio::test]
async fn a_refusal_to_read_is_as_of_nothing_where_it_could_be_about_what_is_hidden() {
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"code": "conflict"}]});
    for (status, hidden, open) in [
        (403, 404, 403),
        (404, 404, 404),
        (405, 404, 405),
        (410, 404, 410),
        (422, 404, 422),
        (400, 400, 400),
        (406, 406, 406),
        (429, 429, 429),
        (500, 500, 500),
    ] {
        let server = Careless::default().answering("/Observation/a2", status, &outcome);
        let confined = Confined::before(server).await;
        let got = confined.get("patient/*.rs", "/Observation/a2").await;
        assert_eq!(got.status, hidden, "{status}: {}", got.text);
        if hidden == 404 {
            assert_eq!(got.text, confined.get("patient/*.rs", "/Observation/zz").await.text);
        }
        let got = confined.get("system/Observation.rs", "/Observation/a2").await;
        assert_eq!(got.status, open, "{status}: {}", got.text);
    }
}

#[tokio::test]
async fn a_search_for_somebody_else_is_refused() {
    let server = Careless::with(vec![patient("1"), observation("a1", "1", "laboratory")]);
    let confined = Confined::before(server).await;
    for (below, status) in [
        ("/Observation?subject=Patient/1", 200),
        ("/Observation?patient=1", 200),
        ("/Observation?performer=Practitioner/5", 200),
        ("/Observation?performer:Practitioner=5", 200),
        ("/Observation?subject:missing=true", 200),
        ("/Patient/1/Observation?performer=Patient/1", 200),
        ("/Observation?subject=Patient/2", 403),
        ("/Observation?subject:Patient=2", 403),
        ("/Observation?subject:identifier=http://s.test|1", 403),
        ("/Observation?patient:identifier=1", 403),
        ("/Observation?subject:Group=Patient/2", 403),
        ("/Observation?performer=Patient/2", 403),
        ("/Observation?performer=5", 403),
        ("/Observation?performer=http://127.0.0.1:8081/fhir/Patient/2", 403),
        ("/Observation?focus=Patient/1,Patient/2", 403),
        ("/Patient/1/Observation?performer=Patient/2", 403),
        ("/Patient?link=Patient/2", 403),
    ] {
        let before = confined.server.asked().len();
        let got = confined.get("patient/*.rs", below).await;
        assert_eq!(got.status, status, "{below}: {}", got.text);
        assert_eq!(confined.server.asked().len() > before, status == 200, "{below}");
    }
    let laboratory = "user/Observation.rs?category=laboratory";
    assert_eq!(confined.get(laboratory, "/Observation?performer=Patient/2").await.status, 200);
}

#[tokio::test]
async fn a_compartment_that_is_searched_by_post_tells_no_more_than_by_get() {
    let own = bundle(&[observation("a1", "1", "laboratory")], None);
    let other = bundle(&[observation("a2", "2", "laboratory")], None);
    let open = "system/Observation.rs system/Encounter.r";
    for (scope, status, body, expected) in [
        ("patient/*.rs", 200, &own, 200),
        ("patient/*.rs", 200, &other, 404),
        ("patient/*.rs", 404, &json!({}), 404),
        ("patient/*.rs", 410, &json!({}), 404),
        ("patient/*.rs", 500, &json!({}), 500),
        (open, 200, &other, 200),
        (open, 404, &json!({}), 404),
        (open, 410, &json!({}), 410),
    ] {
        let server =
            Careless::default().answering("/Encounter/e/Observation/_search", status, body);
        let confined = Confined::before(server).await;
        let token = confined.token(scope, "1", "amara");
        let request = Request::post("/r4/Encounter/e/Observation/_search");
        let got = confined.send_with(&token, request, "").await;
        assert_eq!(got.status, expected, "{scope} {status}: {}", got.text);
        if expected == 404 && scope != open {
            let absent = confined.get(scope, "/Observation/zz").await;
            assert_eq!(got.text, absent.text, "{status}");
        }
    }
}

#[tokio::test]
async fn a_history_whose_first_page_is_hidden_goes_on_to_one_that_is_not() {
    let first = bundle(&[observation("a1", "2", "laboratory")], Some("?_page=2"));
    let second = bundle(&[observation("a1", "1", "laboratory")], None);
    let server = Careless::default().answering("/Observation/a1/_history", 200, &first);
    let confined = Confined::before(server.answering("?_page=2", 200, &second)).await;
    let got = confined.get("patient/*.rs", "/Observation/a1/_history").await;
    assert!(got.entries().is_empty(), "{}", got.text);
    let next = got.next().unwrap();
    assert_eq!(confined.get("patient/*.rs", &next).await.entries(), ["Observation/a1"]);
}

#[tokio::test]
async fn the_record_that_may_be_empty_is_that_of_the_patient_of_the_token() {
    let empty = bundle(&[], None);
    let server = ["/Patient/1/Observation", "/Encounter/1/Observation"]
        .iter()
        .fold(Careless::default(), |server, below| server.answering(below, 200, &empty));
    let confined = Confined::before(server).await;
    let absolute = format!("{BASE}/Patient/1");
    for (scope, claim, value, below, expected) in [
        ("patient/*.rs", "patient", "1", "/Patient/1/Observation", 200),
        ("patient/*.rs", "patient", "Patient/1", "/Patient/1/Observation", 200),
        ("patient/*.rs", "patient", &*absolute, "/Patient/1/Observation", 200),
        ("patient/*.rs", "fhirUser", "Patient/1", "/Patient/1/Observation", 200),
        ("patient/*.rs", "patient", "1", "/Encounter/1/Observation", 404),
        ("system/Observation.rs", "patient", "Patient/2", "/Patient/1/Observation", 404),
        ("user/Observation.rs", "fhirUser", "Practitioner/1", "/Patient/1/Observation", 404),
    ] {
        let token = confined.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
        let token = token.claim("sub", "amara").claim("scope", scope).claim(claim, value);
        let request = Request::get(format!("/r4{below}"));
        let got = confined.send(&token.sign().unwrap(), request).await;
        assert_eq!(got.status, expected, "{scope} {claim} {value} {below}: {}", got.text);
    }
}
