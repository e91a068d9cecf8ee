//! Proofs and nonces when the configuration is replaced.

use std::time::Duration;

use tower_fhir_auth::authentication::Dpop;
use tower_fhir_auth::{FhirAuthLayer, authenticated};

use super::kit::World;
use crate::support::{BASE, NOW};

fn replace(world: &World, dpop: Dpop) {
    let next = FhirAuthLayer::builder(BASE)
        .issuer(world.server.issuer.trusted())
        .authorizer(authenticated())
        .dpop(dpop);
    world.server.layer.replace(next).unwrap();
}

#[tokio::test]
async fn a_proof_that_was_accepted_by_the_configuration_before_is_refused_as_a_replay() {
    let world = World::start().await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    let proof = world.proof(&token).sign().unwrap();
    world.send(&credentials, &[&proof]).await.is_let_in();
    replace(&world, Dpop::new());
    world.send(&credentials, &[&proof]).await.is_no_good_proof("used before");
    let fresh = world.proof(&token).sign().unwrap();
    world.send(&credentials, &[&fresh]).await.is_let_in();
}

#[tokio::test]
async fn settings_that_accept_older_proofs_accept_none_that_may_have_been_forgotten() {
    let world = World::start().await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    let (old, unseen) = (world.proof(&token).sign().unwrap(), world.proof(&token));
    world.send(&credentials, &[&old]).await.is_let_in();
    // 60 s of age and 60 s of leeway: from now on it is forgotten.
    world.server.clock.advance(121);
    let known_later = world.proof(&token).sign().unwrap();
    world.send(&credentials, &[&known_later]).await.is_let_in();
    replace(&world, Dpop::new().max_age(Duration::from_secs(3600)));
    for proof in [old, unseen.sign().unwrap()] {
        world.send(&credentials, &[&proof]).await.is_no_good_proof("`iat`");
    }
    world.server.clock.advance(179);
    world.send(&credentials, &[&known_later]).await.is_no_good_proof("used before");
}

#[tokio::test]
async fn settings_that_accept_younger_proofs_alone_remember_no_others() {
    let world = World::with(Dpop::new().max_age(Duration::from_secs(3600))).await;
    let token = world.token().claim("exp", NOW + 3600).sign().unwrap();
    let credentials = format!("DPoP {token}");
    for _ in 0..1000 {
        let proof = world.proof(&token).sign().unwrap();
        assert_eq!(world.send(&credentials, &[&proof]).await.status, 200);
    }
    let full = world.send(&credentials, &[&world.proof(&token).sign().unwrap()]).await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "3661"));
    replace(&world, Dpop::new());
    let full = world.send(&credentials, &[&world.proof(&token).sign().unwrap()]).await;
    assert_eq!((full.status.as_u16(), full.header("retry-after")), (503, "121"));
    world.server.clock.advance(121);
    let proof = world.proof(&token).sign().unwrap();
    world.send(&credentials, &[&proof]).await.is_let_in();
    world.send(&credentials, &[&proof]).await.is_no_good_proof("used before");
}

#[tokio::test]
async fn a_nonce_serves_on_where_its_key_was_made_at_start() {
    let world = World::with(Dpop::new().nonce(true)).await;
    let nonce = world.server.layer.authenticator().dpop_nonce().unwrap();
    replace(&world, Dpop::new().nonce(true));
    let token = world.bound();
    let proof = world.proof(&token).claim("nonce", nonce).sign().unwrap();
    world.send(&format!("DPoP {token}"), &[&proof]).await.is_let_in();
}
