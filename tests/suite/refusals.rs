//! Refusals as clients get them: every row of the status table, in every format.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::rejection::{Disclosure, ProblemResponder, RejectionResponder};
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    Authorizer, FhirAuthLayer, Rejection, RejectionKind, TrustedIssuer, require_scope,
};

use crate::support::{BASE, NOW, Reply, Server, send};

/// The one issue of an OperationOutcome: severity, code, diagnostics.
fn issue(reply: &Reply) -> (String, String, String) {
    let outcome: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"].as_array().unwrap().len(), 1);
    let text = |name: &str| outcome["issue"][0][name].as_str().unwrap().to_owned();
    (text("severity"), text("code"), text("diagnostics"))
}

#[tokio::test]
async fn each_row_of_the_status_table() {
    let server = Server::authorizing(require_scope("x")).await;
    let token = |token: TokenBuilder| format!("Bearer {}", token.sign().unwrap());
    let rows = [
        (String::new(), 401, "login", ""),
        ("Basic eA==".to_owned(), 401, "login", ""),
        ("Bearer".to_owned(), 400, "invalid", "invalid_request"),
        (token(server.token().claim("aud", "x")), 401, "login", "invalid_token"),
        (token(server.token().claim("exp", 1)), 401, "expired", "invalid_token"),
        (token(server.token()), 403, "forbidden", "insufficient_scope"),
    ];
    for (authorization, status, code, error) in rows {
        let reply = server.authorization(authorization.as_bytes()).await;
        let (severity, found, _) = issue(&reply);
        assert_eq!((reply.status.as_u16(), found.as_str()), (status, code), "{authorization}");
        assert_eq!(severity, "error");
        assert_eq!(reply.header("content-type"), "application/fhir+json");
        assert_eq!(reply.header("cache-control"), "no-store");
        let challenge = reply.challenge();
        match error {
            "" => assert!(!challenge.contains("error")),
            error => assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}"),
        }
    }
}

#[tokio::test]
async fn both_sides_are_told_for_issuer_audience_expiry_algorithm_and_scope() {
    let server = Server::authorizing(require_scope("system/Patient.rs")).await;
    let issuer = server.issuer.url();
    for (token, found, expected) in [
        (server.token().claim("iss", "https://a"), "https://a", issuer),
        (server.token().claim("aud", json!(["b", "c"])), "b c", BASE),
        (
            server.token().claim("exp", NOW - 100),
            "2027-01-15T07:58:20Z",
            "later than 2027-01-15T07:59:00Z",
        ),
        (server.token().header("alg", "ES999"), "ES999", "RS256 RS384"),
        (server.token().claim("scope", "a b"), "a b", "system/Patient.rs"),
        (server.token(), "no scopes", "system/Patient.rs"),
    ] {
        let reply = server.get(token).await;
        let (_, _, diagnostics) = issue(&reply);
        for text in [&diagnostics, reply.challenge()] {
            assert!(text.contains(&format!("the token has `{found}")), "{found}: {text}");
            assert!(
                text.contains(&format!("this server accepts `{expected}")),
                "{expected}: {text}"
            );
        }
    }
}

#[tokio::test]
async fn each_time_is_told_with_both_sides_the_clock_of_the_server_and_the_leeway() {
    use Check::{Expiry, IssuedAt, NotBefore};
    let rules = |issuer: TrustedIssuer| {
        issuer.max_token_age(Duration::from_secs(86_400)).leeway(Duration::from_secs(30))
    };
    let server = Server::trusting(rules).await;
    let clock = "(this server's clock: 2027-01-15T08:00:00Z, leeway: 30s";
    for (check, token, found, expected) in [
        (
            Expiry,
            server.token().claim("exp", NOW - 100),
            "2027-01-15T07:58:20Z",
            format!("later than 2027-01-15T07:59:30Z {clock})"),
        ),
        (
            NotBefore,
            server.token().claim("nbf", NOW + 100),
            "2027-01-15T08:01:40Z",
            format!("at most 2027-01-15T08:00:30Z {clock})"),
        ),
        (
            IssuedAt,
            server.token().claim("iat", NOW + 100),
            "2027-01-15T08:01:40Z",
            format!("at most 2027-01-15T08:00:30Z {clock})"),
        ),
        (
            IssuedAt,
            server.token().claim("iat", NOW - 86_431),
            "2027-01-14T07:59:29Z",
            format!("at least 2027-01-14T07:59:30Z {clock}, max_token_age: 1day)"),
        ),
    ] {
        let reply = server.get(token).await;
        let text = format!("the token has `{found}`, this server accepts `{expected}`");
        reply.is_refused_by(check, &text);
        assert!(reply.challenge().contains(&text), "{check}: {}", reply.challenge());
    }
}

#[tokio::test]
async fn no_other_claim_and_no_part_of_the_token_is_told() {
    let server = Server::layered(|layer| layer.disclosure(Disclosure::Full)).await;
    let secret = "a-value-that-nobody-else-may-see";
    let private = |token: TokenBuilder| {
        let names = ["sub", "oid", "client_id", "azp", "email", "patient", "fhirUser", "jti"];
        names.iter().fold(token, |token, name| token.claim(name, secret))
    };
    for token in [
        private(server.token()).claim("exp", 1),
        private(server.token()).claim("aud", "other"),
        private(server.token()).claim("nbf", NOW * 2),
        private(server.token()).claim("sub", json!([secret])),
        private(server.token()).claim("cnf", json!({"jkt": secret})),
        private(server.token()).header("kid", "other"),
    ] {
        let token = token.sign().unwrap();
        let reply = server.bearer(&token).await;
        assert_eq!(reply.status, 401);
        let everything = format!("{reply:?}");
        assert!(!everything.contains(secret), "{everything}");
        for part in token.as_bytes().windows(12) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(!everything.contains(part), "{part} in {everything}");
        }
    }
}

#[tokio::test]
async fn how_much_is_told_is_a_setting() {
    let server = Server::layered(|layer| layer.disclosure(Disclosure::Minimal)).await;
    let reply = server.get(server.token().claim("aud", "other")).await;
    let (_, code, diagnostics) = issue(&reply);
    assert_eq!((code.as_str(), diagnostics.as_str()), ("login", "the access token is refused"));
    assert!(!reply.challenge().contains("aud") && !reply.challenge().contains("other"));
    assert_eq!(reply.rejection.unwrap().check(), Some(Check::Audience), "operators see it");
}

#[tokio::test]
async fn values_are_cut_at_256_characters() {
    let server = Server::start().await;
    let reply = server.get(server.token().claim("aud", "x".repeat(5000))).await;
    let (_, _, diagnostics) = issue(&reply);
    assert!(diagnostics.contains(&"x".repeat(200)) && !diagnostics.contains(&"x".repeat(257)));
    assert!(reply.challenge().len() < 1000);
}

#[tokio::test]
async fn xml_is_well_formed_whatever_the_token_holds() {
    let server = Server::start().await;
    let odd = "<&>\"'\u{0}\u{1}\u{ffff}\u{1f600}]]>";
    let token = server.token().claim("aud", odd).sign().unwrap();
    let request = Request::get("/r4/Patient/1")
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/fhir+xml");
    let reply = server.send(request).await;
    assert_eq!(reply.header("content-type"), "application/fhir+xml");
    let (before, diagnostics) = reply.body.split_once("<diagnostics value=\"").unwrap();
    assert!(before.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), "{before}");
    let diagnostics = diagnostics.strip_suffix("\"/></issue></OperationOutcome>").unwrap();
    assert!(!diagnostics.contains(['<', '>', '"']), "{diagnostics}");
    assert!(diagnostics.contains("&lt;&amp;&gt;"), "{diagnostics}");

    let by_query = server.send(Request::get("/r4/Patient/1?_format=xml")).await;
    assert_eq!(by_query.header("content-type"), "application/fhir+xml");
}

#[tokio::test]
async fn head_gets_the_headers_alone() {
    let server = Server::start().await;
    let reply = server.send(Request::head("/r4/Patient/1")).await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::UNAUTHORIZED, ""));
    assert!(reply.challenge().starts_with("Bearer "));
}

#[tokio::test]
async fn grpc_gets_a_status_in_the_headers_of_a_200() {
    let server = Server::authorizing(require_scope("x")).await;
    let good = server.token().sign().unwrap();
    let bad = server.token().claim("aud", "\u{e9}").sign().unwrap();
    for (authorization, status) in [
        (String::new(), "16"),
        ("Bearer".to_owned(), "3"),
        (format!("Bearer {bad}"), "16"),
        (format!("Bearer {good}"), "7"),
    ] {
        for content_type in ["application/grpc", "application/grpc+proto"] {
            let request = Request::post("/r4/Patient/1")
                .header("content-type", content_type)
                .header("authorization", authorization.clone());
            let reply = server.send(request).await;
            assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, ""));
            assert_eq!(reply.header("grpc-status"), status, "{authorization}");
            assert_eq!(reply.header("content-type"), "application/grpc");
            assert!(!reply.header("grpc-message").is_empty());
        }
    }
}

/// Read by the decoder that clients of tonic have.
#[tokio::test]
async fn grpc_gets_an_error_info_beside_its_status() {
    use prost::Message;
    use tonic::Status;
    use tonic_types::StatusExt;
    for (disclosure, shows_check) in
        [(Disclosure::Reason, true), (Disclosure::Full, true), (Disclosure::Minimal, false)]
    {
        let rule = require_scope("orders.read").and(require_scope("\u{e9}".repeat(200)));
        let server = Server::layered(|layer| layer.authorizer(rule).disclosure(disclosure)).await;
        let good = server.token().sign().unwrap();
        let expired = server.token().claim("exp", 1).sign().unwrap();
        let bad = server.token().claim("aud", "x".repeat(300)).sign().unwrap();
        let scope = format!("orders.read {}", "\u{e9}".repeat(200));
        for (authorization, reason, check, scope) in [
            (String::new(), "MISSING_CREDENTIALS", None, None),
            ("Bearer".to_owned(), "INVALID_REQUEST", None, None),
            (format!("Bearer {bad}"), "INVALID_TOKEN", Some("audience"), None),
            (format!("Bearer {expired}"), "EXPIRED_TOKEN", Some("expiry"), None),
            (format!("Bearer {good}"), "FORBIDDEN", Some("authorization"), Some(scope)),
        ] {
            let request = Request::post("/r4/Patient/1").header("content-type", "application/grpc");
            let reply = server.send(request.header("authorization", authorization)).await;
            let status = Status::from_header_map(&reply.headers).unwrap();
            let details = status.get_error_details();
            let info = details.error_info().unwrap_or_else(|| panic!("{reason}: {status:?}"));
            assert_eq!((&*info.reason, &*info.domain), (reason, "tower-fhir-auth"));
            let metadata = |name: &str| info.metadata.get(name).map(String::as_str);
            assert_eq!(metadata("check"), check.filter(|_| shows_check), "{reason}");
            assert_eq!(metadata("scope"), scope.as_deref(), "{reason}");
            let inner = tonic_types::pb::Status::decode(status.details()).unwrap();
            assert_eq!(inner.code, i32::from(status.code()), "{reason}");
            assert_eq!(inner.message, reply.rejection.unwrap().description(), "{reason}");
            assert_eq!(inner.message, status.message(), "{reason}");
            assert_eq!(inner.details.len(), 1, "{reason}");
        }
    }
}

#[tokio::test]
async fn problem_details_are_the_same_refusals_for_apis_that_are_not_fhir() {
    let rule = || require_scope("orders.read");
    let fhir = Server::layered(|layer| layer.authorizer(rule())).await;
    let issuer = fhir.issuer.trusted();
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).clock(fhir.clock.clone());
    let layer = builder.authorizer(rule()).responder(ProblemResponder).build().unwrap();
    layer.ready().await;
    let token = |token: TokenBuilder| format!("Bearer {}", token.sign().unwrap());
    for (authorization, kind, check, scope) in [
        (String::new(), "missing-credentials", None, None),
        ("Bearer".to_owned(), "invalid-request", None, None),
        (token(fhir.token().claim("aud", "x\"\\")), "invalid-token", Some("audience"), None),
        (token(fhir.token().claim("exp", 1)), "expired-token", Some("expiry"), None),
        (token(fhir.token()), "forbidden", Some("authorization"), Some("orders.read")),
    ] {
        let request = |method: Method| {
            let request = Request::builder().method(method).uri("/r4/Patient/1");
            request.header("authorization", &authorization)
        };
        let mut of_fhir = fhir.send(request(Method::GET)).await;
        let mut reply = send(&layer, request(Method::GET)).await;
        assert_eq!(reply.header("content-type"), "application/problem+json", "{kind}");
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        let mut expected = json!({
            "type": format!("https://docs.rs/tower-fhir-auth/refusal-codes#{kind}"),
            "title": problem["title"],
            "status": reply.status.as_u16(),
            "detail": issue(&of_fhir).2,
            "kind": kind,
        });
        for (name, value) in [("check", check), ("scope", scope)] {
            if let Some(value) = value {
                expected[name] = value.into();
            }
        }
        assert_eq!(problem, expected);
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{kind}");
        for headers in [&mut of_fhir.headers, &mut reply.headers] {
            headers.remove("content-type");
        }
        assert_eq!((reply.status, reply.headers), (of_fhir.status, of_fhir.headers), "{kind}");
        let head = send(&layer, request(Method::HEAD)).await;
        assert_eq!(head.body, "", "{kind}");
        assert_eq!(head.header("content-length"), reply.body.len().to_string(), "{kind}");
        let grpc = request(Method::POST).header("content-type", "application/grpc");
        let grpc = send(&layer, grpc).await;
        assert_eq!((grpc.status, grpc.body.as_str()), (StatusCode::OK, ""), "{kind}");
        assert!(grpc.headers.contains_key("grpc-status"), "{kind}");
    }
    let builder = FhirAuthLayer::builder(BASE).issuer(fhir.issuer.trusted());
    let minimal = builder.authorizer(rule()).disclosure(Disclosure::Minimal);
    let minimal = minimal.responder(ProblemResponder).build().unwrap();
    minimal.ready().await;
    let wrong = token(fhir.issuer.token().claim("aud", "other"));
    let reply = send(&minimal, Request::get("/r4/x").header("authorization", wrong)).await;
    let problem: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(problem["detail"], "the access token is refused");
    assert_eq!(problem.get("check"), None);
}

#[tokio::test]
async fn tokens_up_to_16_kib_are_judged_and_larger_ones_are_refused_unread() {
    let server = Server::start().await;
    let sized = |size: usize| {
        let bare = server.token().claim("pad", "").sign().unwrap().len();
        // Three octets of payload are four characters of token.
        let pad = (size - bare) / 4 * 3;
        server.token().claim("pad", "x".repeat(pad)).sign().unwrap()
    };
    let large = sized(16 * 1024 - 8);
    assert!(large.len() > 16_000 && large.len() <= 16_384, "{}", large.len());
    server.bearer(&large).await.is_let_in();
    for size in [64 * 1024 + 1, 1 << 20] {
        server.bearer(&"a".repeat(size)).await.is_refused_by(Check::Size, "too large");
    }
    let outside = format!("{}\u{e9}", "a".repeat(65 * 1024));
    server.bearer(&outside).await.is_refused_by(Check::Size, "too large");
}

#[tokio::test]
async fn the_rejection_stands_in_the_response_also_where_somebody_else_made_it() {
    #[derive(Debug)]
    struct Teapot;
    impl RejectionResponder for Teapot {
        fn respond(
            &self,
            _: &Rejection,
            request: &http::request::Parts,
        ) -> http::Response<bytes::Bytes> {
            assert_eq!(request.method, Method::GET);
            http::Response::builder().status(418).body("short".into()).unwrap()
        }
    }
    let server = Server::layered(|layer| layer.responder(Teapot)).await;
    let reply = server.send(Request::get("/r4/Patient/1")).await;
    assert_eq!((reply.status.as_u16(), reply.body.as_str()), (418, "short"));
    assert_eq!(reply.kind(), RejectionKind::MissingCredentials);
}

/// Finding: what a decision costs grows with the address, and so do those who wait behind it.
#[tokio::test]
async fn an_address_of_more_than_64_kib_is_414() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let send = async |length: usize, accept: &str| {
        // As clients write it, with scheme and host.
        let before = "https://fhir.example.org/r4/Observation?code=";
        let uri = format!("/r4/Observation?code={}", "x".repeat(length - before.len()));
        let request = Request::get(uri).header("accept", accept);
        server.send(request.header("authorization", format!("Bearer {token}"))).await
    };
    assert_eq!(send(64 * 1024, "*/*").await.status, 200);
    let refused = send(64 * 1024 + 1, "application/fhir+json").await;
    assert_eq!((refused.status.as_u16(), refused.challenge()), (414, ""));
    assert!(refused.body.contains("\"code\":\"too-long\""), "{}", refused.body);
    assert!(refused.body.contains("_search"), "says what to do: {}", refused.body);
    assert!(send(64 * 1024 + 1, "application/fhir+xml").await.body.contains("too-long"));
    // Without a look at the token.
    let uri = format!("/r4/Observation?code={}", "x".repeat(65_500));
    assert_eq!(server.send(Request::get(uri)).await.status, 414);
}
