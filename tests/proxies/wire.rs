//! A client that sends an address as it is written, which libraries tidy up otherwise.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(name, _)| name == wanted);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{wanted} twice: {self:?}");
        value
    }

    fn read(bytes: &[u8], of_head: bool) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
        let (head, rest) = bytes.split_at(end);
        let head = String::from_utf8_lossy(head).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = rest.get(4..).unwrap_or_default();
        let is_chunked = headers.contains(&("transfer-encoding".into(), "chunked".into()));
        let body = if is_chunked && !of_head { unchunked(body) } else { body.to_owned() };
        Self { status, headers, body }
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let (length, after) = rest.split_at(end);
        let length = std::str::from_utf8(length).unwrap().split(';').next().unwrap();
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        let after = after.get(2..).unwrap();
        whole.extend_from_slice(after.get(..length).unwrap());
        rest = after.get(length + 2..).unwrap();
    }
}

/// Opens a connection and sends the head of a request, and a body.
pub(crate) async fn begin(
    address: &str,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nhost: fhir.example.org\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // One who refuses may be gone before it has read all.
    let _ = stream.write_all(body).await;
    stream
}

/// Sends a request and reads the answer.
pub(crate) async fn send(
    address: &str,
    asked: (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let whole = async {
        let mut stream = begin(address, asked, headers, body).await;
        let mut bytes = Vec::new();
        // A connection that is reset after the answer has brought it.
        let _ = stream.read_to_end(&mut bytes).await;
        Answer::read(&bytes, asked.0 == "HEAD")
    };
    let answer = tokio::time::timeout(Duration::from_secs(30), whole).await;
    answer.unwrap_or_else(|_| panic!("no end of the answer to {asked:?}"))
}
