//! The answers to changes, as far as they are told.

use http::Response;
use http_body_util::Full;
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::changes::{OWN, sent};
use super::{Confined, observation};
use crate::support::BASE;

#[tokio::test]
async fn a_deletion_that_was_made_is_told_without_what_was_deleted() {
    for (status, expected) in [(200, 204), (202, 202), (204, 204), (201, 502)] {
        let server = Careless::handled_by(move |method, _, _, _| {
            let status = if method == "DELETE" { status } else { 200 };
            let response = Response::builder().status(status).header("etag", "W/\"1\"");
            let response = response.header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
            response.body(Full::from(observation("a1", "1", "laboratory").to_string())).unwrap()
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let got = sent(&confined, OWN, "DELETE", "/Observation/a1", &[], "").await;
        assert_eq!(got.status, expected, "{status}: {}", got.text);
        assert!(!got.text.contains("mark-of"), "{status}: {}", got.text);
        for name in ["etag", "last-modified"] {
            assert!(!got.headers.contains_key(name), "{status} {name}");
        }
        // RFC 9110 section 8.6.
        assert_eq!(got.headers.contains_key("content-length"), expected != 204, "{status}");
    }
}

#[tokio::test]
async fn the_address_of_what_was_created_is_told_where_it_is_one_of_the_type() {
    for (place, is_told) in [
        ("Observation/n", true),
        ("Observation/n/_history/1", true),
        ("Observation/n_1", false),
        ("Observation/n/_history", false),
        ("Observation/n/_history/1/x", false),
        ("Observation/n/x/1", false),
        ("Patient/1", false),
    ] {
        let at = format!("{BASE}/{place}");
        let location = at.clone();
        let server = Careless::handled_by(move |_, _, _, _| {
            let response = Response::builder().status(201).header("location", &location);
            response.body(Full::default()).unwrap()
        });
        let confined = Confined::before(server).await;
        let new = observation("x", "1", "laboratory");
        let got = sent(&confined, OWN, "POST", "/Observation", &[], new).await;
        assert_eq!(got.status, 201, "{place}: {}", got.text);
        let told = got.headers.get("location").map(|value| value.to_str().unwrap());
        assert_eq!(told, is_told.then_some(&*at), "{place}");
    }
}

#[tokio::test]
async fn what_was_there_before_a_creation_is_told_to_whom_it_is_not_hidden() {
    for (scope, prefer, is_told) in [
        (OWN, "return=representation", true),
        // Whose it is, an answer without it does not say.
        (OWN, "return=minimal", false),
        ("system/Observation.cr", "return=minimal", true),
    ] {
        let server = Careless::handled_by(|_, _, _, _| {
            let response = Response::builder().header("etag", "W/\"1\"");
            let response = response.header("location", format!("{BASE}/Observation/a1"));
            response.body(Full::from(observation("a1", "1", "laboratory").to_string())).unwrap()
        });
        let confined = Confined::before(server).await;
        let new = observation("x", "1", "laboratory");
        let got = sent(&confined, scope, "POST", "/Observation", &[("prefer", prefer)], new).await;
        assert_eq!(got.status, 200, "{scope} {prefer}: {}", got.text);
        for name in ["etag", "location"] {
            assert_eq!(got.headers.contains_key(name), is_told, "{scope} {prefer} {name}");
        }
    }
}

#[tokio::test]
async fn who_may_change_every_resource_of_a_type_is_told_that_one_is_not_there() {
    for (status, expected) in [(404, 404), (410, 410), (412, 412)] {
        let server = Careless::handled_by(move |_, _, _, _| {
            Response::builder().status(status).body(Full::from("mark")).unwrap()
        });
        let confined = Confined::before(server).await;
        let body = observation("a1", "1", "laboratory");
        let scope = "system/Observation.cruds";
        let got = sent(&confined, scope, "PUT", "/Observation/a1", &[], body).await;
        assert_eq!(got.status, expected, "{status}: {}", got.text);
        assert!(!got.text.contains("mark"), "{}", got.text);
    }
}
