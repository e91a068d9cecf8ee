//! `examples/entra.rs`, before an authority that is emulated on loopback.

use std::sync::Arc;

use serde_json::json;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::test_util::{Answer, TestIssuer, TokenBuilder};

use crate::support::{Example, command, status};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

#[tokio::test]
async fn both_versions_of_tokens_are_let_in_by_app_role_or_scope() {
    let authority = TestIssuer::start().await.unwrap();
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    for (path, issuer) in [("", &v1), ("/v2.0", &v2)] {
        let document = json!({"issuer": issuer, "jwks_uri": authority.jwks_uri()});
        let path = format!("/{TENANT}{path}/.well-known/openid-configuration");
        authority.answer(&path, Answer::json(&document));
    }
    let mut example = command("entra", &[]);
    example.env("TENANT_ID", TENANT).env("CLIENT_ID", CLIENT).env("LISTEN", "127.0.0.1:0");
    example.env("AUTHORITY", authority.url());
    let server = tokio::task::spawn_blocking(|| Example::start(example)).await.unwrap();
    let token = |issuer: &str, audience: &str| {
        TokenBuilder::new(issuer, Arc::clone(&authority.key()), SystemClock.now())
            .claim("tid", TENANT)
            .claim("oid", "me")
            .claim("azp", "an-app")
            .claim("aud", audience)
    };
    let url = server.url("/Patient/1");
    let reader = json!(["globalReader"]);
    for (token, expected) in [
        (token(&v2, CLIENT).claim("roles", reader.clone()), 200),
        (token(&v1, &format!("api://{CLIENT}")).claim("roles", reader.clone()), 200),
        (token(&v1, CLIENT).claim("scp", "user.Patient.read"), 200),
        // The three mistakes: audience, version with another's issuer, missing role.
        (token(&v2, &server.base).claim("roles", reader.clone()), 401),
        (token(&v2.replace(TENANT, CLIENT), CLIENT).claim("roles", reader), 401),
        (token(&v2, CLIENT), 403),
    ] {
        assert_eq!(status(&url, &token.sign().unwrap()).await, expected);
    }
}
