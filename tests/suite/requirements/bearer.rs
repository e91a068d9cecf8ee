//! RFC 6750: the bearer token of a request.

use http::Request;
use tower_fhir_auth::explanation::{Advice, Check, Side};
use tower_fhir_auth::require_scope;

use crate::support::{BASE, Server};

#[tokio::test]
async fn r1_the_scheme_has_any_case_and_any_number_of_spaces_and_the_token_is_b64token() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR    "] {
        server.authorization(format!("{scheme}{token}").as_bytes()).await.is_let_in();
    }
    for other in
        [format!("Bearer\t{token}"), format!("Bearer {token}\u{e9}"), format!("Bearer \t{token}")]
    {
        server.authorization(other.as_bytes()).await.is_bad_request();
    }
    for outside in ["a b", "a,b", "a\"b", "a%b", "a{b}", "=", "a=b", "a;b"] {
        server.bearer(outside).await.is_bad_request();
    }
    // In the alphabet, but no JWT.
    for inside in ["abc", "a.b.c=", "~a/b+c-d_e"] {
        server.bearer(inside).await.is_refused_by(Check::Shape, "the token has");
    }
}

#[tokio::test]
async fn r2_one_token_in_the_header_and_nowhere_else() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let bearer = format!("Bearer {token}");
    let get = |uri: &str| Request::get(uri.to_owned());

    let twice =
        get("/r4/Patient/1").header("authorization", &bearer).header("authorization", &bearer);
    server.send(twice).await.is_bad_request();
    let mixed =
        get("/r4/Patient/1").header("authorization", "Basic eA==").header("authorization", &bearer);
    server.send(mixed).await.is_bad_request();
    server.authorization(format!("{bearer}, {bearer}").as_bytes()).await.is_bad_request();
    server.authorization(format!("{bearer},{bearer}").as_bytes()).await.is_bad_request();

    for joined in ["Basic eA==", "Negotiate abc", "Digest a=\"b\", c=d"] {
        server.authorization(format!("{joined}, {bearer}").as_bytes()).await.is_bad_request();
        server.authorization(joined.as_bytes()).await.asks_for_credentials();
    }

    for query in ["access_token=x", "a=b&access_token=", "access%5Ftoken=x", "access_token"] {
        let uri = format!("/r4/Patient?{query}");
        server.send(get(&uri)).await.is_bad_request();
        server.send(get(&uri).header("authorization", &bearer)).await.is_bad_request();
    }
    let innocent = get("/r4/Patient?name=access_token").header("authorization", &bearer);
    server.send(innocent).await.is_let_in();

    for empty in ["Bearer", "Bearer ", "bearer   "] {
        let reply = server.authorization(empty.as_bytes()).await;
        reply.is_bad_request();
        assert!(reply.body.contains("the bearer token is empty"), "{}", reply.body);
    }
}

/// Each spelling with what it is told, and the status. No byte of the token is repeated.
#[tokio::test]
async fn r2_a_header_that_is_wrong_is_told_what_is_wrong_with_it() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let has = |what: &str, position: usize| {
        format!(
            "the bearer token has {what} at position {position}, which RFC 6750 section 2.1 does \
             not allow"
        )
    };
    let padded = |position: usize| {
        format!(
            "the bearer token has `=` at position {position}: it may only pad the end of a token"
        )
    };
    let other =
        |scheme: &str| format!("credentials of the scheme `{scheme}`; this server takes `Bearer`");
    let end = token.len() + 1;
    for (value, status, words) in [
        (format!("Bearer Bearer {token}"), 400, "the scheme `Bearer` appears twice".to_owned()),
        (format!("Bearer bearer {token}"), 400, "the scheme `Bearer` appears twice".to_owned()),
        ("Bearer Bearer".to_owned(), 401, "the token has 1 segment".to_owned()),
        (format!("Bearer \"{token}\""), 400, "the bearer token is in quotes".to_owned()),
        (format!("Bearer '{token}'"), 400, "the bearer token is in quotes".to_owned()),
        (format!("Bearer \u{201C}{token}\u{201D}"), 400, "is in quotes".to_owned()),
        (format!("Bearer {token} "), 400, has("a space (U+0020)", end)),
        (format!("Bearer \t{token}"), 400, has("a tab (U+0009)", 1)),
        (format!("Bearer {token},"), 400, has("a comma (U+002C)", end)),
        (format!("Bearer {token}\""), 400, has("a quotation mark (U+0022)", end)),
        (format!("Bearer {token}\\"), 400, has("a backslash (U+005C)", end)),
        (format!("Bearer {token}`"), 400, has("a grave accent (U+0060)", end)),
        (format!("Bearer <{token}>"), 400, has("`<` (U+003C)", 1)),
        ("Bearer ${TOKEN}".to_owned(), 400, has("`$` (U+0024)", 1)),
        ("Bearer abc%2Edef".to_owned(), 400, has("`%` (U+0025)", 4)),
        ("Bearer abc\u{200B}".to_owned(), 400, has("a character outside ASCII (U+200B)", 4)),
        ("Bearer a==b".to_owned(), 400, padded(2)),
        ("Bearer ==".to_owned(), 400, padded(1)),
        ("Bearer ab== ".to_owned(), 400, has("a space (U+0020)", 5)),
        ("Bearer  ".to_owned(), 400, "the bearer token is empty".to_owned()),
        (format!("Bearer {token}, Bearer {token}"), 400, "joined by a comma".to_owned()),
        (format!("Basic eA==,Bearer {token}"), 400, "joined by a comma".to_owned()),
        ("Basic c2VjcmV0".to_owned(), 401, other("Basic")),
        ("basic c2VjcmV0".to_owned(), 401, other("Basic")),
        ("Negotiate abc".to_owned(), 401, other("Negotiate")),
        (format!("Token {token}"), 401, other("Token")),
        ("hunter2 abc".to_owned(), 401, "credentials of a scheme that is unknown".to_owned()),
        (format!("Bearer:{token}"), 401, "credentials of a scheme that is unknown".to_owned()),
        (token.clone(), 401, "a token without a scheme".to_owned()),
        (String::new(), 401, "no bearer token in the `Authorization` header".to_owned()),
    ] {
        let reply = server.authorization(value.as_bytes()).await;
        assert_eq!(reply.status, status, "{value}: {}", reply.body);
        let outcome: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        let told = outcome["issue"][0]["diagnostics"].as_str().unwrap();
        assert!(told.contains(&words), "{value}: `{words}` was expected, not `{told}`");
        match (status, value.starts_with("Bearer ")) {
            (400, _) => {
                assert!(reply.challenge().contains(&words), "{value}: {}", reply.challenge())
            }
            (_, true) => {}
            (_, false) => reply.asks_for_credentials(),
        }
        let said = format!("{}{:?}{:?}", reply.body, reply.headers, reply.rejection.unwrap());
        for secret in token.split('.').chain(["c2VjcmV0", "hunter2", "abc"]) {
            assert!(!said.contains(secret), "{value}: {said}");
        }
    }
    for (value, words) in [
        ("Bearer Bearer x", "write `Bearer` once"),
        ("Bearer \"x\"", "take the quotes away"),
        ("Bearer a b", "as the provider issued it"),
        ("Bearer", "send the access token once"),
        ("Basic eA==", "ask the provider for an access token"),
        (&token, "put `Bearer` and a space before"),
    ] {
        let request = Request::get("/r4/Patient/1").header("authorization", value);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await;
        let advice = explanation.failure().unwrap().advice();
        let [Advice { side: Side::Client, text, .. }] = advice.as_slice() else {
            panic!("{value}: {advice:?}")
        };
        assert!(text.contains(words), "{value}: {text}");
    }
    let bytes = server.authorization(b"Bearer ab\xe9").await;
    bytes.is_bad_request();
    assert!(bytes.body.contains("a byte that is not UTF-8 at position 3"), "{}", bytes.body);
}

#[tokio::test]
async fn r3_without_credentials_the_challenge_has_a_realm_and_no_error() {
    let server = Server::start().await;
    let without = server.send(Request::get("/r4/Patient/1")).await;
    without.asks_for_credentials();
    assert!(without.challenge().starts_with(&format!("Bearer realm=\"{BASE}\"")));
    for other in ["Basic YTpi", "Bearerx y", "DPoPx abc", "", "Bear er"] {
        server.authorization(other.as_bytes()).await.asks_for_credentials();
    }
}

#[tokio::test]
async fn r4_each_error_code_goes_with_its_status() {
    let server = Server::authorizing(require_scope("orders.read")).await;
    server.bearer("").await.is_bad_request();
    server.bearer("x").await.is_refused_by(Check::Shape, "the token");
    let forbidden = server.get(server.token()).await;
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.challenge().contains("error=\"insufficient_scope\""));
    assert!(forbidden.challenge().contains("scope=\"orders.read\""));
    server.get(server.token().claim("scope", "orders.read")).await.is_let_in();
}

#[tokio::test]
async fn r5_each_attribute_stands_once_and_keeps_to_its_characters() {
    let server = Server::authorizing(require_scope("say \"hello\"\\\u{e9}")).await;
    let odd = "https://evil\"\\\r\n\u{e9}\u{1f600}.example";
    for token in [
        server.token().claim("iss", odd),
        server.token().claim("aud", odd),
        server.token().header("alg", odd),
        server.token().header("typ", odd),
        server.token().header("kid", odd),
        server.token().claim("scope", odd),
    ] {
        let reply = server.get(token).await;
        let challenge = reply.challenge();
        assert!(challenge.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{challenge}");
        assert!(!challenge.contains('\\'), "{challenge}");
        assert_eq!(challenge.matches('"').count() % 2, 0, "{challenge}");
        for attribute in ["realm", "error", "error_description", "scope", "resource_metadata"] {
            let start = format!(" {attribute}=\"");
            assert!(challenge.matches(&start).count() <= 1, "{attribute} in {challenge}");
        }
    }
}

#[tokio::test]
async fn r6_every_401_has_a_challenge_and_no_refusal_is_stored() {
    let server = Server::start().await;
    let expired = server.token().claim("exp", 1).sign().unwrap();
    for value in ["", "Basic x", "Bearer x", &format!("Bearer {expired}")] {
        let reply = server.authorization(value.as_bytes()).await;
        assert_eq!(reply.status, 401);
        assert!(reply.challenge().starts_with("Bearer realm="), "{}", reply.challenge());
        assert!(reply.challenge().contains(
            "resource_metadata=\"https://fhir.example.org/.well-known/oauth-protected-resource/r4\""
        ));
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let in_query = server.send(Request::get("/r4/Patient?access_token=x")).await;
    assert_eq!(in_query.header("cache-control"), "no-store");
}
