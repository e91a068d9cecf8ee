//! Bound tokens at the programs: DPoP through the example server, certificates at the gateway's own port and in
//! the header of a proxy, proofs that are explained.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::{Client, Identity};
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TestIssuer};

use crate::careless_server::Careless;
use crate::support::{BASE, Example, command, fhir_auth};

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der))
}

/// Starts a program, which answers when the issuer's keys are there.
async fn started(mut program: std::process::Command) -> Example {
    program.env("RUST_LOG", "warn");
    tokio::task::spawn_blocking(move || Example::start(program)).await.unwrap()
}

async fn status_when_ready(mut ask: impl AsyncFnMut() -> reqwest::Response) -> reqwest::Response {
    for _ in 0..200 {
        let response = ask().await;
        if response.status() != 503 {
            return response;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no keys");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_asks_for_certificates_and_a_token_is_bound_to_one() {
    let careless = Careless::start().await;
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &authority).unwrap(), key)
    };
    let (server_cert, server_key) = signed("localhost");
    let ca = pem("CERTIFICATE", authority.der());
    for (file, text) in [
        ("tls.pem", pem("CERTIFICATE", server_cert.der())),
        ("tls.key", pem("PRIVATE KEY", &server_key.serialize_der())),
        ("ca.pem", ca.clone()),
    ] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let file = folder.path().join("gateway.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
         [listen]\naddress = \"127.0.0.1:0\"\ntls = {{ certificate = \"tls.pem\", \
         key = \"tls.key\", client_ca = \"ca.pem\" }}\n[upstream]\nurl = \"{}\"\n",
        issuer.url(),
        careless.base
    );
    std::fs::write(&file, text).unwrap();
    let server = started(fhir_auth(&["gateway", "--config", file.to_str().unwrap()])).await;
    let url = server.url("/Patient/1").replace("127.0.0.1", "localhost");

    let (mine, key) = signed("me");
    let (others, others_key) = signed("somebody else");
    let client = |identity: Option<(&[u8], &KeyPair)>| {
        let root = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
        let builder = Client::builder().tls_certs_only([root]);
        let builder = match identity {
            None => builder,
            Some((der, key)) => {
                let text = pem("CERTIFICATE", der) + &pem("PRIVATE KEY", &key.serialize_der());
                builder.identity(Identity::from_pem(text.as_bytes()).unwrap())
            }
        };
        builder.build().unwrap()
    };
    let cnf = json!({"x5t#S256": thumbprint(mine.der())});
    let token = issuer.token().claim("aud", BASE).claim("scope", "system/*.cruds");
    let plain = token.clone().sign().unwrap();
    let bound = token.claim("cnf", cnf).sign().unwrap();
    let nobody = client(None);
    let ready =
        status_when_ready(async || nobody.get(&url).bearer_auth(&plain).send().await.unwrap());
    assert_eq!(ready.await.status(), 200, "a certificate is asked for, not needed");
    for (identity, status) in [
        (Some((&**mine.der(), &key)), 200),
        (Some((&**others.der(), &others_key)), 401),
        (None, 401),
    ] {
        let reply = client(identity).get(&url).bearer_auth(&bound).send().await.unwrap();
        assert_eq!(reply.status(), status);
    }
    let metadata = server.url("").replace("127.0.0.1", "localhost");
    let metadata = metadata.replace("/r4", "/.well-known/oauth-protected-resource/r4");
    let document: Value = nobody.get(metadata).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_server_judges_proofs_and_the_header_of_a_proxy_and_explain_says_the_same() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let text = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n[mtls]\nheader = \
         \"client-cert\"\nproxies = [\"127.0.0.1/32\"]\n[[require]]\non = [\"Patient.d\"]\n\
         max_auth_age = \"5m\"\n",
        issuer.url()
    );
    std::fs::write(&file, text).unwrap();
    let config = file.to_str().unwrap().to_owned();
    let server =
        started(command("fhir_server", &["--config", &config, "--listen", "127.0.0.1:0"])).await;
    let client = Client::new();
    let key = Arc::new(SigningKey::generate("mine", Algorithm::Es256).unwrap());
    let good = issuer.token().claim("aud", BASE).claim("scope", "system/*.cruds");
    let token = good.clone().bound_to(&key).sign().unwrap();
    let proof = |method: Method| {
        let url = format!("{BASE}/Patient");
        let proof = ProofBuilder::new(key.clone(), &method, &url, SystemClock.now());
        proof.of_token(&token).sign().unwrap()
    };
    let send = async |proof: &str| {
        let request = client.get(server.url("/Patient"));
        let request = request.header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).send().await.unwrap()
    };
    let once = proof(Method::GET);
    assert_eq!(status_when_ready(async || send(&proof(Method::GET)).await).await.status(), 200);
    assert_eq!(send(&once).await.status(), 200);
    let again = send(&once).await;
    assert_eq!(again.status(), 401);
    let challenge = again.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"invalid_dpop_proof\""), "{challenge}");

    let der = [0x30, 3, 2, 1, 7];
    let cnf = json!({"x5t#S256": thumbprint(&der)});
    let bound = good.clone().claim("cnf", cnf).sign().unwrap();
    for (written, status) in [(":MAMCAQc=:", 200), (":MAMCAQg=:", 401)] {
        let request = client.get(server.url("/Patient")).bearer_auth(&bound);
        assert_eq!(request.header("client-cert", written).send().await.unwrap().status(), status);
    }
    // An entry of a batch by itself.
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "DELETE", "url": "Patient/nobody"}},
    ]});
    let plain = good.sign().unwrap();
    let reply = client.post(server.url("")).bearer_auth(&plain).json(&bundle).send().await.unwrap();
    assert_eq!(reply.status(), 200);
    let batch: Value = reply.json().await.unwrap();
    assert_eq!(batch["entry"][0]["response"]["status"], "401", "{batch}");

    // The same is explained.
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (sound, other) = (proof(Method::GET), proof(Method::PUT));
    let (sound, other) = (write("good.jwt", sound.as_bytes()), write("bad.jwt", other.as_bytes()));
    let certificate = write("client.der", &der);
    let request = ["--method", "GET", "--path", "/Patient"];
    let by_bearer = format!("Authorization: Bearer {token}");
    for (input, more, status) in [
        (&token, vec!["--dpop", &sound], 0),
        (&token, [vec!["--dpop", &*sound], request.to_vec()].concat(), 0),
        (&token, [vec!["--dpop", &*other], request.to_vec()].concat(), 1),
        (&by_bearer, vec!["--dpop", &sound], 1),
        (&token, vec![], 1),
        (&bound, vec!["--certificate", &certificate], 0),
        (&bound, vec![], 1),
    ] {
        let mut arguments = vec!["explain", "--config", &config];
        arguments.extend(more.iter());
        let mut program = fhir_auth(&arguments);
        let token = write("token", input.as_bytes());
        program.stdin(std::fs::File::open(token).unwrap());
        let output = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(status), "{more:?}: {said}");
        assert!(!said.contains(input.as_str()), "the token is told");
    }
}
