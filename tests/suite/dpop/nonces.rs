//! Nonces of the server (RFC 9449 sections 8 and 9).

use tower_fhir_auth::RejectionKind;
use tower_fhir_auth::authentication::{Dpop, SealKey};

use super::kit::World;

fn key(byte: u8) -> SealKey {
    SealKey::new(&[byte; 32]).unwrap()
}

#[tokio::test]
async fn section_9_a_proof_without_a_nonce_is_told_one_and_serves_with_it() {
    let world = World::with(Dpop::new().nonce(true)).await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    let proof = world.proof(&token).sign().unwrap();
    let reply = world.send(&credentials, &[&proof]).await;
    reply.is_refused_on_dpop("use_dpop_nonce", "the proof has no `nonce`");
    assert_eq!(reply.kind(), RejectionKind::UseDpopNonce);
    let nonce = reply.header("dpop-nonce").to_owned();
    // RFC 9449 section 8.1: visible ASCII without quotes and backslashes.
    assert!(!nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic()), "{nonce}");
    let proof = || world.proof(&token).claim("nonce", nonce.as_str()).sign().unwrap();
    world.send(&credentials, &[&proof()]).await.is_let_in();
    // Nothing is remembered of a nonce: it serves for other proofs, too.
    world.send(&credentials, &[&proof()]).await.is_let_in();
}

#[tokio::test]
async fn section_9_a_nonce_that_is_forged_or_old_is_replaced() {
    let world = World::with(Dpop::new().nonce(true)).await;
    let nonce = world.server.layer.authenticator().dpop_nonce().unwrap();
    let mut forged = nonce.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let long = nonce.repeat(10);
    for bad in ["", "x", &forged, &long] {
        let token = world.bound();
        let proof = world.proof(&token).claim("nonce", bad).sign().unwrap();
        let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
        reply.is_refused_on_dpop(
            "use_dpop_nonce",
            "`nonce` of the proof was not made by this server",
        );
        assert!(!reply.header("dpop-nonce").is_empty());
    }
    let try_after = async |seconds: i64| {
        world.server.clock.advance(seconds);
        let token = world.bound();
        let proof = world.proof(&token).claim("nonce", nonce.as_str()).sign().unwrap();
        world.send(&format!("DPoP {token}"), &[&proof]).await
    };
    try_after(299).await.is_let_in();
    try_after(1).await.is_refused_on_dpop("use_dpop_nonce", "too old");
}

#[tokio::test]
async fn nonces_serve_at_all_instances_with_the_same_keys_and_at_no_other_server() {
    let with =
        async |keys: Vec<SealKey>| World::with(Dpop::new().nonce(true).seal_keys(keys)).await;
    let one = with(vec![key(1)]).await;
    let nonce = one.server.layer.authenticator().dpop_nonce().unwrap();
    for (keys, is_good) in
        [(vec![key(1)], true), (vec![key(2), key(1)], true), (vec![key(2)], false), (vec![], false)]
    {
        let other = with(keys).await;
        let token = other.bound();
        let proof = other.proof(&token).claim("nonce", nonce.as_str()).sign().unwrap();
        let reply = other.send(&format!("DPoP {token}"), &[&proof]).await;
        assert_eq!(reply.status == 200, is_good, "{reply:#?}");
    }
}

#[tokio::test]
async fn where_no_nonce_is_asked_for_none_is_looked_at_and_none_is_told() {
    let world = World::start().await;
    let reply = world.changed(|proof| proof.claim("nonce", "anything")).await;
    reply.is_let_in();
    let reply = world.changed(|proof| proof.claim("htm", "PUT")).await;
    assert!(reply.headers.get("dpop-nonce").is_none());
}

#[tokio::test]
async fn a_fault_before_the_nonce_is_told_first_and_one_behind_it_later() {
    let world = World::with(Dpop::new().nonce(true)).await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    let other = world.proof(&token).claim("htm", "PUT").sign().unwrap();
    world.send(&credentials, &[&other]).await.is_no_good_proof("`htm`");
    let proof = world.proof(&token).claim("ath", "x").sign().unwrap();
    let reply = world.send(&credentials, &[&proof]).await;
    reply.is_refused_on_dpop("use_dpop_nonce", "no `nonce`");
}
