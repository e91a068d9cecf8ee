//! Certificates of clients, which a proxy passes on in a header: real handshakes, by the configurations of the
//! manual as they are pasted.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tower::util::MapRequestLayer;
use tower_fhir_auth::Enforcement;
use tower_fhir_auth::authentication::PeerAddress;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::TestIssuer;

use crate::certified::{Authority, Identity, pem};
use crate::kit::BASE;
use crate::page::CERTIFICATES;
use crate::proxy::Proxy;

/// What the tests take of a certificate.
impl Identity {
    fn certificate(&self) -> String {
        pem("CERTIFICATE", self.certificate.der())
    }

    fn key(&self) -> String {
        pem("PRIVATE KEY", &self.key.serialize_der())
    }

    fn thumbprint(&self) -> String {
        let der = self.certificate.der();
        URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der))
    }
}

/// Writes the files that the configurations name.
fn write_files(authority: &Authority, folder: &Path) {
    let server = authority.signs("localhost", &["localhost"]);
    let (certificate, key) = (server.certificate(), server.key());
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("tls-and-key.pem", format!("{certificate}{key}")),
        ("tls.pem", certificate),
        ("tls.key", key),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

/// A client that trusts the authority, and shows a certificate or none.
fn http(authority: &Authority, identity: Option<&Identity>) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([root]);
    let Some(identity) = identity else { return builder.build().unwrap() };
    let text = identity.certificate() + &identity.key();
    builder.identity(reqwest::Identity::from_pem(text.as_bytes()).unwrap()).build().unwrap()
}

/// A server whose configuration has the block of the manual, and answers with the headers that its handlers see.
async fn server(issuer: &TestIssuer, block: &str) -> String {
    let text =
        format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n{block}", issuer.url());
    let config = Config::from_toml(&text).unwrap();
    let policy = config.policy().unwrap();
    let layer = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL).build().unwrap();
    layer.ready().await;
    let peer = MapRequestLayer::new(|mut request: Request| {
        let ConnectInfo(address) = *request.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        request.extensions_mut().insert(PeerAddress::new(address));
        request
    });
    let seen = |request: Request| async move { format!("{:?}", request.headers()) };
    let app = Router::new().route("/r4/Patient/1", get(seen)).layer(layer).layer(peer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

/// How a client may write the certificate of somebody else.
fn spoofed(identity: &Identity) -> Vec<(&'static str, String)> {
    let der = identity.certificate.der();
    let escaped: String = identity.certificate().bytes().map(|b| format!("%{b:02X}")).collect();
    let hash: String = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    vec![
        ("x-client-cert", escaped),
        ("x-forwarded-client-cert", format!("Hash={hash}")),
        ("client-cert", format!(":{}:", STANDARD.encode(der))),
    ]
}

/// Requests of clients that show what they have.
struct Clients {
    authority: Authority,
    through: String,
    directly: String,
    /// The header that the configuration names.
    header: String,
    requests: usize,
}

/// A header, as a client writes it.
type Written<'w> = Option<&'w (&'static str, String)>;

impl Clients {
    async fn send(
        &mut self,
        who: Option<&Identity>,
        token: &str,
        header: Written<'_>,
    ) -> reqwest::Result<(u16, String)> {
        self.requests += 1;
        let request = http(&self.authority, who).get(&self.through).bearer_auth(token);
        let request = request.timeout(Duration::from_secs(10));
        let add = |request: reqwest::RequestBuilder, (name, value): &(&'static str, String)| {
            request.header(*name, value)
        };
        let answer = header.into_iter().fold(request, add).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// From an address that is none of a proxy.
    async fn past_the_proxy(
        &mut self,
        token: &str,
        header: &(&'static str, String),
    ) -> (u16, String) {
        self.requests += 1;
        let elsewhere = "127.0.0.2".parse().ok();
        let client = reqwest::Client::builder().local_address(elsewhere).build().unwrap();
        let request = client.get(&self.directly).bearer_auth(token).header(header.0, &header.1);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}

pub(crate) async fn pass_through(proxy: Proxy) -> Option<String> {
    let issuer = TestIssuer::start().await.unwrap();
    let authority = Authority::new();
    let page = CERTIFICATES.section(proxy.title());
    let block = page.block("toml", &[]);
    let server = server(&issuer, &block).await;
    let folder = tempfile::tempdir().unwrap();
    write_files(&authority, folder.path());
    let others = [("127.0.0.1:8080", server.as_str())];
    let running = proxy.start_in(folder, page, "127.0.0.1:8443", &others).await;
    let port = running.address.rsplit(':').next().unwrap();
    let through = format!("https://localhost:{port}/r4/Patient/1");
    let directly = format!("http://{server}/r4/Patient/1");

    let (mine, others) = (authority.signs("me", &[]), authority.signs("somebody-else", &[]));
    let stranger = Authority::new().signs("nobody-that-is-known", &[]);
    let token = issuer.token().claim("aud", BASE).claim("scope", "system/*.rs");
    let plain = token.clone().sign().unwrap();
    let bound = token.claim("cnf", json!({"x5t#S256": mine.thumbprint()})).sign().unwrap();
    let mut clients = Clients { authority, through, directly, header: named(&block), requests: 0 };
    for (who, token, status) in [
        (Some(&mine), &bound, 200),
        (Some(&others), &bound, 401),
        (None, &bound, 401),
        (None, &plain, 200),
        (Some(&others), &plain, 200),
    ] {
        let (found, body) = clients.send(who, token, None).await.unwrap();
        assert_eq!(found, status, "{proxy:?}: {body} {}", running.log());
    }
    for header in &spoofed(&mine) {
        spoofing(&mut clients, (&mine, &others), (&bound, &plain), header).await;
    }
    // A certificate of another authority ends the handshake, or the request.
    if let Ok((status, body)) = clients.send(Some(&stranger), &bound, None).await {
        assert!((400..500).contains(&status), "{proxy:?}: {status}: {body}");
    }
    let (name, version, requests) = (proxy.name(), proxy.version(), clients.requests);
    Some(format!(
        "proxies: {name} {version}: {requests} requests with certificates as the layer says"
    ))
}

/// What a client writes does not count, whatever certificate it shows itself.
async fn spoofing(
    clients: &mut Clients,
    (mine, others): (&Identity, &Identity),
    (bound, plain): (&str, &str),
    header: &(&'static str, String),
) {
    for who in [Some(others), None] {
        let (status, body) = clients.send(who, bound, Some(header)).await.unwrap();
        assert_eq!(status, 401, "{header:?}: {body}");
    }
    assert_eq!(clients.send(Some(mine), bound, Some(header)).await.unwrap().0, 200, "{header:?}");
    let (status, body) = clients.past_the_proxy(bound, header).await;
    assert_eq!(status, 401, "{header:?}: {body}");
    // The header that the configuration names is removed; the others mean nothing.
    for (status, seen) in [
        clients.send(None, plain, Some(header)).await.unwrap(),
        clients.past_the_proxy(plain, header).await,
    ] {
        assert_eq!(status, 200, "{header:?}: {seen}");
        assert!(header.0 != clients.header || !seen.contains(&header.1), "{header:?}: {seen}");
    }
}

/// The header that a block names.
fn named(block: &str) -> String {
    let line = block.lines().find(|line| line.starts_with("header ")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}
