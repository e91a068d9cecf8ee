//! The upstream servers, the gateway before them, and the data in them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tower_fhir_auth::test_util::TestIssuer;

use crate::callers::{BASE, Caller};
use crate::data::Data;
use crate::programs::{Example, command, fhir_auth};
use crate::wire::Wire;

/// A server that nobody protects.
pub(crate) enum Behind {
    /// `examples/fhir_server --unprotected`.
    Example,
    /// HAPI FHIR's JPA server.
    Hapi,
    /// `@medplum/mock`, which ignores what it is asked.
    Mock,
}

/// A program that is running, and how to talk to it.
pub(crate) struct Server {
    pub(crate) wire: Wire,
    /// It ends when this is dropped, and its configuration with it.
    _program: Example,
    _folder: Option<TempDir>,
}

impl Server {
    fn of(program: Example, folder: Option<TempDir>) -> Self {
        Self { wire: Wire::new(&program.base), _program: program, _folder: folder }
    }

    /// Starts a server that enforces nothing. The error is the reason why there is none.
    pub(crate) fn unprotected(behind: &Behind) -> Result<Self, String> {
        let nothing = tempfile::tempdir().unwrap();
        let data = nothing.path().to_str().unwrap();
        let mut command = match behind {
            Behind::Example => command(
                "fhir_server",
                &["--unprotected", "--listen", "127.0.0.1:0", "--data", data],
            ),
            Behind::Hapi => hapi()?,
            Behind::Mock => mock()?,
        };
        command.stdin(Stdio::piped());
        Ok(Self::of(Example::start(command), Some(nothing)))
    }

    /// Starts the gateway before a server.
    pub(crate) async fn gateway(issuer: &TestIssuer, behind: &Self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let upstream = format!("[upstream]\nurl = \"{}\"\n", behind.wire.base);
        std::fs::write(&file, configuration(issuer) + &upstream).unwrap();
        let arguments = ["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let server = Self::of(Example::start(fhir_auth(&arguments)), Some(folder));
        server.ready(issuer).await
    }

    /// Starts the example server, whose handlers enforce what was granted.
    pub(crate) async fn enforcing(issuer: &TestIssuer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.toml");
        std::fs::write(&file, configuration(issuer)).unwrap();
        let nothing = folder.path().join("data");
        std::fs::create_dir(&nothing).unwrap();
        let (file, data) = (file.to_str().unwrap(), nothing.to_str().unwrap());
        let arguments = ["--config", file, "--listen", "127.0.0.1:0", "--data", data];
        let server = Self::of(Example::start(command("fhir_server", &arguments)), Some(folder));
        server.ready(issuer).await
    }

    /// Waits for the keys of the issuer.
    async fn ready(self, issuer: &TestIssuer) -> Self {
        let deadline = Instant::now() + Duration::from_secs(20);
        let caller = Caller::of_everything(issuer);
        while self.wire.get(&caller.token, "/Patient/none").await.status == 503 {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self
    }

    /// Stores the data, version after version.
    pub(crate) async fn load(&self, data: &Data, token: &str) {
        for version in &data.versions {
            let path = format!("/{}/{}", version.resource_type, version.id);
            let body = version.resource.to_string();
            let stored = self.wire.change(token, "PUT", &path, body).await;
            assert!(stored.status < 300, "{path}: {} {}", stored.status, stored.text);
        }
        for (resource_type, id) in &data.deleted {
            let path = format!("/{resource_type}/{id}");
            let gone = self.wire.change(token, "DELETE", &path, String::new()).await;
            assert!(gone.status < 300, "{path}: {} {}", gone.status, gone.text);
        }
    }
}

fn configuration(issuer: &TestIssuer) -> String {
    format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n",
        issuer.url()
    )
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("backends").join(name)
}

fn hapi() -> Result<Command, String> {
    let target = folder("hapi/target");
    let classpath = std::fs::read_to_string(target.join("classpath"))
        .map_err(|_| "not built: `mvn -q -f tests/backends/hapi compile`")?;
    let classes = target.join("classes");
    let mut command = Command::new("java");
    command.args(["-Xmx1g", "-cp", &format!("{}:{classpath}", classes.display()), "Hapi"]);
    Ok(command)
}

fn mock() -> Result<Command, String> {
    let folder = folder("mock");
    if !folder.join("node_modules").is_dir() {
        return Err("not installed: `npm ci --prefix tests/backends/mock`".to_owned());
    }
    let mut command = Command::new("node");
    command.arg(folder.join("server.mjs"));
    Ok(command)
}
