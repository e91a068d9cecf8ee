//! Clients of the gateway that do not get on: they read nothing of an answer, or stop in the middle of a request.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::careless_server::Careless;
use crate::gateway::Gateway;
use crate::gateway_metrics::{figures, free_port};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

/// A client of HTTP/2 that opens its windows as it likes.
struct Http2(TcpStream);

impl Http2 {
    /// With so many bytes of each answer that it takes.
    async fn open(gateway: &Gateway, window: u32) -> Self {
        let mut this = Self(connected(gateway).await);
        this.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let window = [&[0, 4], &window.to_be_bytes()[..]].concat();
        this.send(SETTINGS, 0, 0, &window).await;
        this
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()[..]].concat();
        self.0.write_all(&[&head, payload].concat()).await.unwrap();
    }

    async fn get(&mut self, stream: u32, path: &str, token: Option<&str>) {
        let token = token.map(|token| format!("Bearer {token}"));
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)];
        let token = token.as_deref().map(|token| ("authorization", token));
        // Literals that no table remembers (RFC 7541 section 6.2.2).
        let mut block = Vec::new();
        for (name, value) in fields.into_iter().chain(token) {
            block.push(0);
            for text in [name, value] {
                let mut length = text.len();
                if length < 127 {
                    block.push(u8::try_from(length).unwrap());
                } else {
                    block.push(127);
                    length -= 127;
                    while length >= 128 {
                        block.push(u8::try_from(length % 128 + 128).unwrap());
                        length /= 128;
                    }
                    block.push(u8::try_from(length).unwrap());
                }
                block.extend_from_slice(text.as_bytes());
            }
        }
        self.send(HEADERS, 5, stream, &block).await;
    }

    /// Reads on to a frame of this kind and stream, and answers pings on the way.
    async fn frame(&mut self, kind: u8, stream: u32) -> Vec<u8> {
        self.frames(kind, &[stream]).await.remove(0)
    }

    /// Reads on until there was a frame of this kind of each stream.
    async fn frames(&mut self, kind: u8, streams: &[u32]) -> Vec<Vec<u8>> {
        let mut found = vec![None; streams.len()];
        let read = async {
            while found.iter().any(Option::is_none) {
                let mut head = [0; 9];
                self.0.read_exact(&mut head).await.unwrap();
                let [a, b, c, of_kind, flags, stream @ ..] = head;
                let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
                self.0.read_exact(&mut payload).await.unwrap();
                if of_kind == PING && flags == 0 {
                    self.send(PING, 1, 0, &payload).await;
                }
                let stream = u32::from_be_bytes(stream);
                let place = streams.iter().position(|one| *one == stream && of_kind == kind);
                if let Some(place) = place {
                    found[place].get_or_insert(payload);
                }
            }
        };
        let read = tokio::time::timeout(Duration::from_secs(15), read).await;
        assert!(read.is_ok(), "a frame does not come");
        found.into_iter().flatten().collect()
    }
}

async fn connected(gateway: &Gateway) -> TcpStream {
    let host = gateway.server.base.strip_prefix("http://").unwrap().replace("/r4", "");
    TcpStream::connect(host).await.unwrap()
}

async fn held(gateway: &Gateway, admin: &str) -> f64 {
    figures(gateway, admin).await["fhir_auth_gateway_buffered_bytes"]
}

/// Waits until nothing is held any more.
async fn given_back(gateway: &Gateway, admin: &str) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while held(gateway, admin).await > 0.0 {
        assert!(Instant::now() < deadline, "it is held for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_client_does_not_take_ends_its_stream_and_no_other() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections = format!("timeout = \"3s\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    let (own, all) = (gateway.token("patient/*.rs"), gateway.token("system/*.rs"));
    for window in [0, 10] {
        let mut client = Http2::open(&gateway, window).await;
        // Judged and held; then passed through, short, and one that needs no token.
        client.get(1, "/r4/Observation/large8", Some(&own)).await;
        let head = client.frame(HEADERS, 1).await;
        assert_eq!(head[0], 0x88, "200 (RFC 7541 appendix A)");
        assert!(held(&gateway, &admin).await >= f64::from(8 << 20), "{window}");
        client.get(3, "/r4/Observation/large8", Some(&all)).await;
        client.get(5, "/r4/Observation/o10", Some(&own)).await;
        client.get(7, "/r4/metadata", None).await;
        let begun = Instant::now();
        for code in client.frames(RESET, &[1, 3, 5, 7]).await {
            assert_eq!(code, [0, 0, 0, 8], "CANCEL");
        }
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        given_back(&gateway, &admin).await;
        // The connection goes on, for whoever takes what it asks for.
        client.send(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).await;
        client.get(9, "/r4/Observation/o10", Some(&own)).await;
        assert!(!client.frame(DATA, 9).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_client_does_not_read_is_ended() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections = format!("timeout = \"3s\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    for scope in ["patient/*.rs", "system/*.rs"] {
        let token = gateway.token(scope);
        let head = format!(
            "GET /r4/Observation/large8 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut silent = connected(&gateway).await;
        silent.write_all(head.repeat(3).as_bytes()).await.unwrap();
        let mut begun = [0; 12];
        silent.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        tokio::time::sleep(Duration::from_secs(4)).await;
        given_back(&gateway, &admin).await;
        let mut rest = Vec::new();
        let end = silent.read_to_end(&mut rest);
        let end = tokio::time::timeout(Duration::from_secs(5), end).await;
        assert!(end.is_ok(), "{scope}: the connection is still there");
        assert!(rest.len() < 3 * (8 << 20), "{scope}: {}", rest.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_take_no_room_that_callers_need() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections = format!(
        "timeout = \"30s\"\nmax_body = \"2MiB\"\nmax_buffered = \"8MiB\"\n\
         [admin]\naddress = \"{admin}\""
    );
    let gateway = Gateway::before(&careless.base, &sections).await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut client = Http2::open(&gateway, 0).await;
        for number in 0..10 {
            // A statement of a megabyte.
            client.get(2 * number + 1, "/r4/metadata?mode=terminology", None).await;
        }
        client.frame(HEADERS, 19).await;
        stalled.push(client);
    }
    let answer = gateway.get("patient/*.rs", "/Observation/o10").await;
    assert_eq!(answer.status(), 200);
    assert!(held(&gateway, &admin).await <= f64::from(4 << 20));
    drop(stalled);
    given_back(&gateway, &admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_one_caller_hold_a_half_together_whatever_its_tokens_are() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections =
        format!("max_body = \"10MiB\"\nmax_buffered = \"48MiB\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    let mut stalled = Vec::new();
    // Two answers of 8 MiB are within 24, and three are not.
    for (subject, scope, status) in [
        ("amara", "patient/*.rs", 200),
        ("amara", "patient/*.rs openid", 200),
        ("amara", "patient/*.rs profile", 503),
        ("bela", "patient/*.rs", 200),
    ] {
        let mut client = Http2::open(&gateway, 0).await;
        let token = gateway.token_of(subject, scope);
        client.get(1, "/r4/Observation/large8", Some(&token)).await;
        let head = client.frame(HEADERS, 1).await;
        assert_eq!(head[0] == 0x88, status == 200, "{subject} {scope}: 200 (RFC 7541 appendix A)");
        stalled.push(client);
    }
    drop(stalled);
    given_back(&gateway, &admin).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_counts_also_after_another_configuration_was_read() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections =
        format!("max_body = \"10MiB\"\nmax_buffered = \"12MiB\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    let mut stalled = Http2::open(&gateway, 0).await;
    stalled.get(1, "/r4/Observation/large8", Some(&gateway.token("patient/*.rs"))).await;
    stalled.frame(HEADERS, 1).await;
    gateway.reload(&careless.base, &format!("authorization = \"Basic YTpi\"\n{sections}"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !careless.last().headers.contains_key("authorization") {
        assert!(Instant::now() < deadline, "the new one does not serve");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(gateway.get("system/*.rs", "/Patient/1").await.status(), 200);
    }
    assert!(held(&gateway, &admin).await >= f64::from(8 << 20));
    let other = gateway.get("patient/*.rs", "/Observation/large8").await;
    assert_eq!(other.status(), 503);
    drop(stalled);
    given_back(&gateway, &admin).await;
    assert_eq!(gateway.get("patient/*.rs", "/Observation/large8").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_its_request_is_told_so() {
    let (careless, admin) = (Careless::start().await, free_port());
    let sections = format!("timeout = \"1s\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    for scope in ["patient/*.cruds", "system/*.cruds"] {
        for (path, kind) in [
            ("/Observation", "application/fhir+json"),
            ("/Observation/_search", "application/x-www-form-urlencoded"),
        ] {
            let token = gateway.token(scope);
            let head = format!(
                "POST /r4{path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
                 content-type: {kind}\r\ncontent-length: 1000\r\n\r\n{{\"resourceType\""
            );
            let mut stream = connected(&gateway).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer);
            tokio::time::timeout(Duration::from_secs(5), read).await.unwrap().unwrap();
            let answer = String::from_utf8_lossy(&answer);
            assert_eq!(answer, "HTTP/1.1 408", "{scope} {path}");
        }
    }
    given_back(&gateway, &admin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http2_that_answers_no_ping_is_left() {
    let gateway = Gateway::before("http://127.0.0.1:1/fhir", "").await;
    let mut client = Http2::open(&gateway, 65_535).await;
    let begun = Instant::now();
    let mut sent = Vec::new();
    // Sooner than a connection is ended that nobody uses.
    let end = tokio::time::timeout(Duration::from_secs(25), client.0.read_to_end(&mut sent)).await;
    assert!(end.is_ok(), "it is served on");
    let time = begun.elapsed();
    assert!(time > Duration::from_secs(9), "it was not asked whether it is there: {time:?}");
}
