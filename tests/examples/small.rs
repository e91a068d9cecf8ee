//! The small examples: tonic, several issuers, local RBAC.

use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{Example, command, status};

async fn start(example: &'static str, environment: &[(&'static str, String)]) -> Example {
    let mut command = command(example, &[]);
    command.env("LISTEN", "127.0.0.1:0").envs(environment.iter().cloned());
    tokio::task::spawn_blocking(|| Example::start(command)).await.unwrap()
}

#[tokio::test]
async fn tonic_gets_a_scope_for_each_method_and_refusals_as_grpc_status() {
    let issuer = TestIssuer::start().await.unwrap();
    let server = start("tonic", &[("ISSUER", issuer.url().to_owned())]).await;
    let token = |scope: &str| {
        issuer.token().claim("aud", server.base.as_str()).claim("scope", scope).sign().unwrap()
    };
    for (token, check, watch) in [
        (Some(token("health.check health.watch")), "Serving", "watching"),
        (Some(token("health.check")), "Serving", "PermissionDenied"),
        (Some(token("health.watch")), "PermissionDenied", "watching"),
        (Some("nonsense".to_owned()), "Unauthenticated", "Unauthenticated"),
        (None, "Unauthenticated", "Unauthenticated"),
    ] {
        let mut client = command("tonic", &["call", &server.base]);
        if let Some(token) = token {
            client.env("TOKEN", token);
        }
        let run = tokio::task::spawn_blocking(move || client.output().unwrap()).await.unwrap();
        let printed = String::from_utf8(run.stdout).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(lines[0].starts_with(&format!("Check: {check}")), "{printed}");
        assert!(lines[1].starts_with(&format!("Watch: {watch}")), "{printed}");
    }
}

#[tokio::test]
async fn each_of_several_issuers_is_judged_by_its_own_rules() {
    let (staff, partners) =
        (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let environment = [("STAFF", staff.url().to_owned()), ("PARTNERS", partners.url().to_owned())];
    let server = start("multi_issuer", &environment).await;
    let url = server.url("/whoami");
    let (base, urn) = (server.base.as_str(), "urn:example:partners");
    for (token, expected) in [
        (staff.token().claim("aud", base), 200),
        (staff.token().claim("aud", urn), 401),
        (partners.token().claim("aud", urn).claim("client_id", "partner-gateway"), 200),
        (partners.token().claim("aud", base).claim("client_id", "partner-gateway"), 401),
        (partners.token().claim("aud", urn), 401),
        // Signed by the one, in the name of the other.
        (staff.token().claim("aud", urn).claim("iss", partners.url()), 401),
    ] {
        assert_eq!(status(&url, &token.sign().unwrap()).await, expected);
    }
}

#[tokio::test]
async fn local_roles_are_given_while_the_server_runs() {
    let issuer = TestIssuer::start().await.unwrap();
    let environment = [("ISSUER", issuer.url().to_owned()), ("ADMIN", "root".to_owned())];
    let server = start("rbac_roles", &environment).await;
    let token = |subject: &str| {
        issuer.token().claim("aud", server.base.as_str()).claim("sub", subject).sign().unwrap()
    };
    let url = server.url("/Patient/1");
    assert_eq!(status(&url, &token("root")).await, 200);
    assert_eq!(status(&url, &token("alice")).await, 403);
    let client = reqwest::Client::new();
    let give = async |by: &str| {
        let request = client.post(server.url("/readers/alice")).bearer_auth(token(by));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(give("alice").await, 403);
    assert_eq!(give("root").await, 204);
    assert_eq!(status(&url, &token("alice")).await, 200);
    assert_eq!(give("alice").await, 403, "a reader gives nobody roles");
}
