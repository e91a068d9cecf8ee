//! Questions to the provider: what is asked, about which tokens, and where.

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use super::kit::{CLIENT, ENDPOINT, Guarded, OPAQUE, Provider, SECRET, bearer, quick};
use crate::support::{BASE, b64};

#[tokio::test]
async fn n1_a_question_is_a_post_of_a_form_with_the_token_and_its_kind() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    let [asked] = server.provider.asked().try_into().unwrap();
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(asked.form["token"], OPAQUE);
    assert_eq!(asked.form["token_type_hint"], "access_token");
    assert!(!asked.form.contains_key("client_secret"));
    // What a form would change arrives as it was sent.
    let odd = "a+b/c~d._-==";
    server.provider.says(odd, server.provider.good());
    server.bearer(odd).await.is_let_in();
    assert_eq!(server.provider.asked()[1].form["token"], odd);
}

#[tokio::test]
async fn a_token_is_opaque_that_has_not_three_parts_of_which_the_first_is_an_object_with_alg() {
    let server = Guarded::start().await;
    let header = b64(r#"{"alg":"ES256"}"#);
    let jwe = [header.as_str(), "a", "b", "c", "d"].join(".");
    let without_alg = format!("{}.e30.AA", b64(r#"{"typ":"JWT"}"#));
    let no_object = format!("{}.e30.AA", b64("[1]"));
    let two = format!("{header}.e30");
    let long = "x".repeat(16 * 1024);
    for opaque in [OPAQUE, &jwe, &without_alg, &no_object, &two, "a.b.c", "x", &long] {
        let before = server.provider.times();
        server.bearer(opaque).await.is_refused_by(Check::Introspection, "not active");
        assert_eq!(server.provider.times(), before + 1, "{opaque}");
        server.provider.says(opaque, server.provider.good());
    }
    let before = server.provider.times();
    let twice = b64(r#"{"alg":"ES256","alg":"ES256"}"#);
    for jws in [
        server.provider.jwt(json!({})),
        format!("{header}.e30.AA"),
        format!("{header}.!.AA").replace('!', "~"),
        format!("{header}.AA.AA"),
        format!("{header}.e30.AB"),
        format!("{twice}.e30.AA"),
        format!("{}.e30.AA", b64(r#"{"alg":"none"}"#)),
    ] {
        server.provider.says(&jws, server.provider.good());
        let _ = server.bearer(&jws).await;
        assert_eq!(server.provider.times(), before, "{jws}");
    }
    let too_long = "x".repeat(16 * 1024 + 1);
    server.bearer(&too_long).await.is_refused_by(Check::Size, "too large");
    assert_eq!(server.provider.times(), before);
}

#[tokio::test]
async fn what_is_malformed_as_a_request_is_asked_of_nobody() {
    let server = Guarded::start().await;
    server.bearer("a,b").await.is_bad_request();
    server.bearer("").await.is_bad_request();
    server.bearer("a b").await.is_bad_request();
    assert_eq!(server.provider.times(), 0);
}

#[tokio::test]
async fn a_jwt_of_the_issuer_is_judged_here_alone_where_only_opaque_tokens_are_asked_about() {
    let server = Guarded::start().await;
    server.bearer(&server.provider.jwt(json!({}))).await.is_let_in();
    let forged = server.provider.jwt(json!({})) + "AA";
    assert_eq!(server.bearer(&forged).await.status, 401);
    assert_eq!(server.provider.times(), 0);
}

#[tokio::test]
async fn an_opaque_token_is_shown_to_nobody_where_every_jwt_is_asked_about() {
    let server = Guarded::of_every_token().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_refused_by(Check::Shape, "segment");
    assert_eq!(server.provider.times(), 0);
}

#[tokio::test]
async fn only_the_issuer_that_introspects_is_asked() {
    let (one, other) = (Provider::start().await, TestIssuer::start().await.unwrap());
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(other.trusted())
        .issuer(TrustedIssuer::discover(&one.url).introspection(Introspection::discover(client)))
        .authorizer(authenticated())
        .build()
        .unwrap();
    layer.ready().await;
    let exp = i64::MAX / 1_000_000_000 * 4 / 5;
    one.says_with(OPAQUE, json!({"exp": exp}));
    let reply = bearer(&layer, OPAQUE).await;
    assert_eq!(reply.is_let_in().issuer(), one.url);
    let jwt = other.token().claim("aud", BASE).sign().unwrap();
    assert_eq!(bearer(&layer, &jwt).await.is_let_in().issuer(), other.url());
    assert_eq!(one.times(), 1);
}

#[tokio::test]
async fn two_issuers_that_are_asked_about_opaque_tokens_are_an_error() {
    let issuer = |name: &str| {
        let client = IntrospectionClient::with_secret(CLIENT, SECRET);
        TrustedIssuer::discover(name).introspection(Introspection::discover(client))
    };
    let build = |issuers: [TrustedIssuer; 2]| {
        let builder = FhirAuthLayer::builder(BASE).issuers(issuers);
        builder.authorizer(authenticated()).build()
    };
    let error = build([issuer("https://a.example.org"), issuer("https://b.example.org")]);
    let error = error.unwrap_err();
    assert!(matches!(error, BuildError::OpaqueTokensOfTwo(..)), "{error}");
    assert!(error.to_string().contains("`https://a.example.org` and `https://b.example.org`"));
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let every = TrustedIssuer::discover("https://c.example.org")
        .introspection(Introspection::discover(client).of_every_token());
    assert!(build([issuer("https://a.example.org"), every]).is_ok());
}

#[tokio::test]
async fn n9_the_endpoint_is_found_in_the_metadata_of_the_issuer_itself() {
    // In the document of OpenID Connect.
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();

    // In the document of RFC 8414, where that one has none.
    let server = Guarded::start().await;
    server.provider.change_metadata(&json!({"introspection_endpoint": null}));
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();

    // Not in a document of another issuer, and not where that has no TLS.
    for changes in [
        json!({"issuer": "http://127.0.0.1:1"}),
        json!({"introspection_endpoint": "http://idp.example.org/introspect"}),
        json!({"introspection_endpoint": "/introspect"}),
        json!({"introspection_endpoint": "http://169.254.169.254/introspect"}),
    ] {
        let provider = Provider::start().await;
        let client = IntrospectionClient::with_secret(CLIENT, SECRET);
        let discovery = format!("{}/.well-known/openid-configuration", provider.url);
        let issuer = TrustedIssuer::discover_at(&provider.url, discovery)
            .introspection(Introspection::discover(client))
            .key_settings(quick());
        provider.change_metadata(&changes);
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
        let layer = builder.authorizer(authenticated()).build().unwrap();
        provider.says(OPAQUE, provider.good());
        bearer(&layer, OPAQUE).await.is_unavailable();
        assert_eq!(provider.times(), 0, "{changes}");
    }
}

#[tokio::test]
async fn an_endpoint_that_moved_is_found_again() {
    let server = Guarded::with(|settings| settings.max_age(Duration::ZERO)).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    server.provider.change_metadata(
        &json!({"introspection_endpoint": format!("{}/elsewhere", server.provider.url)}),
    );
    server.provider.behave(super::kit::Manner::Raw(404, "text/plain", String::new()));
    server.bearer(OPAQUE).await.is_unavailable();
    server.provider.behave(super::kit::Manner::Json);
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), 3);
}

#[tokio::test]
async fn an_endpoint_is_looked_for_again_after_an_outage_and_not_after_a_refusal() {
    for (status, is_kept) in [(400, true), (403, true), (404, false), (500, false)] {
        let provider = Provider::start().await;
        let client = IntrospectionClient::with_secret(CLIENT, SECRET);
        let discovery = format!("{}/.well-known/openid-configuration", provider.url);
        let issuer = TrustedIssuer::discover_at(&provider.url, discovery)
            .introspection(Introspection::discover(client).max_age(Duration::ZERO))
            .key_settings(quick());
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
        let layer = builder.authorizer(authenticated()).build().unwrap();
        provider.says(OPAQUE, provider.good());
        bearer(&layer, OPAQUE).await.is_let_in();
        // A document in which nothing would be found.
        provider.change_metadata(&json!({"issuer": "http://127.0.0.1:1"}));
        provider.behave(super::kit::Manner::Raw(status, "text/plain", String::new()));
        bearer(&layer, OPAQUE).await.is_unavailable();
        provider.behave(super::kit::Manner::Json);
        let reply = bearer(&layer, OPAQUE).await;
        assert_eq!(reply.status == 200, is_kept, "{status}: {reply:#?}");
    }
}

#[tokio::test]
async fn an_endpoint_may_be_written() {
    let server = Guarded::start().await;
    let provider = Provider::start().await;
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let written = Introspection::at(format!("{}{ENDPOINT}", provider.url), client);
    // The keys come from elsewhere, and the issuer is only compared.
    let jwks = format!("{}/jwks", server.provider.url);
    let issuer = TrustedIssuer::with_jwks_uri("urn:idp", jwks).introspection(written);
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).clock(server.clock.clone());
    let layer = builder.authorizer(authenticated()).build().unwrap();
    provider.says_with(OPAQUE, json!({"iss": "urn:idp"}));
    assert_eq!(bearer(&layer, OPAQUE).await.is_let_in().issuer(), "urn:idp");
}

#[tokio::test]
async fn opaque_tokens_need_no_keys() {
    let server = Guarded::start().await;
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let written = Introspection::at(server.provider.endpoint(), client);
    let nowhere = "http://127.0.0.1:9/jwks";
    let issuer = TrustedIssuer::with_jwks_uri(&server.provider.url, nowhere).introspection(written);
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).clock(server.clock.clone());
    let layer = builder.authorizer(authenticated()).build().unwrap();
    server.provider.says(OPAQUE, server.provider.good());
    for _ in 0..3 {
        bearer(&layer, OPAQUE).await.is_let_in();
    }
    assert_eq!(server.provider.times(), 1);
}
