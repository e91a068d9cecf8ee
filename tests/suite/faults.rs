//! Everything that can go wrong with a provider, as a table: good tokens before, during and after,
//! how often it is asked, and what health says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{Check, KeySettings};

use crate::support::Server;

const JWKS: &str = "/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const TIMEOUT: Duration = Duration::from_millis(1500);
/// What a busy machine may add to anything, beside the time in which it stands still.
const NOISE: Duration = Duration::from_millis(500);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// Counts the time in which nothing runs here, because a machine that is shared does something else:
/// a thread that sleeps for a moment again and again, and wakes up late.
struct Standstill(Arc<AtomicU64>);

impl Standstill {
    fn watch() -> Self {
        const TICK: Duration = Duration::from_millis(10);
        let late = Arc::new(AtomicU64::new(0));
        let watched = Arc::downgrade(&late);
        std::thread::spawn(move || {
            let mut last = Instant::now();
            while let Some(late) = watched.upgrade() {
                std::thread::sleep(TICK);
                let slept = last.elapsed();
                last += slept;
                let millis = slept.saturating_sub(TICK).as_millis();
                late.fetch_add(millis.try_into().unwrap(), Ordering::SeqCst);
            }
        });
        Self(late)
    }

    /// So far.
    fn sum(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A server that says what no HTTP library would.
struct Raw {
    url: String,
    asked: Arc<AtomicU64>,
}

#[derive(Clone, Copy)]
enum Manner {
    OneByteASecond,
    Endless,
    CompressedBomb,
    ClosesAtOnce,
    SelfSignedTls,
}

async fn raw(manner: Manner) -> Raw {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if matches!(manner, Manner::SelfSignedTls) { "https" } else { "http" };
    let url = format!("{scheme}://{}/jwks", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(behave(stream, manner));
        }
    });
    Raw { url, asked }
}

/// Until the client has had enough.
async fn behave(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    if matches!(manner, Manner::SelfSignedTls) {
        return self_signed_tls(stream).await;
    }
    let mut request = [0; 2048];
    let _ = stream.read(&mut request).await?;
    match manner {
        Manner::ClosesAtOnce | Manner::SelfSignedTls => {}
        Manner::OneByteASecond => {
            stream.write_all(format!("{HEAD}content-length: 100\r\n\r\n").as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Manner::Endless => {
            stream.write_all(format!("{HEAD}\r\n{{\"keys\":[").as_bytes()).await?;
            loop {
                stream.write_all(&[b' '; 16 * 1024]).await?;
            }
        }
        Manner::CompressedBomb => {
            // A gzip member; who unpacks it without bounds has lost.
            let head = format!("{HEAD}content-encoding: gzip\r\ncontent-length: 20\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10").await?;
        }
    }
    Ok(())
}

/// A handshake with a certificate that nobody vouches for.
async fn self_signed_tls(stream: TcpStream) -> std::io::Result<()> {
    use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    acceptor.accept(stream).await?.shutdown().await
}

/// One fault: what it is called, how often it was met, and what health says of it.
struct Fault {
    name: &'static str,
    /// Some words of it, or others.
    says: &'static str,
    /// How often the place where the fault lies was asked.
    asked: Arc<AtomicU64>,
}

fn key_set_elsewhere(issuer: &TestIssuer, url: &str) {
    issuer.answer(DISCOVERY, Answer::json(&json!({"issuer": issuer.url(), "jwks_uri": url})));
}

async fn bring_about(issuer: &TestIssuer, number: usize) -> Option<Fault> {
    let mut asked = Arc::new(AtomicU64::new(0));
    let jwks = |answer: Answer| issuer.answer(JWKS, answer);
    let ok = || Answer::status(StatusCode::OK);
    let (name, says) = match number {
        0 => {
            jwks(Answer::status(StatusCode::INTERNAL_SERVER_ERROR));
            ("500", "status 500")
        }
        1 => {
            jwks(Answer::hang());
            ("a hang", "time-out")
        }
        2 => {
            jwks(ok().body(issuer.jwks().to_string().split_off(5)));
            ("truncated JSON", "key set")
        }
        3 => {
            jwks(
                ok().body("<html>")
                    .header(header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
            );
            ("HTML", "text/html")
        }
        4 => {
            jwks(ok().body(vec![b' '; 10 << 20]));
            ("10 MB", "more than 262144 bytes")
        }
        5 => {
            let elsewhere = HeaderValue::from_str(issuer.url()).unwrap();
            jwks(Answer::status(StatusCode::FOUND).header(header::LOCATION, elsewhere));
            ("a redirect", "status 302")
        }
        6 => {
            jwks(Answer::json(&json!({"keys": []})));
            ("an empty set", "no usable key")
        }
        7 => {
            issuer.answer(
                DISCOVERY,
                Answer::json(
                    &json!({"issuer": "https://evil.example", "jwks_uri": issuer.jwks_uri()}),
                ),
            );
            ("a wrong issuer", "expected issuer")
        }
        8 => {
            key_set_elsewhere(issuer, "https://no-such-host.invalid/jwks");
            // Some resolvers take longer over it than a load may.
            ("DNS that fails", "no-such-host.invalid or time-out")
        }
        9 => {
            let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            key_set_elsewhere(issuer, &format!("http://{closed}/jwks"));
            ("a refused connection", "refused")
        }
        10..=14 => {
            let (manner, name, says) = match number {
                10 => (Manner::OneByteASecond, "one byte a second", "time-out"),
                11 => (Manner::Endless, "an endless body", "more than 262144 bytes"),
                12 => (Manner::CompressedBomb, "a compressed body", "key set"),
                13 => (Manner::ClosesAtOnce, "a connection that is closed", "error"),
                _ => (Manner::SelfSignedTls, "TLS that does not verify", "certificate"),
            };
            let server = raw(manner).await;
            key_set_elsewhere(issuer, &server.url);
            asked = server.asked;
            (name, says)
        }
        _ => return None,
    };
    Some(Fault { name, says, asked })
}

#[tokio::test]
async fn good_tokens_before_during_and_after_every_fault() {
    let settings = KeySettings::default().timeout(TIMEOUT).cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let standstill = Standstill::watch();
    // What counts of a wait.
    let waited = async |token| {
        let (start, before) = (Instant::now(), standstill.sum());
        let reply = server.get(token).await;
        (reply, start.elapsed().saturating_sub(standstill.sum() - before))
    };
    println!("{:<28} {:>6} {:>8}  health", "fault", "loads", "longest");
    for number in 0.. {
        server.get(server.token()).await.is_let_in();
        let Some(fault) = bring_about(&server.issuer, number).await else {
            assert_eq!(number, 15);
            return;
        };
        let before = server.layer.health()[0].loads;
        let mut longest = Duration::ZERO;
        for _ in 0..3 {
            let (unknown, wait) = waited(server.token().header("kid", "unknown")).await;
            unknown.is_refused_by(Check::Key, "`kid`");
            longest = longest.max(wait);
            let (good, wait) = waited(server.token()).await;
            good.is_let_in();
            assert!(wait < NOISE, "{}: {wait:?}", fault.name);
        }
        // The wait of a request may end a moment before the load that it waited for.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let health = server.layer.health().remove(0);
        let error = health.last_error.clone().unwrap_or_default();
        let loads = health.loads - before;
        println!("{:<28} {loads:>6} {:>5} ms  {error}", fault.name, longest.as_millis());
        let is_said = fault.says.split(" or ").any(|words| error.contains(words));
        assert!(is_said, "{}: {error}", fault.name);
        assert!(health.usable && health.keys >= 1, "{}: {health:?}", fault.name);
        // Three are forced, unless one is still under way; a retry may fall in between.
        assert!((1..=6).contains(&loads), "{}: {loads} loads", fault.name);
        assert!(fault.asked.load(Ordering::SeqCst) <= loads, "{}", fault.name);
        assert!(longest <= TIMEOUT + NOISE, "{}: {longest:?}", fault.name);

        server.issuer.recover();
        server.issuer.rotate().unwrap();
        // A load that began during the fault ends with it.
        tokio::time::sleep(TIMEOUT).await;
        server.get(server.token()).await.is_let_in();
        assert_eq!(server.layer.health()[0].last_error, None, "{}", fault.name);
    }
}

#[tokio::test]
async fn an_etag_spares_the_key_set_and_confirms_it() {
    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let tagged = |tag: &'static str| {
        Answer::json(&server.issuer.jwks()).header(header::ETAG, HeaderValue::from_static(tag))
    };
    let forced = || server.get(server.token().header("kid", "unknown"));
    server.issuer.answer(JWKS, tagged("\"one\""));
    forced().await.is_refused_by(Check::Key, "`kid`");
    // From now on the provider says that nothing has changed.
    server.issuer.answer(JWKS, Answer::status(StatusCode::NOT_MODIFIED));
    forced().await.is_refused_by(Check::Key, "`kid`");
    let health = server.layer.health().remove(0);
    assert_eq!(health.last_error, None, "the tag was sent, and 304 is an answer to it");
    server.get(server.token()).await.is_let_in();
    // Without a tag 304 is no answer.
    server.issuer.answer(JWKS, Answer::json(&server.issuer.jwks()));
    forced().await.is_refused_by(Check::Key, "`kid`");
    server.issuer.answer(JWKS, Answer::status(StatusCode::NOT_MODIFIED));
    forced().await.is_refused_by(Check::Key, "`kid`");
    assert!(server.layer.health()[0].last_error.as_ref().unwrap().contains("304"));
}

#[tokio::test]
async fn health_is_told_as_data_as_json_and_as_metrics() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let ready = server.layer.readiness();
    assert_eq!(ready.status(), StatusCode::OK);
    let document: serde_json::Value = serde_json::from_slice(ready.body()).unwrap();
    assert_eq!(document["ready"], true);
    assert_eq!(document["issuers"][0]["issuer"], server.issuer.url());
    assert_eq!(document["issuers"][0]["keys"], 1);
    assert_eq!(document["issuers"][0]["left_out"], json!([]));

    let mut set = server.issuer.jwks();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "kid": "s", "k": "eA"}));
    server.issuer.answer(JWKS, Answer::json(&set));
    server.get(server.token().header("kid", "unknown")).await.is_refused_by(Check::Key, "`kid`");
    let health = server.layer.health().remove(0);
    assert_eq!(health.left_out.len(), 1);
    assert!(health.to_json()["left_out"][0]["reason"].as_str().unwrap().contains("symmetric"));
    server.issuer.fail();
    server.get(server.token().header("kid", "unknown")).await.is_refused_by(Check::Key, "`kid`");

    let mut seen = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(gauge) => gauge.to_string(),
            DebugValue::Histogram(_) => "histogram".to_owned(),
        };
        seen.push(format!("{} {} {value}", key.key().name(), labels.join(" ")));
    }
    let url = server.issuer.url();
    let failed = format!("fhir_auth_key_loads_total {url} failed ");
    assert!(seen.iter().any(|line| line.starts_with(&failed)), "{seen:#?}");
    for expected in [
        "fhir_auth_refusals_total invalid-token key 2".to_owned(),
        format!("fhir_auth_key_loads_total {url} ok 2"),
        format!("fhir_auth_keys {url} 1"),
        format!("fhir_auth_keys_left_out {url} 1"),
    ] {
        assert!(seen.contains(&expected), "no `{expected}` in {seen:#?}");
    }
}

#[tokio::test]
async fn an_rsa_exponent_of_3_is_accepted_by_danger_alone() {
    use tower_fhir_auth::{Algorithm, FhirAuthLayer, authenticated, danger};
    let issuer = TestIssuer::with_algorithm(Algorithm::Rs256).await.unwrap();
    let mut set = issuer.jwks();
    set["keys"][0]["e"] = "Aw".into();
    issuer.answer(JWKS, Answer::json(&set));
    for (settings, keys) in
        [(KeySettings::default(), 0), (danger::accept_rsa_exponent_3(KeySettings::default()), 1)]
    {
        let layer = FhirAuthLayer::builder(crate::support::BASE)
            .issuer(issuer.trusted().key_settings(settings))
            .authorizer(authenticated())
            .build()
            .unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(300), layer.ready()).await;
        assert_eq!(layer.health()[0].keys, keys);
    }
}

/// What is written to a log, kept.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn operators_read_of_failures_recoveries_keys_left_out_and_refusals_and_of_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let secret = "a-person-nobody-names";
    let token = || server.token().header("kid", "unknown").claim("sub", secret);
    let mut tokens = Vec::new();
    let mut force = async || {
        let token = token().sign().unwrap();
        server.bearer(&token).await.is_refused_by(Check::Key, "`kid`");
        tokens.push(token);
    };
    server.issuer.fail();
    force().await;
    force().await;
    let mut set = server.issuer.jwks();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "X\nforged line", "kid": "odd"}));
    server.issuer.recover();
    server.issuer.answer(JWKS, Answer::json(&set));
    force().await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for (words, times) in [
        ("keys could not be loaded", 1),
        ("answered with status 500", 1),
        ("keys could be loaded again", 1),
        ("key left out of the set", 1),
        ("kid=\"odd\"", 1),
        ("tower_fhir_auth::rejection", 3),
        ("check=\"key\"", 3),
    ] {
        let own = text.lines().filter(|line| line.contains("tower_fhir_auth"));
        assert_eq!(own.filter(|line| line.contains(words)).count(), times, "{words} in\n{text}");
    }
    assert!(!text.contains(secret) && !text.contains("\nforged line"));
    for token in tokens {
        assert!(token.split('.').all(|segment| !text.contains(segment)), "{text}");
    }
}
