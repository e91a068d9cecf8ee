//! A FHIR server over HTTP that enforces nothing: whatever is searched, it answers with everything it has, in
//! addresses of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use axum::serve::Listener;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};
use http_body::{Body as HttpBody, Frame};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

/// The server, which runs until the test ends.
pub(crate) struct Careless {
    /// Its FHIR base.
    pub(crate) base: String,
    state: Arc<Shared>,
}

struct Shared {
    base: String,
    log: Mutex<Vec<Asked>>,
    /// The number of requests that ended before they were answered.
    left: Mutex<usize>,
}

/// A request as it has arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Careless {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/fhir", listener.local_addr().unwrap());
        Self::at(base, listener)
    }

    /// With TLS, known as `localhost`.
    pub(crate) async fn start_with_tls(
        certificate: Vec<u8>,
        key: Vec<u8>,
        protocols: &[&str],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}/fhir", listener.local_addr().unwrap().port());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::Pkcs8(key.into());
        let chain = vec![certificate.into()];
        let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self::at(base, Tls(listener, TlsAcceptor::from(Arc::new(config))))
    }

    fn at<L: Listener<Addr: std::fmt::Debug>>(base: String, listener: L) -> Self {
        let (log, left) = (Mutex::default(), Mutex::default());
        let state = Arc::new(Shared { base: base.clone(), log, left });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, state }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.log.lock().unwrap().clone()
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked().last().cloned().unwrap()
    }

    pub(crate) fn left(&self) -> usize {
        *self.state.left.lock().unwrap()
    }
}

/// A port with TLS. Handshakes that fail are of clients that do not come back.
struct Tls(TcpListener, TlsAcceptor);

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.0.accept().await.unwrap();
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// Notices that nobody waits for an answer any more.
struct Waiting<'a>(&'a Shared, bool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.1 {
            *self.0.left.lock().unwrap() += 1;
        }
    }
}

async fn answer(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", parts.method, parts.uri);
    let body = String::from_utf8(body.to_vec()).unwrap();
    state.log.lock().unwrap().push(Asked {
        line,
        version: parts.version,
        headers: parts.headers,
        body,
    });
    let path = parts.uri.path().to_owned();
    let below: Vec<&str> = path.trim_start_matches("/fhir").split('/').skip(1).collect();
    let found = |name: &str, id: &str| {
        let mut all = records(&state.base).into_iter();
        all.find(|one| one["resourceType"] == name && one["id"] == id)
    };
    match below.as_slice() {
        // One part of it is large.
        ["metadata"] => {
            let text =
                if parts.uri.query().is_some() { "x".repeat(1 << 20) } else { String::new() };
            let named = json!({"resourceType": "CapabilityStatement", "description": text});
            fhir(&named.to_string())
        }
        ["Observation", "slow"] => {
            let mut waiting = Waiting(&state, false);
            tokio::time::sleep(Duration::from_secs(60)).await;
            waiting.1 = true;
            fhir("{}")
        }
        ["Observation", "stops"] => {
            let parts = slow_body(["{\"resourceType\":", "\"Observation\"}"]);
            Response::builder().header("content-type", "application/fhir+json").body(parts).unwrap()
        }
        ["Basic"] => fhir(&astray(&state.base)),
        ["Observation", "large8"] => fhir(&large(8 << 20)),
        ["Observation", "moved"] => with_status(302),
        ["Observation", "login"] => with_status(401),
        ["Observation"] if parts.method == "POST" => {
            let mut created = fhir("{\"resourceType\":\"Observation\",\"valueDecimal\":1.50}");
            *created.status_mut() = StatusCode::CREATED;
            let place = format!("{}/Observation/new/_history/1", state.base).parse().unwrap();
            created.headers_mut().insert("location", place);
            let place = "http://elsewhere.example.org/Observation/new".parse().unwrap();
            created.headers_mut().insert("content-location", place);
            created
        }
        [name, id] if !id.starts_with(['_', '$']) => match found(name, id) {
            Some(resource) => fhir(&resource.to_string()),
            None => with_status(404),
        },
        _ => fhir(&page(&state.base, parts.uri.query().unwrap_or_default())),
    }
}

/// A body that is read from a pipe.
struct ReadBody(DuplexStream);

impl HttpBody for ReadBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let mut room = [0; 64];
        let mut buffer = ReadBuf::new(&mut room);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        let read = Bytes::copy_from_slice(buffer.filled());
        Poll::Ready(Some(Ok(Frame::data(read))).filter(|_| !buffer.filled().is_empty()))
    }
}

/// A body whose second part is long in coming.
fn slow_body(parts: [&'static str; 2]) -> Body {
    let (mut sender, receiver) = tokio::io::duplex(64);
    tokio::spawn(async move {
        sender.write_all(parts[0].as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        sender.write_all(parts[1].as_bytes()).await.unwrap();
    });
    Body::new(ReadBody(receiver))
}

fn page(base: &str, query: &str) -> String {
    let all = records(base);
    let offset = query.split('&').find_map(|pair| pair.strip_prefix("_page="));
    let offset: usize = offset.map_or(0, |text| text.parse().unwrap());
    let entry = |one: &Value| {
        let (name, id) = (one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap());
        json!({"fullUrl": format!("{base}/{name}/{id}"), "resource": one, "search": {"mode": "match"}})
    };
    let entries: Vec<Value> = all.iter().skip(offset).take(3).map(entry).collect();
    let mut links = vec![json!({"relation": "self", "url": format!("{base}/Observation")})];
    if offset + 3 < all.len() {
        links.push(json!({"relation": "next", "url": format!("{base}?_page={}", offset + 3)}));
    }
    json!({"resourceType": "Bundle", "type": "searchset", "total": all.len(), "link": links, "entry": entries})
        .to_string()
}

/// Two patients with three records each, whose references are absolute, some of them with escapes.
fn records(base: &str) -> Vec<Value> {
    let mut all = vec![];
    for patient in ["1", "2"] {
        all.push(json!({"resourceType": "Patient", "id": patient}));
        for number in 0..3 {
            all.push(json!({"resourceType": "Observation", "id": format!("o{patient}{number}"), "status": "final",
                "subject": {"reference": format!("{base}/Patient/{patient}")},
                "note": [{"text": format!("mark-of-{patient}, see {base}/x")}]}));
        }
    }
    all
}

/// A bundle some of whose links lead elsewhere, with the base in other spellings.
fn astray(base: &str) -> String {
    let (shouted, other) = (base.replace("http", "HTTP"), base.replace("127.0.0.1", "LocalHost"));
    let path = base.splitn(4, '/').last().unwrap();
    format!(
        "{{\"resourceType\":\"Bundle\",\"link\":[{{\"relation\":\"self\",\"url\":\"{shouted}/Basic\"}},\n\
         {{\"relation\":\"next\",\"url\":\"https://elsewhere.example.org/fhir?_page=1\"}},\n\
         {{\"relation\":\"first\",\"url\":\"{other}/Basic?_page=0\"}},\
         {{\"relation\":\"last\",\"url\":\"/{path}?_page=9\"}}],\
         \"entry\":[{{\"link\":[{{\"relation\":\"x\",\"url\":\"//elsewhere.example.org\"}}],\
         \"resource\":{{\"resourceType\":\"Basic\",\"valueDecimal\":1.500}}}}]}}"
    )
}

/// An Observation of patient 1 with about so many bytes.
fn large(bytes: usize) -> String {
    let text = "x".repeat(bytes);
    json!({"resourceType": "Observation", "id": "large8", "status": "final",
        "subject": {"reference": "Patient/1"}, "note": [{"text": text}]})
    .to_string()
}

fn fhir(text: &str) -> Response {
    Response::builder()
        .header("content-type", "application/fhir+json")
        .header("etag", "W/\"3\"")
        .header("access-control-allow-origin", "*")
        .body(Body::from(text.to_owned()))
        .unwrap()
}

fn with_status(status: u16) -> Response {
    let mut response =
        fhir("{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"code\":\"login\"}]}");
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
        .headers_mut()
        .insert("location", "http://elsewhere.example.org/login".parse().unwrap());
    response
}
