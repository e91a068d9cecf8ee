//! Keys and tokens of one issuer before another, and keys that an issuer has withdrawn.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer, TokenBuilder, replace_keys};
use tower_fhir_auth::{AudiencePolicy, FhirAuthLayer, TrustedIssuer, authenticated};

use crate::kit::{Attack, Pair, Refused};
use crate::support::{BASE, Reply, Server, send};

const INVALID: Refused = Refused::Token(Check::Signature, "the signature does not verify");
const UNTRUSTED: Refused = Refused::Token(Check::Issuer, "`iss` is not a trusted issuer");

async fn trusting(issuers: impl IntoIterator<Item = TrustedIssuer>) -> FhirAuthLayer {
    let builder = FhirAuthLayer::builder(BASE).issuers(issuers).authorizer(authenticated());
    let layer = builder.build().unwrap();
    layer.ready().await;
    layer
}

async fn bearer(layer: &FhirAuthLayer, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    send(layer, Request::get("/r4/Patient/1").header("authorization", bearer)).await
}

fn token(issuer: &TestIssuer) -> TokenBuilder {
    issuer.token().claim("aud", BASE)
}

pub(crate) fn attacks() -> Vec<Attack> {
    let cache = "CVE-2026-49998, CVE-2025-59936";
    vec![
        Attack::new("a key of the same kid of another issuer", cache, crossed),
        Attack::new("a key of another issuer, remembered under its kid", cache, crossed_and_warm),
        Attack::new("an audience of another issuer", cache, audience_of_another),
        Attack::new("an algorithm of another issuer", "RFC 8725 section 3.1", algorithm_of_another),
        Attack::new(
            "an issuer that was not named, with keys by address",
            "tower-oauth2-resource-server: jwks_url drops the check of iss",
            || keys_by_address(Some("https://login.microsoftonline.com/other/v2.0")),
        ),
        Attack::new(
            "no issuer, with keys by address",
            "tower-oauth2-resource-server: jwks_url drops the check of iss",
            || keys_by_address(None),
        ),
        Attack::new(
            "an issuer whose document names another",
            "jwt-authorizer: from_oidc never compares the issuer, OpenID Connect Discovery 4.3",
            || other_document("https://evil.example"),
        ),
        Attack::new(
            "an issuer whose document has a slash more",
            "OpenID Connect Discovery section 4.3",
            || other_document("/"),
        ),
        Attack::new(
            "an issuer as a URL would be written",
            "axum-jose: the issuer is normalised as a URL",
            normalised,
        ),
        Attack::new("a key that was withdrawn", "GHSA-675f-rq2r-jw82", withdrawn),
        Attack::new(
            "a key that was withdrawn, whose token is remembered",
            "GHSA-675f-rq2r-jw82, Envoy: the cache is not flushed on a change of keys",
            withdrawn_and_remembered,
        ),
    ]
}

async fn crossed() -> Pair {
    let (one, two) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let layer = trusting([one.trusted(), two.trusted()]).await;
    let twin = bearer(&layer, &token(&two).sign().unwrap()).await;
    let forged = token(&one).claim("iss", two.url()).sign().unwrap();
    Pair::new(twin, bearer(&layer, &forged).await, INVALID)
}

async fn crossed_and_warm() -> Pair {
    let (one, two) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let layer = trusting([one.trusted(), two.trusted()]).await;
    for issuer in [&one, &two] {
        let reply = bearer(&layer, &token(issuer).sign().unwrap()).await;
        assert_eq!(reply.is_let_in().issuer(), issuer.url());
    }
    let twin = bearer(&layer, &token(&one).sign().unwrap()).await;
    let forged = token(&one).claim("iss", two.url()).sign().unwrap();
    Pair::new(twin, bearer(&layer, &forged).await, INVALID)
}

async fn audience_of_another() -> Pair {
    let (one, two) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let only = AudiencePolicy::exact(["of-two"]);
    let layer = trusting([one.trusted(), two.trusted().audience(only)]).await;
    let twin = bearer(&layer, &two.token().claim("aud", "of-two").sign().unwrap()).await;
    let attack = bearer(&layer, &one.token().claim("aud", "of-two").sign().unwrap()).await;
    let words = "`aud` does not name this server";
    Pair::new(twin, attack, Refused::Token(Check::Audience, words))
}

async fn algorithm_of_another() -> Pair {
    let one = TestIssuer::start().await.unwrap();
    let two = TestIssuer::start().await.unwrap();
    let narrow = one.trusted().algorithms([Algorithm::Rs256]);
    let layer = trusting([narrow, two.trusted()]).await;
    let twin = bearer(&layer, &token(&two).sign().unwrap()).await;
    let attack = bearer(&layer, &token(&one).sign().unwrap()).await;
    let words = "`alg` is not accepted from this issuer";
    Pair::new(twin, attack, Refused::Token(Check::Algorithm, words))
}

async fn keys_by_address(other: Option<&'static str>) -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let name = "https://login.microsoftonline.com/tenant/v2.0";
    let layer = trusting([TrustedIssuer::with_jwks_uri(name, issuer.jwks_uri())]).await;
    let twin = bearer(&layer, &token(&issuer).claim("iss", name).sign().unwrap()).await;
    let (forged, refused) = match other {
        Some(other) => (token(&issuer).claim("iss", other), UNTRUSTED),
        None => (token(&issuer).without("iss"), Refused::Token(Check::Issuer, "`iss` is missing")),
    };
    Pair::new(twin, bearer(&layer, &forged.sign().unwrap()).await, refused)
}

/// A document that says that it is of somebody else gives no keys.
async fn other_document(named: &'static str) -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let named = match named {
        "/" => format!("{}/", issuer.url()),
        other => other.to_owned(),
    };
    let good = token(&issuer).sign().unwrap();
    let twin = bearer(&trusting([issuer.trusted()]).await, &good).await;
    let document = json!({"issuer": named, "jwks_uri": issuer.jwks_uri()});
    issuer.answer("/.well-known/openid-configuration", Answer::json(&document));
    let settings = KeySettings::default().timeout(Duration::from_millis(300));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .build()
        .unwrap();
    Pair::new(twin, bearer(&layer, &good).await, Refused::NoKeys)
}

async fn normalised() -> Pair {
    let key = Arc::new(SigningKey::generate("key-1", Algorithm::Es256).unwrap());
    let name = "https://your.jwt.issuer";
    let set = JwkSet::parse(json!({"keys": [key.jwk()]}).to_string().as_bytes()).unwrap();
    let layer = trusting([TrustedIssuer::with_keys(name, set)]).await;
    let now =
        tower_fhir_auth::authentication::Clock::now(&tower_fhir_auth::authentication::SystemClock);
    let of = |issuer: &str| {
        TokenBuilder::new(issuer, Arc::clone(&key), now).claim("aud", BASE).sign().unwrap()
    };
    let twin = bearer(&layer, &of(name)).await;
    Pair::new(twin, bearer(&layer, &of("https://your.jwt.issuer/")).await, UNTRUSTED)
}

async fn withdrawn() -> Pair {
    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let old = server.token();
    server.issuer.rotate().unwrap();
    server.issuer.withdraw_old_key();
    // The token of the new key makes the set be loaded, in place of the one before.
    let twin = server.get(server.token()).await;
    let attack = server.get(old).await;
    Pair::new(twin, attack, Refused::Token(Check::Key, "no key of the issuer has"))
}

async fn withdrawn_and_remembered() -> Pair {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let twin = server.bearer(&token).await;
    server.bearer(&token).await.is_let_in();
    server.issuer.rotate().unwrap();
    server.issuer.withdraw_old_key();
    let other = SigningKey::generate("key-2", Algorithm::Es256).unwrap();
    let set = JwkSet::parse(json!({"keys": [other.jwk()]}).to_string().as_bytes()).unwrap();
    assert!(replace_keys(&server.layer, server.issuer.url(), set));
    let attack = server.bearer(&token).await;
    Pair::new(twin, attack, Refused::Token(Check::Key, "no key of the issuer has"))
}
