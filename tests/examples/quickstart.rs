//! `examples/quickstart.rs`

use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{Example, command, status};

#[tokio::test]
async fn the_quickstart_says_who_i_am() {
    let issuer = TestIssuer::start().await.unwrap();
    let mut quickstart = command("quickstart", &[]);
    quickstart.env("ISSUER", issuer.url()).env("LISTEN", "127.0.0.1:0");
    let server = tokio::task::spawn_blocking(|| Example::start(quickstart)).await.unwrap();
    let token = issuer.token().claim("aud", server.base.clone());
    let who = reqwest::Client::new()
        .get(server.url("/whoami"))
        .bearer_auth(token.clone().sign().unwrap());
    let who = who.send().await.unwrap().text().await.unwrap();
    assert_eq!(who, format!("alice of {}\n", issuer.url()));
    assert_eq!(status(&server.url("/orders"), &token.clone().sign().unwrap()).await, 403);
    let with_scope = token.claim("scope", "orders.read").sign().unwrap();
    assert_eq!(status(&server.url("/orders"), &with_scope).await, 200);
    assert_eq!(status(&server.url("/health"), "nonsense").await, 200);
    assert_eq!(status(&server.url("/whoami"), "nonsense").await, 401);
}
