//! Servers on loopback that break the rules below HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

/// A server that says what no HTTP library would.
pub(super) struct MisbehavingServer {
    /// The address of its key set.
    pub(super) url: String,
    /// How often it was asked.
    pub(super) asked: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    OneByteASecond,
    Endless,
    CompressedBomb,
    ClosesAtOnce,
    SelfSignedTls,
}

pub(super) async fn start(manner: Manner) -> MisbehavingServer {
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
    MisbehavingServer { url, asked }
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
