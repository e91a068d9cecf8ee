//! Exports: their owner's alone, of the types that were granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_fhir_auth::authenticated;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::confine::ReadByLine;

use super::careless::{Asked, Careless};
use super::{Confined, Got};
use crate::support::{BASE, NOW};

const OBSERVATIONS: &str = "{\"resourceType\":\"Observation\",\"valueDecimal\":1.50}\n";
const OTHERS: &str = "{\"resourceType\":\"Condition\",\"note\":\"mark-of-the-others\"}\n";

/// Two bundles of deletions, as Bulk Data Access has them.
const DELETIONS: &str = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"request\":{\"method\":\"DELETE\",\"url\":\"Observation/1\"}}]}\n\
{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"request\":{\"method\":\"DELETE\",\"url\":\"Condition/mark-of-the-others\"}}]}\n";

/// A server that exports everything, whatever it is asked, after it has been asked twice.
fn exporter() -> Careless {
    let asked = AtomicUsize::new(0);
    Careless::default().answering_by(move |line| {
        let answer = |status: u16, headers: &[(&str, &str)], body: String| {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            Some(response.body(Full::new(Bytes::from(body))).unwrap())
        };
        let status = "GET /r4/$export-poll-status?_jobId=7";
        match line {
            _ if line.contains("/$export?") || line.ends_with("/$export") => {
                let at = format!("{BASE}/$export-poll-status?_jobId=7");
                answer(202, &[("content-location", &at)], String::new())
            }
            _ if line == status && asked.fetch_add(1, Ordering::Relaxed) == 0 => answer(
                202,
                &[("x-progress", "half"), ("retry-after", "3"), ("x-other", "mark")],
                String::new(),
            ),
            _ if line == status => answer(
                200,
                &[("expires", "Thu, 01 Jan 2032 00:00:00 GMT")],
                json!({
                    "transactionTime": "2026-01-01T00:00:00Z", "request": "mark-of-the-server",
                    "requiresAccessToken": false, "extension": {"x": "mark-of-the-server"},
                    "output": [
                        {"type": "Observation", "url": format!("{BASE}/Binary/o"), "count": 1},
                        {"type": "Condition", "url": format!("{BASE}/Binary/c")},
                        {"type": "Observation", "url": "https://elsewhere.example.org/r4/Binary/o"},
                    ],
                    "deleted": [{"type": "Bundle", "url": format!("{BASE}/Binary/d")}],
                    "error": [{"type": "OperationOutcome", "url": format!("{BASE}/Binary/e")}],
                })
                .to_string(),
            ),
            "GET /r4/Binary/o" => {
                answer(200, &[("content-type", "text/plain")], format!("{OBSERVATIONS}{OTHERS}"))
            }
            "GET /r4/Binary/e" => {
                answer(200, &[], "{\"resourceType\":\"OperationOutcome\"}\n".to_owned())
            }
            "GET /r4/Binary/d" => answer(200, &[], DELETIONS.to_owned()),
            "DELETE /r4/$export-poll-status?_jobId=7" => answer(202, &[], String::new()),
            _ => None,
        }
    })
}

/// The address of an export that has begun, below the base.
fn begun(got: &Got) -> String {
    assert_eq!(got.status, 202, "{}", got.text);
    let at = got.headers["content-location"].to_str().unwrap();
    let below = at.strip_prefix(BASE).unwrap_or_else(|| panic!("{at}"));
    assert!(below.starts_with("/_operations/export/"), "{below}");
    below.to_owned()
}

/// The addresses of files in a manifest, below the base.
fn files(manifest: &Value, of: &str) -> Vec<String> {
    let files = manifest[of].as_array().cloned().unwrap_or_default();
    let below = |file: &Value| file["url"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned();
    files.iter().map(below).collect()
}

async fn get(confined: &Confined, scope: &str, subject: &str, below: &str) -> Got {
    let token = confined.token(scope, "1", subject);
    confined.send(&token, Request::get(format!("/r4{below}"))).await
}

#[tokio::test]
async fn an_export_is_narrowed_sealed_and_followed_to_its_files() {
    let confined = Confined::before(exporter()).await;
    let scope = "system/Observation.rs system/Patient.rs";
    let job = begun(&get(&confined, scope, "app", "/$export?_since=2026-01-01").await);
    assert_eq!(
        confined.server.asked()[0].0,
        "GET /r4/$export?_type=Observation%2CPatient&_since=2026-01-01"
    );
    let headers = confined.server.last_headers();
    assert_eq!(headers["prefer"], "respond-async");
    let waits = get(&confined, scope, "app", &job).await;
    assert_eq!(
        (waits.status.as_u16(), &waits.headers["x-progress"], &waits.headers["retry-after"]),
        (202, &"half".parse().unwrap(), &"3".parse().unwrap())
    );
    assert!(!waits.headers.contains_key("x-other"));
    let xml = Request::get(format!("/r4{job}")).header("accept", "application/fhir+xml");
    assert_eq!(confined.send(&confined.token(scope, "1", "app"), xml).await.status, 406);
    let done = get(&confined, scope, "app", &job).await;
    assert_eq!(done.headers["content-type"], "application/json");
    assert_eq!(done.headers["cache-control"], "no-store");
    assert!(done.headers.contains_key("expires"));
    let manifest = done.json();
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(manifest["request"], format!("{BASE}/$export?_since=2026-01-01"));
    assert_eq!(manifest["transactionTime"], "2026-01-01T00:00:00Z");
    assert!(!done.text.contains("mark") && !done.text.contains("Binary"), "{}", done.text);
    let [observations] = &files(&manifest, "output")[..] else { panic!("{manifest}") };
    assert_eq!(
        (&manifest["output"][0]["type"], &manifest["output"][0]["count"]),
        (&json!("Observation"), &json!(1))
    );
    let file = get(&confined, scope, "app", observations).await;
    assert_eq!((file.status.as_u16(), &*file.text), (200, OBSERVATIONS), "no line of another type");
    assert_eq!(file.headers["content-type"], "application/fhir+ndjson");
    assert_eq!(file.headers["x-content-type-options"], "nosniff");
    assert!(confined.server.last_headers()["accept"].to_str().unwrap().contains("ndjson"));
    for of in ["deleted", "error"] {
        let [file] = &files(&manifest, of)[..] else { panic!("{manifest}") };
        assert_eq!(get(&confined, scope, "app", file).await.status, 200, "{of}");
    }
    // A file is looked at as everything else.
    let token = confined.token(scope, "1", "app");
    let head = confined.send(&token, Request::head(format!("/r4{observations}"))).await;
    assert_eq!((head.status.as_u16(), &*head.text), (200, ""));
}

#[tokio::test]
async fn deletions_are_told_of_granted_types_alone_also_where_bundle_is_one() {
    let confined = Confined::before(exporter()).await;
    for (scope, count) in [
        ("system/Observation.rs", 1),
        ("system/Observation.rs system/Bundle.rs", 1),
        ("system/Bundle.rs", 0),
        ("system/*.rs", 2),
    ] {
        let job = begun(&get(&confined, scope, "app", "/$export").await);
        let mut manifest = get(&confined, scope, "app", &job).await;
        if manifest.status == 202 {
            manifest = get(&confined, scope, "app", &job).await;
        }
        let [deleted] = &files(&manifest.json(), "deleted")[..] else { panic!("{manifest:?}") };
        let file = get(&confined, scope, "app", deleted).await;
        assert_eq!((file.status.as_u16(), file.text.lines().count()), (200, count), "{scope}");
        assert_eq!(file.text.contains("mark-of-the-others"), count == 2, "{scope}: {}", file.text);
    }
}

#[tokio::test]
async fn an_export_by_a_token_with_everything_is_its_owners_alone_too() {
    let confined = Confined::before(exporter()).await;
    let job = begun(&get(&confined, "system/*.rs", "app", "/$export").await);
    assert_eq!(confined.server.asked()[0].0, "GET /r4/$export", "nothing to narrow");
    get(&confined, "system/*.rs", "app", &job).await;
    let manifest = get(&confined, "system/*.rs", "app", &job).await.json();
    assert_eq!(files(&manifest, "output").len(), 2, "{manifest}");
    let observations = &files(&manifest, "output")[0];
    let file = get(&confined, "system/*.rs", "app", observations).await;
    assert_eq!(file.text, format!("{OBSERVATIONS}{OTHERS}"));
    for below in [&job, observations] {
        assert_eq!(get(&confined, "system/*.cruds", "other", below).await.status, 404);
        let narrow = get(&confined, "system/Observation.rs", "app", below).await;
        assert_eq!(narrow.status, 403, "not every type of the export any more");
        assert!(narrow.headers["www-authenticate"].to_str().unwrap().contains("system/"));
        assert_eq!(get(&confined, "patient/*.rs", "app", below).await.status, 403);
    }
    // What the upstream server calls it is nobody's address.
    for below in ["/$export-poll-status?_jobId=7", "/_operations/export/7", "/_operations/import/7"]
    {
        let got = get(&confined, "system/*.cruds", "app", below).await;
        assert!(got.status == 403 || got.status == 404, "{below}: {}", got.status);
    }
}

#[tokio::test]
async fn a_forged_an_expired_and_somebody_elses_export_are_404() {
    let confined = Confined::before(exporter()).await;
    let job = begun(&get(&confined, "system/*.rs", "app", "/$export?_type=Patient").await);
    let mut forged = job.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'B' } else { 'A' });
    let page = job.replace("_operations/export", "_pages");
    let other = job.replace("/export/", "/import/");
    let below_it = format!("{job}/Patient.ndjson");
    for below in [&forged, &page, &other, &below_it, "/_operations/export/1"] {
        let got = get(&confined, "system/*.rs", "app", below).await;
        assert_eq!(got.status, 404, "{below}: {}", got.text);
        assert_eq!(got.json()["issue"][0]["code"], "not-found");
    }
    let token = confined.token("system/*.rs", "1", "other");
    let cancel = confined.send(&token, Request::delete(format!("/r4{job}"))).await;
    assert_eq!(cancel.status, 404, "{}", cancel.text);
    let asked = confined.server.asked().len();
    assert_eq!(asked, 1, "nothing of it has reached the server");
    confined.clock.advance(7 * 24 * 60 * 60);
    let now = UnixTime::from_secs(NOW + 7 * 24 * 60 * 60);
    let token = confined.issuer.token_at(now).claim("aud", BASE).claim("sub", "app");
    let token = token.claim("scope", "system/*.rs").sign().unwrap();
    let late = confined.send(&token, Request::get(format!("/r4{job}"))).await;
    assert_eq!(late.status, 404, "{}", late.text);
}

#[tokio::test]
async fn an_export_is_ended_by_its_owner_whatever_the_token_holds_and_is_404_then() {
    let confined = Confined::before(exporter()).await;
    let job = begun(&get(&confined, "system/*.rs", "app", "/$export").await);
    let token = confined.token("patient/Observation.r", "1", "app");
    let cancel = || Request::delete(format!("/r4{job}"));
    let got = confined.send(&token, cancel()).await;
    assert_eq!(got.status, 202, "{}", got.text);
    assert_eq!(
        confined.server.asked().last().unwrap().0,
        "DELETE /r4/$export-poll-status?_jobId=7"
    );
    // The upstream server knows it no more.
    let over = Careless::default().answering("/$export-poll-status?_jobId=7", 404, "{\"mark\":1}");
    let confined = Confined { server: over, ..confined };
    let token = confined.token("system/*.rs", "1", "app");
    for request in [cancel(), Request::get(format!("/r4{job}"))] {
        let got = confined.send(&token, request).await;
        assert_eq!(got.status, 404, "{}", got.text);
        assert!(!got.text.contains("mark"), "{}", got.text);
    }
}

#[tokio::test]
async fn what_may_not_be_exported_does_not_begin() {
    let confined = Confined::before(exporter()).await;
    let narrow = "system/Observation.rs system/Condition.r";
    for (scope, below, status) in [
        (narrow, "/$export?_type=Condition", 403),
        (narrow, "/$export?_type=Observation,Condition", 403),
        (narrow, "/$export?_type=Observation&_type=Condition", 403),
        (narrow, "/$export?_type=Unheard", 403),
        ("system/*.rs", "/$export?_type=Unheard", 400),
        (narrow, "/Patient/$export", 403),
        (narrow, "/$export?unheard-of=x", 403),
        (narrow, "/$export?_typeFilter=Condition%3Fcode%3Dx", 403),
        (narrow, "/$export?_typeFilter=Observation%3Fsubject.name%3Dx", 403),
        (narrow, "/$export?_typeFilter=Observation%3Fcode%3Dx", 202),
        (narrow, "/$export?_type=Observation&_outputFormat=ndjson&_format=json", 202),
        ("system/*.rs", "/$export?unheard-of=x", 202),
        ("patient/*.rs user/*.rs", "/$export", 403),
        ("system/Observation.rs?status=final", "/$export", 403),
        ("system/*.r", "/$export", 403),
    ] {
        let before = confined.server.asked().len();
        let got = get(&confined, scope, "app", below).await;
        assert_eq!(got.status, status, "{scope} {below}: {}", got.text);
        let asked = confined.server.asked().len() - before;
        assert_eq!(asked, usize::from(status == 202), "{scope} {below}");
    }
    let token = confined.token("system/*.rs", "1", "app");
    let head = confined.send(&token, Request::head("/r4/$export")).await;
    assert_eq!(head.status, 400, "HEAD does not start an export");
    // Of nobody it could be nobody's.
    let loose = Confined::trusting(exporter(), Default::default(), |issuer| {
        issuer.required_claims(std::iter::empty::<&str>())
    })
    .await;
    let token = loose.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
    let token = token.claim("scope", "system/*.rs").claim("sub", json!(null)).sign().unwrap();
    let got = loose.send(&token, Request::get("/r4/$export")).await;
    assert_eq!((got.status.as_u16(), loose.server.asked().len()), (400, 0), "{}", got.text);
}

#[tokio::test]
async fn the_types_of_an_export_are_named_once_and_its_form_is_not_asked_for() {
    let several =
        "system/Patient.rs system/Observation.rs system/Organization.rs system/ValueSet.rs";
    for (scope, below, asked) in [
        (
            "system/Observation.rs",
            "/$export?_type=Observation,Observation&_format=json&_type=Observation",
            "/$export?_type=Observation",
        ),
        ("system/*.rs", "/$export?_type=Patient&_type=Patient", "/$export?_type=Patient"),
        (several, "/$export", "/$export?_type=Observation%2COrganization%2CPatient%2CValueSet"),
        // What is about no patient, and belongs to none that all patients share, is in none of theirs.
        (
            several,
            "/Patient/$export",
            "/Patient/$export?_type=Observation%2COrganization%2CPatient",
        ),
    ] {
        let confined = Confined::before(exporter()).await;
        begun(&get(&confined, scope, "app", below).await);
        let (line, _) = confined.server.asked().last().cloned().unwrap();
        assert_eq!(line, format!("GET /r4{asked}"), "{scope} {below}");
    }
}

#[tokio::test]
async fn the_query_of_an_export_has_at_most_8_kib() {
    let confined = Confined::before(exporter()).await;
    for (length, status) in [(8192, 202), (8193, 400)] {
        let query = format!("_since={}", "1".repeat(length - "_since=".len()));
        let got = get(&confined, "system/*.rs", "app", &format!("/$export?{query}")).await;
        assert_eq!(got.status, status, "{length}: {}", got.text);
    }
    assert_eq!(confined.server.asked().len(), 1);
}

#[tokio::test]
async fn an_export_by_post_is_of_the_types_of_its_body_too() {
    for (method, count) in [("GET", 1), ("POST", 2)] {
        let confined = Confined::before(exporter()).await;
        let token = confined.token("system/*.rs", "1", "app");
        let request = Request::builder().method(method).uri("/r4/$export?_type=Observation");
        let request = request.header("content-type", "application/fhir+json");
        let job = begun(&confined.send_with(&token, request, "{}").await);
        assert_eq!(confined.server.asked()[0].0, format!("{method} /r4/$export?_type=Observation"));
        get(&confined, "system/*.rs", "app", &job).await;
        let manifest = get(&confined, "system/*.rs", "app", &job).await.json();
        assert_eq!(files(&manifest, "output").len(), count, "{method}: {manifest}");
    }
}

#[tokio::test]
async fn what_the_server_behind_calls_an_export_is_refused_whatever_was_granted() {
    let confined = Confined::ruled(exporter(), |_| authenticated()).await;
    let got = get(&confined, "", "app", "/$export-poll-status?_jobId=7").await;
    assert_eq!((got.status.as_u16(), confined.server.asked().len()), (403, 0), "{}", got.text);
}

#[tokio::test]
async fn an_export_by_post_needs_every_type_for_its_body_may_name_others() {
    let confined = Confined::before(exporter()).await;
    for (scope, status) in [("system/Observation.rs", 403), ("system/*.rs", 202)] {
        let token = confined.token(scope, "1", "app");
        let request = Request::post("/r4/$export").header("content-type", "application/fhir+json");
        let got = confined.send_with(&token, request, "{\"resourceType\":\"Parameters\"}").await;
        assert_eq!(got.status, status, "{scope}: {}", got.text);
    }
    let (line, body) = confined.server.asked().last().cloned().unwrap();
    assert_eq!((&*line, &*body), ("POST /r4/$export", "{\"resourceType\":\"Parameters\"}"));
    assert_eq!(confined.server.asked().len(), 1);
    // By `GET` it has none that anybody would have judged.
    let token = confined.token("system/Observation.rs", "1", "app");
    let got = confined.send_with(&token, Request::get("/r4/$export"), "{}").await;
    assert_eq!(got.status, 202, "{}", got.text);
    assert_eq!(confined.server.asked().last().unwrap().1, "");
}

#[tokio::test]
async fn a_status_address_that_leads_elsewhere_is_502_and_never_asked() {
    for at in ["https://elsewhere.example.org/r4/status", "/admin", "../admin", ""] {
        let server = Careless::default().answering_by(move |_| {
            let response = Response::builder().status(202).header("content-location", at);
            Some(response.body(Full::default()).unwrap())
        });
        let confined = Confined::before(server).await;
        let got = get(&confined, "system/*.rs", "app", "/$export").await;
        assert_eq!(got.status, 502, "{at}: {}", got.text);
        assert!(!got.text.contains("elsewhere"), "{}", got.text);
        assert_eq!(confined.server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_of_the_server_keeps_its_status_and_its_code() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"too-costly","diagnostics":"mark"}]}"#;
    for (status, told) in [(429, 429), (500, 500), (200, 502), (401, 502), (302, 502)] {
        let server = Careless::default().answering_by(move |_| {
            Some(Response::builder().status(status).body(Full::from(outcome)).unwrap())
        });
        let got = get(&Confined::before(server).await, "system/*.rs", "app", "/$export").await;
        assert_eq!(got.status, told, "{status}: {}", got.text);
        assert!(!got.text.contains("mark"), "{}", got.text);
    }
}

#[tokio::test]
async fn files_of_an_export_that_was_ended_are_404_also_where_the_server_behind_still_has_them() {
    let mut confined = Confined::before(exporter()).await;
    let scope = "system/Observation.rs";
    let job = begun(&get(&confined, scope, "app", "/$export").await);
    get(&confined, scope, "app", &job).await;
    let manifest = get(&confined, scope, "app", &job).await.json();
    let all: Vec<String> =
        ["output", "deleted", "error"].iter().flat_map(|of| files(&manifest, of)).collect();
    assert_eq!(all.len(), 3);
    for (status, told) in [(404, 404), (410, 404), (202, 200), (200, 200), (503, 503), (401, 502)] {
        let serving = exporter().answering_by(move |line| {
            let is_status = line == "GET /r4/$export-poll-status?_jobId=7";
            let status = if is_status { status } else { 200 };
            let body = if is_status { "{\"mark\":1}" } else { OBSERVATIONS };
            Some(Response::builder().status(status).body(Full::from(body)).unwrap())
        });
        confined.server = serving;
        for below in &all {
            let got = get(&confined, scope, "app", below).await;
            assert_eq!(got.status, told, "{status} {below}: {}", got.text);
            assert!(!got.text.contains("mark"), "{}", got.text);
        }
    }
}

/// The addresses of the first file of resources, of deletions and of errors, of an export that is over.
async fn first_files(confined: &Confined, scope: &str) -> [String; 3] {
    let job = begun(&get(confined, scope, "app", "/$export").await);
    let mut got = get(confined, scope, "app", &job).await;
    if got.status == 202 {
        got = get(confined, scope, "app", &job).await;
    }
    let manifest = got.json();
    ["output", "deleted", "error"].map(|of| files(&manifest, of).swap_remove(0))
}

#[tokio::test]
async fn what_is_no_file_of_an_export_is_not_passed_on() {
    let mut confined = Confined::before(exporter()).await;
    let scope = "system/*.rs";
    let [file, ..] = first_files(&confined, scope).await;
    for (status, (name, value), told) in [
        (200, ("content-type", "application/fhir+ndjson"), 200),
        (200, ("content-type", "application/fhir+json; charset=utf-8"), 502),
        (200, ("content-encoding", "gzip"), 502),
        (206, ("content-range", "bytes 0-1/9"), 502),
        (404, ("content-type", "text/plain"), 404),
        (410, ("content-type", "text/plain"), 404),
        (500, ("content-type", "text/plain"), 500),
    ] {
        confined.server = exporter().answering_by(move |line| {
            let response = match line {
                "GET /r4/Binary/o" => Response::builder().status(status).header(name, value),
                _ => Response::builder(),
            };
            Some(response.body(Full::from("{\"mark\":1}")).unwrap())
        });
        let got = get(&confined, scope, "app", &file).await;
        assert_eq!(got.status, told, "{status} {value}: {}", got.text);
        assert_eq!(got.text.contains("mark"), told == 200, "{status} {value}: {}", got.text);
    }
}

/// Reports whether the upstream server is told that its answer is read by line.
async fn is_read_by_line(confined: &Confined, scope: &str, below: &str) -> bool {
    let is_marked = Arc::new(AtomicBool::new(false));
    let (marked, server) = (Arc::clone(&is_marked), confined.server.service());
    let noting = tower::service_fn(move |request: Asked| {
        marked.fetch_or(request.extensions().get::<ReadByLine>().is_some(), Ordering::Relaxed);
        server.clone().oneshot(request)
    });
    let token = confined.token(scope, "1", "app");
    let request = Request::get(format!("/r4{below}"));
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let response = confined.layer.layer(noting).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "{below}");
    is_marked.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_file_of_which_lines_are_left_out_is_asked_for_as_one_that_is_read_by_line() {
    let confined = Confined::before(exporter()).await;
    for (scope, expected) in
        [("system/*.rs", [false, false, true]), ("system/Observation.rs", [true, true, true])]
    {
        let files = first_files(&confined, scope).await;
        for (file, expected) in files.iter().zip(expected) {
            assert_eq!(is_read_by_line(&confined, scope, file).await, expected, "{scope} {file}");
        }
    }
}

#[tokio::test]
async fn a_status_address_that_would_be_too_long_here_is_502() {
    for (length, status) in [(1_000, 202), (50_000, 502)] {
        let at = format!("{BASE}/$export-poll-status?_jobId={}", "7".repeat(length));
        let server = Careless::default().answering_by(move |_| {
            let response = Response::builder().status(202).header("content-location", &at);
            Some(response.body(Full::default()).unwrap())
        });
        let confined = Confined::before(server).await;
        let got = get(&confined, "system/*.rs", "app", "/$export").await;
        assert_eq!(got.status, status, "{length}: {}", got.text);
    }
}
