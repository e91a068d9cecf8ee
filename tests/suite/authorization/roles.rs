//! Roles as policy: definitions, and their file.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, BuildError, Enforcement, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::support::Server;

fn definitions(reader: &str) -> String {
    let role = |name: &str, action: &str| json!({"name": name, "dataActions": [action], "notDataActions": [], "scopes": ["/"]});
    json!({"roles": [role("reader", reader), role("creator", "create")]}).to_string()
}

async fn status(server: &Server, method: &str, uri: &str, roles: &[&str]) -> u16 {
    let token = server.token().claim("roles", json!(roles)).sign().unwrap();
    let request = Request::builder().method(method).uri(uri);
    server.send(request.header("authorization", format!("Bearer {token}"))).await.status.as_u16()
}

#[tokio::test]
async fn the_union_of_the_roles_decides() {
    let roles = RoleDefinitions::parse(definitions("read").as_bytes()).unwrap();
    let server = Server::authorizing(RolePolicy::new(roles)).await;
    for (method, uri, roles, expected) in [
        ("GET", "/r4/Patient/1", &["reader"][..], 200),
        ("GET", "/r4/Patient/1", &["READER"], 200),
        ("GET", "/r4/Patient/1", &["creator"], 403),
        ("POST", "/r4/Patient", &["creator"], 200),
        ("POST", "/r4/Patient", &["reader", "creator", "unknown"], 200),
        ("GET", "/r4/Patient/1", &[], 403),
        ("GET", "/r4/Patient//1", &["reader"], 403),
    ] {
        assert_eq!(status(&server, method, uri, roles).await, expected, "{method} {uri} {roles:?}");
    }
    let none = Server::authorizing(RolePolicy::new(RoleDefinitions::default())).await;
    assert_eq!(status(&none, "GET", "/r4/Patient/1", &["reader"]).await, 403);
}

#[tokio::test]
async fn a_method_override_never_widens() {
    let roles = RoleDefinitions::parse(definitions("read").as_bytes()).unwrap();
    let server = Server::authorizing(RolePolicy::new(roles)).await;
    let token = server.token().claim("roles", json!(["reader"])).sign().unwrap();
    let request = Request::post("/r4/Patient")
        .header("x-http-method-override", "GET")
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(server.send(request).await.status, 403);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_changes_and_the_last_good_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roles.json");
    assert!(matches!(RolePolicy::from_file(&path), Err(BuildError::RoleFile { .. })));
    std::fs::write(&path, definitions("read")).unwrap();
    let server = Server::authorizing(RolePolicy::from_file(&path).unwrap()).await;
    let read = || status(&server, "GET", "/r4/Patient/1", &["reader"]);
    assert_eq!(read().await, 200);
    for (content, expected) in [("{", 200), (&definitions("export"), 403), ("", 403)] {
        std::fs::write(&path, content).unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        assert_eq!(read().await, expected, "{content}");
    }
    std::fs::write(&path, definitions("read")).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(read().await, 200);
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(read().await, 200);
}

#[tokio::test]
async fn the_microsoft_rule_asks_scopes_of_those_marked_smart_alone() {
    let role = |name: &str, actions: &[&str]| json!({"name": name, "dataActions": actions, "notDataActions": [], "scopes": ["/"]});
    let roles = json!({"roles": [role("reader", &["read"]), role("smartUser", &["*", "smart"])]});
    let roles = RoleDefinitions::parse(roles.to_string().as_bytes()).unwrap();
    let policy =
        AccessPolicy::new(AccessMode::Microsoft, RolePolicy::new(roles), ScopePolicy::new());
    let server = Server::authorizing(policy).await;
    for (roles, scope, expected) in [
        (&["reader"][..], "", 200),
        (&["reader"], "patient/Patient.r", 200),
        (&["smartUser"], "", 403),
        (&["smartUser"], "user/Patient.r", 200),
        (&["smartUser"], "user/Observation.r", 403),
        (&["smartUser", "reader"], "", 403),
        (&[], "user/Patient.r", 403),
    ] {
        let token = server.token().claim("roles", json!(roles)).claim("scope", scope);
        assert_eq!(server.get(token).await.status.as_u16(), expected, "{roles:?} {scope}");
    }
}

#[tokio::test]
async fn a_grant_names_the_roles_that_have_a_part_in_it() {
    let roles = RoleDefinitions::parse(definitions("read").as_bytes()).unwrap();
    let server = Server::authorizing(RolePolicy::new(roles)).await;
    let reply = server.get(server.token().claim("roles", json!(["creator", "reader", "x"]))).await;
    assert_eq!(reply.access.unwrap().granted_by().to_string(), "role `reader`");
    // There are two ways to the same right.
    let roles = RoleDefinitions::parse(definitions("readById").as_bytes()).unwrap();
    let server = Server::authorizing(RolePolicy::new(roles)).await;
    let reply = server.get(server.token().claim("roles", json!(["creator", "reader"]))).await;
    assert_eq!(reply.access.unwrap().granted_by().to_string(), "role `reader`");
}

/// What handlers do not enforce is refused, whatever roles there are.
#[tokio::test]
async fn pages_and_jobs_are_for_roles_where_the_application_serves_them() {
    for (enforced, page, job) in [
        (Enforcement::empty(), 403, 403),
        (Enforcement::PAGES, 200, 403),
        (Enforcement::JOBS, 403, 200),
        (Enforcement::ALL, 200, 200),
    ] {
        let roles = RoleDefinitions::parse(definitions("export").as_bytes()).unwrap();
        let server = Server::enforcing(enforced, RolePolicy::new(roles)).await;
        let asked = async |uri| status(&server, "GET", uri, &["reader"]).await;
        assert_eq!(asked("/r4/_pages/sealed").await, page, "{enforced}");
        assert_eq!(asked("/r4/_operations/export/1").await, job, "{enforced}");
    }
}
