//! Page links: sealed, and judged again.

use http::Request;
use serde_json::json;
use tower_fhir_auth::TrustedIssuer;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::{Confined, observation, patient};
use crate::support::{BASE, NOW};

/// A thousand Observations, every other one of another patient.
fn thousand() -> Vec<serde_json::Value> {
    let of = |number: usize| {
        observation(
            &format!("n{number}"),
            if number.is_multiple_of(2) { "1" } else { "2" },
            "laboratory",
        )
    };
    (0..1000).map(of).collect()
}

#[tokio::test]
async fn each_page_of_a_thousand_resources_is_judged() {
    let confined = Confined::before(Careless::with(thousand()).paging(10)).await;
    let mut next = Some("/Observation".to_owned());
    let (mut pages, mut seen) = (0, Vec::new());
    while let Some(below) = next {
        let got = confined.get("patient/*.rs", &below).await;
        assert!(!got.text.contains("mark-of-2"), "{}", got.text);
        seen.extend(got.entries());
        next = got.next();
        pages += 1;
    }
    assert_eq!((pages, seen.len()), (100, 500));
    assert!(
        seen.iter().enumerate().all(|(place, one)| *one == format!("Observation/n{}", place * 2))
    );
}

#[tokio::test]
async fn a_page_is_its_callers_alone_for_its_time_and_under_the_token_that_comes() {
    let confined = Confined::before(Careless::with(thousand()).paging(10)).await;
    let next = confined.get("patient/*.rs", "/Observation").await.next().unwrap();
    let ask = |token: String, below: &str| {
        let request = Request::get(format!("/r4{below}"));
        let confined = &confined;
        async move { confined.send(&token, request).await }
    };
    let own = ask(confined.token("patient/Observation.rs", "1", "amara"), &next).await;
    assert_eq!(own.entries().len(), 5, "another token of the same caller");
    // Others, also with every right, find none.
    for (scope, patient, subject) in [
        ("patient/*.rs", "2", "amara"),
        ("patient/*.rs", "1", "bela"),
        ("system/*.rs", "1", "bela"),
    ] {
        let got = ask(confined.token(scope, patient, subject), &next).await;
        assert_eq!(got.status, 404, "{scope} {patient} {subject}: {}", got.text);
    }
    // The search is judged again.
    let less = ask(confined.token("patient/Condition.rs", "1", "amara"), &next).await;
    assert_eq!(less.status, 403, "{}", less.text);
    // Forged.
    let mut forged = next.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    assert_eq!(ask(confined.token("patient/*.rs", "1", "amara"), &forged).await.status, 404);
    assert_eq!(ask(confined.token("patient/*.rs", "1", "amara"), "/_pages/AAAA").await.status, 404);
    // Without a token there is nothing to find out.
    let nobody = confined.send("", Request::get(format!("/r4{next}"))).await;
    assert!(nobody.status == 400 || nobody.status == 401, "{}", nobody.status);
    // A page link is an address of the gate alone: no write, no other method.
    let token = confined.token("patient/*.rs", "1", "amara");
    assert_eq!(confined.send(&token, Request::post(format!("/r4{next}"))).await.status, 403);
    confined.clock.advance(3600);
    let issued = UnixTime::from_secs(NOW + 3600);
    let later = confined.issuer.token_at(issued).claim("aud", BASE);
    let later = later.claim("scope", "patient/*.rs").claim("patient", "1").claim("sub", "amara");
    assert_eq!(ask(later.sign().unwrap(), &next).await.status, 404, "expired");
}

#[tokio::test]
async fn a_link_to_elsewhere_or_out_of_the_base_is_dropped() {
    for url in [
        "https://elsewhere.example.org/r4?_page=10",
        "https://fhir.example.org/r4x?_page=10",
        "https://fhir.example.org/r4/../admin",
        "https://fhir.example.org/r4//Observation",
        "https://fhir.example.org/r4/%2e%2e/admin",
        "https://fhir.example.org/r4/Observation#x",
        "https://fhir.example.org/r4.evil.example.org/",
        "/r4?_page=10",
    ] {
        let bundle = json!({"resourceType": "Bundle", "type": "searchset",
            "link": [{"relation": "next", "url": url}]});
        let server = Careless::always(move || super::careless::fhir(&bundle));
        let got = Confined::before(server).await.get("patient/*.rs", "/Observation").await;
        assert_eq!(got.next(), None, "{url}: {}", got.text);
        assert!(!got.text.contains("elsewhere"), "{}", got.text);
    }
}

#[tokio::test]
async fn a_token_without_a_subject_gets_no_page_links() {
    let server = Careless::with(thousand()).paging(10);
    let no_claims = |issuer: TrustedIssuer| issuer.required_claims(Vec::<String>::new());
    let confined = Confined::trusting(server, ConfineSettings::default(), no_claims).await;
    let token = confined.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
    let token = token.claim("scope", "patient/*.rs").claim("patient", "1");
    for (subject, has_next) in [(json!("amara"), true), (json!(null), false)] {
        let token = token.clone().claim("sub", subject).sign().unwrap();
        let got = confined.send(&token, Request::get("/r4/Observation")).await;
        assert_eq!(got.entries().len(), 5);
        assert_eq!(got.next().is_some(), has_next, "{}", got.text);
    }
}

#[tokio::test]
async fn a_server_that_never_ends_its_pages_is_ended() {
    let confined = Confined::before(Careless::with(vec![patient("1")]).paging(1).endless()).await;
    let mut next = Some("/Observation".to_owned());
    let mut pages = 0;
    while let Some(below) = next.take() {
        next = confined.get("patient/*.rs", &below).await.next();
        pages += 1;
        assert!(pages <= 10_000, "it goes on");
    }
    assert_eq!(pages, 10_000);
}
