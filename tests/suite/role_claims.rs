//! The claim that holds roles: where it is, and what of it is a role.

use serde_json::{Value, json};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};
use tower_fhir_auth::{AudiencePolicy, BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use crate::operator_log::OperatorLog;
use crate::support::{BASE, send};

const ZITADEL: &str = "urn:zitadel:iam:org:project:roles";

/// Layers whose only issuer has this `roles_claim`: one of the file, one of the Rust API.
async fn layers(issuer: &TestIssuer, claim: &Value) -> [FhirAuthLayer; 2] {
    let file = json!({
        "base_url": BASE, "access": "scopes",
        "issuers": [{"issuer": issuer.url(), "roles_claim": claim}],
    });
    let config: Config = serde_json::from_value(file).unwrap();
    let of_file = config.layer(authenticated()).unwrap().build().unwrap();
    let trusted = TrustedIssuer::discover(issuer.url()).audience(AudiencePolicy::exact([BASE]));
    let trusted = match claim.as_array() {
        Some(names) => trusted.roles_claim_path(names.iter().map(|name| name.as_str().unwrap())),
        None => trusted.roles_claim(claim.as_str().unwrap()),
    };
    let builder = FhirAuthLayer::builder(BASE).issuer(trusted).authorizer(authenticated());
    let layers = [of_file, builder.build().unwrap()];
    for layer in &layers {
        layer.ready().await;
    }
    layers
}

async fn roles(layer: &FhirAuthLayer, token: TokenBuilder) -> Vec<String> {
    let bearer = format!("Bearer {}", token.claim("aud", BASE).sign().unwrap());
    let request = http::Request::get("/r4/Patient/1").header("authorization", bearer);
    let reply = send(layer, request).await;
    reply.is_let_in().roles().map(str::to_owned).collect()
}

/// Roles that a token of these claims has, told twice: by the file and by the Rust API.
async fn hold(claim: Value, claims: Value, expected: &[&str]) {
    let issuer = TestIssuer::start().await.unwrap();
    for layer in layers(&issuer, &claim).await {
        let token = claims.as_object().unwrap().iter();
        let token =
            token.fold(issuer.token(), |token, (name, value)| token.claim(name, value.clone()));
        assert_eq!(roles(&layer, token).await, expected, "{claim} in {claims}");
    }
}

#[tokio::test]
async fn a_list_is_a_path_of_names_that_may_hold_dots() {
    let keycloak = json!({"resource_access": {
        "fhir.example.org": {"roles": ["reader", "writer"]},
        "fhir": {"example": {"org": {"roles": ["not these"]}}},
    }});
    let path = json!(["resource_access", "fhir.example.org", "roles"]);
    hold(path, keycloak, &["reader", "writer"]).await;
    hold(json!(["a.b"]), json!({"a.b": "x", "a": {"b": "y"}}), &["x"]).await;
    // A path is followed step by step: there is no whole name before it.
    hold(json!(["a", "b"]), json!({"a.b": "x", "a": {"b": "y"}}), &["y"]).await;
    hold(json!(["a", "b"]), json!({"a.b": "x"}), &[]).await;
    hold(json!(["a", "b"]), json!({"a": ["b"]}), &[]).await;
}

#[tokio::test]
async fn a_text_is_the_whole_name_of_a_claim_and_else_a_dotted_path() {
    let both = json!({"a.b": ["whole"], "a": {"b": ["path"]}});
    hold(json!("a.b"), both, &["whole"]).await;
    hold(json!("a.b"), json!({"a": {"b": ["path"]}}), &["path"]).await;
    // The whole name counts although it grants nothing.
    hold(json!("a.b"), json!({"a.b": null, "a": {"b": ["path"]}}), &[]).await;
    let url = "https://example.org/claims.roles";
    hold(json!(url), json!({url: "reader"}), &["reader"]).await;
}

#[tokio::test]
async fn the_members_of_an_object_are_roles_by_their_values() {
    let organization = json!({"163840776835432705": "example.zitadel.cloud"});
    let object = json!({
        "reader": organization, "true": true, "list": [0], "nested": {"x": null}, "e\u{301}\n\"": true,
        "false": false, "null": null, "zero": 0, "one": 1, "empty text": "", "text": "true",
        "empty object": {}, "empty list": [], "": true, "last": true,
    });
    let granted = ["reader", "true", "list", "nested", "e\u{301}\n\"", "last"];
    // serde_json sorts members.
    let mut granted: Vec<&str> = granted.to_vec();
    granted.sort_unstable();
    hold(json!(ZITADEL), json!({ZITADEL: object}), &granted).await;
    hold(json!("a.b"), json!({"a": {"b": object}}), &granted).await;
    hold(json!(["a", "b"]), json!({"a": {"b": object}}), &granted).await;
    for nothing in
        [json!(null), json!(false), json!(true), json!(0), json!(""), json!({}), json!([])]
    {
        hold(json!("roles"), json!({"roles": nothing}), &[]).await;
    }
    hold(json!("roles"), json!({"roles": "a role"}), &["a role"]).await;
    hold(json!("roles"), json!({"roles": ["a", 1, null, {"b": true}, "", "c"]}), &["a", "c"]).await;
}

#[tokio::test]
async fn a_path_that_finds_nothing_beside_a_claim_of_one_of_its_names_warns_once() {
    let issuer = TestIssuer::start().await.unwrap();
    for (claim, claims, warns) in [
        (json!(["roles", "groups"]), json!({"roles": ["reader"]}), true),
        (json!(["roles", "groups"]), json!({"groups": ["reader"]}), true),
        (json!(["a", "b"]), json!({"a": {"c": ["reader"]}}), true),
        // It leads somewhere, if only to an empty list.
        (json!(["a", "b"]), json!({"a": {"b": []}}), false),
        (json!(["a", "b"]), json!({"c": 1}), false),
        (json!(["roles"]), json!({"roles": []}), false),
        (json!("a.b"), json!({"a": 1, "b": 1}), false),
    ] {
        for layer in layers(&issuer, &claim).await {
            let log = OperatorLog::start();
            for number in 0..3 {
                let token = issuer.token().claim("jti", number.to_string());
                let token = claims
                    .as_object()
                    .unwrap()
                    .iter()
                    .fold(token, |token, (name, value)| token.claim(name, value.clone()));
                assert_eq!(roles(&layer, token).await, Vec::<String>::new());
            }
            let told = log.lines("WARN", "one path, not a choice");
            assert_eq!(told, usize::from(warns), "{claim} in {claims}: {}", log.text());
            assert!(!warns || log.text().contains(issuer.url()), "{}", log.text());
            assert!(!log.text().contains("reader"), "{}", log.text());
        }
    }
}

#[tokio::test]
async fn a_roles_claim_without_a_name_is_an_error() {
    for (claim, words) in [
        (json!([]), "roles_claim: expected at least one string, and no empty one"),
        (json!(["a", ""]), "roles_claim: expected at least one string, and no empty one"),
        (json!(["a", 1]), "roles_claim[1]: expected a string, found a whole number"),
        (json!(""), "roles_claim: expected the name of a claim"),
        (json!(7), "roles_claim: expected a string, found a whole number"),
    ] {
        let file = json!({
            "base_url": BASE,
            "issuers": [{"issuer": "https://idp.example.org", "roles_claim": claim}],
        });
        let error = serde_json::from_value::<Config>(file).unwrap_err().to_string();
        assert!(error.contains(words), "{claim}: {error}");
    }
    let issuer = TestIssuer::start().await.unwrap();
    let none: [&str; 0] = [];
    for trusted in [
        issuer.trusted().roles_claim(""),
        issuer.trusted().roles_claim_path(none),
        issuer.trusted().roles_claim_path(["a", ""]),
    ] {
        let built =
            FhirAuthLayer::builder(BASE).issuer(trusted).authorizer(authenticated()).build();
        let fault = built.unwrap_err();
        assert!(matches!(fault, BuildError::Setting { setting: "roles_claim", .. }), "{fault}");
    }
}

#[tokio::test]
async fn a_role_that_looks_like_a_scope_is_none() {
    let server = crate::support::Server::start().await;
    let token =
        server.token().without("scope").claim("roles", json!(["system/Patient.rs", "admin"]));
    let reply = server.get(token).await;
    let caller = reply.is_let_in();
    assert_eq!(caller.roles().collect::<Vec<_>>(), ["system/Patient.rs", "admin"]);
    assert_eq!(caller.scopes().count(), 0, "{caller:?}");
}
