//! glewlwyd of Debian, a provider in C: JWTs, rotation, and introspection of a second make (RFC 7662, RFC 9701).
//!
//! ```text
//! .ci/world providers glewlwyd      installs it, and runs this
//! ```

mod administration;

use std::time::Duration;

use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, require_scope};

use self::administration::Glewlwyd;
use crate::guide::Guide;
use crate::server::{BASE, forged, read, serve};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs glewlwyd: `.ci/world providers glewlwyd`"]
async fn glewlwyd() {
    let mut glewlwyd = Glewlwyd::start().await;
    the_block_of_the_guide_accepts_its_tokens_as_it_is_pasted(&glewlwyd).await;
    what_is_revoked_is_refused_within_max_age(&glewlwyd).await;
    its_signed_answers_are_accepted_and_of_what_is_revoked_it_has_none(&glewlwyd).await;
    nobody_is_told_of_another_clients_token(&glewlwyd).await;
    after_a_rotation_no_good_token_is_refused(&mut glewlwyd).await;
    println!("providers: glewlwyd {}: 5 passages, 0 failures", Glewlwyd::version());
}

async fn the_block_of_the_guide_accepts_its_tokens_as_it_is_pasted(glewlwyd: &Glewlwyd) {
    let guide = Guide::of("glewlwyd");
    let url = serve(guide.layer(&glewlwyd.issuer)).await;
    let token = glewlwyd.token().await;
    let (status, body) = read(&url, &token).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(read(&url, &forged(&token)).await.0, 401);
    guide.shows(&[&token]);
}

/// A layer that asks about every token, as the client whose tokens they are.
fn asking(glewlwyd: &Glewlwyd, client: IntrospectionClient) -> Introspection {
    let settings = Introspection::at(format!("{}/introspect", glewlwyd.issuer), client);
    settings.of_every_token().max_age(Duration::from_millis(500))
}

async fn served(glewlwyd: &Glewlwyd, settings: Introspection) -> String {
    let issuer = TrustedIssuer::discover(&glewlwyd.issuer).introspection(settings);
    let layer = FhirAuthLayer::builder(BASE).issuer(issuer);
    serve(layer.authorizer(require_scope("system/Patient.rs")).build().unwrap()).await
}

/// The server, and a token that it has let in and that was revoked since.
async fn with_a_revoked_token(
    glewlwyd: &Glewlwyd,
    form: fn(Introspection) -> Introspection,
) -> (u16, String) {
    let client = IntrospectionClient::with_secret("svc", "svc-secret");
    let url = served(glewlwyd, form(asking(glewlwyd, client))).await;
    let token = glewlwyd.token().await;
    let (status, body) = read(&url, &token).await;
    assert_eq!((status, body.as_str()), (200, "svc"));
    glewlwyd.revoke(&token).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    read(&url, &token).await
}

async fn what_is_revoked_is_refused_within_max_age(glewlwyd: &Glewlwyd) {
    let (status, body) = with_a_revoked_token(glewlwyd, |settings| settings).await;
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("the provider says that the token is not active"), "{body}");
}

/// Where a signed answer is asked for, it says with a bare 400 that a token is not active: no answer.
async fn its_signed_answers_are_accepted_and_of_what_is_revoked_it_has_none(glewlwyd: &Glewlwyd) {
    let signed = Introspection::require_signed_answers;
    let (status, body) = with_a_revoked_token(glewlwyd, signed).await;
    assert_eq!(status, 503, "{body}");
}

/// glewlwyd tells a client of its own tokens alone.
async fn nobody_is_told_of_another_clients_token(glewlwyd: &Glewlwyd) {
    let client = IntrospectionClient::with_secret("fhir", "fhir-secret");
    let url = served(glewlwyd, asking(glewlwyd, client)).await;
    let token = glewlwyd.token().await;
    assert_eq!(read(&url, &token).await.0, 401);
}

async fn after_a_rotation_no_good_token_is_refused(glewlwyd: &mut Glewlwyd) {
    let url = serve(Guide::of("glewlwyd").layer(&glewlwyd.issuer)).await;
    let before = glewlwyd.token().await;
    assert_eq!(read(&url, &before).await.0, 200);
    glewlwyd.rotate().await;
    let after = glewlwyd.token().await;
    assert_ne!(before.split('.').next(), after.split('.').next(), "the new key signs");
    for token in [&after, &before] {
        let (status, body) = read(&url, token).await;
        assert_eq!(status, 200, "{body}");
    }
}
