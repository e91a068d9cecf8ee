//! Resources that are seen by what they point to.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::careless::Careless;
use super::{Confined, bundle, observation};

fn provenance(id: &str, targets: &[String]) -> Value {
    let target: Vec<Value> = targets.iter().map(|one| json!({"reference": one})).collect();
    json!({"resourceType": "Provenance", "id": id, "target": target})
}

fn observations(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|number| observation(&format!("o{number}"), "1", "laboratory")).collect()
}

fn named(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("Observation/o{number}")).collect()
}

#[tokio::test]
async fn all_targets_are_looked_up_at_once_and_each_once() {
    let mut records = observations(0..40);
    records.push(provenance("many", &named(0..40)));
    records.push(provenance("same", &named(10..30)));
    let found: Vec<Value> = records.iter().skip(40).cloned().collect();
    let server = Careless::with(records).answering("/Provenance", 200, &bundle(&found, None));
    let confined = Confined::before(server).await;
    let got = confined.get("patient/*.rs", "/Provenance").await;
    assert_eq!(got.entries(), ["Provenance/many", "Provenance/same"]);
    assert_eq!(confined.server.asked().len(), 1 + 40);
}

#[tokio::test]
async fn what_comes_with_the_answer_is_not_looked_up_but_in_a_history() {
    let mut records = observations(0..20);
    records.push(provenance("all", &named(0..20)));
    records.push(provenance("other", &["Observation/a2".to_owned()]));
    records.push(observation("a2", "2", "laboratory"));
    let confined = Confined::before(Careless::with(records)).await;
    let got = confined.get("patient/*.rs", "/Provenance").await.entries();
    assert!(got.contains(&"Provenance/all".to_owned()), "{got:?}");
    assert!(!got.contains(&"Provenance/other".to_owned()), "{got:?}");
    assert_eq!(confined.server.asked().len(), 1);
    confined.get("patient/*.rs", "/_history").await.entries();
    assert_eq!(confined.server.asked().len(), 2 + 21, "a version says nothing of today");
}

#[tokio::test]
async fn a_target_that_two_entries_claim_to_be_is_looked_up() {
    let own = observation("o0", "1", "laboratory");
    let other = observation("o0", "2", "laboratory");
    let of = provenance("p", &named(0..1));
    let twice = bundle(&[of, own, other.clone()], None);
    let server = Careless::with(vec![other]).answering("/Provenance", 200, &twice);
    let confined = Confined::before(server).await;
    let got = confined.get("patient/*.rs", "/Provenance").await.entries();
    assert_eq!(got, ["Observation/o0"]);
}

#[tokio::test]
async fn a_target_that_is_not_shown_by_a_fault_of_the_server_hides_nothing_silently() {
    let found = bundle(&[provenance("p", &named(0..1))], None);
    for (status, body, expected) in [
        (404, "{}", 200),
        (410, "{}", 200),
        (200, "no resource", 200),
        (500, "{}", 502),
        (403, "{}", 502),
        (302, "{}", 502),
        (503, "{}", 503),
        (429, "{}", 503),
    ] {
        let server = Careless::default().answering("/Provenance", 200, &found).answering(
            "/Observation/o0",
            status,
            body,
        );
        let confined = Confined::before(server).await;
        let got = confined.get("patient/*.rs", "/Provenance").await;
        assert_eq!(got.status, expected, "{status}: {}", got.text);
        if expected == 200 {
            assert!(got.entries().is_empty());
        } else {
            assert_eq!(got.json()["issue"][0]["code"], "transient");
        }
        assert_eq!(got.headers.contains_key("retry-after"), expected == 503);
    }
}

#[tokio::test]
async fn more_targets_than_are_looked_up_are_too_costly() {
    let of =
        |number: usize| provenance(&format!("p{number}"), &named(number * 60..number * 60 + 60));
    for (provenances, status) in [(4, 200), (5, 502)] {
        let found: Vec<Value> = (0..provenances).map(of).collect();
        let server = Careless::with(observations(0..300)).answering(
            "/Provenance",
            200,
            &bundle(&found, None),
        );
        let confined = Confined::before(server).await;
        let got = confined.get("patient/*.rs", "/Provenance").await;
        assert_eq!(got.status, status, "{}", got.text);
        if status == 502 {
            assert_eq!(got.json()["issue"][0]["code"], "too-costly");
        } else {
            assert_eq!(got.entries().len(), provenances);
        }
    }
}

#[tokio::test]
async fn a_target_that_cannot_be_read_shows_nothing() {
    let found = bundle(&[provenance("p", &named(0..1))], None);
    let server = Careless::default().answering("/Provenance", 200, &found).answering_by(|line| {
        let target = observation("o0", "1", "laboratory").to_string();
        let response = Response::builder().header("content-encoding", "gzip");
        let response = response.body(Full::new(Bytes::from(target))).unwrap();
        (line == "GET /r4/Observation/o0").then_some(response)
    });
    let got = Confined::before(server).await.get("patient/*.rs", "/Provenance").await;
    assert!(got.entries().is_empty(), "{}", got.text);
}

#[tokio::test]
async fn what_a_provenance_leads_to_counts_once_and_all_of_it_has_to_be_ones_own() {
    let to = |name: &str, others: std::ops::Range<usize>| {
        let mut targets = named(others);
        targets.push(name.to_owned());
        targets
    };
    let q = "Provenance/q";
    for (first, second, is_shown, why) in [
        (to(q, 0..40), named(0..40), true, "each is looked up once"),
        (to(q, 0..40), named(40..80), false, "it leads to more than 64"),
        (to(q, 0..1), to("Observation/of-2", 0..1), false, "it leads to somebody else's"),
        (to(q, 0..1), to("Provenance/p", 0..1), false, "it leads back to itself"),
        (to(q, 0..1), to(q, 0..1), false, "it leads to one that leads back to itself"),
    ] {
        let p = provenance("p", &first);
        let mut records = observations(0..80);
        records.push(observation("of-2", "2", "laboratory"));
        records.push(provenance("q", &second));
        records.push(p.clone());
        let server = Careless::with(records).answering("/Provenance", 200, &bundle(&[p], None));
        let got = Confined::before(server).await.get("patient/*.rs", "/Provenance").await;
        assert_eq!(!got.entries().is_empty(), is_shown, "{why}: {}", got.text);
    }
}

#[tokio::test]
async fn a_version_that_led_back_to_itself_is_hidden_whatever_it_leads_to_now() {
    for target in ["Provenance/p", "Provenance/q"] {
        let mut records = observations(0..1);
        records.push(provenance("p", &named(0..1)));
        records.push(provenance("q", &["Provenance/p".to_owned()]));
        let then = provenance("p", &[target.to_owned()]);
        let history = bundle(&[then], None);
        let server = Careless::with(records).answering("/Provenance/_history", 200, &history);
        let got = Confined::before(server).await.get("patient/*.rs", "/Provenance/_history").await;
        assert!(got.entries().is_empty(), "{target}: {}", got.text);
    }
}

#[tokio::test]
async fn the_server_behind_is_asked_when_it_is_ready() {
    let mut records = observations(0..2);
    records.push(provenance("p", &named(0..2)));
    let confined = Confined::before(Careless::with(records)).await;
    // It panics where nobody has waited for it.
    let behind = ServiceBuilder::new().concurrency_limit(1).service(confined.server.service());
    let token = confined.token("patient/*.rs", "1", "amara");
    let request =
        Request::get("/r4/Provenance/p").header("authorization", format!("Bearer {token}"));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = confined.layer.layer(behind).oneshot(request).await.unwrap();
    assert_eq!((response.status().as_u16(), confined.server.asked().len()), (200, 3));
}
