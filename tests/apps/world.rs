//! oidc-provider, the app's pages, and a FHIR server that trusts it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::programs::{Example, command, fhir_auth};

/// Who guards, and what.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// `fhir_server --config`.
    Server,
    /// The gateway before `fhir_server --unprotected`.
    Gateway,
    /// The gateway before HAPI FHIR's JPA server.
    Hapi,
}

pub(crate) struct World {
    /// Where the app's pages are.
    pub(crate) app: String,
    /// The FHIR base, by which everybody knows it.
    pub(crate) base: String,
    /// The id of the backend's key, which is `key.pem` in the folder.
    pub(crate) kid: String,
    pub(crate) folder: TempDir,
    _programs: Vec<Example>,
    _provider: Provider,
}

/// What it says is read from, as long as it runs: it would not survive a pipe that is closed.
struct Provider(Child, #[expect(dead_code, reason = "held open")] BufReader<ChildStdout>);

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(name)
}

impl World {
    pub(crate) async fn start(place: Place) -> Self {
        Self::start_at(place, None).await
    }

    /// Starts what is guarded by tokens of an issuer: of oidc-provider, which serves the app's pages, or another,
    /// whose tokens name the API as the guide of Keycloak has it.
    pub(crate) async fn start_at(place: Place, issuer: Option<&str>) -> Self {
        // Apps ask at the base itself, so that its port has to be known before.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let base = format!("http://{free}/fhir");
        let (provider, hello) = provider(&base);
        let text = |name: &str| hello[name].as_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), text("pem")).unwrap();
        let file = folder.path().join("auth.toml");
        let mut configuration = format!(
            "base_url = \"{base}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n",
            issuer.map_or_else(|| text("issuer"), str::to_owned)
        );
        if issuer.is_some() {
            configuration += "audiences = [\"https://fhir.example.org/r4\"]\n";
        }
        let mut programs = Vec::new();
        let arguments = ["--config", file.to_str().unwrap(), "--listen", &free.to_string()];
        match place {
            Place::Server => {
                std::fs::write(&file, &configuration).unwrap();
                programs.push(Example::start(command("fhir_server", &arguments)));
            }
            Place::Gateway | Place::Hapi => {
                let behind = unprotected(place).await;
                configuration +=
                    &format!("[cors]\norigins = [\"*\"]\n[upstream]\nurl = \"{}\"\n", behind.base);
                std::fs::write(&file, &configuration).unwrap();
                let page = ["--demo", "--demo-client", "page"];
                let arguments = [&["gateway"], &arguments[..], &page].concat();
                programs.extend([behind, Example::start(fhir_auth(&arguments))]);
            }
        }
        let world = Self {
            app: text("app"),
            base,
            kid: text("kid"),
            folder,
            _programs: programs,
            _provider: provider,
        };
        world.ready().await;
        world
    }

    /// Waits for the discovery of the provider.
    async fn ready(&self) {
        let url = format!("{}/.well-known/smart-configuration", self.base);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let document: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
            if document["token_endpoint"].is_string() {
                return;
            }
            assert!(Instant::now() < deadline, "no discovery: {document}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn provider(base: &str) -> (Provider, Value) {
    let is_installed = folder("node_modules").is_dir();
    assert!(is_installed, "not installed: run `npm ci --prefix tests/apps` first");
    let mut node = Command::new("node");
    node.arg(folder("oidc.mjs")).arg(base);
    node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = node.spawn().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    // It says other things, too.
    let hello = loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "the provider has ended");
        if let Ok(hello @ Value::Object(_)) = serde_json::from_str(&line) {
            break hello;
        }
    };
    (Provider(process, output), hello)
}

/// A server that enforces nothing, with records of two patients.
async fn unprotected(place: Place) -> Example {
    let Place::Hapi = place else {
        let arguments = ["--unprotected", "--listen", "127.0.0.1:0"];
        return Example::start(command("fhir_server", &arguments));
    };
    let target = folder("../backends/hapi/target");
    let classpath = std::fs::read_to_string(target.join("classpath"));
    let classpath =
        classpath.unwrap_or_else(|_| panic!("not built: `mvn -q -f tests/backends/hapi compile`"));
    let mut java = Command::new("java");
    let classes = target.join("classes");
    java.args(["-Xmx1g", "-cp", &format!("{}:{classpath}", classes.display()), "Hapi"]);
    java.stdin(Stdio::piped());
    let hapi = Example::start(java);
    let client = reqwest::Client::new();
    for resource in records() {
        let (kind, id) = (resource["resourceType"].as_str(), resource["id"].as_str());
        let url = hapi.url(&format!("/{}/{}", kind.unwrap(), id.unwrap()));
        let request = client.put(url).header("content-type", "application/fhir+json");
        let stored = request.body(resource.to_string()).send().await.unwrap();
        assert_eq!(stored.status().as_u16(), 201, "{}", stored.text().await.unwrap());
    }
    hapi
}

/// As much of the example's records as the app reads.
fn records() -> Vec<Value> {
    let patient = |id: &str, family: &str| json!({"resourceType": "Patient", "id": id, "name": [{"family": family}]});
    let observation = |id: &str, patient: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
            "subject": {"reference": format!("Patient/{patient}")},
        })
    };
    vec![
        // HAPI takes numbers for ids of its own where clients may not choose them.
        patient("1", "Peeters"),
        patient("2", "Oyelaran"),
        observation("weight-1", "1"),
        observation("amara-hba1c", "1"),
        observation("weight-2", "2"),
        observation("tobi-hba1c", "2"),
    ]
}
