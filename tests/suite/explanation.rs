//! The explanation of a token is made by the code that judges it.

use http::HeaderMap;
use serde_json::json;
use tower_fhir_auth::explanation::{Check, Explanation, Step, StepOutcome, Verdict};
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};
use tower_fhir_auth::{FhirAuthLayer, authenticated};

use crate::support::{BASE, NOW, Server};

async fn explain(server: &Server, token: Option<&str>) -> Explanation {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    server.layer.authenticator().explain(&headers, &"/r4/Patient/1".parse().unwrap()).await
}

#[tokio::test]
async fn its_verdict_is_the_layers_and_every_check_is_told_in_order() {
    let server = Server::start().await;
    let variants: [fn(TokenBuilder) -> TokenBuilder; 12] = [
        |token| token,
        |token| token.header("crit", json!([])),
        |token| token.claim("iss", "https://other.example"),
        |token| token.header("alg", "RS256"),
        |token| token.header("typ", "dpop+jwt"),
        |token| token.header("kid", "other"),
        |token| token.claim("aud", "other"),
        |token| token.claim("nbf", NOW + 1000),
        |token| token.claim("iat", NOW + 1000),
        |token| token.without("sub"),
        |token| token.claim("cnf", json!({})),
        |token| token.claim("exp", 1),
    ];
    for variant in variants {
        let token = variant(server.token()).sign().unwrap();
        let explanation = explain(&server, Some(&token)).await;
        let reply = server.bearer(&token).await;
        assert_eq!(explanation.is_accepted(), reply.status == 200, "{explanation}");
        let told = explanation.failure().map(|finding| finding.check());
        assert_eq!(told, reply.rejection.and_then(|rejection| rejection.check()));
        let checks: Vec<Check> = explanation.steps().iter().map(|step| step.check).collect();
        assert_eq!(checks, Check::OF_TOKENS);
        let reached = explanation
            .steps()
            .iter()
            .take_while(|step| matches!(step.outcome, StepOutcome::Passed { .. }))
            .count();
        let decided = |step: &&Step| {
            matches!(step.outcome, StepOutcome::Passed { .. } | StepOutcome::Failed(_))
        };
        let rest = explanation.steps().iter().skip(reached + 1);
        assert_eq!(rest.filter(decided).count(), 0, "{explanation}");
    }
}

#[tokio::test]
async fn it_tells_what_was_found_and_never_the_token() {
    let server = Server::start().await;
    let token =
        server.token().claim("aud", "other").claim("sub", "a-person-nobody-names").sign().unwrap();
    let text = explain(&server, Some(&token)).await.to_string();
    for expected in [
        "passed       issuer\n             found     http://127.0.0.1:",
        "passed       algorithm\n             found     ES256\n             expected  RS256",
        "passed       type\n             found     at+jwt",
        "passed       key\n             found     key-1",
        "passed       signature\n",
        "failed       audience\n             `aud` does not name this server\n             found     other",
        "             expected  https://fhir.example.org/r4\n             client: ask for a token",
        "would pass   expiry\n",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
    let conclusion = "refused: `aud` does not name this server: the token has `other`, this server \
                      accepts `https://fhir.example.org/r4`\n\n";
    assert!(text.starts_with(conclusion), "{text}");
    assert!(!text.contains("a-person-nobody-names"));
    assert!(
        token.as_bytes().windows(12).all(|part| !text.contains(std::str::from_utf8(part).unwrap()))
    );
}

/// The list of checks, its names and its parts come from one place, and this is what they are.
#[test]
fn all_checks_are_those_of_tokens_and_the_three_of_requests() {
    assert_eq!(Check::ALL.len(), 24);
    let of_requests = [Check::Interaction, Check::Authorization, Check::StepUp];
    assert_eq!(Check::ALL, [Check::OF_TOKENS, &of_requests[..]].concat());
    assert!(Check::ALL.is_sorted() && Check::ALL.iter().all(|check| !check.name().contains('_')));
}

#[tokio::test]
async fn what_a_token_holds_is_told_once_it_is_verified_and_by_name() {
    let server = Server::start().await;
    let token = || server.token().claim("scope", "a b").claim("roles", ["admin"]).claim("x", 1);
    let explanation = explain(&server, Some(&token().sign().unwrap())).await;
    assert_eq!(explanation.verdict(), Verdict::Accepted);
    let held = explanation.contents();
    assert_eq!(held.scopes, ["a", "b"]);
    assert_eq!(held.roles, ["admin"]);
    assert_eq!(held.other_claims, ["client_id", "jti", "roles", "scope", "sub", "x"]);
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["token"]["scopes"], json!(["a", "b"]));
    assert_eq!(json["token"]["other_claims"].as_array().map(Vec::len), Some(6));

    let forged = token().claim("aud", "x").sign().unwrap();
    let refused = explain(&server, Some(&forged)).await;
    assert_eq!(refused.verdict(), Verdict::Refused);
    assert!(refused.contents().scopes.is_empty() && refused.contents().other_claims.is_empty());
}

#[tokio::test]
async fn it_is_one_object_for_machines() {
    let server = Server::start().await;
    let token = server.token().header("crit", json!(["b64"])).sign().unwrap();
    let explanation = explain(&server, Some(&token)).await;
    let json = serde_json::to_string(&explanation).unwrap();
    let start = format!(
        r#"{{"checks":[{{"check":"credentials","outcome":"passed"}},{{"check":"size","expected":"at most 16384 bytes","found":"{} bytes","outcome":"passed"}},{{"check":"shape","outcome":"passed"}},{{"advice":[{{"side":"provider","text":""#,
        token.len()
    );
    assert!(json.starts_with(&start), "{json}");
    let end = r#""outcome":"would-pass","unverified":true},{"check":"introspection","outcome":"not-reached"},{"check":"certificate","outcome":"not-reached"},{"check":"proof","outcome":"not-reached"}],"conclusion":"refused: `crit` in the header is not supported","public":false,"token":{},"verdict":"refused"}"#;
    assert!(json.ends_with(end), "{json}");
}

/// A value can be searched for, and copied.
#[tokio::test]
async fn no_value_is_broken_in_two() {
    let server = Server::start().await;
    let long = format!("https://{}.example/r4", "a".repeat(150));
    let token = server.token().claim("aud", &*long).sign().unwrap();
    let text = explain(&server, Some(&token)).await.to_string();
    assert!(text.lines().any(|line| line.trim_start() == format!("found     {long}")), "{text}");
}

/// Whatever is asked with whatever token: the explanation of the request says what the layer does.
#[tokio::test]
async fn the_explanation_of_a_request_has_the_verdict_of_the_layer() {
    use tower_fhir_auth::{Enforcement, ScopePolicy};
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let mut seen = [0, 0];
    for scope in
        ["", "user/*.rs", "patient/*.cruds", "user/Observation.rs?category=x", "user/Foo.r"]
    {
        for (method, path) in [
            ("GET", "/r4/Patient/1"),
            ("GET", "/r4/Observation?subject:Patient.name=x"),
            ("PUT", "/r4/Observation/1"),
            ("GET", "/r4/Patient/2"),
            ("POST", "/r4"),
            ("GET", "/r4/Patient/%31"),
        ] {
            for expired in [false, true] {
                let mut token = server.token().claim("scope", scope).claim("patient", "1");
                if expired {
                    token = token.claim("exp", 1);
                }
                let header = format!("Bearer {}", token.sign().unwrap());
                let request = || {
                    http::Request::builder()
                        .method(method)
                        .uri(path)
                        .header("authorization", &header)
                };
                let (parts, ()) = request().body(()).unwrap().into_parts();
                let explanation = server.layer.explain(&parts).await;
                let reply = server.send(request()).await;
                assert_eq!(
                    explanation.is_accepted(),
                    reply.status == 200,
                    "{scope}\n{explanation}"
                );
                if let (Some(finding), Some(rejection)) = (explanation.failure(), reply.rejection) {
                    assert_eq!(finding.to_string(), rejection.detail(), "one text for both");
                    assert!(!finding.advice().is_empty(), "{explanation}");
                }
                seen[usize::from(explanation.is_accepted())] += 1;
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
}

#[tokio::test]
async fn a_request_that_needs_no_token_is_explained_as_one_and_no_other_is() {
    let server = Server::start().await;
    let preflight = "access-control-request-method";
    for (method, path, header, is_public) in [
        ("GET", "/r4/metadata", "x", true),
        ("GET", "/r4/health", "x", true),
        ("OPTIONS", "/r4/Patient/1", preflight, true),
        ("GET", "/.well-known/oauth-protected-resource/r4", "x", true),
        ("GET", "/r4/metadata/", "x", false),
        ("OPTIONS", "/r4/Patient/1", "x", false),
        ("GET", "/r4/Patient/1", preflight, false),
        ("POST", "/.well-known/oauth-protected-resource/r4", "x", false),
    ] {
        let request = || http::Request::builder().method(method).uri(path).header(header, "GET");
        let (parts, ()) = request().body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await;
        assert_eq!(explanation.is_public(), is_public, "{method} {path}\n{explanation}");
        assert_eq!(explanation.is_accepted(), is_public, "{method} {path}");
        let conclusion = "accepted: the request needs no token";
        assert_eq!(explanation.conclusion() == conclusion, is_public, "{method} {path}");
        let reply = server.send(request()).await;
        assert_eq!(reply.status == 200, is_public, "{method} {path}: {}", reply.status);
    }
}

#[tokio::test]
async fn without_a_token_or_without_keys_nothing_is_accepted() {
    let server = Server::start().await;
    let none = explain(&server, None).await;
    assert!(!none.is_accepted());
    assert_eq!(none.failure().unwrap().check(), Check::Credentials);

    let issuer = TestIssuer::start().await.unwrap();
    issuer.fail();
    let authenticator = tower_fhir_auth::Authenticator::builder()
        .audience(tower_fhir_auth::AudiencePolicy::exact(["a"]))
        .issuer(issuer.trusted())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    let token = issuer.token().claim("aud", "a").sign().unwrap();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let explanation = authenticator.explain(&headers, &"/".parse().unwrap()).await;
    assert!(!explanation.is_accepted() && explanation.failure().is_none());
    assert!(explanation.to_string().contains("unavailable  key"), "{explanation}");
    let told = json!(explanation);
    let checks = told["checks"].as_array().unwrap();
    let key = checks.iter().find(|check| check["outcome"] == "unavailable").unwrap();
    let why = key["summary"].as_str().unwrap();
    assert_eq!(key["check"], "key");
    assert_eq!(told["conclusion"], format!("undecided: {why}"));
}

/// Each new reason for which a scope does not count is told, and no advice is for more than was asked.
#[tokio::test]
async fn every_reason_of_a_scope_is_explained_without_advice_to_take_more() {
    use tower_fhir_auth::{Enforcement, ScopePolicy};
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let many: Vec<String> = (0..33).map(|n| format!("user/Flag.r?_id={n}")).collect();
    let wide: Vec<String> = (0..9).map(|n| format!("_id={n}")).collect();
    let wide = format!("user/Flag.r?{}", wide.join("&"));
    for (scope, claims, request, words, asked) in [
        (
            "patient/*.rs",
            serde_json::json!({"patient": "2"}),
            ("GET", "/r4/Patient/1"),
            "the address names another",
            None,
        ),
        (
            "patient/*.rs",
            serde_json::json!({}),
            ("GET", "/r4/Patient/1"),
            "`patient` and `fhirUser` are missing",
            Some("launch/patient patient/*.rs"),
        ),
        (
            "user/*.rs",
            serde_json::json!({"fhirUser": "RelatedPerson/1"}),
            ("GET", "/r4/Patient/1"),
            "`fhirUser` is a RelatedPerson or Person",
            Some("launch/patient user/*.rs"),
        ),
        (
            "user/*.rs",
            serde_json::json!({"fhirUser": "https://elsewhere.example.org/Patient/1"}),
            ("GET", "/r4/Patient/1"),
            "`fhirUser` names nobody of this server",
            None,
        ),
        (
            "patient/*.rs",
            serde_json::json!({"patient": ["1"]}),
            ("GET", "/r4/Patient/1"),
            "`patient` is not the id of a patient",
            Some("launch/patient patient/*.rs"),
        ),
        // Also where the scope is about something else.
        (
            "patient/Condition.rs",
            serde_json::json!({}),
            ("GET", "/r4/Observation/1"),
            "a patient is needed",
            Some("launch/patient patient/Observation.r"),
        ),
        (
            "user/*.rs",
            serde_json::json!({"fhirUser": "RelatedPerson/1"}),
            ("DELETE", "/r4/Observation/1"),
            "a patient is needed",
            Some("launch/patient user/Observation.d"),
        ),
        (
            "user/*.rs",
            serde_json::json!({"fhirUser": "x"}),
            ("DELETE", "/r4/Observation/1"),
            "`fhirUser` names nobody of this server",
            None,
        ),
        (
            "patient/*.cruds",
            serde_json::json!({"patient": "1"}),
            ("POST", "/r4/Organization"),
            "cannot write Organization",
            None,
        ),
        (
            &*many.join(" "),
            serde_json::json!({}),
            ("GET", "/r4/Device/1"),
            "at most 32 different constraints",
            Some("user/Device.r"),
        ),
        (
            &*wide,
            serde_json::json!({}),
            ("GET", "/r4/Flag/1"),
            "at most 8 different parameters",
            None,
        ),
    ] {
        let token = server.token().claim("scope", scope);
        let serde_json::Value::Object(claims) = claims else { panic!("no claims") };
        let token =
            claims.into_iter().fold(token, |token, (name, value)| token.claim(&name, value));
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let (method, path) = request;
        let request = || {
            let request = http::Request::builder().method(method).uri(path);
            request.header("authorization", &bearer)
        };
        let (parts, ()) = request().body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await.to_string();
        let reply = server.send(request()).await;
        assert_eq!(reply.status, 403, "{scope}");
        let flat = explanation.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words}: {explanation}");
        let required = reply.rejection.unwrap().required_scope();
        assert_eq!(required.as_deref(), asked, "{scope}");
        for wider in ["user/", "system/"].iter().filter(|wider| !scope.contains(*wider)) {
            assert!(!explanation.contains(*wider), "{wider} for {scope}: {explanation}");
        }
    }
}

#[tokio::test]
async fn each_check_is_told_once_and_one_that_was_not_made_as_not_reached() {
    let server = Server::authorizing(tower_fhir_auth::ScopePolicy::new()).await;
    let token = server.token().claim("scope", "user/Observation.rs").sign().unwrap();
    for (path, expected) in [
        ("/r4/Patient/1", ["passed", "failed", "not-reached"]),
        ("/r4/Foo/1", ["failed", "not-reached", "not-reached"]),
        ("/r4/metadata", ["not-reached"; 3]),
    ] {
        let request = http::Request::get(path).header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await;
        let steps = explanation.steps();
        let checks: Vec<Check> = steps.iter().map(|step| step.check).collect();
        assert_eq!(checks, Check::ALL, "{path}\n{explanation}");
        let of_requests = steps.iter().skip(Check::OF_TOKENS.len());
        let outcomes: Vec<&str> = of_requests.map(|step| step.outcome.name()).collect();
        assert_eq!(outcomes, expected, "{path}\n{explanation}");
        let is_looked_at = steps.first().is_some_and(|step| step.outcome.name() == "passed");
        assert_eq!(is_looked_at, !explanation.is_public(), "{path}\n{explanation}");
    }
}

#[tokio::test]
async fn a_tool_that_looks_at_one_token_asks_its_issuer_alone_for_keys() {
    let (one, other) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let [own, foreign] =
        [&one, &other].map(|issuer| issuer.token().claim("aud", BASE).sign().unwrap());
    let layer = FhirAuthLayer::builder(BASE)
        .issuers([one.trusted(), other.trusted()])
        .authorizer(authenticated())
        .load_keys_only_for(&own)
        .build()
        .unwrap();
    for (token, expected) in [(own, Verdict::Accepted), (foreign, Verdict::Undecided)] {
        let request = http::Request::get("/r4/Patient/1");
        let request = request.header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let explanation = layer.authenticator().explain_request(&parts).await;
        assert_eq!(explanation.verdict(), expected, "{explanation}");
    }
    assert_eq!(other.jwks_requests(), 0);
}
