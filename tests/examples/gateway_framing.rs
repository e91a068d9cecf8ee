//! Framing of HTTP/1.1 and HTTP/2 on both sides of the gateway, as bytes on a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::careless_server::Careless;
use crate::gateway::Gateway;

/// All that comes back for some bytes, until the gateway closes or has nothing more to say.
async fn answered(gateway: &Gateway, bytes: &[u8]) -> String {
    let host = gateway.server.base.strip_prefix("http://").unwrap().replace("/r4", "");
    let mut stream = TcpStream::connect(host).await.unwrap();
    // A request that is refused early is not read to its end.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(3), read).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_read_as_two_is_never_two_behind() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let token = gateway.token("system/*.cruds");
    let hidden = "GET /r4/Patient/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let length = hidden.len() + 5;
    for (name, fields, body, status) in [
        ("a length of its own", "content-length: 2\r\n", "{}".to_owned(), "201"),
        ("chunks", "transfer-encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n".to_owned(), "201"),
        (
            "both",
            &*format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
            format!("0\r\n\r\n{hidden}"),
            "201",
        ),
        (
            "both, the other way round",
            &*format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
            format!("0\r\n\r\n{hidden}"),
            "201",
        ),
        ("not chunked last", "transfer-encoding: chunked, identity\r\n", hidden.to_owned(), "400"),
        ("an encoding unheard of", "transfer-encoding: xchunked\r\n", hidden.to_owned(), "400"),
        ("two lengths", "content-length: 0\r\ncontent-length: 54\r\n", hidden.to_owned(), "400"),
        ("a signed length", "content-length: +2\r\n", "{}".to_owned(), "400"),
        ("a folded field", "x-a: 1\r\n content-length: 0\r\n", hidden.to_owned(), "400"),
        ("a blank before the colon", "content-length : 0\r\n", hidden.to_owned(), "400"),
        ("a bare carriage return", "x-a: 1\rcontent-length: 0\r\n", hidden.to_owned(), "400"),
    ] {
        let before = careless.asked().len();
        let head = format!(
            "POST /r4/Observation HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
             content-type: application/fhir+json\r\n{fields}"
        );
        let answer = answered(&gateway, format!("{head}\r\n{body}").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{name}: {answer}");
        let asked = careless.asked().split_off(before);
        assert!(asked.len() <= 1, "{name}: {asked:?}");
        for one in &asked {
            assert_eq!(one.line, "POST /fhir/Observation", "{name}");
            let headers = &one.headers;
            let framed = headers.contains_key("content-length");
            assert!(framed != headers.contains_key("transfer-encoding"), "{name}: {headers:?}");
            assert!(!one.body.contains("smuggled"), "{name}: {one:?}");
        }
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_of_requests_have_a_limit() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let token = gateway.token("system/*.rs");
    for (length, status) in [(60_000, "HTTP/1.1 200"), (600_000, "HTTP/1.1 431")] {
        let padding = "x".repeat(length);
        let head = format!(
            "GET /r4/Patient/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\nx-padding: {padding}\r\n\r\n"
        );
        let answer = answered(&gateway, head.as_bytes()).await;
        assert!(answer.starts_with(status), "{length}: {answer:.80}");
    }
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    let head = format!(
        "GET /r4/Patient/1 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n{many}\r\n"
    );
    let answer = answered(&gateway, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer:.80}");
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (length, is_answered) in [(60_000, true), (600_000, false)] {
        let request = http2.get(gateway.server.url("/Patient/1")).bearer_auth(&token);
        let answer = request.header("x-padding", "x".repeat(length)).send().await;
        let is_good = answer.is_ok_and(|answer| answer.status() == 200);
        assert_eq!(is_good, is_answered, "{length}");
    }
}

/// A server that gives the same bytes to whoever connects, and counts them.
async fn raw(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (base, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_can_be_read_as_two_is_a_fault_behind() {
    const HEAD: &str = "content-type: application/fhir+json\r\n";
    for (name, fields, body) in [
        ("two lengths", "content-length: 2\r\ncontent-length: 40\r\n", "{}"),
        ("a signed length", "content-length: +2\r\n", "{}"),
        ("a folded field", "x-a: 1\r\n x-b: 2\r\ncontent-length: 2\r\n", "{}"),
        ("no HTTP at all", "", ""),
    ] {
        let text = match name {
            "no HTTP at all" => "220 mail.example.org ESMTP\r\n".to_owned(),
            _ => format!("HTTP/1.1 200 OK\r\n{HEAD}{fields}\r\n{body}"),
        };
        let (base, _) = raw(text.leak()).await;
        let gateway = Gateway::before(&base, "").await;
        for scope in ["system/*.rs", "patient/*.rs"] {
            let answer = gateway.get(scope, "/Observation/o10").await;
            assert_eq!(answer.status(), 502, "{name}, {scope}");
            assert!(answer.text().await.unwrap().contains("transient"), "{name}");
        }
    }
    // A second answer that nobody has asked for belongs to nobody.
    let two = "HTTP/1.1 200 OK\r\ncontent-type: application/fhir+json\r\ncontent-length: 2\r\n\r\n{}\
               HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled";
    let (base, asked) = raw(two).await;
    let gateway = Gateway::before(&base, "").await;
    let before = asked.load(Ordering::Relaxed);
    for _ in 0..3 {
        let answer = gateway.get("system/*.rs", "/Observation/o10").await;
        assert_eq!(answer.text().await.unwrap(), "{}");
    }
    assert_eq!(asked.load(Ordering::Relaxed) - before, 3, "such a connection is not used again");
}
