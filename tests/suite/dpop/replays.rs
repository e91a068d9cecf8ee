//! Each proof serves once (RFC 9449 sections 4.3 and 11.1).

use std::sync::Arc;

use http::Request;
use tower_fhir_auth::authentication::Dpop;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{RejectionKind, require_scope};

use super::kit::{World, key};
use crate::support::{NOW, Server};

#[tokio::test]
async fn section_11_1_a_proof_serves_once() {
    let world = World::start().await;
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let credentials = format!("DPoP {token}");
    world.send(&credentials, &[&proof]).await.is_let_in();
    world.send(&credentials, &[&proof]).await.is_no_good_proof("`jti` of the proof was used");
    // Also in another proof, as long as the first one would be accepted.
    let again = world.proof(&token).claim("jti", "one").sign().unwrap();
    world.send(&credentials, &[&again]).await.is_let_in();
    world.server.clock.advance(120);
    let again = world.proof(&token).claim("jti", "one").sign().unwrap();
    world.send(&credentials, &[&again]).await.is_no_good_proof("was used before");
    world.server.clock.advance(1);
    world.send(&credentials, &[&again]).await.is_let_in();
}

#[tokio::test]
async fn the_jti_of_another_key_is_another_one() {
    let world = World::start().await;
    let server = Server::start().await;
    let other = World { server, key: key(Algorithm::Es256) };
    let other = World { server: world.server, ..other };
    let first = World { server: other.server, key: world.key };
    let send = async |world: &World| {
        let token = world.bound();
        let proof = world.proof(&token).claim("jti", "the same").sign().unwrap();
        world.send(&format!("DPoP {token}"), &[&proof]).await
    };
    send(&first).await.is_let_in();
    send(&first).await.is_no_good_proof("was used before");
    let second = World { server: first.server, key: other.key };
    send(&second).await.is_let_in();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_with_one_proof_exactly_one_passes() {
    let world = Arc::new(World::start().await);
    for _ in 0..20 {
        let token = world.bound();
        let proof = world.proof(&token).sign().unwrap();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (world, token, proof) = (Arc::clone(&world), token.clone(), proof.clone());
            all.spawn(async move { world.send(&format!("DPoP {token}"), &[&proof]).await.status });
        }
        let statuses = all.join_all().await;
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 15, "{statuses:?}");
    }
}

#[tokio::test]
async fn a_proof_is_remembered_only_after_every_other_check() {
    let world = World::start().await;
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let credentials = format!("DPoP {token}");
    // The address is another one.
    let elsewhere = Request::get("/r4/Patient/2").header("authorization", &credentials);
    let reply = world.server.send(elsewhere.header("dpop", &proof)).await;
    reply.is_no_good_proof("`htu`");
    // The token has not come with it, or by another scheme, or is no good.
    world.send("", &[&proof]).await.asks_for_credentials();
    assert_eq!(world.send(&format!("Bearer {token}"), &[&proof]).await.status, 401);
    let forged = format!("{token}A");
    assert_eq!(world.send(&format!("DPoP {forged}"), &[&proof]).await.status, 401);
    world.send(&credentials, &[&proof]).await.is_let_in();
}

#[tokio::test]
async fn a_proof_that_came_with_a_request_that_is_not_granted_is_used_up() {
    let server = Server::authorizing(require_scope("nothing")).await;
    let world = World { server, ..World::start().await };
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let credentials = format!("DPoP {token}");
    assert_eq!(world.send(&credentials, &[&proof]).await.status, 403);
    world.send(&credentials, &[&proof]).await.is_no_good_proof("was used before");
}

#[tokio::test]
async fn an_explanation_leaves_the_proof_as_good_as_it_was() {
    let world = World::start().await;
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    let (request, ()) = request.header("dpop", &proof).body(()).unwrap().into_parts();
    for _ in 0..2 {
        let explanation = world.server.layer.explain(&request).await;
        assert!(explanation.is_accepted(), "{explanation}");
    }
    world.send(&format!("DPoP {token}"), &[&proof]).await.is_let_in();
    let explanation = world.server.layer.explain(&request).await;
    assert!(!explanation.is_accepted() && explanation.to_string().contains("was used before"));
}

#[tokio::test]
async fn a_key_that_fills_its_room_is_told_when_to_come_again_and_harms_no_other() {
    let world = World::with(Dpop::new()).await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    for _ in 0..1000 {
        let proof = world.proof(&token).sign().unwrap();
        assert_eq!(world.send(&credentials, &[&proof]).await.status, 200);
    }
    let proof = world.proof(&token).sign().unwrap();
    let reply = world.send(&credentials, &[&proof]).await;
    assert_eq!((reply.status.as_u16(), reply.kind()), (503, RejectionKind::TooManyProofs));
    assert_eq!(reply.rejection.as_ref().unwrap().check(), Some(Check::Proof));
    assert_eq!(reply.header("retry-after"), "121");
    assert!(reply.body.contains("\"transient\""), "{}", reply.body);
    assert!(reply.challenges().is_empty());

    let other = World { server: world.server, key: key(Algorithm::Es256) };
    let token = other.bound();
    let proof = other.proof(&token).sign().unwrap();
    other.send(&format!("DPoP {token}"), &[&proof]).await.is_let_in();

    let first = World { server: other.server, key: world.key };
    first.server.clock.advance(121);
    let token = first.token().claim("exp", NOW + 900).sign().unwrap();
    let proof = first.proof(&token).sign().unwrap();
    first.send(&format!("DPoP {token}"), &[&proof]).await.is_let_in();
}
