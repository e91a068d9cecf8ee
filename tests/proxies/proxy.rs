//! The proxies: how each is started with the configuration of the manual.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::page::{DECISIONS, Page};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Envoy,
    Caddy,
    Haproxy,
    Traefik,
}

/// One that is running.
pub(crate) struct Running {
    process: Child,
    pub(crate) address: String,
    folder: TempDir,
}

impl Proxy {
    pub(crate) const ALL: [Self; 5] =
        [Self::Nginx, Self::Envoy, Self::Caddy, Self::Haproxy, Self::Traefik];

    /// Those whose configuration for certificates of clients the manual has.
    pub(crate) const WITH_CERTIFICATES: [Self; 3] = [Self::Nginx, Self::Envoy, Self::Haproxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Traefik => "traefik",
        }
    }

    /// How the manual heads what is about it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Envoy => "Envoy",
            Self::Caddy => "Caddy",
            Self::Haproxy => "HAProxy",
            Self::Traefik => "Traefik",
        }
    }

    /// How it names the original request.
    pub(crate) fn row(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Caddy | Self::Haproxy | Self::Traefik => "forward",
        }
    }

    /// Whether an identity header that is empty is sent as such, or not at all.
    pub(crate) fn sends_empty_headers(self) -> bool {
        matches!(self, Self::Envoy | Self::Haproxy | Self::Traefik)
    }

    /// Whether the body of a refusal comes from `fhir-auth`.
    pub(crate) fn passes_bodies_of_refusals(self) -> bool {
        self != Self::Nginx
    }

    /// The one that `.ci/world proxies` installs from a package, else the one of the machine.
    fn program(self) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proxies/.venv/bin");
        let installed = folder.join(self.name());
        if installed.exists() { installed } else { self.name().into() }
    }

    /// The version that runs.
    pub(crate) fn version(self) -> String {
        let argument = match self {
            Self::Nginx | Self::Haproxy => "-v",
            Self::Envoy => "--version",
            Self::Caddy | Self::Traefik => "version",
        };
        let said = Command::new(self.program()).arg(argument).output().unwrap_or_else(|error| {
            panic!("{} is not installed (`.ci/world proxies` does it): {error}", self.name())
        });
        let said = [said.stdout, said.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let version = match self {
            Self::Nginx => said.split('/').nth(1),
            Self::Haproxy => said.split([' ', '-']).nth(2),
            // `<commit>/<version>/<state>/<profile>/<library>`
            Self::Envoy => said.trim().split('/').rev().nth(3),
            Self::Caddy => said.split([' ', 'v']).nth(1),
            // `Version:      <version>`, first.
            Self::Traefik => said.split_whitespace().nth(1),
        };
        version.unwrap_or_else(|| panic!("an unknown form of version: {said}")).trim().to_owned()
    }

    /// Starts it between a decider and a FHIR server.
    pub(crate) async fn start(self, decider: &str, server: &str) -> Running {
        let others = [("127.0.0.1:9000", decider), ("127.0.0.1:8081", server)];
        let folder = tempfile::tempdir().unwrap();
        self.start_in(folder, DECISIONS, "127.0.0.1:8080", &others).await
    }

    /// Starts it by the configuration of a page, in a folder that has the files which that names. The page
    /// writes its address and those of others in a way. Waits until it accepts connections.
    pub(crate) async fn start_in(
        self,
        folder: TempDir,
        page: Page,
        written: &str,
        others: &[(&str, &str)],
    ) -> Running {
        let address = free();
        let real = [&[(written, address.as_str())], others].concat();
        let write = |name: &str, language: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, page.block(language, &real)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let mut command = Command::new(self.program());
        match self {
            Self::Nginx => {
                let include = write("fhir.conf", "nginx");
                let main = folder.path().join("nginx.conf");
                std::fs::write(&main, whole_of_nginx(folder.path(), &include)).unwrap();
                command.arg("-p").arg(folder.path()).arg("-c").arg(main);
                command.args(["-e", "stderr"]);
            }
            Self::Envoy => {
                command.args(["-c", &write("envoy.yaml", "yaml"), "--concurrency", "1"]);
                command.args(["--disable-hot-restart", "--log-level", "error"]);
            }
            Self::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(write("Caddyfile", "caddyfile"));
                command.env("XDG_CONFIG_HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
            }
            Self::Haproxy => {
                if page.has("lua") {
                    write("fhir_decide.lua", "lua");
                }
                command.args(["-db", "-f", &write("haproxy.cfg", "haproxy")]);
            }
            Self::Traefik => {
                write("fhir.yml", "traefik");
                let line = page.block("console", &real);
                command.args(line.split_whitespace().skip(1)).arg("--log.level=ERROR");
            }
        }
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap();
        let mut running = Running { process, address, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(&running.address).await.is_err() {
            let ended = running.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{self:?}: {}", running.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running
    }
}

/// What Debian's own `nginx.conf` does, in a folder of its own.
fn whole_of_nginx(folder: &Path, include: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/pid;\nevents {{}}\nhttp {{\n\
         access_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\n\
         scgi_temp_path {folder}/scgi;\ninclude {include};\n}}\n"
    )
}

fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

impl Running {
    /// What it has written to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx has workers, which end with a master that is told to.
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
