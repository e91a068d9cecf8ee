//! The two ends of a proxy: the program that decides, and a FHIR server that notes what reaches it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Notify;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

pub(crate) const BASE: &str = "https://fhir.example.org/r4";

/// A request as it reached the FHIR server.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A FHIR server that trusts whoever reaches it. It knows a request by its header `x-test`.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    pub(crate) goes_on: Arc<Notify>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Self { address, seen: Arc::default(), goes_on: Arc::default() };
        let (seen, goes_on) = (Arc::clone(&server.seen), Arc::clone(&server.goes_on));
        let app = Router::new().fallback(move |request: Request| {
            let (seen, goes_on) = (Arc::clone(&seen), Arc::clone(&goes_on));
            async move { Ok::<_, Infallible>(answer(request, &seen, goes_on).await) }
        });
        tokio::spawn(axum::serve(listener, app).into_future());
        server
    }

    pub(crate) fn seen(&self, test: &str) -> Option<Seen> {
        self.seen.lock().unwrap().remove(test)
    }
}

async fn answer(
    request: Request,
    seen: &Mutex<HashMap<String, Seen>>,
    goes_on: Arc<Notify>,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let line = format!("{} {}", parts.method, parts.uri);
    let test = parts.headers.get("x-test").and_then(|test| test.to_str().ok()).unwrap_or_default();
    let note = Seen { line, headers: parts.headers.clone(), body: body.clone() };
    seen.lock().unwrap().insert(test.to_owned(), note);
    let answer = Response::builder().header("content-type", "application/fhir+json");
    if parts.uri.query() != Some("_stream=true") {
        return answer.header("x-from", "server").body(Body::from(body)).unwrap();
    }
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let _ = sender.send(Bytes::from_static(b"{\"first\":")).await;
        // The rest comes when the client has had the first part.
        goes_on.notified().await;
        let _ = sender.send(Bytes::from_static(b"\"second\"}")).await;
    });
    answer.body(Body::new(Parts(receiver))).unwrap()
}

/// A body whose parts come one by one.
struct Parts(tokio::sync::mpsc::Receiver<Bytes>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| Ok(http_body::Frame::data(part))))
    }
}

/// `fhir-auth decide`, with the layer of its configuration in process.
pub(crate) struct Decider {
    process: Child,
    pub(crate) address: String,
    pub(crate) layer: FhirAuthLayer,
    pub(crate) issuer: TestIssuer,
    _folder: TempDir,
}

impl Decider {
    /// Before a FHIR server that confines by itself, or does not.
    pub(crate) async fn start(row: &str, upstream_confines: bool) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.toml");
        let confine = if upstream_confines { "upstream" } else { "gateway" };
        let roles = json!({"roles": [
            {"name": "everything", "dataActions": ["*"], "notDataActions": [], "scopes": ["/"]},
            {"name": "reader", "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]},
        ]});
        std::fs::write(folder.path().join("roles.json"), roles.to_string()).unwrap();
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"roles-or-scopes\"\n\
             [[issuers]]\nissuer = \"{}\"\n[roles]\ndefinitions = \"roles.json\"\n\
             [upstream]\nconfine = \"{confine}\"\n\
             headers = {{ issuer = \"x-fhir-issuer\", subject = \"x-fhir-subject\", \
             patient = \"x-fhir-patient\", scopes = \"x-fhir-scopes\" }}\n",
            issuer.url()
        );
        std::fs::write(&file, text).unwrap();
        let config = Config::from_file(&file).unwrap();
        let policy = config.policy().unwrap();
        let layer = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL);
        let layer = layer.build().unwrap();
        layer.ready().await;
        let mut process = Command::new(program())
            .args(["decide", "--for", row, "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        let address = address.strip_suffix("/r4").unwrap().to_owned();
        let decider = Self { process, address, layer, issuer, _folder: folder };
        decider.have_keys(row).await;
        decider
    }

    /// Ends it.
    pub(crate) fn end(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits for the keys of the process, which loads its own.
    async fn have_keys(&self, row: &str) {
        let token = self.issuer.token().claim("aud", BASE).claim("scope", "system/*.rs");
        let token = format!("Bearer {}", token.sign().unwrap());
        let (method, uri) = match row {
            "nginx" => ("x-original-method", "x-original-uri"),
            _ => ("x-forwarded-method", "x-forwarded-uri"),
        };
        let headers = [("authorization", &*token), (method, "GET"), (uri, "/r4/Patient/1")];
        for _ in 0..200 {
            let asked = ("GET", "/r4/Patient/1");
            if crate::wire::send(&self.address, asked, &headers, b"").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no keys");
    }
}

impl Drop for Decider {
    fn drop(&mut self) {
        self.end();
    }
}

/// The program, which is built into the folder of this test first.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let name = match profile.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        name => name,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--quiet", "-p", "fhir-auth", "--bin", "fhir-auth"])
        .args(["--profile", name, "--target-dir"])
        .arg(profile.parent().unwrap())
        .current_dir(root)
        .status()
        .unwrap();
    assert!(built.success(), "the program does not build");
    profile.join(format!("fhir-auth{}", std::env::consts::EXE_SUFFIX))
}
