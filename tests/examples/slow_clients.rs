//! Clients that send half a request and wait, and what the example server lets them hold.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::Fhir;

/// The time that the server gives, and some for a busy machine.
const BOUND: Duration = Duration::from_secs(10 + 5);

/// The most connections that the server serves at once.
const CONNECTIONS: usize = 512;

fn connect(fhir: &Fhir) -> TcpStream {
    let base = fhir.server.base.strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(base.split('/').next().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Sends bytes, and returns what comes until the server closes the connection, and how long that takes.
fn until_closed(mut stream: TcpStream, bytes: &[u8]) -> (String, Duration) {
    let start = Instant::now();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    (String::from_utf8_lossy(&answer).into_owned(), start.elapsed())
}

#[tokio::test]
async fn a_client_that_does_not_go_on_is_left() {
    let fhir = Fhir::start("scopes", &[]).await;
    let token = fhir.token_with(json!({"scope": "system/*.cruds"}));
    let writing = format!(
        "POST /r4/Patient HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: 1000\r\n\r\n"
    );
    let preflight = "OPTIONS /r4/Patient/1 HTTP/1.1\r\nHost: h\r\nOrigin: https://app.test\r\n\
                     Access-Control-Request-Method: GET\r\n";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), ""),
        ("half a line", b"GET /r4/Pat".to_vec(), ""),
        ("half a head", b"GET /r4/Patient/1 HTTP/1.1\r\nHost: h\r\nAuthor".to_vec(), ""),
        ("half a preflight", preflight.as_bytes().to_vec(), ""),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), ""),
        ("an idle connection", b"GET /r4/health HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), " 200 "),
        ("no body", writing.clone().into_bytes(), " 408 "),
        ("half a body", [writing.as_bytes(), b"{\"resourceType\""].concat(), " 408 "),
        // Nobody waits for the body of a request that is refused.
        (
            "no token and no body",
            b"POST /r4/Patient HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n".to_vec(),
            " 401 ",
        ),
    ];
    let held = cases.into_iter().map(|(name, bytes, status)| {
        let stream = connect(&fhir);
        tokio::task::spawn_blocking(move || {
            let (answer, time) = until_closed(stream, &bytes);
            println!("slow client, {name}: seconds | {} | 15", time.as_secs());
            assert!(time < BOUND, "{name}: {time:?}");
            let first = answer.lines().next().unwrap_or_default();
            assert!(first.contains(status), "{name}: {answer}");
            assert_eq!(first.is_empty(), status.is_empty(), "{name}: {answer}");
        })
    });
    for one in held.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn as_many_connections_as_there_may_be_hold_up_others_for_a_while() {
    let fhir = Fhir::start("scopes", &[]).await;
    let idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(&fhir)).collect();
    // Time for the server to accept all of them.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stream = connect(&fhir);
    let health = b"GET /r4/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let asked = tokio::task::spawn_blocking(move || until_closed(stream, health));
    let (answer, time) = asked.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(time > Duration::from_secs(5), "the bound is not {CONNECTIONS}: {time:?}");
    assert!(time < BOUND, "{time:?}");
    drop(idle);
}
