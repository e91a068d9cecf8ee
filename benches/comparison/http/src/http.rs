//! As much of an HTTP/1.1 client as a load needs: requests that are bytes already, answers by
//! status and length.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What every server is asked for.
pub(crate) const PATH: &str = "/r4/Patient/1";

pub(crate) fn request(port: u16, token: &str) -> Vec<u8> {
    let lines = format!(
        "GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    lines.into_bytes()
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a request, waits for the whole answer, and tells its status.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the connection was closed before the answer");
            }
            if let Some((status, length)) = parse(&self.received)?
                && self.received.len() >= length
            {
                return Ok(status);
            }
        }
    }
}

/// Status and length of the answer, once its head has arrived.
fn parse(received: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(received)? else {
        return Ok(None);
    };
    let length =
        response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("an answer without `content-length`")?.value;
    let body: usize = std::str::from_utf8(length)?.parse()?;
    Ok(Some((response.code.context("an answer without a status")?, head + body)))
}
