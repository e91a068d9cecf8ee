//! Schemes of tokens, and what binds them (RFC 9449 sections 6 and 7, RFC 7800).

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::SenderConstraint;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{FhirAuthLayer, authenticated};

use super::kit::{World, key};
use crate::support::{NOW, Server, send};

#[tokio::test]
async fn section_7_1_the_scheme_is_dpop_in_any_case() {
    let world = World::start().await;
    for scheme in ["DPoP", "dpop", "DPOP"] {
        let token = world.bound();
        let proof = world.proof(&token).sign().unwrap();
        world.send(&format!("{scheme} {token}"), &[&proof]).await.is_let_in();
    }
    for bad in ["DPoP", "DPoP ", "DPoP a,b"] {
        world.send(bad, &[]).await.is_bad_request();
    }
}

#[tokio::test]
async fn section_7_2_a_bound_token_as_bearer_is_refused_whatever_its_proof() {
    let world = World::start().await;
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    for proofs in [&[][..], &[&*proof]] {
        let reply = world.send(&format!("Bearer {token}"), proofs).await;
        reply.is_refused_by(Check::Confirmation, "presented as a bearer token");
        let challenges = reply.challenges();
        assert!(challenges[0].starts_with("Bearer ") && challenges[1].starts_with("DPoP "));
    }
    // And the same when the token has been seen before.
    let credentials = format!("DPoP {token}");
    world.send(&credentials, &[&proof]).await.is_let_in();
    let reply = world.send(&format!("Bearer {token}"), &[]).await;
    reply.is_refused_by(Check::Confirmation, "presented as a bearer token");
}

#[tokio::test]
async fn a_bound_token_without_a_proof_is_refused_also_when_it_was_seen_before() {
    let world = World::start().await;
    let token = world.bound();
    let credentials = format!("DPoP {token}");
    let missing = "the request has no proof of it";
    world.send(&credentials, &[]).await.is_refused_on_dpop("invalid_token", missing);
    let proof = world.proof(&token).sign().unwrap();
    world.send(&credentials, &[&proof]).await.is_let_in();
    world.send(&credentials, &[]).await.is_refused_on_dpop("invalid_token", missing);
    let other = world.proof(&token).claim("htm", "PUT").sign().unwrap();
    world.send(&credentials, &[&other]).await.is_no_good_proof("`htm`");
}

#[tokio::test]
async fn an_unbound_token_under_dpop_is_refused_whatever_its_proof() {
    let world = World::start().await;
    let token = world.server.token().sign().unwrap();
    let proof = world.proof(&token).sign().unwrap();
    for proofs in [&[][..], &[&*proof]] {
        let reply = world.send(&format!("DPoP {token}"), proofs).await;
        reply.is_refused_on_dpop("invalid_token", "no `cnf.jkt` binds it");
    }
    world.send(&format!("Bearer {token}"), &[]).await.is_let_in();
    let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
    reply.is_refused_on_dpop("invalid_token", "no `cnf.jkt` binds it");
}

#[tokio::test]
async fn a_proof_beside_an_unbound_bearer_token_is_ignored() {
    let world = World::start().await;
    let token = world.server.token().sign().unwrap();
    for proof in ["garbage", ""] {
        world.send(&format!("Bearer {token}"), &[proof, proof]).await.is_let_in();
    }
}

#[tokio::test]
async fn cnf_is_an_object_whose_members_are_known_thumbprints() {
    let world = World::start().await;
    let jkt = world.key.thumbprint();
    for (cnf, words) in [
        (json!(null), "`cnf` is null"),
        (json!("x"), "`cnf` is malformed"),
        (json!([]), "`cnf` is malformed"),
        (json!({}), "`cnf` is malformed"),
        (json!({"jkt": null}), "`cnf` is malformed"),
        (json!({"jkt": "x"}), "`cnf` is malformed"),
        (json!({"jkt": format!("{jkt}=")}), "`cnf` is malformed"),
        (json!({"jkt": format!("{jkt}A")}), "`cnf` is malformed"),
        (json!({"jkt": [jkt]}), "`cnf` is malformed"),
        (json!({"jkt": jkt, "kid": "x"}), "other than `jkt` and `x5t#S256`"),
        (json!({"jwk": world.key.jwk()}), "other than `jkt` and `x5t#S256`"),
        (json!({"x5t": "x"}), "other than `jkt` and `x5t#S256`"),
    ] {
        let token = world.server.token().claim("cnf", cnf).sign().unwrap();
        let proof = world.proof(&token).sign().unwrap();
        let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
        reply.is_refused_on_dpop("invalid_token", words);
        let reply = world.send(&format!("Bearer {token}"), &[&proof]).await;
        reply.is_refused_by(Check::Confirmation, words);
    }
}

/// Keycloak 26.7 says beside `jkt` how its key is proved.
#[tokio::test]
async fn what_keycloak_writes_beside_jkt_binds_to_the_same_key_and_nothing_else_passes() {
    let world = World::start().await;
    let jkt = world.key.thumbprint();
    let send = async |cnf: Value, with_proof: bool| {
        let token = world.server.token().claim("cnf", cnf).sign().unwrap();
        let proof = world.proof(&token).sign().unwrap();
        let proofs = [proof.as_str()];
        world.send(&format!("DPoP {token}"), if with_proof { &proofs } else { &[] }).await
    };
    let good = json!({"jkt": jkt, "kc-jkt-type": "DPoP"});
    send(good.clone(), true).await.is_let_in();
    send(good, false).await.is_refused_on_dpop("invalid_token", "has no proof of it");
    for other in [json!("attestation"), json!("dpop"), json!(null), json!({}), json!(["DPoP"])] {
        let reply = send(json!({"jkt": jkt, "kc-jkt-type": other}), true).await;
        reply.is_refused_by(Check::Confirmation, "other than `jkt` and `x5t#S256`");
    }
    // It binds to nothing by itself.
    let reply = send(json!({"kc-jkt-type": "DPoP"}), true).await;
    reply.is_refused_by(Check::Confirmation, "`cnf`");
    // Nor does it say anything of a certificate.
    let certificate = "A".repeat(43);
    let reply = send(json!({"x5t#S256": certificate, "kc-jkt-type": "DPoP"}), true).await;
    reply.is_refused_by(Check::Confirmation, "other than `jkt` and `x5t#S256`");
}

#[tokio::test]
async fn whether_a_proof_is_asked_for_comes_before_exp_and_the_proof_after_it() {
    let world = World::start().await;
    let token = world.token().claim("exp", NOW - 100).sign().unwrap();
    let reply = world.send(&format!("Bearer {token}"), &[]).await;
    reply.is_refused_by(Check::Confirmation, "presented as a bearer token");
    for proofs in [&[][..], &["garbage"]] {
        let reply = world.send(&format!("DPoP {token}"), proofs).await;
        assert_eq!(reply.rejection.as_ref().unwrap().check(), Some(Check::Expiry), "{reply:#?}");
        assert!(reply.challenges()[0].starts_with("DPoP "), "{reply:#?}");
    }
    let other = world.token().claim("client_id", json!(["x"])).sign().unwrap();
    let reply = world.send(&format!("Bearer {other}"), &[]).await;
    reply.is_refused_by(Check::RequiredClaims, "`client_id`");
}

#[tokio::test]
async fn a_server_that_requires_bound_tokens_takes_no_other() {
    let world = World::constrained(SenderConstraint::Require).await;
    let plain = world.server.token().sign().unwrap();
    let reply = world.send(&format!("Bearer {plain}"), &[]).await;
    reply.is_refused_by(Check::Confirmation, "`cnf` is missing");
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    world.send(&format!("DPoP {token}"), &[&proof]).await.is_let_in();
}

#[tokio::test]
async fn a_server_that_refuses_bound_tokens_takes_none() {
    let world = World::constrained(SenderConstraint::Refuse).await;
    let plain = world.server.token().sign().unwrap();
    world.send(&format!("Bearer {plain}"), &[]).await.is_let_in();
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
    reply.is_refused_on_dpop("invalid_token", "which this server does not accept");
    let reply = world.send(&format!("Bearer {token}"), &[&proof]).await;
    reply.is_refused_by(Check::Confirmation, "which this server does not accept");
}

#[tokio::test]
async fn each_issuer_has_a_constraint_of_its_own() {
    let strict = World::constrained(SenderConstraint::Require).await;
    let lax = Server::start().await;
    let layer = FhirAuthLayer::builder(crate::support::BASE)
        .issuer(strict.server.issuer.trusted().sender_constraint(SenderConstraint::Require))
        .issuer(lax.issuer.trusted())
        .clock(lax.clock.clone())
        .authorizer(authenticated())
        .build()
        .unwrap();
    layer.ready().await;
    for (token, expected) in [(strict.server.token(), 401), (lax.token(), 200)] {
        let token = token.sign().unwrap();
        let request = Request::get("/r4/Patient/1");
        let request = request.header("authorization", format!("Bearer {token}"));
        assert_eq!(send(&layer, request).await.status, expected);
    }
}

#[tokio::test]
async fn headers_alone_prove_nothing_and_the_whole_request_does() {
    let world = World::start().await;
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    let (request, ()) = request.header("dpop", proof).body(()).unwrap().into_parts();
    let authenticator = world.server.layer.authenticator();
    authenticator.authenticate(&request.headers, &request.uri).await.unwrap_err();
    let principal = authenticator.authenticate_request(&request).await.unwrap();
    assert_eq!(principal.subject(), Some("alice"));
}

#[tokio::test]
async fn a_token_that_is_bound_to_another_key_is_of_no_use() {
    let world = World::start().await;
    let token = world.server.token().bound_to(&key(tower_fhir_auth::jose::Algorithm::Es256));
    let token = token.sign().unwrap();
    let proof = world.proof(&token).sign().unwrap();
    let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
    reply.is_refused_on_dpop("invalid_token", "a key other than");
}
