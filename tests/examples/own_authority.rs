//! `SSL_CERT_FILE` and `SSL_CERT_DIR`, which those who have only the configuration file use to trust
//! a certificate authority of their own.

#![cfg(all(unix, not(target_vendor = "apple")))]

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::{BASE, command};
use crate::tls_provider::TlsProvider;

/// Explains a good token with this environment: exit status, and what was printed.
fn explain(config: &Path, token: &str, environment: &[(&str, &Path)]) -> (Option<i32>, String) {
    let mut command = command("explain_token", &["--config", config.to_str().unwrap()]);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn ssl_cert_file_and_ssl_cert_dir_are_honoured_for_keys_over_https() {
    let (provider, other) = (TlsProvider::start().await, TlsProvider::start().await);
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("own.pem"), &provider.authority).unwrap();
    std::fs::write(place("other.pem"), &other.authority).unwrap();
    std::fs::create_dir(place("authorities")).unwrap();
    std::fs::write(place("authorities").join("own.pem"), &provider.authority).unwrap();
    let config = place("auth.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n",
        provider.url
    );
    std::fs::write(&config, text).unwrap();
    let token = provider.issuer.token().claim("iss", provider.url.as_str()).claim("aud", BASE);
    let token = token.claim("scope", "user/*.cruds").sign().unwrap();
    let (own, other, folder) = (place("own.pem"), place("other.pem"), place("authorities"));
    for (environment, is_good) in [
        (vec![("SSL_CERT_FILE", own.as_path())], true),
        (vec![("SSL_CERT_DIR", folder.as_path())], true),
        (vec![("SSL_CERT_FILE", other.as_path()), ("SSL_CERT_DIR", folder.as_path())], true),
        (vec![("SSL_CERT_FILE", other.as_path())], false),
        (vec![], false),
    ] {
        let (code, said) = tokio::task::block_in_place(|| explain(&config, &token, &environment));
        assert_eq!(code == Some(0), is_good, "{environment:?}\n{said}");
        assert_eq!(said.contains("peer certificate"), !is_good, "{environment:?}\n{said}");
    }
}
