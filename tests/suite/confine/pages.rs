//! Page links: sealed, and judged again.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::confine::ConfineSettings;
use tower_fhir_auth::{FhirAuthLayer, ScopePolicy, TrustedIssuer};

use super::bundles::{bundle_of, entry, statuses};
use super::careless::Careless;
use super::{Confined, bundle, observation, patient};
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
        "https://fhir.example.org/r4/Observation/%2e./%2e./admin",
        "//elsewhere.example.org/r4?_page=10",
        "../admin?_page=10",
        "/admin?_page=10",
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
async fn a_link_below_the_base_of_the_server_behind_serves_however_it_is_written() {
    let visible = bundle(&[observation("b1", "1", "laboratory")], None);
    for (upstream, url, at) in [
        (BASE, "/r4?_page=10", "?_page=10"),
        (BASE, "?_page=10", "?_page=10"),
        (BASE, "Observation?_page=10", "/Observation?_page=10"),
        (BASE, "HTTPS://FHIR.example.org:443/r4/?_page=10", "?_page=10"),
        ("http://127.0.0.1:8081/fhir/", "http://127.0.0.1:8081/fhir?_page=10", "?_page=10"),
        ("http://127.0.0.1:8081/fhir", "http://127.0.0.1:8081/fhir/a/?_page=1", "/a/?_page=1"),
        ("http://behind", "http://behind:80?_page=10", "?_page=10"),
    ] {
        let first = bundle(&[observation("a1", "1", "laboratory")], Some(url));
        let server =
            Careless::default().answering("/Observation", 200, &first).answering(at, 200, &visible);
        let settings = ConfineSettings::default().upstream_base(upstream);
        let confined = Confined::with(server, settings).await;
        let next = confined.get("patient/*.rs", "/Observation").await.next();
        let next = next.unwrap_or_else(|| panic!("{url} at {upstream}"));
        assert_eq!(confined.get("patient/*.rs", &next).await.entries(), ["Observation/b1"]);
    }
}

/// Observations of the patients, in pages of ten.
fn paged(patients: impl IntoIterator<Item = &'static str>) -> Careless {
    let of = |(number, patient): (usize, &str)| {
        observation(&format!("n{number}"), patient, "laboratory")
    };
    Careless::with(patients.into_iter().enumerate().map(of).collect()).paging(10)
}

/// Follows the pages of a search, and returns how many entries each has.
async fn walk(confined: &Confined, below: &str) -> Vec<usize> {
    let mut next = Some(below.to_owned());
    let mut sizes = Vec::new();
    while let Some(below) = next {
        let got = confined.get("patient/*.rs", &below).await;
        sizes.push(got.entries().len());
        next = got.next();
    }
    sizes
}

#[tokio::test]
async fn a_next_page_is_one_that_shows_something() {
    let hidden = |pages: usize| std::iter::repeat_n("2", pages * 10);
    // Hidden pages at the end look as if there were none.
    let confined = Confined::before(paged(["1"; 10].into_iter().chain(hidden(10)))).await;
    assert_eq!(walk(&confined, "/Observation").await, [10]);
    // Those in between are passed over.
    let between = ["1"; 10].into_iter().chain(hidden(15)).chain(["1"; 3]);
    let confined = Confined::before(paged(between)).await;
    assert_eq!(walk(&confined, "/Observation").await, [10, 3]);
    // A long stretch does not end the search.
    let long = ["1"; 10].into_iter().chain(hidden(40)).chain(["1"; 3]);
    let confined = Confined::before(paged(long)).await;
    assert_eq!(walk(&confined, "/Observation").await, [10, 0, 0, 3]);
}

#[tokio::test]
async fn a_page_that_cannot_be_judged_is_gone_on_to_and_says_so() {
    let first = bundle(&[observation("a1", "1", "laboratory")], Some("?_page=2"));
    let server =
        Careless::default().answering("/Observation", 200, &first).answering("?_page=2", 500, "{}");
    let confined = Confined::before(server).await;
    let next = confined.get("patient/*.rs", "/Observation").await.next().unwrap();
    assert_eq!(confined.get("patient/*.rs", &next).await.status, 500);
}

#[tokio::test]
async fn pages_of_a_search_by_post_are_judged_by_its_parameters() {
    let confined = Confined::before(Careless::with(thousand()).paging(10)).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    for (below, body) in [
        ("/Observation/_search?_count=9", "status=final"),
        ("/Observation/_search", ""),
        ("/_search", "_type=Observation"),
        ("/_search?_type=Observation", "_count=9"),
        ("/_search", ""),
        ("/Patient/1/Observation/_search", "status=final"),
    ] {
        let request = Request::post(format!("/r4{below}"));
        let got = confined.send_with(&token, request, body).await;
        assert_eq!(got.entries().len(), 5, "{below}");
        let next = got.next().unwrap();
        assert_eq!(confined.get("patient/*.rs", &next).await.entries().len(), 5, "{below}");
        let less = confined.get("patient/Condition.rs", &next).await;
        assert_eq!(less.status, 403, "{below}: {}", less.text);
    }
}

#[tokio::test]
async fn the_search_that_a_page_is_of_has_to_be_one_that_the_token_may_ask() {
    let confined = Confined::before(Careless::with(thousand()).paging(10)).await;
    let found = confined.get("system/Observation.rs", "/Observation?performer=Patient/2").await;
    let next = found.next().unwrap();
    assert_eq!(confined.get("system/Observation.rs", &next).await.entries().len(), 10);
    let refused = confined.get("patient/Observation.rs", &next).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}

#[tokio::test]
async fn a_page_link_that_nobody_would_judge_is_none() {
    let confined = Confined::before(Careless::with(thousand()).paging(10)).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    for (length, has_next) in [(1_000, true), (50_000, false)] {
        let body: &'static str = format!("code={}", "x".repeat(length)).leak();
        let request = Request::post("/r4/Observation/_search");
        let got = confined.send_with(&token, request, body).await;
        assert_eq!(got.next().is_some(), has_next, "{length}");
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

#[tokio::test]
async fn hidden_pages_count_among_those_of_a_server_that_never_ends_them() {
    let confined = Confined::before(Careless::with(vec![patient("2")]).paging(1).endless()).await;
    let sizes = walk(&confined, "/Observation").await;
    assert!(sizes.len() < 10_000 / 16 + 2, "{}", sizes.len());
    assert!(sizes.iter().all(|size| *size == 0));
}

#[tokio::test]
async fn the_pages_that_are_looked_at_for_one_are_bounded_by_their_bytes() {
    let all = ["1", "2", "2", "2", "2", "2", "2", "1"];
    let of = |(number, patient): (usize, &&str)| {
        observation(&format!("n{number}"), patient, "laboratory")
    };
    let server = Careless::with(all.iter().enumerate().map(of).collect()).paging(1);
    // Two pages fit, and three do not.
    let settings = ConfineSettings::default().max_body(1500);
    let confined = Confined::with(server.clone(), settings).await;
    assert_eq!(walk(&confined, "/Observation").await, [1, 0, 1]);
    let confined = Confined::before(server).await;
    assert_eq!(walk(&confined, "/Observation").await, [1, 1]);
}

#[tokio::test]
async fn a_server_whose_base_is_the_root_of_its_host_is_asked_below_it() {
    const ROOT: &str = "https://fhir.example.org";
    let of = |id: &str, next: Option<&str>| bundle(&[observation(id, "1", "laboratory")], next);
    let server = Careless::handled_by(move |method, address, _, _| {
        let made = json!({"response": {"status": "201"}});
        super::careless::fhir(&match (method, address) {
            ("GET", "/Observation") => of("a1", Some("?_page=2")),
            ("GET", "/?_page=2") => of("a2", Some("/Observation?_page=3")),
            ("GET", "/Observation?_page=3") => of("a3", None),
            ("POST", "/") => bundle_of("transaction-response", &[made]),
            _ => json!({}),
        })
    });
    let confined = Confined::before(server).await;
    let layer = FhirAuthLayer::builder(ROOT).issuer(confined.issuer.trusted());
    let layer = layer.authorizer(ScopePolicy::new()).clock(confined.clock.clone());
    let layer = layer.build_confined(ConfineSettings::default()).unwrap();
    layer.auth().ready().await;
    let confined = Confined { layer, ..confined };
    let token = confined.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", ROOT);
    let token = token.claim("scope", "patient/*.crs").claim("patient", "1").claim("sub", "amara");
    let token = token.sign().unwrap();
    let (mut next, mut seen) = (Some("/Observation".to_owned()), Vec::new());
    while let Some(below) = next {
        let got = confined.send(&token, Request::get(below)).await;
        seen.extend(got.entries());
        let links = got.json()["link"].as_array().cloned().unwrap();
        let link = links.iter().find(|link| link["relation"] == "next");
        let url = link.map(|link| link["url"].as_str().unwrap());
        next = url.map(|url| url.strip_prefix(ROOT).unwrap().to_owned());
    }
    assert_eq!(seen, ["Observation/a1", "Observation/a2", "Observation/a3"]);
    let create = entry("POST", "Observation", observation("x", "1", "laboratory"));
    let request = Request::post("/").header("content-type", "application/fhir+json");
    let body = bundle_of("transaction", &[create]).to_string();
    assert_eq!(statuses(&confined.send_with(&token, request, body).await), ["201"]);
}

#[tokio::test]
async fn a_page_serves_as_long_as_the_settings_say() {
    let settings = ConfineSettings::default().page_lifetime(Duration::from_secs(60));
    let confined = Confined::with(Careless::with(thousand()).paging(10), settings).await;
    let next = confined.get("patient/*.rs", "/Observation").await.next().unwrap();
    for (seconds, status) in [(59, 200), (1, 404)] {
        confined.clock.advance(seconds);
        let got = confined.get("patient/*.rs", &next).await;
        assert_eq!(got.status, status, "{seconds}: {}", got.text);
    }
}
