//! A Keycloak in its development mode with the realm of the test, and its administration.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Program, fetched, free_port};
use crate::tls::Authority;

pub(crate) struct Keycloak {
    _program: Program,
    origin: String,
    tls_origin: String,
    pub(crate) issuer: String,
    pub(crate) version: String,
}

impl Keycloak {
    /// Starts it with a port that asks for certificates beside the plain one.
    pub(crate) async fn start(authority: &Authority) -> Self {
        let home = fetched(".keycloak/home");
        let (port, tls_port) = (free_port(), free_port());
        let origin = format!("http://127.0.0.1:{port}");
        let issuer = format!("{origin}/realms/clinic");
        let import = home.join("data/import");
        std::fs::create_dir_all(&import).unwrap_or_else(|error| {
            panic!("not installed (`.ci/world providers keycloak` does it): {error}")
        });
        let realm = include_str!("clinic-realm.json");
        std::fs::write(import.join("clinic-realm.json"), realm).unwrap();
        let mut command = Command::new(home.join("bin/kc.sh"));
        command
            .args(["start-dev", "--db=dev-mem", "--import-realm", "--http-host=127.0.0.1"])
            .args([format!("--http-port={port}"), format!("--https-port={tls_port}")])
            .arg(format!("--hostname={origin}"))
            .arg("--https-client-auth=request");
        for (option, file) in [
            ("--https-certificate-file", "tls.pem"),
            ("--https-certificate-key-file", "tls.key"),
            ("--https-trust-store-file", "ca.pem"),
        ] {
            command.arg(format!("{option}={}", authority.file(file).display()));
        }
        command.env("KC_BOOTSTRAP_ADMIN_USERNAME", "admin");
        command.env("KC_BOOTSTRAP_ADMIN_PASSWORD", "admin-secret");
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        let log = authority.folder().join("keycloak.log");
        // It compiles itself at its first start, which takes long where others are at work.
        let patience = Duration::from_secs(900);
        let program = Program::start(command, &log, &discovery, patience).await;
        let version = std::fs::read_to_string(home.join("version.txt")).unwrap();
        let version = version.trim().rsplit(' ').next().unwrap().to_owned();
        let tls_origin = format!("https://localhost:{tls_port}");
        Self { _program: program, origin, tls_origin, issuer, version }
    }

    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer)
    }

    /// A token of a machine.
    pub(crate) async fn of_client(&self, id: &str, secret: &str) -> String {
        let request = reqwest::Client::new().post(self.endpoint("token"));
        let request = request.form(&[("grant_type", "client_credentials")]);
        access_token(request.basic_auth(id, Some(secret))).await
    }

    /// A token of a machine that shows its certificate.
    pub(crate) async fn of_certificate(&self, client: &reqwest::Client) -> String {
        let endpoint = self.endpoint("token").replace(&self.origin, &self.tls_origin);
        let request = client.post(endpoint).form(&[("grant_type", "client_credentials")]);
        access_token(request.basic_auth("bound-to-a-certificate", Some("bound-secret"))).await
    }

    /// Gives the realm a new key that signs from now on; the one before stays published.
    pub(crate) async fn rotate(&self) {
        let client = reqwest::Client::new();
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", "admin-secret"),
        ];
        let endpoint = format!("{}/realms/master/protocol/openid-connect/token", self.origin);
        let admin = access_token(client.post(endpoint).form(&form)).await;
        let realm = format!("{}/admin/realms/clinic", self.origin);
        let answer = client.get(&realm).bearer_auth(&admin).send().await.unwrap();
        let parent: Value = answer.json().await.unwrap();
        let component = json!({
            "name": "rotated", "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider", "parentId": parent["id"],
            "config": {"priority": ["200"], "enabled": ["true"], "active": ["true"]},
        });
        let request = client.post(format!("{realm}/components")).bearer_auth(&admin);
        let answer = request.json(&component).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 201, "{:?}", answer.text().await);
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let status = response.status();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status.as_u16(), 200, "{answer}");
    answer
}

async fn access_token(request: reqwest::RequestBuilder) -> String {
    answer(request).await["access_token"].as_str().unwrap().to_owned()
}
