//! The dashboard of `examples/observed` before a real Prometheus: after some requests of each kind, every panel has
//! figures, and Prometheus has loaded the alert rules.
//!
//! Not part of a plain `cargo test`, because it needs Prometheus: `.ci/world observed` installs and runs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A program that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example, by what it prints.
struct Example {
    _program: Program,
    _output: Lines<BufReader<ChildStdout>>,
    base: String,
    metrics: String,
    token: String,
}

impl Example {
    fn start() -> Self {
        let folder = std::env::current_exe().unwrap();
        let program = folder.ancestors().nth(2).unwrap().join("examples/observed");
        let mut command = Command::new(program);
        command.env("LISTEN", "127.0.0.1:0").env("METRICS", "127.0.0.1:0");
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
        let mut line = || output.next().unwrap().unwrap();
        let base = line().strip_prefix("listening on ").unwrap().to_owned();
        let metrics = line().strip_prefix("metrics at ").unwrap().to_owned();
        let token = line().split("Bearer ").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        Self { _program: Program(program), _output: output, base, metrics, token }
    }

    /// One request of each kind, with the statuses that they have to get.
    async fn ask(&self, client: &reqwest::Client) {
        let (_, rest) = self.token.split_once('.').unwrap();
        let header = br#"{"alg":"ES256","kid":"unknown","typ":"at+jwt"}"#;
        let unknown_key = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
        for (path, token, status) in [
            ("/Patient/1", Some(self.token.as_str()), 200),
            ("/Patient/1", Some("an-opaque-token"), 200),
            ("/Patient/1", Some(unknown_key.as_str()), 401),
            ("/Patient/1", None, 401),
            ("/Observation/1", Some(self.token.as_str()), 403),
            ("/.well-known/smart-configuration", None, 200),
        ] {
            let request = client.get(format!("{}{path}", self.base));
            let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
            assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{path}");
        }
    }
}

struct Prometheus {
    _program: Program,
    _folder: tempfile::TempDir,
    url: String,
    client: reqwest::Client,
}

impl Prometheus {
    fn start(metrics: &str, rules: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = metrics.strip_prefix("http://").unwrap().strip_suffix("/metrics").unwrap();
        let text = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 1s}}\nrule_files: [{}]\n\
             scrape_configs: [{{job_name: observed, static_configs: [{{targets: ['{target}']}}]}}]\n",
            rules.display()
        );
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, text).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let program = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let program = Program(program.unwrap_or_else(|error| panic!("prometheus: {error}")));
        let client = reqwest::Client::new();
        Self { _program: program, _folder: folder, url: format!("http://{port}"), client }
    }

    /// The `data` of an answer, as soon as there is one.
    async fn get(&self, path: &str, query: Option<&str>) -> Option<Value> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(query.map(|query| ("query", query)));
        let answer = self.client.get(url).send().await.ok()?;
        let text = answer.text().await.ok()?;
        let answer: Value = serde_json::from_str(&text).ok()?;
        assert_eq!(answer["status"], "success", "{query:?}: {text}");
        Some(answer["data"].clone())
    }

    /// Reports whether a query has a figure.
    async fn has_figures(&self, query: &str) -> bool {
        let Some(data) = self.get("/api/v1/query", Some(query)).await else { return false };
        let results = data["result"].as_array().cloned().unwrap_or_default();
        results.iter().any(|one| one["value"][1].as_str().is_some_and(|value| value != "NaN"))
    }
}

fn queries(dashboard: &Path) -> Vec<String> {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(dashboard).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    // Grafana puts an interval in, which fits the rate of scrapes.
    let queries = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    queries.map(|query| query.replace("$__rate_interval", "10s")).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/observed");
    let files = files.canonicalize().unwrap();
    let example = Example::start();
    let prometheus = Prometheus::start(&example.metrics, &files.join("alerts.yaml"));
    let mut missing = queries(&files.join("dashboard.json"));
    let count = missing.len();
    assert!(count > 12, "only {missing:?} were found: is the search broken?");
    let deadline = Instant::now() + Duration::from_secs(50);
    let mut requests = 0;
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "no figures of {missing:#?}");
        example.ask(&prometheus.client).await;
        requests += 6;
        let mut still = Vec::new();
        for query in missing {
            if !prometheus.has_figures(&query).await {
                still.push(query);
            }
        }
        missing = still;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rules = prometheus.get("/api/v1/rules", None).await.unwrap();
    let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
    let healthy = |rule: &&Value| rule["health"] != "err";
    assert_eq!(rules.iter().filter(healthy).count(), rules.len(), "{rules:#?}");
    println!(
        "observed: {count} queries of the dashboard have figures after {requests} requests, \
         {} alert rules are loaded",
        rules.len()
    );
}
