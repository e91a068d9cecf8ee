//! Binaries: judged by what they are the content of, or by who was shown their address.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;

use super::careless::{Careless, fhir};
use super::{Confined, Got, observation, records};
use crate::support::{BASE, NOW};

/// A Binary with the content `<mark>`.
fn binary(id: &str, context: Option<&str>) -> Value {
    let mut binary = json!({"resourceType": "Binary", "id": id, "contentType": "text/html",
        "data": "PG1hcms+"});
    if let Some(context) = context {
        binary["securityContext"] = json!({"reference": context});
    }
    binary
}

fn document(id: &str, patient: &str, url: &str) -> Value {
    json!({"resourceType": "DocumentReference", "id": id,
        "subject": {"reference": format!("Patient/{patient}")},
        "content": [{"attachment": {"url": url}}]})
}

fn binaries() -> Careless {
    let mut all = records();
    all.extend([
        binary("nobodys", None),
        binary("own", Some("Observation/a1")),
        binary("absolute", Some(&format!("{BASE}/Observation/a1/_history/1"))),
        binary("other", Some("Observation/a2")),
        binary("dangling", Some("Observation/zz")),
        binary("foreign", Some("https://elsewhere.example.org/Observation/a1")),
        binary("of-patient-2", Some("Patient/2")),
        binary("of-binary", Some("Binary/own")),
        document("d1", "1", &format!("{BASE}/Binary/nobodys")),
        document("d2", "2", "Binary/own"),
        json!({"resourceType": "DiagnosticReport", "id": "r1", "subject": {"reference": "Patient/1"},
            "presentedForm": [{"url": "Binary/nobodys"}, {"url": "https://elsewhere.example.org/x"}]}),
        json!({"resourceType": "Media", "id": "m1", "subject": {"reference": "Patient/1"},
            "content": {"url": "Binary/nobodys"}}),
    ]);
    Careless::with(all)
}

#[tokio::test]
async fn a_binary_is_judged_by_the_resource_that_it_is_the_content_of() {
    let confined = Confined::before(binaries()).await;
    let absent = confined.get("patient/*.rs", "/Binary/zz").await;
    assert_eq!(absent.status, 404);
    for (scope, id, status) in [
        ("patient/*.rs", "own", 200),
        ("patient/*.r", "absolute", 200),
        ("patient/*.rs", "other", 404),
        ("patient/*.rs", "dangling", 404),
        ("patient/*.rs", "foreign", 404),
        ("patient/*.rs", "of-patient-2", 404),
        ("patient/*.rs", "of-binary", 404),
        ("patient/*.rs", "nobodys", 404),
        ("patient/Binary.r", "own", 404),
        ("patient/Binary.r patient/Observation.s", "own", 404),
        ("patient/Binary.r user/Observation.r", "other", 200),
        ("system/Binary.r", "nobodys", 200),
        ("system/Binary.r", "own", 404),
        ("system/Binary.r patient/Observation.r", "own", 200),
        ("system/Binary.r system/Observation.r", "other", 200),
        ("patient/Observation.rs", "own", 403),
        // A constraint on Binaries is not judged by what they are the content of.
        ("patient/Binary.r?_id=own patient/Observation.rs", "own", 404),
    ] {
        let got = confined.get(scope, &format!("/Binary/{id}")).await;
        assert_eq!(got.status, status, "{scope} {id}: {}", got.text);
        if status == 404 {
            assert_eq!(got.text, absent.text, "{scope} {id}");
        }
    }
    // A search shows none of what it would have to ask about.
    let all = confined.get("system/Binary.rs", "/Binary").await.entries();
    assert_eq!(all, ["Binary/nobodys"]);
    let all = confined.get("system/Binary.rs system/Observation.r", "/Binary").await.entries();
    assert!(
        all.contains(&"Binary/other".to_owned())
            && !all.contains(&"Binary/of-patient-2".to_owned())
    );
    assert!(confined.get("patient/Binary.rs", "/Binary").await.entries().is_empty());
}

#[tokio::test]
async fn content_comes_in_its_own_type_for_who_asks_and_cannot_be_taken_for_a_page() {
    let confined = Confined::before(binaries()).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    let ask = |accept: &'static str| Request::get("/r4/Binary/own").header("accept", accept);
    for accept in ["application/fhir+json", "*/*", ""] {
        let got = confined.send(&token, ask(accept)).await;
        assert_eq!(got.headers["content-type"], "application/fhir+json", "{accept}");
        assert_eq!(got.json()["data"], "PG1hcms+");
    }
    for accept in ["text/html", "image/png, */*;q=0.1"] {
        let got = confined.send(&token, ask(accept)).await;
        assert_eq!((got.status.as_u16(), &*got.text), (200, "<mark>"), "{accept}");
        assert_guarded(&got);
        let known = confined.send(&token, ask(accept).header("if-none-match", "W/\"3\"")).await;
        assert_eq!((known.status.as_u16(), &*known.text), (304, ""), "{accept}");
        assert!(!known.headers.contains_key("content-length"), "{accept}");
    }
    let head = Request::head("/r4/Binary/own").header("accept", "text/html");
    let head = confined.send(&token, head).await;
    assert_eq!((&*head.text, &head.headers["content-length"]), ("", &"6".parse().unwrap()));
    assert_eq!(confined.send(&token, ask("application/fhir+xml")).await.status, 406);
    let hidden = Request::get("/r4/Binary/other").header("accept", "text/html");
    assert_eq!(confined.send(&token, hidden).await.status, 404);
}

/// Checks that a browser takes content for nothing else than it is.
fn assert_guarded(got: &Got) {
    assert_eq!(got.headers["content-type"], "text/html");
    assert_eq!(got.headers["x-content-type-options"], "nosniff");
    assert_eq!(got.headers["content-disposition"], "attachment");
    assert_eq!(got.headers["content-security-policy"], "default-src 'none'; sandbox");
    assert_eq!(got.headers["cache-control"], "no-store");
}

/// The address of the first attachment of a document, below the base.
fn attachment(document: &Value) -> String {
    let url = document["content"][0]["attachment"]["url"].as_str().unwrap();
    url.strip_prefix(BASE).unwrap_or_else(|| panic!("{url}")).to_owned()
}

#[tokio::test]
async fn a_binary_that_a_visible_document_has_is_served_to_who_has_seen_that() {
    let confined = Confined::before(binaries()).await;
    let read = confined.get("patient/*.rs", "/DocumentReference/d1").await;
    let sealed = attachment(&read.json());
    assert!(sealed.starts_with("/_pages/") && !read.text.contains("nobodys"), "{}", read.text);
    let searched = confined.get("patient/*.rs", "/DocumentReference").await;
    let entries = searched.json()["entry"].as_array().cloned().unwrap();
    let found = |id: &str| entries.iter().find(|entry| entry["resource"]["id"] == id).cloned();
    let in_search = attachment(&found("d1").unwrap()["resource"]);
    assert!(found("d1").unwrap().get("fullUrl").is_some());
    let report = &found("r1").unwrap()["resource"]["presentedForm"];
    assert!(report[0]["url"].as_str().unwrap().starts_with(&format!("{BASE}/_pages/")));
    assert_eq!(report[1]["url"], "https://elsewhere.example.org/x");
    let media = found("m1").unwrap()["resource"]["content"]["url"].as_str().unwrap().to_owned();
    assert!(media.starts_with(&format!("{BASE}/_pages/")));
    assert!(!searched.text.contains("\"Binary/"), "{}", searched.text);
    for below in [&sealed, &in_search] {
        let got = confined.get("patient/Binary.r", below).await;
        assert_eq!((got.status.as_u16(), &got.json()["id"]), (200, &json!("nobodys")));
        for (scope, patient, subject, status) in [
            ("patient/*.rs", "1", "bela", 404),
            ("patient/*.rs", "2", "amara", 404),
            ("system/*.rs", "1", "bela", 404),
            ("patient/DocumentReference.rs", "1", "amara", 403),
            ("patient/Binary.r?_id=x", "1", "amara", 404),
        ] {
            let token = confined.token(scope, patient, subject);
            let got = confined.send(&token, Request::get(format!("/r4{below}"))).await;
            assert_eq!(got.status, status, "{scope} {patient} {subject}: {}", got.text);
        }
    }
    assert_eq!(confined.get("patient/*.rs", "/Binary/nobodys").await.status, 404, "by itself");
    let token = confined.token("patient/*.rs", "1", "amara");
    let xml = Request::get(format!("/r4{sealed}")).header("accept", "application/fhir+xml");
    assert_eq!(confined.send(&token, xml).await.status, 406);
    // Who may read every Binary needs no seal.
    let open =
        confined.get("patient/DocumentReference.r system/Binary.r", "/DocumentReference/d1").await;
    assert!(open.text.contains("/Binary/nobodys"), "{}", open.text);
    confined.clock.advance(3600);
    let token = confined.issuer.token_at(UnixTime::from_secs(NOW + 3600)).claim("aud", BASE);
    let token = token.claim("scope", "patient/*.rs").claim("patient", "1").claim("sub", "amara");
    let late = Request::get(format!("/r4{sealed}"));
    assert_eq!(confined.send(&token.sign().unwrap(), late).await.status, 404, "expired");
}

#[tokio::test]
async fn sealed_content_streams_as_the_server_writes_it_or_is_taken_out_of_the_resource() {
    let content = |name: &'static str, body: &'static str| {
        binaries().answering_by(move |line| {
            let response =
                Response::builder().header("content-type", name).header("set-cookie", "a");
            let response = response.header("content-length", body.len());
            let body = Full::new(Bytes::from_static(body.as_bytes()));
            (line == "GET /r4/Binary/nobodys").then(|| response.body(body).unwrap())
        })
    };
    let resource =
        r#"{"resourceType":"Binary","id":"nobodys","contentType":"text/html","data":"PG1h\ncms+"}"#;
    for server in [content("text/html", "<mark>"), content("application/fhir+json", resource)] {
        let confined = Confined::before(server).await;
        let sealed =
            attachment(&confined.get("patient/*.rs", "/DocumentReference/d1").await.json());
        let token = confined.token("patient/*.rs", "1", "amara");
        let ask = |method: &str| {
            let request = Request::builder().method(method).uri(format!("/r4{sealed}"));
            request.header("accept", "text/html")
        };
        let got = confined.send(&token, ask("GET")).await;
        assert_eq!((got.status.as_u16(), &*got.text), (200, "<mark>"));
        assert_guarded(&got);
        assert!(!got.headers.contains_key("set-cookie"));
        assert_eq!(confined.server.last_headers()["accept"], "text/html");
        let head = confined.send(&token, ask("HEAD")).await;
        assert_eq!((&*head.text, &head.headers["content-length"]), ("", &"6".parse().unwrap()));
    }
    let packed = binaries().answering_by(|line| {
        let response = Response::builder().header("content-type", "text/html");
        let response = response.header("content-encoding", "gzip");
        (line == "GET /r4/Binary/nobodys").then(|| response.body(Full::from("mark")).unwrap())
    });
    let confined = Confined::before(packed).await;
    let sealed = attachment(&confined.get("patient/*.rs", "/DocumentReference/d1").await.json());
    let token = confined.token("patient/*.rs", "1", "amara");
    let request = Request::get(format!("/r4{sealed}")).header("accept", "text/html");
    let got = confined.send(&token, request).await;
    assert_eq!(got.status, 502, "nobody has asked for it compressed: {}", got.text);
    assert!(!got.text.contains("mark"), "{}", got.text);
    for status in [404, 410, 403] {
        let gone = binaries().answering("/Binary/nobodys", status, "{}");
        let confined = Confined::before(gone).await;
        let sealed =
            attachment(&confined.get("patient/*.rs", "/DocumentReference/d1").await.json());
        for accept in ["text/html", "application/fhir+json"] {
            let token = confined.token("patient/*.rs", "1", "amara");
            let request = Request::get(format!("/r4{sealed}")).header("accept", accept);
            assert_eq!(confined.send(&token, request).await.status, 404, "{status} {accept}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_another_resource_than_the_binary_is_none() {
    let before = |other: Value| {
        let server = binaries()
            .answering_by(move |line| (line == "GET /r4/Binary/nobodys").then(|| fhir(&other)));
        Confined::before(server)
    };
    for other in [binary("others", None), observation("nobodys", "2", "laboratory")] {
        let confined = before(other.clone()).await;
        let document = confined.get("patient/*.rs", "/DocumentReference/d1").await.json();
        let sealed = attachment(&document);
        assert_eq!(confined.get("patient/*.rs", &sealed).await.status, 502, "{other}");
        let got = confined.get("system/Binary.r", "/Binary/nobodys").await;
        assert_eq!(got.status, 502, "{other}");
        let token = confined.token("patient/*.rs", "1", "amara");
        let native = Request::get(format!("/r4{sealed}")).header("accept", "text/html");
        assert_eq!(confined.send(&token, native).await.status, 502, "{other}");
    }
}
