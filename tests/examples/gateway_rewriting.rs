//! Addresses on their way through the gateway, in what is not judged.

use serde_json::{Value, json};

use crate::careless_server::Careless;
use crate::gateway::{Gateway, json_of};
use crate::support::BASE;

#[tokio::test(flavor = "multi_thread")]
async fn parameters_mean_resources_of_this_server_and_never_by_the_base_of_the_one_behind() {
    let careless = Careless::start().await;
    for sections in
        ["", "confine = \"upstream\"\nauthorization = \"relay\"", "confine = \"nobody\""]
    {
        let gateway = Gateway::before(&careless.base, sections).await;
        let behind = format!("{}/Encounter/1", careless.base);
        let asked = format!("subject={BASE}/Patient/1,Patient/2&encounter={behind}&_count=5");
        let sent = "subject=Patient%2F1%2CPatient%2F2\
                    &encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F1&_count=5";
        let found = gateway.get("system/*.rs", &format!("/Observation?{asked}")).await;
        assert_eq!(found.status(), 200, "{sections}");
        assert_eq!(careless.last().line, format!("GET /fhir/Observation?{sent}"), "{sections}");
        let request = gateway.request("POST", "system/*.rs", "/Observation/_search");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(request.body(asked.clone()).send().await.unwrap().status(), 200, "{sections}");
        assert_eq!(careless.last().body, sent, "{sections}");
        assert_eq!(careless.last().headers["content-length"], sent.len().to_string());
        let request = gateway.request("POST", "system/*.cruds", "/Observation");
        let request = request.header("content-type", "application/fhir+json").body("{}");
        let created = request.header("if-none-exist", &asked).send().await.unwrap();
        assert_eq!(created.status(), 201, "{sections}");
        assert_eq!(careless.last().headers["if-none-exist"], sent, "{sections}");
        let long = gateway.request("POST", "system/*.rs", "/Observation/_search");
        let long = long.form(&[("code", "x".repeat(70_000))]).send().await.unwrap();
        assert_eq!(long.status(), 413, "{sections}");
        assert!(long.text().await.unwrap().contains("too-long"), "{sections}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_clients_know_go_on_as_relative_ones() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let foreign = format!("{}/Patient/1", careless.base);
    for padding in [0, 200_000] {
        let text = format!(
            "{{\"subject\":{{\"reference\":\"{BASE}/Patient/1\"}},\"valueDecimal\":1.50,\
             \"focus\":{{\"reference\":\"{foreign}\"}},\"note\":\"{BASE}/Patient/1{}\"}}",
            "x".repeat(padding)
        );
        let request = gateway.request("POST", "system/*.cruds", "/Observation");
        let request = request.header("content-type", "application/fhir+json; charset=utf-8");
        let request = request.header("if-none-exist", format!("subject={BASE}/Patient/1"));
        assert_eq!(request.body(text.clone()).send().await.unwrap().status(), 201);
        let asked = careless.last();
        let local = text.replacen(&format!("{BASE}/Patient/1"), "Patient/1", 1);
        let local = local.replace(&foreign, "https://foreign.invalid/Patient/1");
        assert_eq!(asked.body, local);
        assert_eq!(asked.headers.contains_key("content-length"), padding == 0, "short ones");
        assert_eq!(asked.headers["if-none-exist"], "subject=Patient%2F1");
    }
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"fullUrl": format!("{BASE}/Patient/1"), "resource": {"resourceType": "Patient"},
         "request": {"method": "PUT", "url": format!("{BASE}/Patient/1")}}]});
    let told = "confine = \"upstream\"\nauthorization = \"relay\"";
    let trusting = Gateway::before(&careless.base, told).await;
    let request = trusting.request("POST", "system/*.cruds", "").json(&bundle);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let sent: Value = serde_json::from_str(&careless.last().body).unwrap();
    assert_eq!(sent["entry"][0]["request"]["url"], "Patient/1");
    assert_eq!(
        sent["entry"][0]["fullUrl"],
        format!("{BASE}/Patient/1"),
        "a name within the bundle"
    );
    // XML, and the bytes of a Binary, are nobody's to change.
    for (path, kind) in [
        ("/Observation", "application/fhir+xml"),
        ("/Binary", "application/json"),
        ("/Binary", "text/plain"),
    ] {
        let text = format!("{{\"reference\":\"{BASE}/Patient/1\"}}");
        let request = gateway.request("POST", "system/*.cruds", path).header("content-type", kind);
        request.body(text.clone()).send().await.unwrap();
        assert_eq!(careless.last().body, text, "{path} {kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_lead_elsewhere_are_left_out_of_what_streams() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let bundle = json_of(gateway.get("system/*.rs", "/Basic").await).await;
    let relations = bundle["link"].as_array().unwrap().iter();
    let links: Vec<_> = relations
        .map(|link| (link["relation"].as_str().unwrap(), link["url"].as_str().unwrap()))
        .collect();
    let expected = [
        ("self", format!("{BASE}/Basic")),
        ("first", format!("{BASE}/Basic?_page=0")),
        ("last", format!("{BASE}?_page=9")),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(relation, url)| (*relation, url.as_str())).collect();
    assert_eq!(links, expected);
    assert!(!bundle.to_string().contains("elsewhere"), "{bundle}");
    let answer = gateway.get("system/*.rs", "/Basic").await.text().await.unwrap();
    assert!(answer.contains("\"valueDecimal\":1.500"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provenance_in_a_header_needs_the_right_to_create_it() {
    let careless = Careless::start().await;
    for sections in ["", "confine = \"upstream\"\nauthorization = \"relay\""] {
        let gateway = Gateway::before(&careless.base, sections).await;
        let provenance = format!(
            "{{\"resourceType\":\"Provenance\",\"target\":[{{\"reference\":\"{BASE}/Patient/1\"}}]}}"
        );
        for (scope, status) in [
            ("system/Observation.c", 403),
            ("system/Observation.c patient/Provenance.c", 403),
            ("system/Observation.c system/Provenance.c?patient=Patient/1", 403),
            ("system/*.cruds", 201),
        ] {
            let asked = careless.asked().len();
            let request = gateway.request("POST", scope, "/Observation").body("{}");
            let request = request.header("x-provenance", &provenance).send().await.unwrap();
            assert_eq!(request.status(), status, "{sections} {scope}");
            assert_eq!(careless.asked().len() - asked, usize::from(status == 201), "{scope}");
        }
        let sent = careless.last().headers["x-provenance"].clone();
        assert_eq!(sent, provenance.replace(&format!("{BASE}/"), ""));
        // By a name that some servers read as the same it is judged, or does not go on.
        let request = gateway.request("POST", "system/Observation.c", "/Observation").body("{}");
        let judged = ["if_none_exist", "if_match", "content_type", "content_encoding"];
        let request = request.header("x_provenance", &provenance);
        let request = judged.iter().fold(request, |request, name| request.header(*name, "a=b"));
        let is_judged = sections.is_empty();
        let expected = if is_judged { 403 } else { 201 };
        assert_eq!(request.send().await.unwrap().status(), expected, "{sections}");
        let sent = careless.last().headers;
        for name in judged.into_iter().chain(["x_provenance"]) {
            assert!(!sent.contains_key(name), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_written_anew_whoever_confines() {
    let careless = Careless::start().await;
    for sections in
        ["", "confine = \"upstream\"\nauthorization = \"relay\"", "confine = \"nobody\""]
    {
        let gateway = Gateway::before(&careless.base, sections).await;
        let ask = |accept: &'static str| {
            let url = gateway.server.url("/metadata");
            gateway.client.get(url).header("accept", accept).send()
        };
        let statement = json_of(ask("application/fhir+json").await.unwrap()).await;
        assert_eq!(statement["implementation"]["url"], BASE, "{sections}: {statement}");
        assert!(!statement.to_string().contains(&careless.base), "{sections}: {statement}");
        let xml = ask("application/fhir+xml").await.unwrap();
        assert_eq!(xml.status(), 406, "{sections}");
    }
}
