//! What must not tell whether there is something.

use serde_json::{Value, json};

use super::careless::Careless;
use super::{Confined, bundle, observation, patient};

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
