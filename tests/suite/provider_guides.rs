//! The guides to providers: their configurations as they are pasted, and the tokens beside them.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder, replace_keys};
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

use crate::support::send;

const PAGE: &str = include_str!("../../src/manual/providers.md");

/// A guide: its title, the configuration, and the token.
struct Guide<'p> {
    title: &'p str,
    toml: &'p str,
    token: Value,
}

fn guides() -> Vec<Guide<'static>> {
    let sections = PAGE.split("\n# ").skip(1);
    let guides = sections.filter_map(|section| {
        let toml = block(section, "toml")?;
        let token = block(section, "json").unwrap_or_else(|| panic!("no token: {section}"));
        let token = serde_json::from_str(token).unwrap();
        Some(Guide { title: section.lines().next().unwrap(), toml, token })
    });
    guides.collect()
}

fn block<'s>(section: &'s str, language: &str) -> Option<&'s str> {
    let (_, rest) = section.split_once(&format!("```{language}\n"))?;
    rest.split_once("```").map(|(block, _)| block)
}

/// The layer of a guide, with the key of the test in the place of the provider's.
fn layer(guide: &Guide<'_>, key: &SigningKey) -> FhirAuthLayer {
    let config = Config::from_toml(guide.toml).unwrap();
    let policy = config.policy().unwrap();
    let layer = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL);
    let layer = layer.clock(TestClock::at(1_800_000_100)).build().unwrap();
    let keys = JwkSet::parse(json!({"keys": [key.jwk()]}).to_string().as_bytes()).unwrap();
    let issuer = guide.token["claims"]["iss"].as_str().unwrap();
    assert!(replace_keys(&layer, issuer, keys), "{}: the token is of another issuer", guide.title);
    layer
}

fn token(guide: &Guide<'_>, key: &Arc<SigningKey>) -> TokenBuilder {
    let bare = ["iss", "sub", "client_id", "jti", "iat", "exp"];
    let empty =
        TokenBuilder::new("", Arc::clone(key), UnixTime::from_secs(0)).without_header("typ");
    let empty = bare.iter().fold(empty, |token, claim| token.without(claim));
    let header = guide.token["header"].as_object().unwrap();
    let token = header.iter().fold(empty, |token, (name, value)| token.header(name, value.clone()));
    let claims = guide.token["claims"].as_object().unwrap();
    claims.iter().fold(token, |token, (name, value)| token.claim(name, value.clone()))
}

#[tokio::test]
async fn each_guide_is_read_as_it_is_pasted_and_lets_its_token_in() {
    let key = Arc::new(SigningKey::generate("k1", Algorithm::Rs256).unwrap());
    let guides = guides();
    assert_eq!(guides.len(), 10, "a guide was lost");
    for guide in &guides {
        let layer = layer(guide, &key);
        let ask = |token: TokenBuilder| {
            let credentials = format!("Bearer {}", token.sign().unwrap());
            send(&layer, Request::get("/r4/Patient/1").header("authorization", credentials))
        };
        let reply = ask(token(guide, &key)).await;
        assert_eq!(reply.status, 200, "{}: {}", guide.title, reply.body);
        // By what the guide grants, and not by whatever is sent.
        let bare = ["scope", "scp", "roles", "realm_access", "resource_access", "cognito:groups"];
        let granting = bare.iter().fold(token(guide, &key), |token, claim| token.without(claim));
        let granting = granting.without("urn:zitadel:iam:org:project:344374183645413380:roles");
        assert_eq!(ask(granting).await.status, 403, "{}", guide.title);
        let other = token(guide, &key).claim("aud", "https://other.example.org");
        assert_eq!(ask(other).await.status, 401, "{}", guide.title);
    }
}
