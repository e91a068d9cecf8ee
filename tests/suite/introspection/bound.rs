//! Tokens that an answer binds to their sender: contract section 8, "a `cnf` in either must be proved".

use std::sync::Arc;

use http::{Method, Request};
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, Introspection, SenderConstraint};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey};

use super::kit::{Guarded, OPAQUE};
use crate::support::{BASE, Reply, send};

struct Client {
    server: Guarded,
    key: Arc<SigningKey>,
}

/// The `cnf` of a token that is bound to a key.
fn cnf(key: &SigningKey) -> Value {
    json!({"jkt": key.thumbprint()})
}

impl Client {
    fn of(server: Guarded) -> Self {
        let key = SigningKey::generate("of the client", Algorithm::Es256).unwrap();
        Self { server, key: Arc::new(key) }
    }

    fn own(&self) -> Value {
        cnf(&self.key)
    }

    fn proof(&self, token: &str) -> String {
        let (key, now) = (Arc::clone(&self.key), self.server.clock.now());
        let url = format!("{BASE}/Patient/1");
        ProofBuilder::new(key, &Method::GET, &url, now).of_token(token).sign().unwrap()
    }

    async fn send(&self, credentials: String, proof: Option<String>) -> Reply {
        let request = Request::get("/r4/Patient/1").header("authorization", credentials);
        let request =
            proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
        send(&self.server.layer, request).await
    }

    async fn bearer(&self, token: &str) -> Reply {
        self.send(format!("Bearer {token}"), None).await
    }

    async fn proven(&self, token: &str) -> Reply {
        self.send(format!("DPoP {token}"), Some(self.proof(token))).await
    }
}

#[tokio::test]
async fn an_opaque_token_that_its_answer_binds_is_good_with_its_proof_alone_also_when_it_is_kept() {
    let client = Client::of(Guarded::start().await);
    client.server.provider.says_with(OPAQUE, json!({"cnf": client.own()}));
    for _ in 0..2 {
        client.bearer(OPAQUE).await.is_refused_by(Check::Confirmation, "as a bearer token");
        client.proven(OPAQUE).await.is_let_in();
        let bare = client.send(format!("DPoP {OPAQUE}"), None).await;
        assert_eq!(bare.status, 401, "{bare:?}");
    }
    assert_eq!(client.server.provider.times(), 1);
}

#[tokio::test]
async fn an_opaque_token_without_a_binding_is_none_of_dpop() {
    let client = Client::of(Guarded::start().await);
    client.server.provider.says(OPAQUE, client.server.provider.good());
    assert_eq!(client.proven(OPAQUE).await.status, 401);
    client.bearer(OPAQUE).await.is_let_in();
}

#[tokio::test]
async fn of_a_jwt_that_is_asked_about_what_either_binds_is_proved() {
    let other = Arc::new(SigningKey::generate("another", Algorithm::Es256).unwrap());
    for (in_jwt, in_answer) in [(true, true), (true, false), (false, true)] {
        let client = Client::of(Guarded::of_every_token().await);
        let cnf = |is_there: bool| if is_there { client.own() } else { Value::Null };
        let token = client.server.provider.jwt(json!({"cnf": cnf(in_jwt)}));
        client.server.provider.says_with(&token, json!({"cnf": cnf(in_answer)}));
        for _ in 0..2 {
            client.bearer(&token).await.is_refused_by(Check::Confirmation, "as a bearer token");
            client.proven(&token).await.is_let_in();
        }
        // Somebody else's proof.
        let thief = Client { server: client.server, key: Arc::clone(&other) };
        assert_eq!(thief.proven(&token).await.status, 401, "{in_jwt} {in_answer}");
    }
}

#[tokio::test]
async fn an_answer_that_binds_to_another_key_contradicts_the_jwt() {
    let client = Client::of(Guarded::of_every_token().await);
    let other = Arc::new(SigningKey::generate("another", Algorithm::Es256).unwrap());
    let token = client.server.provider.jwt(json!({"cnf": client.own()}));
    let cnf = cnf(&other);
    client.server.provider.says_with(&token, json!({"cnf": cnf}));
    assert_eq!(client.proven(&token).await.status, 401);
    assert_eq!(client.bearer(&token).await.status, 401);
}

#[tokio::test]
async fn a_jwt_that_neither_binds_is_good_as_bearer_alone() {
    let client = Client::of(Guarded::of_every_token().await);
    let token = client.server.provider.jwt(json!({}));
    client.server.provider.says(&token, client.server.provider.good());
    assert_eq!(client.proven(&token).await.status, 401);
    client.bearer(&token).await.is_let_in();
    assert_eq!(client.proven(&token).await.status, 401, "remembered");
}

#[tokio::test]
async fn where_bound_tokens_are_required_the_answer_may_be_what_binds() {
    let required = |issuer: tower_fhir_auth::TrustedIssuer| {
        issuer.sender_constraint(SenderConstraint::Require)
    };
    let server = Guarded::built(Introspection::of_every_token, required, |layer| layer).await;
    let client = Client::of(server);
    let (bound, free) = (
        client.server.provider.jwt(json!({"jti": "1"})),
        client.server.provider.jwt(json!({"jti": "2"})),
    );
    client.server.provider.says_with(&bound, json!({"cnf": client.own(), "jti": "1"}));
    client.server.provider.says_with(&free, json!({"jti": "2"}));
    client.proven(&bound).await.is_let_in();
    assert_eq!(client.bearer(&bound).await.status, 401);
    assert_eq!(client.bearer(&free).await.status, 401);
}

#[tokio::test]
async fn an_answer_that_says_dpop_and_names_no_key_is_refused() {
    let client = Client::of(Guarded::start().await);
    client.server.provider.says_with(OPAQUE, json!({"token_type": "DPoP"}));
    client.bearer(OPAQUE).await.is_refused_by(Check::TokenKind, "`cnf`");
    let client = Client::of(Guarded::of_every_token().await);
    let token = client.server.provider.jwt(json!({}));
    client.server.provider.says_with(&token, json!({"token_type": "DPoP"}));
    client.bearer(&token).await.is_refused_by(Check::TokenKind, "`cnf`");
    // A certificate is no key of DPoP.
    let certificate = "A".repeat(43);
    let token = client.server.provider.jwt(json!({"cnf": {"x5t#S256": certificate}}));
    client.server.provider.says_with(&token, json!({"token_type": "DPoP"}));
    client.bearer(&token).await.is_refused_by(Check::TokenKind, "`cnf`");
    let bound = client.server.provider.jwt(json!({"cnf": client.own()}));
    client.server.provider.says_with(&bound, json!({"token_type": "DPoP"}));
    client.proven(&bound).await.is_let_in();
}
