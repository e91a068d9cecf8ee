//! Holes that other middlewares have had, where no other family has them. Each is named by who.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use serde_json::json;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceExt};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, Principal, TrustedIssuer, authenticated};

use crate::kit::{Answer as Seen, Attack, Pair, Refused, name_of};
use crate::support::{BASE, Reply, Server, send};

const UNKNOWN: Refused = Refused::Token(Check::Key, "no key of the issuer has the token's `kid`");

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "neither aud nor iss",
            "jwt-authorizer, axum-jose, axum-keycloak-auth",
            omitted,
        ),
        Attack::new("foreign aud and foreign iss", "huskarl: CustomValidator", both_foreign),
        Attack::new(
            "the account of a service without aud",
            "axum-keycloak-auth, hfs#206",
            service_account,
        ),
        Attack::new(
            "a withdrawn key whose kid nobody asks for",
            "jwt-authorizer: trusted for ever",
            kept,
        ),
        Attack::new(
            "a withdrawn key beside one without kid",
            "tower-oauth2-resource-server: one key poisons the update",
            poisoned,
        ),
        Attack::new(
            "a provider that is down at start",
            "axum-keycloak-auth: poll_ready panics or hangs",
            || down(""),
        ),
        Attack::new(
            "a provider that hangs at start",
            "axum-keycloak-auth, oauth-resource-server: 401 in an outage",
            || down("hangs"),
        ),
        Attack::new(
            "a permit held by a refusal",
            "tower-oauth2-resource-server, tower-jwt: call of a clone that is not ready",
            permits,
        ),
        Attack::new(
            "an Ed25519 key without alg, and another alg",
            "jwt-authorizer: tables of alg mixed up",
            edwards,
        ),
        Attack::new(
            "a key of the same kid in two tenants",
            "router#9214: the next candidate",
            same_kid,
        ),
        Attack::new("keys older than they may be", "Envoy: old keys kept without bound", stale),
    ]
}

async fn omitted() -> Pair {
    let server = Server::start().await;
    let twin = server.get(server.token()).await;
    let attack = server.get(server.token().without("aud").without("iss")).await;
    Pair::new(twin, attack, Refused::Token(Check::Issuer, "`iss` is missing"))
}

async fn both_foreign() -> Pair {
    let server = Server::start().await;
    let twin = server.get(server.token()).await;
    let foreign = server.token().claim("aud", "x").claim("iss", "https://evil.example");
    let refused = Refused::Token(Check::Issuer, "`iss` is not a trusted issuer");
    Pair::new(twin, server.get(foreign).await, refused)
}

/// As Keycloak writes it: `account` or nothing in `aud`, and the client in `azp`.
async fn service_account() -> Pair {
    let server = Server::start().await;
    let account = || {
        let token = server.token().header("typ", "JWT").without("client_id");
        token.claim("azp", "app").claim("typ", "Bearer").claim("realm_access", json!({"roles": []}))
    };
    let twin = server.get(account()).await;
    let attack = server.get(account().without("aud")).await;
    Pair::new(twin, attack, Refused::Token(Check::Audience, "`aud` is missing"))
}

async fn refreshing(issuer: &TestIssuer) -> FhirAuthLayer {
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .build()
        .unwrap();
    layer.ready().await;
    layer
}

async fn bearer(layer: &FhirAuthLayer, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    send(layer, Request::get("/r4/Patient/1").header("authorization", bearer)).await
}

/// Waits until the keys have been loaded again after now.
async fn loaded_again(issuer: &TestIssuer) {
    let before = issuer.jwks_requests();
    for _ in 0..1000 {
        if issuer.jwks_requests() > before + 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the keys were not loaded again");
}

async fn kept() -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = refreshing(&issuer).await;
    let old = issuer.token().claim("aud", BASE).sign().unwrap();
    bearer(&layer, &old).await.is_let_in();
    issuer.rotate().unwrap();
    issuer.withdraw_old_key();
    loaded_again(&issuer).await;
    let new = issuer.token().claim("aud", BASE).sign().unwrap();
    Pair::new(bearer(&layer, &new).await, bearer(&layer, &old).await, UNKNOWN)
}

async fn poisoned() -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = refreshing(&issuer).await;
    let old = issuer.token().claim("aud", BASE).sign().unwrap();
    issuer.rotate().unwrap();
    issuer.withdraw_old_key();
    let mut set = issuer.jwks();
    let mut nameless = SigningKey::generate("x", Algorithm::Es256).unwrap().jwk();
    nameless.as_object_mut().unwrap().remove("kid");
    set["keys"].as_array_mut().unwrap().extend([nameless, json!({"kty": "AKP"}), json!(5)]);
    issuer.answer("/jwks", Answer::json(&set));
    loaded_again(&issuer).await;
    let new = issuer.token().claim("aud", BASE).sign().unwrap();
    Pair::new(bearer(&layer, &new).await, bearer(&layer, &old).await, UNKNOWN)
}

/// Nobody is let in, nobody hangs for longer than a load, and nothing has to be started again.
async fn down(how: &'static str) -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    match how {
        "hangs" => issuer.answer("/jwks", Answer::hang()),
        _ => issuer.fail(),
    }
    let settings = KeySettings::default().timeout(Duration::from_millis(300));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .build()
        .unwrap();
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    let attack = tokio::time::timeout(Duration::from_secs(3), bearer(&layer, &token)).await;
    issuer.recover();
    layer.ready().await;
    Pair::new(bearer(&layer, &token).await, attack.unwrap(), Refused::NoKeys)
}

/// The inner service has one permit. A refusal gives it back, and a request that is let in uses the
/// service that was made ready.
async fn permits() -> Pair {
    let server = Server::start().await;
    let inner = tower::service_fn(|request: Request<()>| async move {
        let mut response = http::Response::new(String::new());
        if let Some(principal) = request.extensions().get::<Principal>() {
            response.headers_mut().insert("x-principal", name_of(principal).parse().unwrap());
        }
        Ok::<_, std::convert::Infallible>(response)
    });
    let mut service = server.layer.layer(ConcurrencyLimitLayer::new(1).layer(inner));
    let good = server.token().sign().unwrap();
    let mut answers = Vec::new();
    for token in ["x", &good, "x", &good] {
        let request =
            Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
        let ready = tokio::time::timeout(Duration::from_secs(3), service.ready()).await;
        let response = ready.unwrap().unwrap().call(request.body(()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        answers.push(Seen::read(parts.status.as_u16(), &parts.headers, &body));
    }
    let (good, bad) = (answers.pop().unwrap(), answers.pop().unwrap());
    Pair::new(good, bad, Refused::Token(Check::Shape, "1 segment"))
}

async fn edwards() -> Pair {
    let key = Arc::new(SigningKey::generate("one", Algorithm::EdDsa).unwrap());
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let set = JwkSet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys("https://idp.example.org", set))
        .authorizer(authenticated())
        .build()
        .unwrap();
    let now =
        tower_fhir_auth::authentication::Clock::now(&tower_fhir_auth::authentication::SystemClock);
    let token = |alg: &str| {
        let token = tower_fhir_auth::test_util::TokenBuilder::new(
            "https://idp.example.org",
            Arc::clone(&key),
            now,
        );
        token.claim("aud", BASE).header("alg", alg).sign().unwrap()
    };
    let twin = bearer(&layer, &token("EdDSA")).await;
    let refused = Refused::Token(Check::Key, "may not be used with the token's `alg`");
    Pair::new(twin, bearer(&layer, &token("ES256")).await, refused)
}

/// Two policies of one provider share a key: `iss` says whose rules hold.
async fn same_kid() -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let of = |name: &str, audience: &str| {
        let audience = tower_fhir_auth::AudiencePolicy::exact([audience.to_owned()]);
        TrustedIssuer::with_jwks_uri(name, issuer.jwks_uri()).audience(audience)
    };
    let layer = FhirAuthLayer::builder(BASE)
        .issuers([
            of("https://idp.example.org/one", "one"),
            of("https://idp.example.org/two", "two"),
        ])
        .authorizer(authenticated())
        .build()
        .unwrap();
    layer.ready().await;
    let token = |name: &str, audience: &str| {
        issuer.token().claim("iss", name).claim("aud", audience).sign().unwrap()
    };
    let twin = bearer(&layer, &token("https://idp.example.org/two", "two")).await;
    let attack = bearer(&layer, &token("https://idp.example.org/one", "two")).await;
    Pair::new(twin, attack, Refused::Token(Check::Audience, "`aud` does not name this server"))
}

async fn stale() -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let settings =
        KeySettings::default().refresh(Duration::from_secs(1)).max_stale(Duration::from_secs(3));
    let settings = settings.timeout(Duration::from_millis(300));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .build()
        .unwrap();
    layer.ready().await;
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    issuer.fail();
    let twin = bearer(&layer, &token).await;
    tokio::time::sleep(Duration::from_millis(4500)).await;
    Pair::new(twin, bearer(&layer, &token).await, Refused::NoKeys)
}
