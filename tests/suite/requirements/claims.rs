//! RFC 7519: the claims of a token.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::RejectionKind;
use tower_fhir_auth::explanation::Check;

use crate::support::{BASE, NOW, Server};

#[tokio::test]
async fn t1_the_payload_is_a_json_object() {
    let server = Server::start().await;
    let header = br#"{"alg":"ES256","kid":"key-1"}"#;
    for payload in
        [&b"[]"[..], b"\"text\"", b"", b"null", b"{} {}", b"\xef\xbb\xbf{}", b"{\"a\":1e999}"]
    {
        let token = server.issuer.key().sign(header, payload).unwrap();
        server.bearer(&token).await.is_refused_by(Check::Shape, "payload");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let token = server.issuer.key().sign(header, deep.as_bytes()).unwrap();
    server.bearer(&token).await.is_refused_by(Check::Shape, "deeper");
}

#[tokio::test]
async fn t2_doubled_claims_are_refused_at_any_depth() {
    let server = Server::start().await;
    let header = br#"{"alg":"ES256","kid":"key-1"}"#;
    let good = json!({"iss": server.issuer.url(), "aud": BASE, "sub": "a", "exp": NOW + 60});
    let good = good.to_string();
    let good = good.strip_suffix('}').unwrap();
    for extra in [
        r#","sub":"b"}"#,
        r#","roles":["a"],"roles":["b"]}"#,
        r#","role\u0073":["a"],"roles":["b"]}"#,
        r#","realm_access":{"roles":[],"roles":["admin"]}}"#,
    ] {
        let token = server.issuer.key().sign(header, format!("{good}{extra}").as_bytes()).unwrap();
        server.bearer(&token).await.is_refused_by(Check::Shape, "duplicate member");
    }
    let token = server.issuer.key().sign(header, format!("{good}}}").as_bytes()).unwrap();
    server.bearer(&token).await.is_let_in();
}

#[tokio::test]
async fn t3_dates_are_numbers_and_now_is_before_exp_and_not_before_nbf() {
    let server = Server::trusting(|issuer| issuer.leeway(Duration::ZERO)).await;
    let get = |claim: &str, value: Value| server.get(server.token().claim(claim, value));
    // Now must be before exp: at the very second it is over.
    get("exp", json!(NOW + 1)).await.is_let_in();
    get("exp", json!(1_800_000_000.5)).await.is_let_in();
    for past in [json!(NOW), json!(1_799_999_999.5), json!(0), json!(-1)] {
        let reply = get("exp", past).await;
        reply.is_refused_by(Check::Expiry, "2027-01-15T08:00:00Z");
        assert_eq!(reply.kind(), RejectionKind::ExpiredToken);
        assert!(reply.body.contains("\"expired\""));
    }
    get("nbf", json!(NOW)).await.is_let_in();
    get("nbf", json!(-1)).await.is_let_in();
    get("nbf", json!(NOW + 1)).await.is_refused_by(Check::NotBefore, "2027-01-15T08:00:01Z");
    get("iat", json!(NOW + 1)).await.is_refused_by(Check::IssuedAt, "future");

    let no_dates = [
        json!("1800000060"),
        json!(true),
        json!([NOW]),
        json!({}),
        json!(1e300),
        json!(-1e300),
        json!(u64::MAX),
        json!(NOW * 1000),
    ];
    for (name, check) in
        [("exp", Check::Expiry), ("nbf", Check::NotBefore), ("iat", Check::IssuedAt)]
    {
        for value in &no_dates {
            let reply = get(name, value.clone()).await;
            reply.is_refused_by(check, &format!("`{name}` is not a valid NumericDate"));
            assert_eq!(reply.kind(), RejectionKind::InvalidToken);
        }
    }
}

#[tokio::test]
async fn t4_aud_is_text_or_a_list_of_texts_compared_with_regard_to_case() {
    let server = Server::start().await;
    let get = |aud: Value| server.get(server.token().claim("aud", aud));
    get(json!(BASE)).await.is_let_in();
    get(json!([BASE])).await.is_let_in();
    get(json!(["https://other.example", BASE])).await.is_let_in();
    for malformed in
        [json!(5), json!({}), json!(true), json!([[BASE]]), json!([BASE, 1]), json!({BASE: 1})]
    {
        get(malformed).await.is_refused_by(Check::Audience, "`aud` is neither");
    }
    for absent in [json!([]), json!(null)] {
        get(absent).await.is_refused_by(Check::Audience, "`aud` is missing");
    }
    for other in [
        "https://FHIR.example.org/r4",
        "https://fhir.example.org/r4/",
        "https://fhir.example.org",
        "",
    ] {
        let reply = get(json!(other)).await;
        reply.is_refused_by(Check::Audience, &format!("the token has `{other}`"));
        assert!(reply.body.contains(&format!("this server accepts `{BASE}`")));
    }
}

#[tokio::test]
async fn t5_iss_sub_and_jti_are_text() {
    let server = Server::start().await;
    for value in [json!(5), json!(["x"]), json!({"a": 1}), json!(true)] {
        let iss = server.get(server.token().claim("iss", value.clone())).await;
        iss.is_refused_by(Check::Issuer, "`iss` is not a string");
        for name in ["sub", "jti", "client_id", "azp", "appid"] {
            let reply = server.get(server.token().claim(name, value.clone())).await;
            reply.is_refused_by(Check::RequiredClaims, &format!("`{name}` is not a string"));
        }
    }
    let list = json!([server.issuer.url()]);
    server.get(server.token().claim("iss", list)).await.is_refused_by(Check::Issuer, "`iss`");
}

#[tokio::test]
async fn t6_the_leeway_is_small_and_applies_to_each_date() {
    let server = Server::start().await;
    let get = |claim: &str, value: i64| server.get(server.token().claim(claim, value));
    get("exp", NOW - 59).await.is_let_in();
    get("exp", NOW - 60).await.is_refused_by(Check::Expiry, "`exp`");
    get("nbf", NOW + 60).await.is_let_in();
    get("nbf", NOW + 61).await.is_refused_by(Check::NotBefore, "`nbf`");
    get("iat", NOW + 60).await.is_let_in();
    get("iat", NOW + 61).await.is_refused_by(Check::IssuedAt, "`iat`");

    let generous = server.issuer.trusted().leeway(Duration::from_secs(601));
    let layer = tower_fhir_auth::FhirAuthLayer::builder(BASE)
        .issuer(generous)
        .authorizer(tower_fhir_auth::authenticated());
    assert!(layer.build().unwrap_err().to_string().contains("leeway"));
}

#[tokio::test]
async fn a_token_is_judged_by_the_clock_at_each_request() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    server.clock.advance(359);
    server.bearer(&token).await.is_let_in();
    server.clock.advance(1);
    server.bearer(&token).await.is_refused_by(Check::Expiry, "`exp`");
}

#[tokio::test]
async fn a_largest_age_needs_iat_and_limits_it() {
    let server = Server::trusting(|issuer| issuer.max_token_age(Duration::from_secs(3600))).await;
    server.get(server.token()).await.is_let_in();
    let without = server.get(server.token().without("iat")).await;
    without.is_refused_by(Check::IssuedAt, "`iat` is missing");
    let old = server.get(server.token().claim("iat", NOW - 3661)).await;
    old.is_refused_by(Check::IssuedAt, "`iat` is too long ago");
    server.get(server.token().claim("iat", NOW - 3660)).await.is_let_in();
}

#[tokio::test]
async fn the_first_fault_in_order_is_the_one_reported() {
    let server = Server::trusting(|issuer| issuer.clients(["app"])).await;
    // Each line adds a fault that comes before those of the lines above it.
    let mut token = server.token().claim("exp", 1);
    server.get(token.clone()).await.is_refused_by(Check::Expiry, "`exp`");
    token = token.claim("cnf", json!({"jkt": "x"}));
    server.get(token.clone()).await.is_refused_by(Check::Confirmation, "`cnf`");
    token = token.claim("client_id", "other");
    server.get(token.clone()).await.is_refused_by(Check::Client, "client");
    token = token.without("sub");
    server.get(token.clone()).await.is_refused_by(Check::RequiredClaims, "`sub`");
    token = token.claim("iat", NOW + 999);
    server.get(token.clone()).await.is_refused_by(Check::IssuedAt, "`iat`");
    token = token.claim("nbf", NOW + 999);
    server.get(token.clone()).await.is_refused_by(Check::NotBefore, "`nbf`");
    token = token.claim("aud", "other");
    server.get(token.clone()).await.is_refused_by(Check::Audience, "`aud`");
    let stranger =
        tower_fhir_auth::test_util::SigningKey::generate("x", server.issuer.key().algorithm());
    token = token.signed_by(std::sync::Arc::new(stranger.unwrap()));
    server.get(token.clone()).await.is_refused_by(Check::Signature, "signature");
    token = token.header("kid", "nobody");
    server.get(token.clone()).await.is_refused_by(Check::Key, "`kid`");
    token = token.header("typ", "dpop+jwt");
    server.get(token.clone()).await.is_refused_by(Check::Type, "`typ`");
    token = token.header("alg", "XS256");
    server.get(token.clone()).await.is_refused_by(Check::Algorithm, "`alg`");
    token = token.claim("iss", "https://other.example");
    server.get(token.clone()).await.is_refused_by(Check::Issuer, "`iss`");
    token = token.header("crit", json!(["x"]));
    server.get(token.clone()).await.is_refused_by(Check::Header, "`crit`");
    let token = format!("{}.", token.sign().unwrap());
    server.bearer(&token).await.is_refused_by(Check::Shape, "segment");
    let large = format!("{token}{}", "A".repeat(20_000));
    server.bearer(&large).await.is_refused_by(Check::Size, "too large");
    let query = Request::get("/r4/Patient?access_token=x").header("authorization", "Bearer x");
    server.send(query).await.is_bad_request();
}
