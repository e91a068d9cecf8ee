//! The program `fhir-auth gateway`, once for all attacks, before a server that answers each as it was told. Bytes
//! are written as they are, for no client would send them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower_fhir_auth::test_util::TestIssuer;

use crate::confine::world::{Asked, Got, OWN, Reply, usual};
use crate::kit::Answer;
use crate::programs::{Example, fhir_auth};
use crate::support::BASE;

pub(crate) type Behind = Arc<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

/// Bytes of a client, and how the upstream server answers them.
#[derive(Clone)]
pub(crate) struct Bytes {
    /// With `TOKEN` and `REQUEST-ID` in their places.
    pub(crate) bytes: String,
    pub(crate) scope: &'static str,
    /// The number of the answer that counts; one that is not there has reached nobody.
    pub(crate) answer: usize,
    pub(crate) behind: Behind,
}

impl Bytes {
    pub(crate) fn new(bytes: impl Into<String>) -> Self {
        Self { bytes: bytes.into(), scope: OWN, answer: 0, behind: Arc::new(|_| None) }
    }

    /// A request without a body, with these fields more.
    pub(crate) fn asking(line: &str, fields: &str) -> Self {
        Self::sending(line, fields, "")
    }

    pub(crate) fn sending(line: &str, fields: &str, body: &str) -> Self {
        let common = "host: a\r\nauthorization: Bearer TOKEN\r\nx-request-id: REQUEST-ID\r\nconnection: close";
        Self::new(format!("{line} HTTP/1.1\r\n{common}\r\n{fields}\r\n{body}"))
    }

    /// By a token for everything, which passes without a look.
    pub(crate) fn of_everything(self) -> Self {
        Self { scope: "system/*.cruds", ..self }
    }

    pub(crate) fn before(
        self,
        behind: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self { behind: Arc::new(behind), ..self }
    }
}

/// The gateway with all around it.
struct Shared {
    runtime: Runtime,
    issuer: TestIssuer,
    gateway: Example,
    upstream: String,
    behind: Arc<Server>,
    next: AtomicUsize,
    _folder: tempfile::TempDir,
}

#[derive(Default)]
struct Server {
    answers: Mutex<HashMap<String, Behind>>,
    asked: Mutex<HashMap<String, Vec<Asked>>>,
}

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::start);

/// The address of the upstream server.
pub(crate) fn upstream() -> &'static str {
    &SHARED.upstream
}

impl Shared {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let behind = Arc::new(Server::default());
        let (listener, issuer) = std::thread::scope(|scope| {
            let all = async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                (listener, TestIssuer::start().await.unwrap())
            };
            scope.spawn(|| runtime.block_on(all)).join().unwrap()
        });
        let upstream = format!("http://{}/r4", listener.local_addr().unwrap());
        let server = Arc::clone(&behind);
        let app = Router::new().fallback(move |request: Request| {
            let server = Arc::clone(&server);
            async move { server.answer(request).await }
        });
        runtime.spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
             [upstream]\nurl = \"{upstream}\"\nheaders = {{ issuer = \"x-fhir-issuer\", \
             subject = \"x-fhir-subject\", patient = \"x-fhir-patient\" }}\n",
            issuer.url()
        );
        std::fs::write(&file, text).unwrap();
        let arguments = ["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
        let gateway = Example::start(fhir_auth(&arguments));
        let next = AtomicUsize::new(0);
        let this = Self { runtime, issuer, gateway, upstream, behind, next, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while this.got(&Bytes::asking("GET /r4/Observation/mark-of-1", "")).status == 503 {
            assert!(Instant::now() < deadline, "no keys");
            std::thread::sleep(Duration::from_millis(50));
        }
        this
    }

    fn got(&self, shot: &Bytes) -> Got {
        let id = format!("attack-{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.behind.answers.lock().unwrap().insert(id.clone(), Arc::clone(&shot.behind));
        let token = self.issuer.token().claim("aud", BASE).claim("sub", "amara");
        let token = token.claim("scope", shot.scope).claim("patient", "1").sign().unwrap();
        let bytes = shot.bytes.replace("REQUEST-ID", &id).replace("TOKEN", &token);
        let host = self.gateway.base.strip_prefix("http://").unwrap().replace("/r4", "");
        let exchange = async {
            let mut stream = TcpStream::connect(host).await.unwrap();
            // A request that is refused early is not read to its end.
            let _ = stream.write_all(bytes.as_bytes()).await;
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
            answer
        };
        let handle = self.runtime.handle().clone();
        let answer =
            std::thread::scope(|scope| scope.spawn(|| handle.block_on(exchange)).join().unwrap());
        let asked = self.behind.asked.lock().unwrap().remove(&id).unwrap_or_default();
        let answers = answers(&String::from_utf8_lossy(&answer));
        let (status, headers, text) = answers.into_iter().nth(shot.answer).unwrap_or_default();
        Got { status, headers, text, asked }
    }
}

impl Server {
    async fn answer(&self, request: Request) -> http::Response<Body> {
        let (parts, body) = request.into_parts();
        let whole = body.collect().await.unwrap();
        let mut headers = parts.headers;
        // What comes after the body is told as what comes before it.
        headers.extend(whole.trailers().cloned().unwrap_or_default());
        let body = String::from_utf8_lossy(&whole.to_bytes()).into_owned();
        let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let id = id.unwrap_or_default().to_owned();
        let asked = Asked { line: format!("{} {}", parts.method, parts.uri), headers, body };
        self.asked.lock().unwrap().entry(id.clone()).or_default().push(asked.clone());
        let behind = self.answers.lock().unwrap().get(&id).cloned();
        let own = behind.and_then(|behind| behind(&asked));
        own.unwrap_or_else(|| usual(&asked)).map(Body::new)
    }
}

/// Reads the answers of a connection: status, headers and body of each.
fn answers(mut text: &str) -> Vec<(u16, HeaderMap, String)> {
    let mut answers = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let is_chunked = headers.contains_key("transfer-encoding");
        let length =
            headers.get("content-length").map(|one| one.to_str().unwrap().parse().unwrap());
        let (body, rest) = match is_chunked {
            true => chunks(rest),
            false => {
                let length = length.unwrap_or_else(|| if status == "204" { 0 } else { rest.len() });
                let (body, rest) = rest.split_at(length.min(rest.len()));
                (body.to_owned(), rest)
            }
        };
        answers.push((status.parse().unwrap_or_default(), headers, body));
        text = rest;
    }
    answers
}

fn chunks(mut text: &str) -> (String, &str) {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or_default().min(rest.len());
        let (chunk, rest) = rest.split_at(size);
        body.push_str(chunk);
        text = rest.strip_prefix("\r\n").unwrap_or(rest);
        if size == 0 {
            break;
        }
    }
    (body, text)
}

pub(crate) async fn start() {}

/// Sends bytes; an answer with an address of the upstream server is one that lets in.
pub(crate) async fn ask((): &(), shot: Bytes) -> Answer {
    let got = SHARED.got(&shot);
    let host = upstream().strip_prefix("http://").unwrap();
    if format!("{:?}{}", got.headers, got.text).contains(host) {
        return Answer { status: 200, told: got.text, ..Answer::default() };
    }
    match (got.answer(), got.status) {
        // The connection was closed, or had no further answer.
        (answer, 0) if answer.status == 0 => Answer::default(),
        (answer, _) => answer,
    }
}
