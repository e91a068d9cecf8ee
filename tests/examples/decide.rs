//! `fhir-auth decide`, as proxies ask it.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, Example, fhir_auth, raw_status};

/// Who answers the sub-requests of a proxy, with an issuer of its own.
struct Decider {
    server: Example,
    issuer: TestIssuer,
    client: Client,
    row: &'static str,
    _folder: TempDir,
}

const HEADERS: &str = "headers = { issuer = \"x-fhir-issuer\", subject = \"x-fhir-subject\", \
                       patient = \"x-fhir-patient\", scopes = \"x-fhir-scopes\" }";

impl Decider {
    async fn start(row: &'static str, root: &str, upstream: &str, more: &[&str]) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.toml");
        std::fs::write(folder.path().join("roles.json"), roles()).unwrap();
        let text = format!(
            "base_url = \"{BASE}\"\n{root}\n[[issuers]]\nissuer = \"{}\"\n\
             [roles]\ndefinitions = \"roles.json\"\n[upstream]\n{upstream}\n",
            issuer.url()
        );
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let more: Vec<String> = more.iter().map(|text| (*text).to_owned()).collect();
        let start = move || {
            let arguments = ["decide", "--for", row, "--config", &file, "--listen", "127.0.0.1:0"];
            let more = more.iter().map(String::as_str);
            Example::start(fhir_auth(&arguments.into_iter().chain(more).collect::<Vec<_>>()))
        };
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        let decider = Self { server, issuer, client: Client::new(), row, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while matches!(decider.truth("system/Patient.r", "GET", "/Nothing").await, 503) {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        decider
    }

    /// With scopes alone.
    async fn of_scopes(row: &'static str, upstream: &str) -> Self {
        Self::start(row, "access = \"scopes\"", upstream, &[]).await
    }

    /// A token of patient 1, or of a role.
    fn token(&self, granted: &str) -> String {
        let token = self.issuer.token().claim("aud", BASE).claim("sub", "amara %");
        match granted.strip_prefix("role:") {
            Some(role) => token.claim("roles", json!([role])).sign().unwrap(),
            None => token.claim("scope", granted).claim("patient", "1").sign().unwrap(),
        }
    }

    /// A sub-request about a request whose path is below the base.
    fn about(&self, method: &str, path: &str) -> RequestBuilder {
        self.about_address(method, &format!("/r4{path}"))
    }

    fn about_address(&self, method: &str, address: &str) -> RequestBuilder {
        let origin = self.server.base.trim_end_matches("/r4");
        match self.row {
            "envoy" => self.client.request(method.parse().unwrap(), format!("{origin}{address}")),
            row => {
                let names = match row {
                    "nginx" => ["x-original-method", "x-original-uri"],
                    _ => ["x-forwarded-method", "x-forwarded-uri"],
                };
                let request = self.client.request(Method::GET, format!("{origin}/decide"));
                request.header(names[0], method).header(names[1], address)
            }
        }
    }

    async fn ask(&self, granted: &str, method: &str, path: &str) -> Response {
        self.about(method, path).bearer_auth(self.token(granted)).send().await.unwrap()
    }

    /// The status, with that of `X-Auth-Status` in its place.
    async fn truth(&self, granted: &str, method: &str, path: &str) -> u16 {
        status(&self.ask(granted, method, path).await)
    }
}

fn status(answer: &Response) -> u16 {
    match answer.headers().get("x-auth-status") {
        Some(told) => told.to_str().unwrap().parse().unwrap(),
        None => answer.status().as_u16(),
    }
}

fn roles() -> String {
    let role = |name: &str, actions: Value| json!({"name": name, "dataActions": actions, "notDataActions": [], "scopes": ["/"]});
    let roles = [
        role("everything", json!(["*"])),
        role("clerk", json!(["read", "write", "delete", "export", "resourceValidate"])),
    ];
    json!({"roles": roles}).to_string()
}

/// What a refusal says, with its code.
async fn told(answer: Response) -> (String, String) {
    let body: Value = answer.json().await.unwrap();
    let text = |name: &str| body["issue"][0][name].as_str().unwrap_or_default().to_owned();
    assert_eq!(body["resourceType"], "OperationOutcome", "{body}");
    (text("code"), text("diagnostics"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_proxy_names_the_original_request_in_its_own_way_and_that_alone_counts() {
    for row in ["nginx", "forward", "envoy"] {
        let decider = Decider::of_scopes(row, HEADERS).await;
        let token = decider.token("system/Patient.r");
        let others = |request: RequestBuilder| {
            let headers = [
                ("x-original-method", "GET", "nginx"),
                ("x-original-uri", "/r4/metadata", "nginx"),
                ("x-forwarded-method", "GET", "forward"),
                ("x-forwarded-uri", "/r4/metadata", "forward"),
                ("x-envoy-original-path", "/r4/metadata", ""),
                ("x-forwarded-host", "elsewhere", ""),
                ("forwarded", "host=elsewhere", ""),
            ];
            let headers = headers.into_iter().filter(|(.., own)| *own != row);
            headers.fold(request, |request, (name, value, _)| request.header(name, value))
        };
        for (method, path, expected) in [
            ("GET", "/Patient/1", 200),
            ("HEAD", "/Patient/1", 200),
            ("PUT", "/Patient/1", 403),
            ("GET", "/Observation/1", 403),
            ("GET", "/Patient?name=x", 403),
            ("GET", "/Patient/1?_format=json", 200),
        ] {
            let request = others(decider.about(method, path)).bearer_auth(&token);
            assert_eq!(request.send().await.unwrap().status(), expected, "{row} {method} {path}");
        }
        let without = others(decider.about("GET", "/Patient/1")).send().await.unwrap();
        assert_eq!(without.status(), 401, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sub_request_that_does_not_name_one_original_request_is_403() {
    for row in ["nginx", "forward"] {
        let decider = Decider::of_scopes(row, "").await;
        let token = decider.token("system/*.cruds");
        let origin = decider.server.base.clone();
        let (method, uri) = match row {
            "nginx" => ("x-original-method", "x-original-uri"),
            _ => ("x-forwarded-method", "x-forwarded-uri"),
        };
        for headers in [
            vec![],
            vec![(method, "GET")],
            vec![(uri, "/r4/Patient/1")],
            vec![(method, "GET"), (uri, "/r4/Patient/1"), (uri, "/r4/Patient/1")],
            vec![(method, "GET"), (method, "GET"), (uri, "/r4/Patient/1")],
            vec![(method, "GET"), (uri, "https://fhir.example.org/r4/Patient/1")],
            vec![(method, "GET"), (uri, "/r4/Patient/1#x")],
            vec![(method, "GET"), (uri, "r4/Patient/1")],
            vec![(method, "GET"), (uri, "")],
            vec![(method, "G T"), (uri, "/r4/Patient/1")],
        ] {
            let request = decider.client.get(format!("{origin}/Patient/1")).bearer_auth(&token);
            let request = headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 403, "{row} {headers:?}");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            assert_eq!(told(answer).await.0, "forbidden");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_that_of_the_layer_and_nginx_gets_the_statuses_that_it_knows() {
    let long = format!("/Patient?name={}", "x".repeat(70_000));
    for row in ["nginx", "forward"] {
        let decider = Decider::of_scopes(row, HEADERS).await;
        let expired = decider.issuer.token().claim("aud", BASE).claim("exp", 1_000_000).sign();
        let token = |text: &str| Some(format!("Bearer {text}"));
        for (path, authorization, true_status, code, challenge) in [
            ("/Patient/1", None, 401, "login", "Bearer realm="),
            ("/Patient/1", token(expired.as_deref().unwrap()), 401, "expired", "invalid_token"),
            ("/Patient/1", token("a b"), 400, "invalid", "invalid_request"),
            (
                "/Patient/1",
                token(&decider.token("system/Device.r")),
                403,
                "forbidden",
                "scope=\"system/Patient.r\"",
            ),
            (&*long, token(&decider.token("system/*.rs")), 414, "too-long", ""),
        ] {
            let request = decider.about("GET", path);
            let request = match &authorization {
                Some(value) => request.header("authorization", value),
                None => request,
            };
            let answer = request.send().await.unwrap();
            let is_known = matches!(true_status, 401 | 403);
            let shown = if row == "nginx" && !is_known { 403 } else { true_status };
            assert_eq!(answer.status(), shown, "{row} {true_status}");
            assert_eq!(status(&answer), true_status, "{row}");
            assert_eq!(answer.headers().contains_key("x-auth-status"), shown != true_status);
            let found = answer.headers().get("www-authenticate");
            let found = found.map_or("", |value| value.to_str().unwrap());
            assert!(found.contains(challenge), "{found}");
            assert!(!answer.headers().contains_key("x-fhir-issuer"), "{row} {true_status}");
            assert_eq!(told(answer).await.0, code, "{row}");
        }
        // A refusal of HEAD has no body, and its length is no promise to a sub-request by GET.
        let head = decider.about("HEAD", "/Patient/1").send().await.unwrap();
        assert_eq!((head.status().as_u16(), &*head.bytes().await.unwrap()), (401, &b""[..]));
        // gRPC is refused with 200, by which a proxy would let it pass.
        let grpc = decider.about("POST", "/Patient").header("content-type", "application/grpc");
        assert_eq!(grpc.send().await.unwrap().status(), 401, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_are_always_there_and_empty_where_nobody_is_known() {
    for row in ["nginx", "envoy"] {
        let root = "access = \"scopes\"\noptional = [\"/docs/\"]";
        let decider = Decider::start(row, root, HEADERS, &[]).await;
        let answer = decider.ask("system/Patient.r", "GET", "/Patient/7").await;
        let header =
            |answer: &Response, name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "x-fhir-issuer"), decider.issuer.url());
        assert_eq!(header(&answer, "x-fhir-subject"), "amara %25");
        assert_eq!(header(&answer, "x-fhir-scopes"), "system/Patient.r");
        assert_eq!(header(&answer, "x-fhir-patient"), "1");
        let bare = decider.issuer.token().claim("aud", BASE).claim("scope", "system/*.rs");
        let bare = decider.about("GET", "/Patient/7").bearer_auth(bare.sign().unwrap());
        assert_eq!(header(&bare.send().await.unwrap(), "x-fhir-patient"), "");
        // The one patient of a token, as its id, wherever the token says it.
        for (claim, value) in [
            ("fhirUser", "Patient/9".to_owned()),
            ("fhirUser", format!("{BASE}/Patient/9")),
            ("patient", format!("{BASE}/Patient/9")),
        ] {
            let token = decider.issuer.token().claim("aud", BASE).claim("scope", "user/*.rs");
            let token = token.claim(claim, value.clone());
            let request = decider.about("GET", "/Patient/9").bearer_auth(token.sign().unwrap());
            let answer = request.send().await.unwrap();
            assert_eq!(header(&answer, "x-fhir-patient"), "9", "{claim} {value}");
        }

        for (method, path) in [
            ("GET", "/metadata"),
            ("GET", "/.well-known/smart-configuration"),
            ("OPTIONS", "/Patient/1"),
            ("GET", "/docs/a"),
        ] {
            let request = decider.about(method, path);
            let request = match method {
                "OPTIONS" => request
                    .header("origin", "https://app.example")
                    .header("access-control-request-method", "PUT"),
                _ => request,
            };
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success(), "{row} {path}: {}", answer.status());
            for name in ["x-fhir-issuer", "x-fhir-subject", "x-fhir-patient", "x-fhir-scopes"] {
                let values: Vec<_> = answer.headers().get_all(name).iter().collect();
                assert_eq!(values, [""], "{row} {path} {name}");
            }
        }
        let document = "/.well-known/oauth-protected-resource/r4";
        let document = decider.about_address("GET", document).send().await.unwrap();
        assert_eq!(
            (document.status().as_u16(), header(&document, "x-fhir-issuer").as_str()),
            (200, "")
        );
        assert_eq!(document.json::<Value>().await.unwrap()["resource"], BASE);

        let scopes: Vec<String> = (0..400).map(|n| format!("system/Patient.r?_id={n}")).collect();
        let many = format!("system/Patient.r {}", scopes.join(" "));
        let answer = decider.ask(&many, "GET", "/Patient/1").await;
        assert_eq!(answer.status(), 403);
        assert!(told(answer).await.1.contains("4 KiB"));
    }
}

const UNSEEN: [(&str, &str, &str); 19] = [
    ("POST", "", "the entries of a bundle"),
    ("POST", "/", "the entries of a bundle"),
    ("POST", "/Observation/_search", "search by GET"),
    ("POST", "/_search", "search by GET"),
    ("POST", "/Patient/1/Observation/_search", "search by GET"),
    ("GET", "/Observation?_include=Observation:subject:Patient", "an include, a chain"),
    ("GET", "/Observation?_include=Observation:subject", "an include, a chain"),
    ("GET", "/Patient?_revinclude=Provenance:target", "an include, a chain"),
    ("GET", "/Patient?_revinclude%3Aiterate=Provenance:target", "an include, a chain"),
    ("GET", "/Observation?subject.name=x", "an include, a chain"),
    ("GET", "/Observation?subject:Patient.name=x", "an include, a chain"),
    ("GET", "/Patient?_has:Observation:patient:code=x", "an include, a chain"),
    ("GET", "/Patient?_filter=name%20eq%20x", "an include, a chain"),
    ("GET", "/Observation?_sort=subject.name", "an include, a chain"),
    ("DELETE", "/Observation?subject.name=x", "an include, a chain"),
    ("DELETE", "/Patient/1?_cascade=delete", "an include, a chain"),
    ("DELETE", "/Patient/1?%5FCascade=delete", "an include, a chain"),
    ("GET", "/Patient/1/$everything", "the answer of this operation"),
    ("GET", "/$export?_type=Patient", "the answer of this operation"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_seen_is_granted_to_those_alone_who_may_do_everything() {
    let root = "access = \"roles-or-scopes\"";
    let decider = Decider::start("nginx", root, HEADERS, &[]).await;
    for (method, path, words) in UNSEEN {
        for everything in ["role:everything", "system/*.cruds", "system/*.cruds patient/*.rs"] {
            let found = decider.truth(everything, method, path).await;
            assert_eq!(found, 200, "{everything} {method} {path}");
        }
        // Short of it by one letter, by one type, by one data action, or confined.
        for less in [
            "system/*.crus",
            "system/*.rs system/Patient.cruds",
            "system/*.cruds?_id=1",
            "role:clerk",
            "patient/*.cruds",
        ] {
            let answer = decider.ask(less, method, path).await;
            assert_eq!(answer.status(), 403, "{less} {method} {path}");
            let (code, text) = told(answer).await;
            assert_eq!(code, "forbidden");
            let is_granted_otherwise = less == "role:clerk" && method != "DELETE";
            assert!(!is_granted_otherwise || text.contains(words), "{less} {path}: {text}");
            assert!(!text.contains('*') || !text.contains("grant `*`"), "{text}");
        }
    }
    // Without a confinement, what is seen is granted.
    for (granted, method, path) in [
        ("system/Observation.rs", "GET", "/Observation?code=x&_count=5&_sort=-date"),
        ("system/Observation.rs", "GET", "/Patient/2/Observation"),
        ("system/Observation.rs system/Patient.rs", "GET", "?_type=Observation,Patient"),
        ("system/Observation.r", "GET", "/Observation/1/_history/1"),
        ("system/Observation.c", "POST", "/Observation"),
        ("system/Observation.us", "PUT", "/Observation?identifier=x"),
        ("role:clerk", "POST", "/Patient/$validate"),
        ("role:clerk", "DELETE", "/Patient/1"),
    ] {
        assert_eq!(decider.truth(granted, method, path).await, 200, "{granted} {method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conditional_creation_and_a_provenance_in_a_header_are_seen() {
    let decider = Decider::of_scopes("forward", "").await;
    for (granted, header, expected) in [
        ("system/Observation.c", ("if-none-exist", "identifier=x"), 403),
        ("system/Observation.cs", ("if-none-exist", "identifier=x"), 200),
        ("system/Observation.cs", ("if-none-exist", "subject.name=x"), 403),
        ("system/Observation.c", ("x-provenance", "{}"), 403),
        ("system/Observation.c", ("x_provenance", "{}"), 403),
        ("system/Observation.c system/Provenance.c", ("x-provenance", "{}"), 200),
    ] {
        let request = decider.about("POST", "/Observation").bearer_auth(decider.token(granted));
        let answer = request.header(header.0, header.1).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{granted} {header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_what_refers_to_a_resource_takes_the_right_to_delete_every_type() {
    let decider = Decider::of_scopes("forward", "").await;
    for name in ["x-cascade", "x_cascade"] {
        for (granted, expected) in [
            ("system/Patient.d", 403),
            ("system/*.rs system/Patient.d", 403),
            ("system/*.cruds", 200),
        ] {
            let request = decider.about("DELETE", "/Patient/1").header(name, "delete");
            let answer = request.bearer_auth(decider.token(granted)).send().await.unwrap();
            assert_eq!(answer.status(), expected, "{granted} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_by_which_the_server_may_read_another_request_is_403() {
    for row in ["nginx", "forward", "envoy"] {
        let decider = Decider::of_scopes(row, "").await;
        for (name, value) in [
            ("x-http-method-override", "DELETE"),
            ("x_http_method_override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "DELETE"),
            ("x-method_override", "DELETE"),
            ("x-rewrite-url", "/r4/Observation/1"),
            ("x-rewrite-uri", "/r4/Observation/1"),
            ("x-original-url", "/r4/Observation/1"),
            ("x_original_url", "/r4/Observation/1"),
        ] {
            for granted in ["system/Patient.r", "system/*.cruds"] {
                let request = decider.about("GET", "/Patient/1").header(name, value);
                let answer = request.bearer_auth(decider.token(granted)).send().await.unwrap();
                assert_eq!(answer.status(), 403, "{row} {granted} {name}");
                assert_eq!(told(answer).await.0, "forbidden");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confined_token_is_granted_what_the_path_alone_confines() {
    let root = "access = \"scopes\"";
    let decider = Decider::start("forward", root, HEADERS, &[]).await;
    let relay = "confine = \"upstream\"\nauthorization = \"relay\"";
    let upstream = Decider::start("forward", root, relay, &[]).await;
    let nobody = Decider::start("forward", root, "confine = \"nobody\"", &[]).await;
    for (granted, method, path, own, by_upstream) in [
        ("patient/*.rs", "GET", "/Patient/1", 200, 200),
        ("patient/*.rs", "HEAD", "/Patient/1", 200, 200),
        ("patient/*.rs", "GET", "/Patient/1/Observation", 200, 200),
        ("patient/*.rs", "GET", "/Patient/1/Observation?code=x&_count=5", 200, 200),
        ("patient/Observation.s", "GET", "/Patient/1/Observation", 200, 200),
        ("patient/Observation.r", "GET", "/Patient/1/Observation", 403, 403),
        ("patient/Condition.rs", "GET", "/Patient/1/Observation", 403, 403),
        ("patient/*.rs", "GET", "/Patient/2", 403, 403),
        ("patient/*.rs", "GET", "/Patient/2/Observation", 403, 403),
        ("patient/*.rs", "GET", "/Patient/1/Observation?patient=2", 403, 403),
        ("patient/*.rs", "GET", "/Patient/1/Observation?_include=Observation:subject", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Observation?_revinclude=Provenance:target", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Observation?encounter.class=x", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1?_include=Patient:organization", 403, 200),
        ("patient/*.rs", "GET", "/Observation", 403, 200),
        ("patient/*.rs", "GET", "/Observation/1", 403, 200),
        ("patient/*.rs", "GET", "/Patient", 403, 200),
        ("patient/*.rs", "GET", "/Patient?_id=1", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/*", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/_history", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/$everything", 403, 200),
        ("patient/*.rs", "GET", "?_type=Observation", 403, 200),
        ("patient/*.rs", "POST", "", 403, 200),
        ("patient/*.cruds", "PUT", "/Patient/1", 403, 200),
        ("patient/*.cruds", "POST", "/Observation", 403, 200),
        ("patient/*.cruds", "POST", "/Patient/1/Observation/_search", 403, 200),
        // Constrained: the path does not say which of them.
        ("patient/Observation.rs?category=laboratory", "GET", "/Patient/1/Observation", 403, 200),
        ("system/Observation.rs?category=laboratory", "GET", "/Observation/1", 403, 200),
        (
            "user/Observation.rs?code=x patient/Observation.rs",
            "GET",
            "/Patient/1/Observation",
            200,
            200,
        ),
        // What R4 alone would show there is more than is the patient's here, or nobody knows.
        ("patient/*.rs", "GET", "/Patient/1/Group", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Provenance", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Practitioner", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Patient", 403, 200),
        ("patient/*.rs", "GET", "/Patient/1/Device", 403, 200),
        // Another scope that does not confine.
        ("patient/*.rs system/Observation.r", "GET", "/Observation/1", 200, 200),
        ("patient/*.rs system/Observation.r", "GET", "/Observation", 403, 200),
    ] {
        let asked = format!("{granted} {method} {path}");
        assert_eq!(decider.truth(granted, method, path).await, own, "{asked}");
        assert_eq!(upstream.truth(granted, method, path).await, by_upstream, "upstream: {asked}");
        let open = granted.contains("system/Observation.r") && path == "/Observation/1";
        let open = open && !granted.contains('?');
        let expected = if open { 200 } else { 403 };
        assert_eq!(nobody.truth(granted, method, path).await, expected, "nobody: {asked}");
    }
    let answer = decider.ask("patient/*.rs", "GET", "/Observation").await;
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(
        challenge.contains("insufficient_scope") && !challenge.contains("scope=\""),
        "{challenge}"
    );
    let (_, text) = told(answer).await;
    assert!(text.contains("what the path alone confines"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_servers_may_read_differently_is_refused_whoever_asks() {
    let root = "access = \"roles\"";
    let decider = Decider::start("nginx", root, "", &[]).await;
    for path in [
        "/Patient/1/../2",
        "/Patient/./1",
        "/Patient/%2e%2e/Observation",
        "/Patient/%2E%2E/Observation",
        "/Patient%2f1",
        "/Patient%2F1",
        "/Patient/1%5c2",
        "/Patient\\1",
        "/Patient//1",
        "//Patient/1",
        "/Patient/1;x=y",
        "/Patient/%252e%252e",
        "/..",
        "/Patient/1%00",
    ] {
        let answer = decider.ask("role:everything", "GET", path).await;
        assert_eq!(answer.status(), 403, "{path}");
        let without = decider.about("GET", path).send().await.unwrap();
        assert!(matches!(without.status().as_u16(), 401 | 403), "{path}");
    }
    // No interaction of FHIR, in the one spelling that all read alike: every data action is enough.
    assert_eq!(decider.truth("role:everything", "GET", "/a/b").await, 200);
    let envoy = Decider::start("envoy", root, "", &[]).await;
    let token = envoy.token("role:everything");
    for path in ["/Patient/../admin", "/Patient//1", "/Patient/%2e%2e/x", "/Patient%2f1"] {
        assert_eq!(raw_status(&envoy.server.url(path), &token).await, 403, "{path}");
    }
    assert_eq!(raw_status(&envoy.server.url("/Patient/1"), &token).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ceiling_of_an_issuer_holds_for_what_is_not_seen() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
         limits = [\"read\", \"search\"]\n",
        issuer.url()
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let start = move || {
        let arguments =
            ["decide", "--for", "forward", "--config", &file, "--listen", "127.0.0.1:0"];
        Example::start(fhir_auth(&arguments))
    };
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let decider =
        Decider { server, issuer, client: Client::new(), row: "forward", _folder: folder };
    let deadline = Instant::now() + Duration::from_secs(20);
    while decider.truth("system/*.cruds", "GET", "/Patient/1").await != 200 {
        assert!(Instant::now() < deadline, "no keys");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(decider.truth("system/*.cruds", "POST", "").await, 403, "it may hold changes");
    assert_eq!(decider.truth("system/*.cruds", "POST", "/Observation/_search").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_peers_are_answered() {
    let elsewhere = Decider::start("nginx", "access = \"scopes\"", "", &["--peers", "10.0.0.0/8"]);
    let elsewhere = elsewhere.await;
    for path in ["/Patient/1", "/metadata"] {
        let answer = elsewhere.ask("system/*.rs", "GET", path).await;
        assert_eq!(answer.status(), 403, "{path}");
        assert!(told(answer).await.1.contains("proxies alone"));
    }
    let here = ["--peers", "10.0.0.0/8,127.0.0.1/32"];
    let here = Decider::start("nginx", "access = \"scopes\"", "", &here).await;
    assert_eq!(here.truth("system/*.rs", "GET", "/Patient/1").await, 200);
    assert_eq!(here.server.end("-TERM").0, Some(0));
}

#[test]
fn a_command_line_or_a_file_that_cannot_be_used_is_status_2_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    std::fs::write(&file, "base_url = \"https://h/r4\"\nacess = \"scopes\"\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, words) in [
        (vec!["decide", "--config", file], "--for is required"),
        (vec!["decide", "--for", "nginx"], "--config is required"),
        (vec!["decide", "--for", "apache", "--config", file], "expected nginx, forward"),
        (vec!["decide", "--for", "nginx", "--config", file, "--peers", "x"], "expected networks"),
        (vec!["decide", "--for", "nginx", "--config", file], "auth.toml: acess: "),
    ] {
        let ended = fhir_auth(&arguments).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{told}");
        assert!(told.contains(words) && ended.stdout.is_empty(), "{told}");
    }
}
