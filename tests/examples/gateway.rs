//! `fhir-auth gateway`, before a server that enforces nothing.

use std::process::Output;
use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;
use tower_fhir_auth::test_util::TestIssuer;

use crate::careless_server::Careless;
use crate::support::{BASE, Example, command, fhir_auth, raw_status};

/// A gateway with an issuer of its own.
pub(crate) struct Gateway {
    pub(crate) server: Example,
    pub(crate) issuer: TestIssuer,
    pub(crate) client: Client,
    /// Of its configuration.
    folder: TempDir,
}

impl Gateway {
    pub(crate) async fn before(upstream: &str, sections: &str) -> Self {
        Self::before_with(upstream, sections, &[]).await
    }

    /// With variables of the environment.
    pub(crate) async fn before_with(
        upstream: &str,
        sections: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::by_file(|issuer| text(issuer, upstream, sections), environment).await
    }

    pub(crate) async fn by_file(
        text: impl FnOnce(&TestIssuer) -> String,
        environment: &[(&str, &str)],
    ) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, text(&issuer)).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let names =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<(String, String)> = names.collect();
        let start = move || {
            let arguments = ["gateway", "--config", &file, "--listen", "127.0.0.1:0"];
            let mut command = fhir_auth(&arguments);
            command.envs(environment);
            Example::start(command)
        };
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        let gateway = Self { server, issuer, client: Client::new(), folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while gateway.get("system/Patient.r", "/Nothing").await.status() == 503 {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        gateway
    }

    /// Has another configuration read.
    pub(crate) fn reload(&self, upstream: &str, sections: &str) {
        let file = self.folder.path().join("gateway.toml");
        std::fs::write(file, text(&self.issuer, upstream, sections)).unwrap();
        self.server.signal("-HUP");
    }

    /// A token of patient 1.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_of("amara %", scope)
    }

    pub(crate) fn token_of(&self, subject: &str, scope: &str) -> String {
        let token = self.issuer.token().claim("aud", BASE).claim("sub", subject);
        token.claim("scope", scope).claim("patient", "1").sign().unwrap()
    }

    pub(crate) fn request(&self, method: &str, scope: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, self.server.url(path)).bearer_auth(self.token(scope))
    }

    pub(crate) async fn get(&self, scope: &str, path: &str) -> Response {
        self.request("GET", scope, path).send().await.unwrap()
    }
}

pub(crate) fn text(issuer: &TestIssuer, upstream: &str, sections: &str) -> String {
    format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
         [upstream]\nurl = \"{upstream}\"\n{sections}\n",
        issuer.url()
    )
}

pub(crate) async fn json_of(response: Response) -> Value {
    assert!(response.status().is_success(), "{response:?}");
    response.json().await.unwrap()
}

fn code(body: &Value) -> &str {
    body["issue"][0]["code"].as_str().unwrap_or_default()
}

fn names(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_stays_behind_page_by_page() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let (mut next, mut seen) = (Some("/Observation".to_owned()), Vec::new());
    while let Some(path) = next {
        let bundle = json_of(gateway.get("patient/*.rs", &path).await).await;
        let written = bundle.to_string();
        assert!(!written.contains("mark-of-2") && bundle.get("total").is_none(), "{written}");
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let full_url = entry["fullUrl"].as_str().unwrap();
            assert!(full_url.starts_with(&format!("{BASE}/")), "{full_url}");
        }
        seen.extend(names(&bundle));
        let links = bundle["link"].as_array().unwrap();
        let link = links.iter().find(|link| link["relation"] == "next");
        next =
            link.map(|link| link["url"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned());
    }
    assert_eq!(seen, ["1", "o10", "o11", "o12"]);
    assert_eq!(gateway.get("patient/*.rs", "/Observation/o20").await.status(), 404);
    assert_eq!(gateway.get("patient/*.rs", "/Patient/2").await.status(), 403);
    let own = json_of(gateway.get("patient/*.rs", "/Observation/o10").await).await;
    assert_eq!(own["subject"]["reference"], format!("{BASE}/Patient/1"));
    for (method, path, expected) in
        [("POST", "/Observation", 400), ("PUT", "/Observation/o10", 403), ("POST", "", 400)]
    {
        let refused =
            gateway.request(method, "patient/*.cruds", path).body("{}").send().await.unwrap();
        assert_eq!(refused.status(), expected, "{method} {path}");
    }
    assert!(careless.asked().iter().all(|asked| asked.line.starts_with("GET /fhir")));
    assert!(
        gateway.client.get(gateway.server.url("/Observation")).send().await.unwrap().status()
            == 401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_look_streams_with_the_addresses_that_clients_know() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let answer = gateway.get("system/*.rs", "/Observation?_page=0&x=%20").await;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert_eq!(answer.headers()["etag"], "W/\"3\"");
    let bundle = json_of(answer).await;
    assert_eq!(bundle["total"], 8, "as it came");
    assert_eq!(bundle["link"][1]["url"], format!("{BASE}?_page=3"));
    assert_eq!(bundle["entry"][1]["fullUrl"], format!("{BASE}/Observation/o10"));
    let note = bundle["entry"][1]["resource"]["note"][0]["text"].as_str().unwrap();
    assert!(note.contains(&careless.base), "only addresses: {note}");
    assert_eq!(careless.last().line, "GET /fhir/Observation?_page=0&x=%20");
    let body = "{\"valueDecimal\":1.50}";
    let created =
        gateway.request("POST", "system/*.cruds", "/Observation").body(body).send().await.unwrap();
    assert_eq!((created.status().as_u16(), careless.last().body.as_str()), (201, body));
    assert_eq!(created.headers()["location"], format!("{BASE}/Observation/new/_history/1"));
    assert!(!created.headers().contains_key("content-location"), "it leads elsewhere");
    assert!(created.text().await.unwrap().contains("1.50"), "decimals keep their digits");
    let head = gateway.request("HEAD", "system/*.rs", "/Patient/2").send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), careless.last().line.as_str()),
        (200, "HEAD /fhir/Patient/2")
    );
    // Another version of the protocol.
    let http2 = Client::builder().http2_prior_knowledge().build().unwrap();
    let request =
        http2.get(gateway.server.url("/Patient/2")).bearer_auth(gateway.token("system/*.rs"));
    let answer = request.send().await.unwrap();
    assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 200));
    let host = careless.base.trim_start_matches("http://").trim_end_matches("/fhir");
    assert_eq!(careless.last().headers["host"], host);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_caller_is_is_said_by_the_gateway_alone() {
    let careless = Careless::start().await;
    let told = "authorization = \"relay\"\n\
                headers = { issuer = \"x-issuer\", subject = \"x-subject\", patient = \"x-patient\", \
                scopes = \"x-scopes\", fhir_user = \"X-User\" }";
    let gateway = Gateway::before(&careless.base, told).await;
    let forged = |request: RequestBuilder| {
        let names = [
            "x-issuer",
            "X_Issuer",
            "x-subject",
            "X_PATIENT",
            "x-user",
            "x-forwarded-for",
            "X_Forwarded_Host",
            "forwarded",
            "x-original-url",
            "x-rewrite-url",
            "x-http-method-override",
            "x_http_method_override",
            "x-hop",
            "proxy-authorization",
            "te",
            "accept-encoding",
        ];
        let request = request.header("connection", "x-hop");
        names.into_iter().fold(request, |request, name| request.header(name, "forged"))
    };
    let own = gateway.token("system/*.rs user/*.rs");
    for scope in ["system/*.rs user/*.rs", "patient/*.rs"] {
        let request =
            gateway.request("GET", scope, "/Observation/o10").header("x-request-id", "kept");
        assert_eq!(forged(request).send().await.unwrap().status(), 200);
        let headers = careless.last().headers;
        assert_eq!(headers["x-issuer"], gateway.issuer.url());
        assert_eq!(headers["x-subject"], "amara %25");
        assert_eq!(
            (&headers["x-patient"], &headers["x-user"]),
            (&"1".parse().unwrap(), &"".parse().unwrap())
        );
        assert_eq!(headers["x-scopes"], scope);
        assert_eq!(
            (&headers["x-request-id"], &headers["x-forwarded-for"]),
            (&"kept".parse().unwrap(), &"127.0.0.1".parse().unwrap())
        );
        assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer ey"));
        assert!(!format!("{headers:?}").contains("forged"), "{headers:?}");
    }
    // Where nobody is judged nobody is told, and no token is passed on.
    let public = forged(gateway.client.get(gateway.server.url("/health?access_token=secret&a=1")));
    assert_eq!(public.bearer_auth(own).send().await.unwrap().status(), 200);
    let asked = careless.last();
    assert_eq!(asked.line, "GET /fhir/health?a=1");
    assert_eq!(asked.headers["x-issuer"], "");
    assert!(!asked.headers.contains_key("authorization"));
    assert!(!format!("{asked:?}").contains("forged"), "{asked:?}");

    let literal = Gateway::before(&careless.base, "authorization = \"Basic YTpi\"").await;
    assert_eq!(literal.get("system/*.rs", "/Patient/1").await.status(), 200);
    assert_eq!(careless.last().headers["authorization"], "Basic YTpi");
    let dropped = Gateway::before(&careless.base, "").await;
    assert_eq!(dropped.get("patient/*.rs", "/Patient/1").await.status(), 200);
    assert!(!careless.last().headers.contains_key("authorization"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_behind_fails_at_is_told_as_a_fault_behind() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "timeout = \"700ms\"").await;
    for scope in ["system/*.rs", "patient/*.rs"] {
        for (path, status, issue) in [
            ("/Observation/slow", 504, "transient"),
            ("/Observation/moved", 502, "exception"),
            ("/Observation/login", 502, "exception"),
        ] {
            let answer = gateway.get(scope, path).await;
            assert_eq!(answer.status(), status, "{scope} {path}");
            assert!(!answer.headers().contains_key("location"));
            let body: Value = answer.json().await.unwrap();
            assert_eq!(code(&body), issue, "{scope} {path}: {body}");
        }
    }
    let stops = gateway.get("patient/*.rs", "/Observation/stops").await;
    assert_eq!(stops.status(), 504, "in the middle of what had to be judged");
    let stops = gateway.get("system/*.rs", "/Observation/stops").await;
    assert_eq!(stops.status(), 200);
    assert!(stops.text().await.is_err(), "an answer that was broken off does not look whole");

    let nobody = Gateway::before("http://127.0.0.1:1/fhir", "").await;
    for scope in ["system/*.rs", "patient/*.rs"] {
        let answer =
            nobody.request("GET", scope, "/Patient/1").header("accept", "application/fhir+xml");
        let answer = if scope.starts_with("system") {
            answer
        } else {
            nobody.request("GET", scope, "/Patient/1")
        };
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 502, "{scope}");
        assert_eq!(answer.headers()["retry-after"], "5");
        assert!(answer.text().await.unwrap().contains("transient"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_request_behind() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    for (count, scope) in ["system/*.rs", "patient/*.rs"].into_iter().enumerate() {
        let request = gateway.request("GET", scope, "/Observation/slow");
        let left = request.timeout(Duration::from_millis(500)).send().await;
        assert!(left.unwrap_err().is_timeout());
        let deadline = Instant::now() + Duration::from_secs(5);
        while careless.left() <= count {
            assert!(Instant::now() < deadline, "{scope}: it is still waited for");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_goes_on_and_none_that_can_be_read_as_another() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let token = gateway.token("system/*.cruds");
    let before = careless.asked().len();
    for path in [
        "/../admin",
        "//admin",
        "/Patient/../../admin",
        "/Patient/1/..%2f..%2fadmin",
        "/%2e%2e/admin",
        "/Patient;x/1",
        "/Patient/1/",
        "/metadata/../../admin",
        "/metadata%2f..%2fadmin",
        "/Patient%2F1",
    ] {
        let status = raw_status(&gateway.server.url(path), &token).await;
        assert!([401, 403, 404].contains(&status), "{path}: {status}");
    }
    let outside = raw_status(&gateway.server.base.replace("/r4", "/admin"), &token).await;
    assert_eq!(outside, 403);
    assert_eq!(careless.asked().len(), before, "{:?}", careless.asked());
    let preflight =
        gateway.client.request(Method::OPTIONS, gateway.server.url("/Patient/../../admin"));
    let preflight = preflight.header("origin", "https://app.example.org");
    let preflight = preflight.header("access-control-request-method", "GET").send().await.unwrap();
    assert_eq!(preflight.status(), 204);
    assert_eq!(careless.asked().len(), before, "nobody has judged it");
    let status =
        raw_status(&gateway.server.url("/Patient/1/%24everything"), &gateway.token("patient/*.rs"))
            .await;
    assert_eq!(
        (status, careless.asked()[before].line.as_str()),
        (200, "GET /fhir/Patient/1/$everything")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_confines_what_is_not_decided_wholly_is_refused() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "confine = \"nobody\"").await;
    assert_eq!(gateway.get("patient/*.rs", "/Observation").await.status(), 403);
    assert_eq!(gateway.get("user/Observation.rs?status=final", "/Observation").await.status(), 403);
    let include = "/Observation?_include=Observation:subject";
    assert_eq!(gateway.get("system/Observation.rs", include).await.status(), 403);
    let asked = careless.asked().len();
    assert_eq!(gateway.get("system/Observation.rs", "/Observation/o10").await.status(), 200);
    assert_eq!(careless.asked().len(), asked + 1);
    let told = "confine = \"upstream\"\nauthorization = \"relay\"";
    let gateway = Gateway::before(&careless.base, told).await;
    let all = json_of(gateway.get("patient/*.rs", "/Observation").await).await;
    assert_eq!(names(&all), ["1", "o10", "o11"], "the upstream server has been trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_of_all_answers_together_has_a_limit() {
    let careless = Careless::start().await;
    let own = reqwest::get(format!("{}/Observation/o10", careless.base)).await.unwrap();
    // Another address may be a byte longer.
    let room = own.text().await.unwrap().len() + 8;
    let limits = format!("timeout = \"2s\"\nmax_body = {room}\nmax_buffered = {room}");
    let gateway = Gateway::before(&careless.base, &limits).await;
    assert_eq!(gateway.get("patient/*.rs", "/Observation/o10").await.status(), 200);
    let stops = tokio::spawn(gateway.request("GET", "patient/*.rs", "/Observation/stops").send());
    tokio::time::sleep(Duration::from_millis(700)).await;
    let answer = gateway.get("patient/*.rs", "/Observation/o10").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"5".parse().unwrap())
    );
    assert_eq!(code(&answer.json().await.unwrap()), "transient");
    let streams = gateway.get("system/*.rs", "/Observation/o10").await;
    assert_eq!(streams.status(), 200, "what needs no look is not held");
    assert_eq!(stops.await.unwrap().unwrap().status(), 504);
    assert_eq!(gateway.get("patient/*.rs", "/Observation/o10").await.status(), 200);
    let larger = gateway.get("patient/*.rs", "/Observation").await;
    assert!([502, 503].contains(&larger.status().as_u16()), "{larger:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_configuration_serves_without_a_restart_and_a_bad_one_does_not() {
    let careless = Careless::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let admin = format!("[admin]\naddress = \"{port}\"");
    let gateway = Gateway::before(&careless.base, &admin).await;
    let file = gateway.folder.path().join("gateway.toml");
    let ready = || async {
        let answer = gateway.client.get(format!("http://{port}/ready")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()
    };
    let within = |what: &'static str| {
        let deadline = Instant::now() + Duration::from_secs(10);
        move || assert!(Instant::now() < deadline, "{what}")
    };
    // It is read when it has changed.
    std::fs::write(&file, "base_url = 5").unwrap();
    let in_time = within("the fault is not told");
    while ready().await["configuration"].is_null() {
        in_time();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fault = ready().await["configuration"].as_str().unwrap().to_owned();
    assert!(fault.contains("gateway.toml: base_url: expected"), "{fault}");
    let next = json_of(gateway.get("patient/*.rs", "/Observation").await).await;
    assert_eq!(names(&next), ["1", "o10", "o11"], "the old one serves");
    // And at a signal.
    let told = format!("authorization = \"Basic YTpi\"\n{admin}");
    std::fs::write(&file, text(&gateway.issuer, &careless.base, &told)).unwrap();
    gateway.server.signal("-HUP");
    let in_time = within("the new one does not serve");
    loop {
        in_time();
        let answer = gateway.get("system/*.rs", "/Patient/1").await;
        if answer.status() == 200 && careless.last().headers.contains_key("authorization") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ready().await.get("configuration").is_none());
    // A page link of before serves on: the key is the same.
    let link = next["link"][1]["url"].as_str().unwrap().strip_prefix(BASE).unwrap();
    assert_eq!(gateway.get("patient/*.rs", link).await.status(), 200);
}

fn run(text: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let mut all = vec!["gateway", "--config", file.to_str().unwrap()];
    all.extend(arguments);
    let run = fhir_auth(&all).output().unwrap();
    let told = String::from_utf8(run.stderr.clone()).unwrap();
    (run, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_it_cannot_use_ends_it_with_2_and_names_the_key() {
    let issuer = TestIssuer::start().await.unwrap();
    let good = text(&issuer, "http://127.0.0.1:1/fhir", "");
    for (text, arguments, told) in [
        (
            good.replace("url = \"http", "urk = \"http"),
            &[][..],
            "gateway.toml: upstream.urk: unknown key: did you mean `url`?",
        ),
        (
            good.replace("[upstream]\nurl = \"http://127.0.0.1:1/fhir\"", ""),
            &[],
            "gateway.toml: upstream.url: is required",
        ),
        (
            format!("{good}[listen]\ntls = {{ certificate = \"c.pem\", key = \"k.pem\" }}"),
            &[],
            "c.pem: expected a PEM file of a certificate and its key",
        ),
        (
            format!(
                "{good}[listen]\ntls = {{ certificate = \"c\", key = \"k\", client_ca = \"a\" }}"
            ),
            &[],
            "listen.tls.certificate: ",
        ),
        (
            format!("{good}[listen]\naddress = \"192.0.2.1:1\""),
            &[],
            "gateway.toml: listen.address: 192.0.2.1:1: ",
        ),
        (good.clone(), &["--listen", "192.0.2.1:1"], "--listen: 192.0.2.1:1: "),
        (
            good.clone(),
            &["--upstream", "http://hapi:8080/fhir"],
            "--upstream: expected an https URL",
        ),
        (good.clone(), &["--unheard-of"], "usage: fhir-auth gateway"),
    ] {
        let (run, found) = run(&text, arguments);
        assert_eq!(run.status.code(), Some(2), "{found}");
        assert!(found.contains(told), "no `{told}` in {found}");
        assert!(run.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_at_a_signal_and_tells_operators_alone_how_it_is() {
    let careless = Careless::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::before(&careless.base, &format!("[admin]\naddress = \"{port}\"")).await;
    for (path, status) in [("live", 200), ("ready", 200), ("metadata", 404)] {
        let answer = gateway.client.get(format!("http://{port}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
    }
    let public = gateway.server.base.replace("/r4", "/ready");
    assert_eq!(gateway.client.get(public).send().await.unwrap().status(), 401);
    let open = gateway.request("GET", "system/*.rs", "/Observation/slow").send();
    let open = tokio::spawn(open);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let Gateway { server, .. } = gateway;
    let (status, took) = tokio::task::spawn_blocking(move || server.end("-TERM")).await.unwrap();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(open.await.unwrap().is_err());
    let gateway = Gateway::before(&careless.base, "").await;
    let Gateway { server, .. } = gateway;
    assert_eq!(tokio::task::spawn_blocking(move || server.end("-INT")).await.unwrap().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_tls_of_its_own_and_both_versions_of_http() {
    let careless = Careless::start().await;
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let certificate = pem("CERTIFICATE", made.cert.der());
    std::fs::write(folder.path().join("tls.pem"), &certificate).unwrap();
    let key = pem("PRIVATE KEY", &made.signing_key.serialize_der());
    std::fs::write(folder.path().join("tls.key"), key).unwrap();
    let listen = "[listen]\naddress = \"127.0.0.1:0\"\n\
                  tls = { certificate = \"tls.pem\", key = \"tls.key\" }";
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text(&issuer, &careless.base, listen)).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let start = move || Example::start(fhir_auth(&["gateway", "--config", &file]));
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let url = server.url("/metadata").replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://localhost:"), "{url}");
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = || Client::builder().tls_certs_only([certificate.clone()]);
    for (client, version) in
        [(client(), http::Version::HTTP_2), (client().http1_only(), http::Version::HTTP_11)]
    {
        let answer = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
    assert!(reqwest::get(url.replace("https", "http")).await.is_err());
    let end = tokio::task::spawn_blocking(move || server.end("-TERM")).await.unwrap();
    assert_eq!(end.0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_go_on_is_left() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let gateway = Gateway::before("http://127.0.0.1:1/fhir", "").await;
    let host = gateway.server.base.strip_prefix("http://").unwrap().replace("/r4", "");
    let ends = ["", "PRI * HT", "GET / HTTP/1.1\r\nhost: h\r\n"].map(|begun| {
        let host = host.clone();
        async move {
            let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let end = stream.read_to_end(&mut answer);
            tokio::time::timeout(Duration::from_secs(16), end).await.is_ok()
        }
    });
    let [silent, preface, head] = ends.map(tokio::spawn);
    let ended = (silent.await.unwrap(), preface.await.unwrap(), head.await.unwrap());
    assert_eq!(ended, (true, true, true));
}

/// The one file is read by every program.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_programs_read_the_file_of_the_gateway_too() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text(&issuer, "http://127.0.0.1:1/fhir", "pages = \"5m\"")).unwrap();
    let check = fhir_auth(&["check", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let arguments = ["--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let server = Example::start(command("fhir_server", &arguments));
    assert_eq!(server.end("-TERM").0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_its_owners_alone_through_the_gateway() {
    let store = command("fhir_server", &["--unprotected", "--listen", "127.0.0.1:0"]);
    let store = tokio::task::spawn_blocking(|| Example::start(store)).await.unwrap();
    let gateway = Gateway::before(&store.base, "").await;
    let scope = "system/Observation.rs system/Patient.rs";
    let begun = gateway.get(scope, "/$export").await;
    assert_eq!(begun.status(), 202);
    let below = |address: &str| address.strip_prefix(BASE).map(str::to_owned);
    let job = below(begun.headers()["content-location"].to_str().unwrap()).unwrap();
    let manifest = json_of(gateway.get(scope, &job).await).await;
    assert_eq!(manifest["requiresAccessToken"], true);
    assert_eq!(manifest["request"], format!("{BASE}/$export"));
    let mut files = Vec::new();
    for file in manifest["output"].as_array().unwrap() {
        let at = below(file["url"].as_str().unwrap()).unwrap();
        let answer = gateway.get(scope, &at).await;
        assert_eq!(answer.headers()["content-type"], "application/fhir+ndjson");
        let text = answer.text().await.unwrap();
        let of_type = format!("\"resourceType\":{}", file["type"]);
        assert!(text.lines().count() > 0 && text.lines().all(|line| line.contains(&of_type)));
        assert!(!text.contains(&store.base), "{text}");
        files.push((file["type"].as_str().unwrap().to_owned(), at));
    }
    let types: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
    assert_eq!(types, ["Observation", "Patient"], "{manifest}");
    let other = gateway.issuer.token().claim("aud", BASE).claim("sub", "other");
    let other = other.claim("scope", "system/*.cruds").sign().unwrap();
    for at in [&job, &files[0].1] {
        let request = gateway.client.get(gateway.server.url(at)).bearer_auth(&other);
        assert_eq!(request.send().await.unwrap().status(), 404);
        assert_eq!(gateway.get("system/Patient.rs", at).await.status(), 403, "of all types alone");
    }
    let cancel = gateway.request("DELETE", scope, &job).send().await.unwrap();
    assert_eq!(cancel.status(), 202);
    for at in [&job, &files[0].1] {
        assert_eq!(gateway.get(scope, at).await.status(), 404, "it is over");
    }
    // What the upstream server calls it is not told, and not asked for.
    let metadata =
        json_of(gateway.client.get(gateway.server.url("/metadata")).send().await.unwrap());
    let metadata = metadata.await;
    assert_eq!(metadata["implementation"]["url"], BASE);
    assert!(metadata["rest"][0]["security"]["service"].is_array(), "{metadata}");
    assert!(!metadata.to_string().contains(&store.base));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_clients_write_are_the_servers_own_and_its_own_are_foreign() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let behind = &careless.base;
    let body = format!(
        "{{\"resourceType\":\"Observation\",\"valueDecimal\":1.50,\"subject\":{{\"reference\":\"{BASE}/Patient/1\"}},\
         \"encounter\":{{\"reference\":\"{behind}/Encounter/1\"}},\"note\":[{{\"text\":\"{BASE}/Patient/1\"}}]}}"
    );
    let expected = body
        .replace(&format!("\"reference\":\"{BASE}/"), "\"reference\":\"")
        .replace(&format!("{behind}/"), "https://foreign.invalid/");
    for (media_type, expected) in
        [("application/fhir+json", &expected), ("application/fhir+xml", &body)]
    {
        let request = gateway.request("POST", "system/*.cruds", "/Observation");
        let request = request.header("content-type", media_type).body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 201);
        assert_eq!(careless.last().body, *expected, "{media_type}");
    }
    for scope in ["system/*.rs", "patient/*.rs"] {
        let before = careless.asked().len();
        let path = format!("/Observation?subject={BASE}/Patient/1&encounter={behind}/Encounter/1");
        assert_eq!(gateway.get(scope, &path).await.status(), 200);
        let sent = "subject=Patient%2F1&encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F1";
        let line = format!("GET /fhir/Observation?{sent}");
        assert_eq!(careless.asked()[before].line, line, "{scope}");
    }
}
