//! Reads and versions: what is hidden looks as if there were none.

use http::Request;
use serde_json::json;

use super::careless::{Careless, fhir};
use super::{Confined, records};

#[tokio::test]
async fn what_is_hidden_and_what_does_not_exist_get_the_same_answer() {
    let confined = Confined::before(Careless::with(records())).await;
    let own = confined.get("patient/*.rs", "/Observation/a1").await;
    assert_eq!(own.status, 200, "{}", own.text);
    assert_eq!(own.json()["id"], "a1");
    assert_eq!(own.headers["etag"], "W/\"3\"");
    assert_eq!(own.headers["cache-control"], "no-store");
    assert!(own.text.contains("5.4"), "{}", own.text);
    for header in ["x-total-count", "set-cookie"] {
        assert!(!own.headers.contains_key(header), "{header}");
    }
    let absent = confined.get("patient/*.rs", "/Observation/zz").await;
    for below in ["/Observation/a2", "/Observation/a2/_history/1", "/Basic/x", "/Provenance/other"]
    {
        let hidden = confined.get("patient/*.rs", below).await;
        assert_eq!((hidden.status, &hidden.text), (absent.status, &absent.text), "{below}");
        assert_eq!(format!("{:?}", hidden.headers), format!("{:?}", absent.headers), "{below}");
    }
    assert_eq!(absent.status, 404);
    assert!(!absent.text.contains("mark-of"), "{}", absent.text);
    assert_eq!(confined.get("patient/*.rs", "/Observation/b1/_history/1").await.status, 200);
    assert_eq!(confined.get("patient/*.rs", "/Practitioner/p").await.status, 200, "shared");
    assert_eq!(confined.get("patient/*.rs", "/Patient/2").await.status, 403, "by its address");
}

#[tokio::test]
async fn a_constraint_is_held_by_its_definition() {
    let confined = Confined::before(Careless::with(records())).await;
    let scope = "user/Observation.rs?category=laboratory";
    assert_eq!(confined.get(scope, "/Observation/a2").await.status, 200);
    assert_eq!(confined.get(scope, "/Observation/b1").await.status, 404);
    let found = confined.get(scope, "/Observation").await.entries();
    assert_eq!(found, ["Observation/a1", "Observation/a2"]);
}

#[tokio::test]
async fn a_provenance_is_seen_when_each_target_is() {
    let confined = Confined::before(Careless::with(records())).await;
    for (id, status) in [("own", 200), ("other", 404), ("mixed", 404), ("dangling", 404)] {
        let got = confined.get("patient/*.rs", &format!("/Provenance/{id}")).await;
        assert_eq!(got.status, status, "{id}: {}", got.text);
    }
    let found = confined.get("patient/Provenance.rs", "/Provenance").await.entries();
    assert_eq!(found, ["Provenance/own"]);
}

#[tokio::test]
async fn conditions_are_answered_here_and_head_has_no_body() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    let ask = |name: &'static str, value: &'static str| {
        let request = Request::get("/r4/Observation/a1").header(name, value);
        confined.send(&token, request)
    };
    assert_eq!(ask("if-none-match", "\"1\", W/\"3\"").await.status, 304);
    assert_eq!(ask("if-none-match", "\"4\"").await.status, 200);
    let known = ask("if-none-match", "*").await;
    assert_eq!(known.status, 304);
    // Of a 304 they would be those of the 200 (RFC 9110 sections 8.6 and 15.4.5).
    for name in ["content-length", "content-type"] {
        assert!(!known.headers.contains_key(name), "{name}");
    }
    assert_eq!(known.headers["etag"], "W/\"3\"");
    assert_eq!(ask("range", "bytes=0-1").await.status, 200);
    let hidden = Request::get("/r4/Observation/a2").header("if-none-match", "W/\"3\"");
    assert_eq!(confined.send(&token, hidden).await.status, 404);
    let head = confined.send(&token, Request::head("/r4/Observation/a1")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    assert!(head.headers["content-length"].to_str().unwrap().parse::<u64>().unwrap() > 100);
    let head = confined.send(&token, Request::head("/r4/Observation/a2")).await;
    assert_eq!(head.status, 404);
    assert!(confined.server.asked().iter().all(|(address, _)| address.starts_with("GET ")));
}

#[tokio::test]
async fn a_date_is_a_condition_where_no_tag_is() {
    let server = Careless::always(|| {
        let own = json!({"resourceType": "Observation", "id": "a1", "subject": {"reference": "Patient/1"}});
        let mut answer = fhir(&own);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap();
        answer.headers_mut().insert("last-modified", date);
        answer
    });
    let confined = Confined::before(server).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    for (headers, status) in [
        (vec![("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")], 304),
        (vec![("if-modified-since", "Mon, 07 Nov 1994 08:49:37 GMT")], 304),
        (vec![("if-modified-since", "Sat, 05 Nov 1994 08:49:37 GMT")], 200),
        (vec![("if-modified-since", "yesterday")], 200),
        (
            vec![
                ("if-modified-since", "Mon, 07 Nov 1994 08:49:37 GMT"),
                ("if-none-match", "W/\"9\""),
            ],
            200,
        ),
    ] {
        let request = Request::get("/r4/Observation/a1");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(confined.send(&token, request).await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn an_unconfined_token_gets_what_the_server_says() {
    let confined = Confined::before(Careless::with(records())).await;
    let got = confined.get("system/*.rs", "/Observation/a2").await;
    assert_eq!(got.status, 200);
    assert_eq!(got.headers["x-total-count"], "99", "untouched");
    let all = confined.get("system/*.rs", "/Observation").await;
    assert_eq!(all.json()["total"], records().len(), "{}", all.text);
    // Of one type alone: the server's other answers are not for it.
    let got = confined.get("system/Observation.rs", "/Observation").await;
    assert!(got.entries().iter().all(|one| one.starts_with("Observation/")), "{}", got.text);
    assert_eq!(got.entries().len(), 3);
}
