//! Addresses in the parameters of requests: those of this server, and those of the upstream server.

use http::Request;
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::{Confined, records};
use crate::support::BASE;

const BEHIND: &str = "http://server.internal:8081/fhir";

async fn before_another() -> Confined {
    let settings = ConfineSettings::default().upstream_base(BEHIND);
    Confined::with(Careless::with(records()), settings).await
}

#[tokio::test]
async fn addresses_below_the_base_are_sent_relative_and_those_of_the_server_behind_are_foreign() {
    let confined = before_another().await;
    for (scope, parameter, sent) in [
        ("patient/*.rs", format!("subject={BASE}/Patient/1"), Some("subject=Patient%2F1")),
        ("patient/*.rs", format!("encounter={BASE}/Encounter/9"), Some("encounter=Encounter%2F9")),
        (
            "patient/*.rs",
            format!("encounter={BEHIND}/Encounter/9"),
            Some("encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F9"),
        ),
        ("patient/*.rs", format!("subject={BEHIND}/Patient/1"), None),
        ("system/*.rs", format!("subject={BASE}/Patient/2"), Some("subject=Patient%2F2")),
        (
            "system/*.rs",
            format!("subject={BEHIND}/Patient/2"),
            Some("subject=https%3A%2F%2Fforeign.invalid%2FPatient%2F2"),
        ),
        ("system/*.rs", "subject=Patient/2&x=%20".to_owned(), Some("subject=Patient/2&x=%20")),
    ] {
        let before = confined.server.asked().len();
        let got = confined.get(scope, &format!("/Observation?{parameter}")).await;
        assert_eq!(got.status.is_success(), sent.is_some(), "{scope} {parameter}: {}", got.text);
        let asked = confined.server.asked().get(before).map(|(line, _)| line.clone());
        let expected = sent.map(|sent| format!("GET /r4/Observation?{sent}"));
        assert_eq!(asked, expected, "{scope} {parameter}");
        // The same by a form.
        let token = confined.token(scope, "1", "amara");
        let before = confined.server.asked().len();
        let form = Request::post("/r4/Observation/_search")
            .header("content-type", "application/x-www-form-urlencoded");
        let form_text: &'static str = parameter.leak();
        confined.send_with(&token, form, form_text).await;
        let asked = confined.server.asked().get(before).cloned();
        let of_form = |sent: &str| ("POST /r4/Observation/_search".to_owned(), sent.to_owned());
        assert_eq!(asked, sent.map(of_form), "{scope} {form_text}");
    }
}

#[tokio::test]
async fn conditions_of_changes_are_read_in_the_same_way() {
    let confined = before_another().await;
    let token = confined.token("system/*.cruds", "1", "app");
    let address = format!("/r4/Observation?subject={BASE}/Patient/2");
    confined.send_with(&token, Request::put(address), "{}").await;
    assert_eq!(
        confined.server.asked().last().unwrap().0,
        "PUT /r4/Observation?subject=Patient%2F2"
    );
    let create = Request::post("/r4/Observation");
    let create = create.header("if-none-exist", format!("subject={BEHIND}/Patient/2"));
    confined.send_with(&token, create, "{}").await;
    let sent = &confined.server.last_headers()["if-none-exist"];
    assert_eq!(sent, "subject=https%3A%2F%2Fforeign.invalid%2FPatient%2F2");
    // What no standard gives a meaning to, some server may.
    let update = Request::put("/r4/Observation/o1");
    let update = update.header("if-none-exist", format!("subject={BASE}/Patient/2"));
    confined.send_with(&token, update, "{}").await;
    assert_eq!(confined.server.last_headers()["if-none-exist"], "subject=Patient%2F2");
}

#[tokio::test]
async fn a_form_that_has_to_be_read_is_a_plain_one_and_not_too_long() {
    let confined = before_another().await;
    let token = confined.token("system/*.rs", "1", "app");
    let long: &'static str = "a".repeat(64 * 1024 + 1).leak();
    for (media_type, body, status) in
        [("text/plain", "code=x", 415), ("application/x-www-form-urlencoded", long, 413)]
    {
        let form = Request::post("/r4/Observation/_search").header("content-type", media_type);
        let got = confined.send_with(&token, form, body).await;
        assert_eq!(got.status, status, "{media_type}: {}", got.text);
    }
    assert_eq!(confined.server.asked(), []);
}

#[tokio::test]
async fn only_the_form_of_a_search_is_read_and_only_where_the_server_behind_has_another_base() {
    let confined = before_another().await;
    let token = confined.token("system/*.cruds", "1", "app");
    let create = Request::post("/r4/Observation").header("content-type", "application/fhir+json");
    let got = confined.send_with(&token, create, "{}").await;
    assert_eq!(got.status, 200, "{}", got.text);
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("system/*.rs", "1", "app");
    let search = Request::post("/r4/Observation/_search").header("content-type", "text/plain");
    let got = confined.send_with(&token, search, "code=x").await;
    assert_eq!(got.status, 200, "{}", got.text);
    let asked = ("POST /r4/Observation/_search".to_owned(), "code=x".to_owned());
    assert_eq!(confined.server.asked(), [asked]);
}
