//! RFC 6750: the bearer token of a request.

use http::Request;
use tower_fhir_auth::explanation::Check;
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

    for joined in ["Basic eA==", "DPoP abc", "Digest a=\"b\", c=d"] {
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

#[tokio::test]
async fn r3_without_credentials_the_challenge_has_a_realm_and_no_error() {
    let server = Server::start().await;
    let without = server.send(Request::get("/r4/Patient/1")).await;
    without.asks_for_credentials();
    assert!(without.challenge().starts_with(&format!("Bearer realm=\"{BASE}\"")));
    for other in ["Basic YTpi", "Bearerx y", "DPoP abc", "", "Bear er"] {
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
