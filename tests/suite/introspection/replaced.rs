//! Answers when the configuration is replaced.

use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{AudiencePolicy, FhirAuthLayer, TrustedIssuer, authenticated};

use super::kit::{CLIENT, Guarded, OPAQUE, SECRET};
use crate::support::BASE;

fn issuer(server: &Guarded, secret: &str) -> TrustedIssuer {
    let client = IntrospectionClient::with_secret(CLIENT, secret);
    let introspection = Introspection::at(server.provider.endpoint(), client);
    TrustedIssuer::discover(server.provider.url.clone()).introspection(introspection)
}

fn replace(server: &Guarded, issuer: TrustedIssuer) {
    let next = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
    server.layer.replace(next).unwrap();
}

#[tokio::test]
async fn answers_are_kept_where_nothing_has_changed_and_are_judged_by_the_new_rules() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked, "the answer is kept");
    let stricter = AudiencePolicy::exact(["https://other.test"]);
    replace(&server, issuer(&server, SECRET).audience(stricter));
    server.bearer(OPAQUE).await.is_refused_by(Check::Audience, "`aud`");
    assert_eq!(server.provider.times(), asked, "and judged");
}

#[tokio::test]
async fn a_provider_that_is_asked_otherwise_is_asked_again() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, issuer(&server, "another secret"));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
}
