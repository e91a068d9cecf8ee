//! A server, a key of a client, a token bound to it, and requests with proofs.

use std::sync::Arc;

use http::{Method, Request};
use serde_json::Value;
use tower_fhir_auth::authentication::{Clock, Dpop, SenderConstraint};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TokenBuilder};
use tower_fhir_auth::{FhirAuthLayerBuilder, RejectionKind, authenticated};

use crate::support::{BASE, Reply, Server};

pub(super) struct World {
    pub(super) server: Server,
    pub(super) key: Arc<SigningKey>,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::layered(|layer| layer).await
    }

    pub(super) async fn layered(
        settings: impl FnOnce(FhirAuthLayerBuilder) -> FhirAuthLayerBuilder,
    ) -> Self {
        let server = Server::layered(settings).await;
        Self { server, key: key(Algorithm::Es256) }
    }

    pub(super) async fn with(dpop: Dpop) -> Self {
        Self::layered(|layer| layer.dpop(dpop)).await
    }

    pub(super) async fn constrained(constraint: SenderConstraint) -> Self {
        let server = Server::build(
            Algorithm::Es256,
            |issuer| issuer.sender_constraint(constraint),
            |layer| layer.authorizer(authenticated()),
        );
        Self { server: server.await, key: key(Algorithm::Es256) }
    }

    /// A token that is bound to the key.
    pub(super) fn token(&self) -> TokenBuilder {
        self.server.token().bound_to(&self.key)
    }

    pub(super) fn bound(&self) -> String {
        self.token().sign().unwrap()
    }

    /// A good proof of the key for `GET /r4/Patient/1` with a token.
    pub(super) fn proof(&self, token: &str) -> ProofBuilder {
        let (key, now) = (Arc::clone(&self.key), self.server.clock.now());
        ProofBuilder::new(key, &Method::GET, &format!("{BASE}/Patient/1"), now).of_token(token)
    }

    /// Sends a request with credentials and the values of `DPoP`.
    pub(super) async fn send(&self, credentials: &str, proofs: &[&str]) -> Reply {
        let request = Request::get("/r4/Patient/1").header("authorization", credentials);
        let request = proofs.iter().fold(request, |request, proof| request.header("dpop", *proof));
        self.server.send(request).await
    }

    /// Sends a bound token with a proof that differs in one point from a good one, and makes sure
    /// that a good one would have been let in.
    pub(super) async fn changed(&self, change: impl FnOnce(ProofBuilder) -> ProofBuilder) -> Reply {
        let token = self.bound();
        let credentials = format!("DPoP {token}");
        let good = self.proof(&token).sign().unwrap();
        self.send(&credentials, &[&good]).await.is_let_in();
        let proof = change(self.proof(&token)).sign().unwrap();
        self.send(&credentials, &[&proof]).await
    }

    /// Sends a bound token with a proof of these very bytes.
    pub(super) async fn raw(&self, proof: &str) -> Reply {
        self.send(&format!("DPoP {}", self.bound()), &[proof]).await
    }
}

pub(super) fn key(algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate("of the client", algorithm).unwrap())
}

impl Reply {
    /// The challenges, in order.
    pub(crate) fn challenges(&self) -> Vec<&str> {
        let values = self.headers.get_all("www-authenticate").iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// Refused with this error on the challenge of `DPoP`, which comes first, for these words.
    #[track_caller]
    pub(crate) fn is_refused_on_dpop(&self, error: &str, words: &str) {
        let challenges = self.challenges();
        let first = challenges.first().unwrap_or_else(|| panic!("no challenge: {self:#?}"));
        assert_eq!(self.status, 401, "{self:#?}");
        assert!(first.starts_with(&format!("DPoP realm=\"{BASE}\", algs=\"")), "{first}");
        assert!(first.contains(&format!(" error=\"{error}\", ")), "{error}: {first}");
        assert!(first.contains(words), "no `{words}` in {first}");
        assert!(challenges.iter().skip(1).all(|other| !other.contains("error")), "{challenges:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["issue"][0]["code"], "login", "{body}");
        assert!(self.principal.is_none());
    }

    #[track_caller]
    pub(super) fn is_no_good_proof(&self, words: &str) {
        self.is_refused_on_dpop("invalid_dpop_proof", words);
        assert_eq!(self.kind(), RejectionKind::InvalidDpopProof);
    }
}
