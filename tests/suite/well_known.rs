//! The documents that everybody may read, and what the Inferno test kits expect of them and of a
//! resource server (their checks, in the words of the tests' names).

use http::{Method, Request};
use serde_json::{Value, json};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::metadata::SmartConfiguration;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, FhirAuthLayer, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::support::{BASE, Reply, Server, send};

const PATH: &str = "/r4/.well-known/smart-configuration";

/// A layer that trusts an issuer whose discovery document has further members.
async fn layer(issuer: &TestIssuer, further: Value) -> FhirAuthLayer {
    let mut document = json!({"issuer": issuer.url(), "jwks_uri": issuer.jwks_uri()});
    if let (Some(document), Value::Object(further)) = (document.as_object_mut(), further) {
        document.extend(further);
    }
    issuer.answer("/.well-known/openid-configuration", Answer::json(&document));
    let builder = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted())
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL);
    let layer = builder.build().unwrap();
    layer.ready().await;
    layer
}

fn provider() -> Value {
    json!({
        "authorization_endpoint": "https://idp.example.org/auth",
        "token_endpoint": "https://idp.example.org/token",
        "grant_types_supported": ["authorization_code"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "scopes_supported": ["openid", "fhirUser", "launch/patient", "patient/*.rs"],
    })
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

/// `well_known_endpoint`, `well_known_capabilities_stu2`.
#[tokio::test]
async fn well_known_is_json_without_a_token_with_the_required_fields_and_open_cors() {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = layer(&issuer, provider()).await;
    let request = Request::get(PATH)
        .header("accept", "application/fhir+xml")
        .header("origin", "https://app.example");
    let reply = send(&layer, request).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("application/json"));
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let document = json(&reply);
    for (name, kind) in [
        ("authorization_endpoint", "https://idp.example.org/auth"),
        ("token_endpoint", "https://idp.example.org/token"),
        ("issuer", issuer.url()),
        ("jwks_uri", &issuer.jwks_uri()),
    ] {
        assert_eq!(document[name], kind, "{name}");
    }
    let list =
        |name: &str| -> Vec<String> { serde_json::from_value(document[name].clone()).unwrap() };
    assert_eq!(list("code_challenge_methods_supported"), ["S256"], "S256, and plain never");
    assert_eq!(list("grant_types_supported"), ["authorization_code"]);
    let capabilities = list("capabilities");
    for name in [
        "permission-v1",
        "permission-v2",
        "permission-patient",
        "permission-user",
        "sso-openid-connect",
        "launch-standalone",
    ] {
        assert!(capabilities.iter().any(|held| held == name), "{name} in {capabilities:?}");
    }
    let head = send(&layer, Request::builder().method(Method::HEAD).uri(PATH)).await;
    assert_eq!((head.status.as_u16(), head.body.as_str()), (200, ""));
    // Only the exact path, and only to read.
    assert_eq!(send(&layer, Request::get(format!("{PATH}/"))).await.status, 401);
    assert_eq!(send(&layer, Request::get("/.well-known/smart-configuration")).await.status, 401);
    let security = layer.capability_security();
    assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
}

/// `us_core_smart_well_known_capabilities`.
#[tokio::test]
async fn scopes_and_the_introspection_endpoint_of_the_provider_are_in_the_document() {
    let issuer = TestIssuer::start().await.unwrap();
    let scopes = json!(["openid", "patient/Condition.rs?category=a|b", "user/*.cruds"]);
    let endpoint = "https://idp.example.org/introspect";
    let mut provider = provider();
    provider["scopes_supported"] = scopes.clone();
    provider["introspection_endpoint"] = endpoint.into();
    let document = json(&send(&layer(&issuer, provider).await, Request::get(PATH)).await);
    assert_eq!(document["scopes_supported"], scopes);
    assert_eq!(document["introspection_endpoint"], endpoint);
}

/// `g10_smart_well_known_capabilities`: what follows from the provider's metadata is said by itself; how a
/// launch looks follows from nothing, and is the operator's to say.
#[tokio::test]
async fn capabilities_follow_from_the_provider_or_are_the_operators_to_name() {
    let issuer = TestIssuer::start().await.unwrap();
    let mut provider = provider();
    provider["scopes_supported"] = json!(["openid", "launch", "launch/patient", "offline_access"]);
    provider["token_endpoint_auth_methods_supported"] =
        json!(["none", "client_secret_basic", "private_key_jwt"]);
    let layer = layer(&issuer, provider).await;
    let document = json(&send(&layer, Request::get(PATH)).await);
    for name in [
        "launch-ehr",
        "launch-standalone",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-standalone-patient",
        "permission-offline",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    ] {
        let capabilities = document["capabilities"].as_array().unwrap();
        assert!(capabilities.contains(&name.into()), "{name} in {capabilities:?}");
    }
    let named = json!(["launch-ehr", "context-banner", "context-style", "context-ehr-patient"]);
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
         [smart]\ncapabilities = {named}\n",
        issuer.url()
    );
    let config = Config::from_toml(&text).unwrap();
    let policy = config.policy().unwrap();
    let layer = config.layer(policy).unwrap().build().unwrap();
    let document = json(&send(&layer, Request::get(PATH)).await);
    assert_eq!(document["capabilities"], named);
}

#[tokio::test]
async fn what_the_provider_does_not_say_is_left_out_until_it_does() {
    let issuer = TestIssuer::start().await.unwrap();
    let document = json(&send(&layer(&issuer, json!({})).await, Request::get(PATH)).await);
    assert_eq!(
        document,
        json!({
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [
                "permission-v1", "permission-v2", "permission-patient", "permission-user"
            ],
        })
    );
    let own = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted())
        .authorizer(ScopePolicy::new())
        .smart_configuration(SmartConfiguration::unpublished())
        .build()
        .unwrap();
    assert_eq!(send(&own, Request::get(PATH)).await.body, "inner", "a path like any other");
}

#[tokio::test]
async fn the_file_has_the_last_word_and_roles_alone_claim_no_scopes() {
    let issuer = TestIssuer::start().await.unwrap();
    let text = |access: &str| {
        format!(
            "base_url = \"{BASE}\"\naccess = \"{access}\"\n[[issuers]]\nissuer = \"{}\"\n\
             [smart]\nmanagement_endpoint = \"https://mine.example.org\"\n",
            issuer.url()
        )
    };
    for (access, claims) in [("roles", 0), ("scopes", 4), ("microsoft", 4)] {
        let config = Config::from_toml(&text(access)).unwrap();
        let policy = config.policy().unwrap();
        let layer = config.layer(policy).unwrap().build().unwrap();
        let document = json(&send(&layer, Request::get(PATH)).await);
        assert_eq!(document["management_endpoint"], "https://mine.example.org");
        let capabilities = document["capabilities"].as_array().unwrap();
        let permissions = capabilities.iter().filter(|one| one.to_string().contains("permission"));
        assert_eq!(permissions.count(), claims, "{access}");
    }
}

async fn status(server: &Server, scope: &str, path: &str) -> u16 {
    let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
    let request = Request::get(format!("/r4{path}"));
    server.send(request.header("authorization", format!("Bearer {token}"))).await.status.as_u16()
}

#[tokio::test]
async fn unauthorized_access_is_401_exactly() {
    let server = Server::start().await;
    let reply = server.send(Request::get("/r4/Patient/1")).await;
    assert_eq!(reply.status, 401);
    assert!(reply.challenge().starts_with("Bearer "));
}

#[tokio::test]
async fn resource_access_follows_the_scopes_type_by_type() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let types = ["AllergyIntolerance", "CarePlan", "Condition", "Observation", "Procedure"];
    // The forms that the kits grant and check: `c?ru?d?s?`, `*`, `read`.
    for letters in ["read", "*", "rs", "crs", "crus", "cruds"] {
        for granted in types {
            let scope = format!("launch/patient openid fhirUser patient/{granted}.{letters}");
            for asked in types {
                let expected = if asked == granted { 200 } else { 403 };
                let path = format!("/{asked}?patient=1");
                assert_eq!(status(&server, &scope, &path).await, expected, "{asked} with {scope}");
            }
        }
    }
}

#[tokio::test]
async fn granular_scopes_filter_searches_and_reads() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let scope = "patient/Condition.rs?category=http://terminology.hl7.org/CodeSystem/condition-category|problem-list-item \
                 patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
    for path in ["/r4/Condition?patient=1", "/r4/Condition/1", "/r4/Observation/1/_history/1"] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let reply = server.send(request).await;
        let access = reply.access.unwrap_or_else(|| panic!("{path}: {}", reply.body));
        for letter in
            [tower_fhir_auth::smart::Permissions::READ, tower_fhir_auth::smart::Permissions::SEARCH]
        {
            let alternatives = access.may(letter, access.interaction().resource_type().unwrap());
            let one = alternatives.confinement().sets().next().unwrap().iter().next().unwrap();
            let (name, value) = one.constraint().unwrap().parameters().next().unwrap();
            assert_eq!((name, one.patient()), ("category", Some("1")), "{path}");
            assert!(value.starts_with("http://terminology.hl7.org/CodeSystem/"), "{value}");
        }
        assert!(!access.may(tower_fhir_auth::smart::Permissions::READ, "Condition").is_open());
    }
}

#[tokio::test]
async fn expired_tokens_and_tokens_for_other_servers_are_not_accepted() {
    let server = Server::start().await;
    let expired = server.token().claim("exp", crate::support::NOW - 61);
    assert_eq!(server.get(expired).await.status, 401);
    let other = server.token().claim("aud", "https://other.example.org/r4");
    assert_eq!(server.get(other).await.status, 401);
}

#[tokio::test]
async fn both_sides_of_a_mode_are_asked_for_what_they_know() {
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new());
    let server = Server::authorizing(policy).await;
    let reply = server.get(server.token()).await;
    let why = reply.rejection.unwrap();
    assert_eq!(why.required_scope().as_deref(), Some("user/Patient.r"));
    assert!(
        why.detail().contains("a role with the data action read, or readById"),
        "{}",
        why.detail()
    );
}
