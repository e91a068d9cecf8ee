//! Mutual TLS (RFC 8705 section 3): tokens that are bound to the certificate of the client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use serde_json::json;
use tower::{ServiceBuilder, ServiceExt};
use tower_fhir_auth::authentication::{
    CertificateFormat, CertificateHeader, ClientCertificate, MutualTls, PeerAddress,
};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TokenBuilder};

use crate::support::{BASE, Server, b64, send};

/// One DER value: a sequence, as a certificate is.
const DER: [u8; 5] = [0x30, 3, 2, 1, 7];
const OTHER: [u8; 5] = [0x30, 3, 2, 1, 8];

/// SHA-256 of [`DER`], by `openssl dgst -sha256 -binary | basenc --base64url`.
fn thumbprint() -> String {
    b64(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &DER))
}

fn bound(server: &Server) -> TokenBuilder {
    server.token().claim("cnf", json!({"x5t#S256": thumbprint()}))
}

/// Asks with a token, and what the server in front has put into the extensions.
struct Sent<'s> {
    server: &'s Server,
    request: http::request::Builder,
}

impl<'s> Sent<'s> {
    fn new(server: &'s Server, token: TokenBuilder) -> Self {
        let token = token.sign().unwrap();
        let request = Request::get("/r4/Patient/1");
        Self { server, request: request.header("authorization", format!("Bearer {token}")) }
    }

    fn certificate(mut self, der: &[u8]) -> Self {
        self.request = self.request.extension(ClientCertificate::from_der(der));
        self
    }

    fn peer(mut self, address: &str) -> Self {
        self.request = self.request.extension(PeerAddress::new(address.parse().unwrap()));
        self
    }

    fn header(mut self, value: &str) -> Self {
        self.request = self.request.header("client-cert", value);
        self
    }

    async fn reply(self) -> crate::support::Reply {
        send(&self.server.layer, self.request).await
    }

    async fn passes(self) {
        self.reply().await.is_let_in();
    }

    async fn fails(self, words: &str) {
        let reply = self.reply().await;
        reply.is_refused_by(Check::Certificate, words);
        assert!(reply.challenge().starts_with("Bearer "), "{}", reply.challenge());
    }
}

const MISSING: &str = "the request came without one";

#[tokio::test]
async fn a_bound_token_comes_with_its_certificate_as_bearer() {
    let server = Server::start().await;
    for _ in 0..2 {
        Sent::new(&server, bound(&server)).certificate(&DER).passes().await;
        Sent::new(&server, bound(&server)).fails(MISSING).await;
        let other = "is not that of `cnf.x5t#S256`";
        Sent::new(&server, bound(&server)).certificate(&OTHER).fails(other).await;
    }
    let token = bound(&server).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    let request = request.extension(ClientCertificate::from_der(DER));
    let reply = server.send(request).await;
    reply.is_refused_on_dpop("invalid_token", "no `cnf.jkt` binds it");
}

#[tokio::test]
async fn a_token_that_was_seen_before_needs_its_certificate_again() {
    let server = Server::start().await;
    let token = bound(&server);
    Sent::new(&server, token.clone()).certificate(&DER).passes().await;
    let text = token.sign().unwrap();
    let request =
        || Request::get("/r4/Patient/1").header("authorization", format!("Bearer {text}"));
    let with = |der: &[u8]| request().extension(ClientCertificate::from_der(der));
    server.send(with(&DER)).await.is_let_in();
    server.send(request()).await.is_refused_by(Check::Certificate, MISSING);
    server.send(with(&OTHER)).await.is_refused_by(Check::Certificate, "is not that of");
    server.send(with(&DER)).await.is_let_in();
}

#[tokio::test]
async fn an_unbound_token_needs_no_certificate_and_one_beside_it_changes_nothing() {
    let server = Server::start().await;
    Sent::new(&server, server.token()).passes().await;
    Sent::new(&server, server.token()).certificate(&OTHER).passes().await;
}

#[tokio::test]
async fn a_token_that_is_bound_to_both_needs_both() {
    let server = Server::start().await;
    let key = std::sync::Arc::new(
        SigningKey::generate("x", tower_fhir_auth::jose::Algorithm::Es256).unwrap(),
    );
    let cnf = json!({"x5t#S256": thumbprint(), "jkt": key.thumbprint()});
    let token = server.token().claim("cnf", cnf).sign().unwrap();
    let proof = || {
        let url = format!("{BASE}/Patient/1");
        let now = tower_fhir_auth::authentication::UnixTime::from_secs(crate::support::NOW);
        let proof = ProofBuilder::new(key.clone(), &http::Method::GET, &url, now);
        proof.of_token(&token).sign().unwrap()
    };
    let request = || Request::get("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    let certificate = ClientCertificate::from_der(DER);
    server.send(request().header("dpop", proof()).extension(certificate)).await.is_let_in();
    let reply = server.send(request().header("dpop", proof())).await;
    reply.is_refused_on_dpop("invalid_token", MISSING);
    let reply = server.send(request().extension(certificate)).await;
    reply.is_refused_on_dpop("invalid_token", "the request has no proof of it");
    let bearer = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    let reply = server.send(bearer.extension(certificate)).await;
    reply.is_refused_by(Check::Confirmation, "presented as a bearer token");
}

async fn behind_a_proxy() -> Server {
    let proxies = ["10.1.2.3/32", "fd00::/16"];
    let header = CertificateHeader::new("client-cert", CertificateFormat::ClientCert, proxies);
    Server::layered(|layer| layer.mutual_tls(MutualTls::of_connections().header(header.unwrap())))
        .await
}

fn encoded(der: &[u8]) -> String {
    format!(":{}:", STANDARD.encode(der))
}

#[tokio::test]
async fn a_header_counts_where_the_peer_of_the_connection_is_a_named_proxy() {
    let server = behind_a_proxy().await;
    let sent = |peer: &str| Sent::new(&server, bound(&server)).header(&encoded(&DER)).peer(peer);
    for proxy in ["10.1.2.3:1", "[::ffff:10.1.2.3]:1", "[fd00::5]:1"] {
        sent(proxy).passes().await;
    }
    for other in ["10.1.2.4:1", "127.0.0.1:1", "[::1]:1"] {
        sent(other).fails(MISSING).await;
    }
    let nobody = Sent::new(&server, bound(&server)).header(&encoded(&DER));
    nobody.fails(MISSING).await;
    // An address that a header names is nobody's.
    let mut forged = Sent::new(&server, bound(&server)).header(&encoded(&DER)).peer("10.9.9.9:1");
    forged.request = forged
        .request
        .header("x-forwarded-for", "10.1.2.3")
        .header("forwarded", "for=10.1.2.3")
        .header("x-real-ip", "10.1.2.3");
    forged.fails(MISSING).await;
}

#[tokio::test]
async fn without_the_setting_no_header_counts() {
    let server = Server::start().await;
    let sent = Sent::new(&server, bound(&server)).header(&encoded(&DER)).peer("10.1.2.3:1");
    sent.fails(MISSING).await;
}

#[tokio::test]
async fn two_headers_a_chain_and_garbage_count_as_no_certificate() {
    let server = behind_a_proxy().await;
    let one = encoded(&DER);
    let send = |values: Vec<String>| {
        let sent = Sent::new(&server, bound(&server)).peer("10.1.2.3:1");
        values.iter().fold(sent, |sent, value| sent.header(value))
    };
    send(vec![one.clone()]).passes().await;
    send(vec![]).fails(MISSING).await;
    send(vec![String::new()]).fails(MISSING).await;
    send(vec![one.clone(), one.clone()]).fails("two headers").await;
    for bad in [format!("{one}, {one}"), encoded(&[DER, DER].concat()), "x".to_owned()] {
        send(vec![bad]).fails("does not hold exactly one").await;
    }
}

/// The proxy proves who it is itself, and nothing of its clients.
#[tokio::test]
async fn the_certificate_of_a_proxy_is_not_that_of_its_client() {
    let server = behind_a_proxy().await;
    let sent = Sent::new(&server, bound(&server)).peer("10.1.2.3:1").certificate(&DER);
    sent.fails(MISSING).await;
    let direct = Sent::new(&server, bound(&server)).peer("10.9.9.9:1").certificate(&DER);
    direct.passes().await;
    let both = Sent::new(&server, bound(&server)).peer("10.9.9.9:1").certificate(&OTHER);
    both.header(&encoded(&DER)).fails("is not that of").await;
}

/// What the handlers see of the header.
async fn seen(server: &Server, path: &str, peer: Option<&str>) -> HeaderMap {
    let inner = tower::service_fn(|request: Request<Full<Bytes>>| async move {
        let mut response = http::Response::new(Full::new(Bytes::new()));
        *response.headers_mut() = request.headers().clone();
        Ok::<_, std::convert::Infallible>(response)
    });
    let service = ServiceBuilder::new().layer(server.layer.clone()).service(inner);
    let token = server.token().sign().unwrap();
    let mut request = Request::get(path)
        .header("authorization", format!("Bearer {token}"))
        .header("client-cert", encoded(&DER))
        .header("client_cert", encoded(&OTHER));
    if let Some(peer) = peer {
        request = request.extension(PeerAddress::new(peer.parse().unwrap()));
    }
    let request = request.body(Full::new(Bytes::new())).unwrap();
    service.oneshot(request).await.unwrap().headers().clone()
}

#[tokio::test]
async fn from_elsewhere_the_header_is_removed_also_on_public_paths() {
    let server = behind_a_proxy().await;
    for path in ["/r4/Patient/1", "/r4/health", "/r4/metadata"] {
        for peer in [None, Some("10.9.9.9:1")] {
            assert!(
                !seen(&server, path, peer).await.contains_key("client-cert"),
                "{path} {peer:?}"
            );
        }
        let seen = seen(&server, path, Some("10.1.2.3:1")).await;
        assert!(seen.contains_key("client-cert"), "{path}");
        // A proxy that sets the one need not know that others read the other so.
        assert!(!seen.contains_key("client_cert"), "{path}");
    }
}

#[tokio::test]
async fn exp_comes_before_the_certificate() {
    let server = Server::start().await;
    let reply = Sent::new(&server, bound(&server).claim("exp", 1)).reply().await;
    assert_eq!(reply.rejection.unwrap().check(), Some(Check::Expiry));
}
