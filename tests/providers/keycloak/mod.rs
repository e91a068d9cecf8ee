//! Keycloak 26: the realm beside this file, and what the layer says of its tokens.
//!
//! ```text
//! .ci/world providers keycloak      fetches it from Maven Central, and runs this
//! ```
//!
//! One Keycloak for all of it, since it takes its time to start.

mod people;
mod realm;

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::authentication::{Dpop, Introspection, IntrospectionClient, SenderConstraint};
use tower_fhir_auth::{
    AudiencePolicy, Enforcement, FhirAuthLayer, FhirAuthLayerBuilder, ScopePolicy, TrustedIssuer,
};

use self::realm::Keycloak;
use crate::guide::Guide;
use crate::node::client;
use crate::server::{BASE, Port, read, serve};
use crate::tls::Authority;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Keycloak: `.ci/world providers keycloak`"]
async fn keycloak() {
    let authority = Authority::new();
    let keycloak = Keycloak::start(&authority).await;
    the_block_of_the_guide_accepts_its_tokens_as_it_is_pasted(&keycloak).await;
    after_a_rotation_no_good_token_is_refused(&keycloak).await;
    whoever_has_logged_out_is_refused_by_introspection_and_the_jwt_goes_on(&keycloak).await;
    refresh_tokens_and_forged_ones_are_not_active(&keycloak).await;
    a_token_that_is_bound_to_a_key_serves_with_proofs_of_openid_client(&keycloak).await;
    a_token_that_is_bound_to_a_certificate_serves_with_it_alone(&keycloak, &authority).await;
    println!("providers: keycloak {}: 6 passages, 0 failures", keycloak.version);
}

fn builder(base: &str, issuer: TrustedIssuer) -> FhirAuthLayerBuilder {
    FhirAuthLayer::builder(base)
        .issuer(issuer)
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL)
}

async fn the_block_of_the_guide_accepts_its_tokens_as_it_is_pasted(keycloak: &Keycloak) {
    let guide = Guide::of("Keycloak");
    let url = serve(guide.layer(&keycloak.issuer)).await;
    // By role: a client role below a client whose name has dots.
    let grace = keycloak.by_password("grace", "openid").await;
    // By scope: a user who signed in, with a patient of her own.
    let ada = keycloak.by_code("ada", "openid launch/patient patient/*.rs").await;
    let nightly = keycloak.of_client("nightly", "nightly-secret").await;
    for (who, token) in [("grace", &grace.access), ("ada", &ada.access), ("nightly", &nightly)] {
        let (status, body) = read(&url, token).await;
        assert_eq!(status, 200, "{who}: {body}");
    }
    guide.shows(&[&grace.access, &ada.access]);
    // Somebody without role and scope, and a patient without her record.
    let nobody = keycloak.by_password("ada", "openid").await;
    let (status, body) = read(&url, &nobody.access).await;
    assert_eq!(status, 403, "{body}");
    let without_patient = keycloak.by_password("ada", "openid patient/*.rs").await;
    let (status, body) = read(&url, &without_patient.access).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("`patient`"), "{body}");
}

async fn after_a_rotation_no_good_token_is_refused(keycloak: &Keycloak) {
    let layer = Guide::of("Keycloak").layer(&keycloak.issuer);
    let url = serve(layer.clone()).await;
    let before = keycloak.of_client("nightly", "nightly-secret").await;
    assert_eq!(read(&url, &before).await.0, 200);
    keycloak.rotate().await;
    let after = keycloak.of_client("nightly", "nightly-secret").await;
    assert_ne!(header(&before), header(&after), "the new key signs");
    for token in [&after, &before, &after] {
        let (status, body) = read(&url, token).await;
        assert_eq!(status, 200, "{body}");
    }
    assert_eq!(layer.health().remove(0).loads, 2, "one at the start, one for the new key");
}

fn header(token: &str) -> &str {
    token.split('.').next().unwrap()
}

/// A layer that asks Keycloak about every token.
async fn asking(keycloak: &Keycloak) -> String {
    let client = IntrospectionClient::with_secret("fhir.example.org", "fhir-secret");
    let settings = Introspection::discover(client).of_every_token();
    let issuer = TrustedIssuer::discover(&keycloak.issuer)
        .introspection(settings.max_age(Duration::from_millis(500)));
    serve(builder(BASE, issuer).build().unwrap()).await
}

async fn whoever_has_logged_out_is_refused_by_introspection_and_the_jwt_goes_on(
    keycloak: &Keycloak,
) {
    let asking = asking(keycloak).await;
    let believing = serve(Guide::of("Keycloak").layer(&keycloak.issuer)).await;
    let ada = keycloak.by_code("ada", "openid launch/patient patient/*.rs").await;
    for url in [&asking, &believing] {
        let (status, body) = read(url, &ada.access).await;
        assert_eq!(status, 200, "{body}");
    }
    keycloak.log_out(&ada).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let (status, body) = read(&asking, &ada.access).await;
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("the provider says that the token is not active"), "{body}");
    assert_eq!(read(&believing, &ada.access).await.0, 200, "until it expires");
}

async fn refresh_tokens_and_forged_ones_are_not_active(keycloak: &Keycloak) {
    let url = asking(keycloak).await;
    let ada = keycloak.by_password("ada", "openid launch/patient patient/*.rs").await;
    assert_eq!(read(&url, &ada.access).await.0, 200);
    assert_eq!(read(&url, &ada.refresh).await.0, 401);
    assert_eq!(read(&url, &crate::server::forged(&ada.access)).await.0, 401);
}

async fn a_token_that_is_bound_to_a_key_serves_with_proofs_of_openid_client(keycloak: &Keycloak) {
    let port = Port::open().await;
    let base = port.base.clone();
    // Keycloak's mapper names the API by another name than this port has.
    let issuer = TrustedIssuer::discover(&keycloak.issuer)
        .audience(AudiencePolicy::exact([BASE]))
        .sender_constraint(SenderConstraint::Require);
    let layer = builder(&base, issuer).dpop(Dpop::new().nonce(true)).build().unwrap();
    let url = port.serve(layer).await;
    for algorithm in ["ES256", "PS256"] {
        let arguments = json!({
            "issuer": keycloak.issuer, "client": "bound-to-a-key", "secret": "bound-secret",
            "scope": "system/*.rs", "url": url, "algorithm": algorithm,
        });
        let said = client("dpop-client.mjs", &arguments).await;
        assert_eq!(said["token_type"], "dpop", "{said}");
        let reads = said["reads"].as_array().unwrap();
        assert!(reads.iter().all(|read| read[0] == 200), "{said}");
        let token = said["access_token"].as_str().unwrap();
        assert_eq!(read(&url, token).await.0, 401, "as a plain bearer token");
    }
}

async fn a_token_that_is_bound_to_a_certificate_serves_with_it_alone(
    keycloak: &Keycloak,
    authority: &Authority,
) {
    let (mine, others) = (authority.client("me"), authority.client("somebody else"));
    let token = keycloak.of_certificate(&authority.http(Some(&mine))).await;
    let issuer = TrustedIssuer::discover(&keycloak.issuer);
    let url = authority.serve(builder(BASE, issuer).build().unwrap()).await;
    for (identity, status) in [(Some(&mine), 200), (Some(&others), 401), (None, 401)] {
        let reply = authority.http(identity).get(&url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status);
    }
}
