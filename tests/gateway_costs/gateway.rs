//! The gateway as a process, and what it takes of the machine.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_fhir_auth::test_util::TestIssuer;

pub(crate) const BASE: &str = "https://fhir.example.org/r4";

/// A request that passes through.
pub(crate) const READ: &str = "/Observation/o1";

/// A path that takes no token: nobody is judged who asks for it, and the gateway is a bare proxy.
pub(crate) const PUBLIC: &str = "/Observation/public";

/// What is configured as `max_buffered`, in MiB.
pub(crate) const MAX_BUFFERED: u64 = 256;

/// Who holds answers to what was granted.
#[derive(Clone, Copy)]
pub(crate) enum ConfinedBy {
    /// Both layers are before the upstream server.
    Gateway,
    /// The layer that judges tokens is before it, and within that the one that rewrites `metadata`.
    Nobody,
}

impl ConfinedBy {
    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Nobody => "nobody",
        }
    }
}

/// A process that ends with this.
pub(crate) struct Process(Child);

pub(crate) struct Gateway {
    pub(crate) process: Process,
    pub(crate) host: String,
    issuer: TestIssuer,
    _folder: TempDir,
}

impl Gateway {
    /// Starts one that confines.
    pub(crate) async fn before(upstream: &str) -> Self {
        Self::run_by(plainly, upstream, ConfinedBy::Gateway).await
    }

    /// Starts one, run by another program, perhaps.
    pub(crate) async fn run_by(
        run: impl Fn(PathBuf) -> Command,
        upstream: &str,
        confine: ConfinedBy,
    ) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\npublic = [\"{PUBLIC}\"]\n[[issuers]]\nissuer = \"{}\"\n\
             [upstream]\nurl = \"{upstream}\"\nmax_buffered = \"{MAX_BUFFERED}MiB\"\nconfine = \"{}\"\n",
            issuer.url(),
            confine.name()
        );
        std::fs::write(&file, text).unwrap();
        // The test is in `deps`, the program beside that.
        let test = std::env::current_exe().unwrap();
        let program = test.parent().unwrap().parent().unwrap().join("fhir-auth");
        let mut command = run(program);
        command.arg("gateway").arg("--config").arg(file).args(["--listen", "127.0.0.1:0"]);
        let (process, base) = Process::start(command);
        let host = base.strip_prefix("http://").unwrap().strip_suffix("/r4").unwrap().to_owned();
        let gateway = Self { process, host, issuer, _folder: folder };
        let token = gateway.token("system/*.rs");
        ready(&gateway.host, &gateway.head("GET", READ, &token, "")).await;
        gateway
    }

    /// A token of patient 1.
    pub(crate) fn token(&self, scope: &str) -> String {
        let token = self.issuer.token().claim("aud", BASE).claim("sub", "amara");
        token.claim("scope", scope).claim("patient", "1").sign().unwrap()
    }

    pub(crate) fn head(&self, method: &str, path: &str, token: &str, fields: &str) -> String {
        format!(
            "{method} /r4{path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\n{fields}\r\n"
        )
    }

    /// The head of a request that passes through, on a connection that stays.
    pub(crate) fn lasting_head(&self, path: &str) -> String {
        let head = self.head("GET", path, &self.token("system/*.cruds"), "");
        head.replace("connection: close\r\n", "")
    }

    pub(crate) async fn ask(&self, token: &str, path: &str) -> String {
        asked(&self.host, &self.head("GET", path, token, "")).await
    }

    pub(crate) fn issuer_url(&self) -> &str {
        self.issuer.url()
    }
}

/// Waits until a server has its keys.
pub(crate) async fn ready(host: &str, head: &str) {
    let head = head.replace("host: a\r\n", "host: a\r\nconnection: close\r\n");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !asked(host, &head).await.starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "no keys");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn asked(host: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

impl Process {
    fn start(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let base = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        (Self(child), base)
    }

    /// A bare proxy, or one with the layer that trusts an issuer, and its host.
    pub(crate) fn proxy(
        run: impl Fn(PathBuf) -> Command,
        upstream: &str,
        issuer: Option<&str>,
    ) -> (Self, String) {
        let mut command = run(std::env::current_exe().unwrap());
        command.args(["proxy", upstream]).args(issuer);
        Self::start(command)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The resident memory now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory so far, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kibibytes = line.split_ascii_whitespace().next().unwrap();
        kibibytes.parse::<u64>().unwrap() << 10
    }

    /// The processor time so far, of all threads.
    pub(crate) fn processor_time(&self) -> Duration {
        // The sum over threads, in nanoseconds: ticks would be too coarse.
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let times = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(times.sum())
    }
}

/// Runs a program by itself, and hears nothing of what it reports.
pub(crate) fn plainly(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.stderr(Stdio::null());
    command
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
