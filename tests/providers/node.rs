//! Programs of Node: providers, which go on and hear lines, and clients, which end.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::server::BASE;

/// One that is running, and answers lines with lines of JSON.
pub(crate) struct Running {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(script: &str, arguments: &Value) -> Self {
        let mut process = program(script, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// The next line that is JSON; providers say other things too.
    pub(crate) fn hear(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the program has ended");
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) {
                return value;
            }
        }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program(script: &str, arguments: &Value) -> Command {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "not installed: run `npm ci --prefix tests/providers` first");
    let mut command = Command::new("node");
    command.arg(folder.join(script)).arg(arguments.to_string());
    command
}

/// What a client prints when it is done.
pub(crate) async fn client(script: &str, arguments: &Value) -> Value {
    let mut program = program(script, arguments);
    let output = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
    last.unwrap_or_else(|| panic!("{script} has failed: {said}{error}"))
}

/// A provider, and its client `svc`.
pub(crate) struct Provider {
    running: Running,
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    /// The token endpoint that asks for certificates, if there is one.
    pub(crate) mtls_token_endpoint: Option<String>,
}

impl Provider {
    pub(crate) fn start(script: &str) -> Self {
        Self::start_with(script, &json!({}))
    }

    pub(crate) fn start_with(script: &str, arguments: &Value) -> Self {
        let mut running = Running::start(script, arguments);
        let hello = running.hear();
        let text = |name: &str| hello.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            running,
            issuer: text("issuer").unwrap(),
            token_endpoint: text("token_endpoint").unwrap(),
            mtls_token_endpoint: text("mtls_token_endpoint"),
        }
    }

    pub(crate) fn rotate(&mut self) {
        self.running.say("rotate");
        assert!(self.running.hear().get("rotated").is_some());
    }

    pub(crate) async fn token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("resource", BASE),
        ];
        let request = reqwest::Client::new().post(&self.token_endpoint).form(&form);
        let response = request.basic_auth("svc", Some("svc-secret")).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        let token = answer.get("access_token").and_then(Value::as_str);
        token.unwrap_or_else(|| panic!("{status}: {answer}")).to_owned()
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let url = format!("{}/revocation", self.token_endpoint);
        let request = reqwest::Client::new().post(url).form(&[("token", token)]);
        let response = request.basic_auth("svc", Some("svc-secret")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    }
}
