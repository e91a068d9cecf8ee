//! The page at the root of the demo, and the authorization code that people sign in by.

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::{Value, json};

use crate::support::{Example, Fhir, command};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The demo, as its page knows it.
struct Demo {
    _server: Example,
    /// Without a slash at its end.
    origin: String,
    described: Value,
    client: Client,
}

impl Demo {
    async fn start() -> Self {
        let start = || Example::start(command("fhir_server", &["--listen", "127.0.0.1:0"]));
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        let origin = server.base.strip_suffix("/fhir").unwrap().to_owned();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let described = client.get(format!("{origin}/demo.json")).send().await.unwrap();
        let described = described.json().await.unwrap();
        Self { _server: server, origin, described, client }
    }

    fn endpoint(&self, name: &str) -> &str {
        self.described[format!("{name}_endpoint")].as_str().unwrap()
    }

    /// The parameters of a request that is granted.
    fn request(&self) -> Vec<(&'static str, String)> {
        vec![
            ("response_type", "code".to_owned()),
            ("client_id", "page".to_owned()),
            ("redirect_uri", format!("{}/", self.origin)),
            ("scope", "offline_access patient/*.rs patient/Patient.rs user/*.rs".to_owned()),
            ("state", "a state".to_owned()),
            ("aud", format!("{}/fhir", self.origin)),
            ("code_challenge", CHALLENGE.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }

    fn authorize(&self, request: &[(&str, String)]) -> Url {
        Url::parse_with_params(self.endpoint("authorization"), request).unwrap()
    }

    /// Amara signs in.
    async fn choose(&self, request: &[(&str, String)]) -> Response {
        let chosen = self.client.post(self.authorize(request));
        chosen.form(&[("person", "amara")]).send().await.unwrap()
    }

    async fn code(&self) -> String {
        let answer = self.choose(&self.request()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        parameter(answer.headers(), "code").unwrap()
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.client.post(self.endpoint("token")).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn exchange(&self, code: &str) -> (u16, Value) {
        let redirect = format!("{}/", self.origin);
        self.token(&sound(code, &redirect)).await
    }

    async fn explain(&self, question: &Value) -> Response {
        let url = format!("{}/explain", self.origin);
        self.client.post(url).json(question).send().await.unwrap()
    }
}

fn location(headers: &HeaderMap) -> Url {
    headers["location"].to_str().unwrap().parse().unwrap()
}

fn parameter(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = location(headers);
    let mut pairs = pairs.query_pairs();
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn the_page_is_at_the_root_of_the_demo_and_loads_nothing_from_elsewhere() {
    let demo = Demo::start().await;
    let issuer = demo.described["issuer"].as_str().unwrap();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/demo.json", "application/json"),
    ] {
        let url = format!("{}{path}", demo.origin);
        let answer = demo.client.get(url).send().await.unwrap();
        let headers = answer.headers();
        assert_eq!(
            (answer.status().as_u16(), &headers["content-type"]),
            (200, &kind.parse().unwrap())
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains(&format!("connect-src 'self' {issuer};")), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
    let page = demo.client.get(&demo.origin).send().await.unwrap().text().await.unwrap();
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("style="));
}

#[tokio::test]
async fn the_page_answers_to_its_own_name_alone() {
    let demo = Demo::start().await;
    for (path, expected) in [("/", 307), ("/demo.json", 421), ("/page.js", 421)] {
        let request = demo.client.get(format!("{}{path}", demo.origin));
        let answer = request.header("host", "rebound.example").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{path}");
    }
    // A form of another site has no such type; its script would have to ask first, and gets no answer.
    let url = format!("{}/explain", demo.origin);
    let plain = demo.client.post(&url).header("content-type", "text/plain").body("{}");
    assert_eq!(plain.send().await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn no_other_configuration_has_the_page_or_explains() {
    let fhir = Fhir::start("scopes", &[]).await;
    let start =
        || Example::start(command("fhir_server", &["--unprotected", "--listen", "127.0.0.1:0"]));
    let unprotected = tokio::task::spawn_blocking(start).await.unwrap();
    let client = Client::new();
    for path in ["/", "/demo.json", "/explain", "/page.js"] {
        let at = |base: &str| format!("{}{path}", base.rsplit_once('/').unwrap().0);
        let answer = client.get(at(&fhir.server.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        let answer = client.get(at(&unprotected.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_question_gets_every_check_of_each_request_and_never_the_token() {
    let demo = Demo::start().await;
    let (_, answer) = demo.exchange(&demo.code().await).await;
    let token = answer["access_token"].as_str().unwrap();
    let request = |path: &str| json!({"method": "GET", "path": path});
    let asked = [request("/Patient/1"), request("/Patient/2"), request("/metadata")];
    let answer = demo.explain(&json!({"token": token, "requests": asked})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(!text.contains(token));
    let explained: Value = serde_json::from_str(&text).unwrap();
    let verdicts = [0, 1, 2].map(|place| explained[place]["verdict"].as_str().unwrap());
    assert_eq!(verdicts, ["accepted", "refused", "accepted"]);
    assert_eq!(explained[2]["public"], true);
    let failed = explained[1]["checks"].as_array().unwrap();
    let failed = failed.iter().find(|check| check["outcome"] == "failed").unwrap();
    assert!(failed["summary"].is_string() && failed["advice"].is_array(), "{failed}");

    let many = vec![request("/Patient/1"); 65];
    for (question, expected) in [
        (json!({"token": "a\u{7f}", "requests": [request("/Patient/1")]}), 400),
        (json!({"requests": [{"method": "GET /", "path": "/Patient/1"}]}), 400),
        (json!({"requests": many}), 413),
        (json!({"token": "a".repeat(200_000), "requests": []}), 413),
    ] {
        assert_eq!(demo.explain(&question).await.status().as_u16(), expected);
    }
}

#[tokio::test]
async fn somebody_signs_in_by_a_code_and_is_granted_what_they_may_have() {
    let demo = Demo::start().await;
    let asked = demo.client.get(demo.authorize(&demo.request()));
    let asked = asked.send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK);
    let policy = asked.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"),
        "{policy}"
    );

    let chosen = demo.choose(&demo.request()).await;
    let headers = chosen.headers();
    assert!(location(headers).as_str().starts_with(&format!("{}/?", demo.origin)));
    assert_eq!(parameter(headers, "state").as_deref(), Some("a state"));
    assert_eq!(parameter(headers, "iss").as_deref(), demo.described["issuer"].as_str());
    let (status, answer) = demo.exchange(&parameter(headers, "code").unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    // Of a patient, who has no rights of a user.
    assert_eq!(answer["scope"], "offline_access patient/*.rs patient/Patient.rs");
    assert_eq!((&answer["patient"], &answer["token_type"]), (&json!("1"), &json!("Bearer")));

    // Fewer scopes of the same grant, never more; and a refresh token serves once.
    let refresh = |token: &Value, scope: &'static str| {
        let token = token.as_str().unwrap().to_owned();
        let demo = &demo;
        async move {
            let client = [("grant_type", "refresh_token"), ("client_id", "page")];
            let form = [client[0], client[1], ("refresh_token", &token), ("scope", scope)];
            demo.token(&form).await
        }
    };
    let (status, fewer) = refresh(&answer["refresh_token"], "patient/Patient.rs").await;
    assert_eq!((status, &fewer["scope"]), (200, &json!("patient/Patient.rs")));
    let (status, all) = refresh(&fewer["refresh_token"], "patient/*.rs").await;
    assert_eq!(status, 200, "{all}");
    let (_, again) = refresh(&fewer["refresh_token"], "patient/*.rs").await;
    assert_eq!(again["error"], "invalid_grant");
    let (_, ended) = refresh(&all["refresh_token"], "patient/*.rs").await;
    assert_eq!(ended["error"], "invalid_grant", "one of two has stolen it");
    let (_, answer) = demo.exchange(&demo.code().await).await;
    let (_, more) = refresh(&answer["refresh_token"], "user/*.rs").await;
    assert_eq!(more["error"], "invalid_scope");
    let (status, own) = refresh(&answer["refresh_token"], "patient/*.rs").await;
    assert_eq!(status, 200, "a token that was refused is not used up: {own}");
}

#[tokio::test]
async fn an_authorization_request_is_granted_by_the_letter_alone() {
    let demo = Demo::start().await;
    let with = |name: &str, value: &str| {
        let mut request = demo.request();
        request.retain(|(found, _)| *found != name);
        if !value.is_empty() {
            let name = demo.request().into_iter().find(|(found, _)| *found == name).unwrap().0;
            request.push((name, value.to_owned()));
        }
        request
    };
    // Nobody is sent anywhere.
    let near = [demo.origin.clone(), format!("{}/page", demo.origin), String::new()];
    let near = near.iter().map(|uri| ("redirect_uri", &**uri));
    for (name, value) in near.chain([("client_id", "other"), ("client_id", "")]) {
        let answer = demo.choose(&with(name, value)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{name}={value}");
        assert!(!answer.headers().contains_key("location"));
    }
    let mut twice = demo.request();
    twice.push(("redirect_uri", "https://elsewhere.example".to_owned()));
    assert_eq!(demo.choose(&twice).await.status(), StatusCode::BAD_REQUEST);
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("aud", "https://other.example.org", "invalid_target"),
        ("scope", "system/*.rs", "invalid_scope"),
    ] {
        let answer = demo.choose(&with(name, value)).await;
        assert_eq!(parameter(answer.headers(), "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(parameter(answer.headers(), "code"), None);
    }
}

/// The form by which the page exchanges a code.
fn sound<'a>(code: &'a str, redirect: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "page"),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
    ]
}

#[tokio::test]
async fn a_code_needs_its_verifier_and_serves_once_and_no_other_site_reads_a_token() {
    let demo = Demo::start().await;
    let redirect = format!("{}/", demo.origin);
    for (place, value, error) in [
        (1, "reader", "invalid_client"),
        (2, "a.b", "invalid_grant"),
        (3, "http://127.0.0.1/", "invalid_grant"),
        (4, CHALLENGE, "invalid_grant"),
    ] {
        let code = demo.code().await;
        let mut form = sound(&code, &redirect);
        form[place].1 = value;
        let (_, answer) = demo.token(&form).await;
        assert_eq!(answer["error"], error, "{form:?}");
    }
    let code = demo.code().await;
    let (_, answer) =
        demo.token(&[&sound(&code, &redirect)[..], &[("client_secret", "demo")]].concat()).await;
    assert_eq!(answer["error"], "invalid_client", "a public client has no secret");
    assert_eq!(demo.exchange(&code).await.0, 200);
    assert_eq!(demo.exchange(&code).await.1["error"], "invalid_grant");

    for origin in [demo.origin.as_str(), "https://elsewhere.example"] {
        let request = demo.client.post(demo.endpoint("token")).header("origin", origin);
        let form = [("grant_type", "client_credentials"), ("client_id", "x")];
        let answer = request.form(&form).send().await.unwrap();
        let allowed = answer.headers().get("access-control-allow-origin").unwrap();
        assert_eq!(allowed, &*demo.origin, "what a browser compares with {origin}");
    }
}

#[tokio::test]
async fn no_other_site_talks_to_the_provider() {
    let demo = Demo::start().await;
    let issuer = demo.described["issuer"].as_str().unwrap();
    let rotate = demo.described["rotate"].as_str().unwrap();
    for (host, status) in [
        ("evil.example", 421),
        ("evil.example:1", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:1", 200),
        ("[::1]", 200),
    ] {
        let request = demo.client.get(format!("{issuer}/jwks")).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), status, "{host}");
        let request = demo.client.post(rotate).header("host", host);
        let expected = if status == 200 { 204 } else { status };
        assert_eq!(request.send().await.unwrap().status(), expected, "{host}");
    }
    let own = demo.origin.as_str();
    for (headers, status) in [
        (&[][..], 204),
        (&[("origin", own), ("sec-fetch-site", "same-site")], 204),
        (&[("origin", issuer)], 204),
        (&[("origin", "null"), ("sec-fetch-site", "same-origin")], 204),
        (&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
    ] {
        let request = demo.client.post(rotate);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(request.send().await.unwrap().status(), status, "{headers:?}");
    }
}

/// The page says of its button that tokens of the key before serve on until the next rotation.
#[tokio::test]
async fn a_rotation_by_hand_withdraws_the_key_before_the_last() {
    let demo = Demo::start().await;
    let issuer = demo.described["issuer"].as_str().unwrap();
    let published = async || -> Vec<String> {
        let keys = demo.client.get(format!("{issuer}/jwks")).send().await.unwrap();
        let keys: Value = keys.json().await.unwrap();
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    };
    let rotate = demo.described["rotate"].as_str().unwrap();
    for expected in [&["demo-1"][..], &["demo-2", "demo-1"], &["demo-3", "demo-2"]] {
        assert_eq!(published().await, expected);
        assert_eq!(demo.client.post(rotate).send().await.unwrap().status(), 204);
    }
}
