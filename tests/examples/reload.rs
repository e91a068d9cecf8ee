//! Another configuration while programs serve: the example server, and the certificate of the gateway.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::{Certificate, Client};
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, Example, command, fhir_auth, status};

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_server_follows_its_file_and_a_signal_and_keeps_the_last_good_one() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let text = |base: &str, audience: &str| {
        format!(
            "base_url = \"{base}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
             audiences = [\"{audience}\"]\n",
            issuer.url()
        )
    };
    std::fs::write(&file, text(BASE, BASE)).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let start = move || {
        Example::start(command("fhir_server", &["--config", &path, "--listen", "127.0.0.1:0"]))
    };
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let token = |audience: &str| {
        let token = issuer.token().claim("aud", audience).claim("scope", "system/*.rs");
        token.sign().unwrap()
    };
    let url = server.url("/Patient/1");
    let (own, other) = (token(BASE), token("https://other.example.org"));
    until("it serves", async || status(&url, &own).await == 200).await;
    assert_eq!(status(&url, &other).await, 401);
    // It is read when it has changed.
    std::fs::write(&file, text(BASE, "https://other.example.org")).unwrap();
    until("the file is followed", async || status(&url, &other).await == 200).await;
    assert_eq!(status(&url, &own).await, 401, "it was verified before, and counts no more");
    // One that cannot be used changes nothing, and neither does another base URL.
    for bad in ["base_url = 5".to_owned(), text("https://fhir.example.org/r5", BASE)] {
        std::fs::write(&file, bad).unwrap();
        server.signal("-HUP");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((status(&url, &other).await, status(&url, &own).await), (200, 401));
    }
    // And at a signal.
    std::fs::write(&file, text(BASE, BASE)).unwrap();
    server.signal("-HUP");
    until("the signal is heard", async || status(&url, &own).await == 200).await;
    assert_eq!(issuer.jwks_requests(), 1, "the keys were loaded once");
    let (code, _) = server.end("-TERM");
    assert_eq!(code, Some(0));
}

/// Writes a certificate for `localhost` that nobody else has signed, and its key. Returns what trusts it alone.
fn certify(folder: &Path) -> Client {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = |label: &str, bytes: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let certificate = pem("CERTIFICATE", made.cert.der());
    std::fs::write(folder.join("key.pem"), pem("PRIVATE KEY", &made.signing_key.serialize_der()))
        .unwrap();
    std::fs::write(folder.join("tls.pem"), &certificate).unwrap();
    let trusted = Certificate::from_pem(certificate.as_bytes()).unwrap();
    // Each request has a connection of its own.
    let client = Client::builder().tls_certs_only([trusted]).pool_max_idle_per_host(0);
    client.build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_shows_a_certificate_that_was_renewed_to_those_who_connect_from_then_on() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n[upstream]\n\
         url = \"http://127.0.0.1:9/fhir\"\n[listen]\n\
         tls = {{ certificate = \"tls.pem\", key = \"key.pem\" }}\n",
        issuer.url()
    );
    std::fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let start = move || {
        Example::start(fhir_auth(&["gateway", "--config", &path, "--listen", "127.0.0.1:0"]))
    };
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let url = server.url("/Patient/1").replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    let asked = async |client: &Client| {
        client.get(&url).send().await.map(|answer| answer.status().as_u16()).ok()
    };
    assert_eq!(asked(&first).await, Some(401));
    // The files alone: whoever renews certificates writes nothing else.
    let second = certify(folder.path());
    until("the new one is shown", async || asked(&second).await == Some(401)).await;
    // A key that does not fit is refused, and the certificate before is shown.
    std::fs::write(folder.path().join("key.pem"), "nothing").unwrap();
    server.signal("-HUP");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(asked(&second).await, Some(401));
}
