//! CORS of the FHIR server: what a browser asks before it sends a token.

use std::time::Duration;

use reqwest::{Client, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_fhir_auth::test_util::TokenBuilder;

use crate::support::Fhir;

/// The answer to a request whose body is announced and never sent.
async fn without_its_body(base: &str, head: &str) -> String {
    let (host, path) = base.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let head = head.replace("PATH", &format!("/{path}/Patient/1"));
    let request = format!("{head}\r\nhost: {host}\r\ncontent-length: 16000000\r\n\r\n{{");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    // An answer has to come without the body.
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await;
    let length = read.unwrap().unwrap();
    String::from_utf8_lossy(answer.get(..length).unwrap()).into_owned()
}

#[tokio::test]
async fn a_preflight_is_answered_without_its_body_and_other_options_need_a_token() {
    let fhir = Fhir::start("scopes", &[]).await;
    let base = &fhir.server.base;
    let preflight = "OPTIONS PATH HTTP/1.1\r\norigin: https://app.example.org\r\n\
                     access-control-request-method: PUT\r\n\
                     access-control-request-headers: authorization,dpop,if-match";
    let answer = without_its_body(base, preflight).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for header in [
        "access-control-allow-origin: *",
        "access-control-allow-methods: PUT",
        "access-control-allow-headers: authorization,dpop,if-match",
    ] {
        assert!(answer.contains(header), "no {header} in {answer}");
    }
    let plain = "OPTIONS PATH HTTP/1.1\r\norigin: https://app.example.org";
    let answer = without_its_body(base, plain).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn answers_and_refusals_may_be_read_by_scripts_and_metadata_says_so() {
    let fhir = Fhir::start("scopes", &[]).await;
    let base = &fhir.server.base;
    let token: TokenBuilder = fhir.issuer.token().claim("aud", crate::support::BASE);
    let token = token.claim("scope", "system/*.rs").sign().unwrap();
    for (path, bearer, status) in [
        ("/metadata", None, 200),
        ("/.well-known/smart-configuration", None, 200),
        ("/Patient", Some(&token), 200),
        ("/Patient", None, 401),
        ("/Observation/none", Some(&token), 404),
    ] {
        let request = Client::new().request(Method::GET, format!("{base}{path}"));
        let request = request.header("origin", "https://app.example.org");
        let request = match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), status, "{path}");
        let origins: Vec<_> =
            reply.headers().get_all("access-control-allow-origin").iter().collect();
        assert_eq!(origins, ["*"], "{path}");
        let exposed = reply.headers()["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("www-authenticate") && exposed.contains("etag"), "{exposed}");
    }
    let metadata = reqwest::get(format!("{base}/metadata")).await.unwrap();
    let metadata: serde_json::Value = metadata.json().await.unwrap();
    assert_eq!(metadata["rest"][0]["security"]["cors"], true);
}
