//! SMART scopes as they are spelled in the field, and the weaknesses that readers of them have had.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::{Enforcement, ScopePolicy};

use crate::support::{Reply, Server};

async fn server() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

async fn ask(server: &Server, scope: &str, method: &str, path: &str) -> Reply {
    let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    server.send(request.header("authorization", format!("Bearer {token}"))).await
}

/// What each access word or set of letters opens.
#[tokio::test]
async fn words_of_v1_and_letters_of_v2_open_what_they_mean() {
    let server = server().await;
    for (access, opened) in [
        ("read", "rs"),
        ("write", "cud"),
        ("*", "cruds"),
        ("all", "cruds"),
        ("c", "c"),
        ("r", "r"),
        ("u", "u"),
        ("d", "d"),
        ("s", "s"),
        ("cruds", "cruds"),
        ("rs", "rs"),
        ("cds", "cds"),
        // Out of order, twice, or not at all: nothing.
        ("sr", ""),
        ("dus", ""),
        ("rr", ""),
        ("readwrite", ""),
        ("Read", ""),
        ("r,s", ""),
    ] {
        for (letter, method, path) in [
            ("c", "POST", "/Observation"),
            ("r", "GET", "/Observation/1"),
            ("u", "PUT", "/Observation/1"),
            ("d", "DELETE", "/Observation/1"),
            ("s", "GET", "/Observation"),
        ] {
            let scope = format!("user/Observation.{access}");
            let reply = ask(&server, &scope, method, path).await;
            assert_eq!(reply.status == 200, opened.contains(letter), "{method} with {scope}");
        }
    }
}

#[tokio::test]
async fn every_spelling_in_the_field_is_understood() {
    let server = server().await;
    for scope in [
        "patient/Observation.rs",
        "patient.Observation.rs",
        "patient$Observation.read",
        "patient%2fObservation.rs",
        "patient%2FObservation.read",
        "patient.all.read",
        "patient/*.read",
        "patient.*.*",
        "patient.Observation.rs?code=http:%2f%2floinc.org|4548-4",
        "patient/Observation.rs?category=laboratory&code=4548-4",
        "patient/Observation.r patient/Observation.write user/Device.rs system/Device.read",
    ] {
        let reply = ask(&server, scope, "GET", "/Observation/1").await;
        assert_eq!(reply.status, 200, "{scope}: {}", reply.body);
    }
    for scope in [
        "api://app/patient.Observation.rs",
        "patient-Observation.rs",
        "patient\\Observation.rs",
        "Patient/Observation.rs",
        "patient/observation.rs",
        "patient/Observation",
        "patient/Observation.rs.rs",
        "patient/Observation.rs,user/Observation.rs",
        "patient/Observation.rs\tuser/Observation.rs",
        "xpatient/Observation.rs",
    ] {
        let reply = ask(&server, scope, "GET", "/Observation/1").await;
        assert_eq!(reply.status, 403, "{scope}");
    }
}

#[tokio::test]
async fn scopes_come_in_any_carrier() {
    let server = server().await;
    for (name, value) in [
        ("scope", json!("openid user/Observation.rs")),
        ("scp", json!("user.Observation.read")),
        ("scp", json!(["openid", "user/Observation.rs"])),
        ("scope", json!(["user/Device.rs user/Observation.rs"])),
    ] {
        let token = server.token().claim(name, value.clone()).sign().unwrap();
        let request = Request::get("/r4/Observation/1");
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, 200, "{name} = {value}");
    }
    let policy = ScopePolicy::new();
    let own = Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer.scope_claims(["scopes"]),
        |layer| layer.authorizer(policy),
    )
    .await;
    let token = own.token().claim("scopes", json!(["user/Patient.r"])).claim("scope", Value::Null);
    assert_eq!(own.get(token).await.status, 200);
}

#[tokio::test]
async fn malformed_scopes_are_reported() {
    let server = server().await;
    let scope = "patient/Observation.sr user/observation.r openid launch/patient user/Device.r";
    let reply = ask(&server, scope, "GET", "/Observation/1").await;
    let why = reply.rejection.unwrap().detail().to_owned();
    assert!(why.contains("`patient/Observation.sr` is malformed"), "{why}");
    assert!(why.contains("`user/observation.r` is malformed"), "{why}");
    assert!(!why.contains("`openid` is") && !why.contains("`launch/patient` is"), "{why}");
}

#[tokio::test]
async fn weakness_a_an_escaped_space_makes_no_second_scope() {
    let server = server().await;
    for scope in [
        "patient/Observation.rs?code=a%20patient/*.cruds",
        "patient/Observation.rs?code=a%20user/*.cruds%20",
        "user/Observation.r?code=a%2520user/*.cruds",
    ] {
        assert_eq!(ask(&server, scope, "GET", "/Patient/1").await.status, 403, "{scope}");
        assert_eq!(ask(&server, scope, "DELETE", "/Observation/1").await.status, 403, "{scope}");
    }
}

#[tokio::test]
async fn weakness_b_creating_a_type_does_not_let_it_come_along() {
    let server = server().await;
    let scope = "patient/Observation.rs patient/Patient.c";
    let reply = ask(&server, scope, "GET", "/Observation?subject:Patient.name=x").await;
    assert_eq!(reply.status, 403);
    for query in ["_include=Observation:subject:Patient", "_include=Observation:subject"] {
        let reply = ask(&server, scope, "GET", &format!("/Observation?{query}")).await;
        assert!(reply.access.unwrap().readable("Patient").is_none(), "{query}");
    }
}

#[tokio::test]
async fn weakness_c_a_version_is_granted_as_a_version() {
    let server = server().await;
    let reply = ask(&server, "patient/Observation.r", "GET", "/Observation/1/_history/7").await;
    let access = reply.access.unwrap();
    assert_eq!(access.interaction().kind(), tower_fhir_auth::InteractionKind::VersionRead);
    assert!(access.interaction().path().ends_with("/_history/7"));
}

#[tokio::test]
async fn weakness_d_the_order_of_constrained_wildcards_does_not_matter() {
    use tower_fhir_auth::smart::Permissions;
    let server = server().await;
    let scopes = ["patient/*.rs?category=a", "patient/Observation.rs?code=b", "user/*.r?_id=c"];
    let mut seen = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let scope = order.map(|place| scopes[place]).join(" ");
        let access = ask(&server, &scope, "GET", "/Observation/1").await.access.unwrap();
        let alternatives = access.may(Permissions::READ, "Observation");
        let mut shown: Vec<String> =
            alternatives.confinement().sets().flatten().map(|one| format!("{one:?}")).collect();
        shown.sort();
        seen.push(shown);
    }
    assert_eq!(seen[0].len(), 3, "each its own alternative, none swallowed: {seen:?}");
    assert!(seen.iter().all(|shown| *shown == seen[0]), "{seen:?}");
}

#[tokio::test]
async fn weakness_e_everything_needs_no_coarser_right_than_its_parts() {
    let server = server().await;
    for (scope, expected) in [
        ("patient/*.rs", 200),
        ("patient/*.r patient/*.s", 200),
        ("patient/*.r", 403),
        ("patient/Patient.rs", 403),
    ] {
        let reply = ask(&server, scope, "GET", "/Patient/1/$everything").await;
        assert_eq!(reply.status, expected, "{scope}");
    }
}
