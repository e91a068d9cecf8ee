//! Tokens that are bound to their sender, in the hands of somebody else: RFC 9449 section 11 and RFC 8705
//! section 7.

use std::sync::Arc;

use http::request::Builder;
use http::{Method, Request};
use serde_json::json;
use tower_fhir_auth::authentication::{
    CertificateFormat, CertificateHeader, ClientCertificate, Dpop, MutualTls, PeerAddress, UnixTime,
};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey};

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{BASE, NOW, Reply, Server};

/// A server, the key of a client, and that of somebody else. The server asks for nonces in one world.
struct World {
    server: Server,
    key: Arc<SigningKey>,
    other: Arc<SigningKey>,
    token: String,
}

type Make = fn(&World) -> Builder;

async fn start_with(dpop: Dpop) -> World {
    let proxies = ["10.0.0.1/32"];
    let header = CertificateHeader::new("client-cert", CertificateFormat::ClientCert, proxies);
    let mutual_tls = MutualTls::of_connections().header(header.unwrap());
    let server = Server::layered(|layer| layer.dpop(dpop).mutual_tls(mutual_tls)).await;
    let key = || Arc::new(SigningKey::generate("x", Algorithm::Es256).unwrap());
    let (key, other) = (key(), key());
    let token = server.token().bound_to(&key).sign().unwrap();
    World { server, key, other, token }
}

async fn start() -> World {
    start_with(Dpop::new()).await
}

async fn start_with_nonces() -> World {
    start_with(Dpop::new().nonce(true)).await
}

async fn ask(world: &World, make: Make) -> Reply {
    let request = make(world);
    world.server.send(request).await
}

fn now() -> UnixTime {
    UnixTime::from_secs(NOW)
}

impl World {
    fn proof(&self) -> ProofBuilder {
        let url = format!("{BASE}/Patient/1");
        ProofBuilder::new(self.key.clone(), &Method::GET, &url, now()).of_token(&self.token)
    }

    fn nonce(&self) -> String {
        self.server.layer.authenticator().dpop_nonce().unwrap()
    }

    fn with(&self, proof: ProofBuilder) -> Builder {
        get(&format!("DPoP {}", self.token)).header("dpop", proof.sign().unwrap())
    }

    /// A token that is bound to the certificate of these bytes.
    fn of_certificate(&self, der: &[u8]) -> Builder {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let cnf = json!({"x5t#S256": crate::support::b64(hash)});
        let token = self.server.token().claim("cnf", cnf).sign().unwrap();
        get(&format!("Bearer {token}"))
    }
}

fn get(credentials: &str) -> Builder {
    Request::get("/r4/Patient/1").header("authorization", credentials)
}

const DER: [u8; 5] = [0x30, 3, 2, 1, 7];
/// The same, as RFC 9440 writes it.
const WRITTEN: &str = ":MAMCAQc=:";

pub(crate) fn attacks() -> Vec<Attack> {
    let mut all = table(proofs(), start, ask);
    all.extend(table(nonces(), start_with_nonces, ask));
    all.extend(table(certificates(), start, ask));
    all
}

fn proofs() -> Vec<Row<Make>> {
    let good: Make = |world| world.with(world.proof());
    let against = |name, section, attack: Make, words| -> Row<Make> {
        row(name, section, good, attack, Refused::Proof(words))
    };
    let bearer: Make = |world| get(&format!("Bearer {}", world.server.token().sign().unwrap()));
    vec![
        row(
            "a proof is replayed",
            "RFC 9449 section 11.1",
            |world: &World| world.with(world.proof().claim("jti", "once")),
            |world: &World| world.with(world.proof().claim("jti", "once")),
            Refused::Proof("`jti` of the proof was used before"),
        ),
        row(
            "a proof is replayed with another query",
            "RFC 9449 sections 4.3, 11.1",
            |world: &World| world.with(world.proof().claim("jti", "once")),
            |world: &World| {
                let again = world.with(world.proof().claim("jti", "once"));
                again.uri("/r4/Patient/1?_summary=true")
            },
            Refused::Proof("`jti` of the proof was used before"),
        ),
        row(
            "a `jti` is used again in a proof that is written otherwise",
            "RFC 9449 section 11.1",
            |world: &World| world.with(world.proof().claim("jti", "once")),
            |world: &World| {
                let other = world.proof().claim("jti", "once").claim("more", "x");
                world.with(other.header("more", "x"))
            },
            Refused::Proof("`jti` of the proof was used before"),
        ),
        against(
            "an address with a sign in its encoding",
            "RFC 3986 section 2.1",
            |w| w.with(w.proof().claim("htu", format!("{BASE}/Patient/%+1"))),
            "`htu` of the proof",
        ),
        against(
            "a proof for another address is replayed",
            "RFC 9449 section 11.1",
            |w| w.with(w.proof().claim("htu", format!("{BASE}/Patient/2"))),
            "`htu` of the proof",
        ),
        against(
            "a proof for another server is replayed",
            "RFC 9449 section 11.1",
            |w| {
                let proof = w.proof().claim("htu", "https://evil.example/r4/Patient/1");
                w.with(proof).header("host", "evil.example")
            },
            "`htu` of the proof",
        ),
        against(
            "a proof for another method is replayed",
            "RFC 9449 section 11.1",
            |w| w.with(w.proof().claim("htm", "DELETE")),
            "`htm` of the proof",
        ),
        against(
            "an old proof is replayed",
            "RFC 9449 section 11.1",
            |w| w.with(w.proof().claim("iat", NOW - 1000)),
            "`iat` of the proof is too long ago",
        ),
        against(
            "a proof is made ahead of time",
            "RFC 9449 section 11.2",
            |w| w.with(w.proof().claim("iat", NOW + 1000)),
            "`iat` of the proof is in the future",
        ),
        against(
            "a signed JWT of another kind is a proof",
            "RFC 9449 section 11.5",
            |w| w.with(w.proof().header("typ", "at+jwt")),
            "`typ` of the proof",
        ),
        row(
            "a proof is an access token",
            "RFC 9449 section 11.5",
            bearer,
            |w: &World| get(&format!("Bearer {}", w.proof().sign().unwrap())),
            Refused::Token(Check::Issuer, "`iss` is missing"),
        ),
        against(
            "a proof without a signature",
            "RFC 9449 section 11.6",
            |w| w.with(w.proof().header("alg", "none")),
            "`alg` of the proof",
        ),
        against(
            "a proof with the public key as a secret",
            "RFC 9449 section 11.6",
            |w| w.with(w.proof().header("alg", "HS256")),
            "`alg` of the proof",
        ),
        against(
            "a proof signed by somebody else",
            "RFC 9449 section 11.6",
            |w| w.with(w.proof().signed_by(w.other.clone())),
            "the signature of the proof",
        ),
        against(
            "a proof with a private key in it",
            "RFC 9449 section 4.3",
            |w| {
                let mut jwk = w.key.jwk();
                jwk["d"] = "AQAB".into();
                w.with(w.proof().header("jwk", jwk))
            },
            "`jwk` of the proof",
        ),
        against(
            "a proof for another token",
            "RFC 9449 section 11.8",
            |w| w.with(w.proof().of_token("another")),
            "`ath` of the proof",
        ),
        against(
            "two proofs, of which a server in between takes the other",
            "RFC 9449 section 4.3",
            |w| w.with(w.proof()).header("dpop", w.proof().sign().unwrap()),
            "more than one `DPoP` header",
        ),
        row(
            "a stolen token with a proof of one's own",
            "RFC 9449 section 11.8",
            good,
            |w: &World| {
                let url = format!("{BASE}/Patient/1");
                let proof = ProofBuilder::new(w.other.clone(), &Method::GET, &url, now());
                w.with(proof.of_token(&w.token))
            },
            Refused::Token(Check::Proof, "a key other than that of `cnf.jkt`"),
        ),
        row(
            "a stolen token as a bearer token",
            "RFC 9449 section 7.2",
            good,
            |w: &World| get(&format!("Bearer {}", w.token)),
            Refused::Token(Check::Confirmation, "presented as a bearer token"),
        ),
        row(
            "a stolen token without a proof",
            "RFC 9449 section 7.1",
            good,
            |w: &World| get(&format!("DPoP {}", w.token)),
            Refused::Token(Check::Proof, "no proof of it"),
        ),
        row(
            "an unbound token under the scheme of bound ones",
            "RFC 9449 section 7.1",
            bearer,
            |w: &World| {
                let token = w.server.token().sign().unwrap();
                let proof = w.proof().of_token(&token).sign().unwrap();
                get(&format!("DPoP {token}")).header("dpop", proof)
            },
            Refused::Token(Check::Confirmation, "no `cnf.jkt` binds it"),
        ),
    ]
}

fn nonces() -> Vec<Row<Make>> {
    let good: Make = |world| world.with(world.proof().claim("nonce", world.nonce()));
    vec![
        row(
            "the nonce is left out",
            "RFC 9449 section 11.3",
            good,
            |w: &World| w.with(w.proof()),
            Refused::Nonce("no `nonce`"),
        ),
        row(
            "the nonce is made up",
            "RFC 9449 section 11.3",
            good,
            |w: &World| w.with(w.proof().claim("nonce", "eyJ7S_zG.eyJH0-Z.HX4w-7v")),
            Refused::Nonce("not made by this server"),
        ),
        row(
            "the nonce is that of another server",
            "RFC 9449 section 11.3",
            good,
            |w: &World| {
                let mut nonce = w.nonce().into_bytes();
                nonce.reverse();
                w.with(w.proof().claim("nonce", String::from_utf8(nonce).unwrap()))
            },
            Refused::Nonce("not made by this server"),
        ),
    ]
}

fn certificates() -> Vec<Row<Make>> {
    let shown: Make = |w| w.of_certificate(&DER).extension(ClientCertificate::from_der(DER));
    let passed_on: Make = |w| {
        let proxy = PeerAddress::new(([10, 0, 0, 1], 1).into());
        w.of_certificate(&DER).extension(proxy).header("client-cert", WRITTEN)
    };
    let missing = Refused::Token(Check::Certificate, "the request came without one");
    let other = Refused::Token(Check::Certificate, "is not that of `cnf.x5t#S256`");
    vec![
        row(
            "a stolen token without its certificate",
            "RFC 8705 section 3",
            shown,
            |w: &World| w.of_certificate(&DER),
            missing,
        ),
        row(
            "a stolen token with a certificate of one's own",
            "RFC 8705 section 7.2",
            shown,
            |w: &World| {
                let own = ClientCertificate::from_der([0x30, 3, 2, 1, 8]);
                w.of_certificate(&DER).extension(own)
            },
            other,
        ),
        row(
            "the header of a proxy, by somebody else",
            "RFC 8705 sections 6.5, 7.4",
            passed_on,
            |w: &World| {
                let stranger = PeerAddress::new(([10, 0, 0, 2], 1).into());
                w.of_certificate(&DER)
                    .extension(stranger)
                    .header("client-cert", WRITTEN)
                    .header("x-forwarded-for", "10.0.0.1")
            },
            missing,
        ),
        row(
            "the header of a proxy, by somebody else, with an underscore",
            "RFC 8705 sections 6.5, 7.4",
            passed_on,
            |w: &World| {
                let stranger = PeerAddress::new(([10, 0, 0, 2], 1).into());
                w.of_certificate(&DER).extension(stranger).header("client_cert", WRITTEN)
            },
            missing,
        ),
        row(
            "the header of a proxy, where nobody knows the peer",
            "RFC 8705 sections 6.5, 7.4",
            passed_on,
            |w: &World| w.of_certificate(&DER).header("client-cert", WRITTEN),
            missing,
        ),
        row(
            "a second header beside that of the proxy",
            "RFC 8705 section 7.5",
            passed_on,
            |w: &World| {
                let proxy = PeerAddress::new(([10, 0, 0, 1], 1).into());
                let request = w.of_certificate(&DER).extension(proxy);
                request.header("client-cert", ":MAMCAQg=:").header("client-cert", WRITTEN)
            },
            Refused::Token(Check::Certificate, "two headers"),
        ),
        row(
            "a chain that has the certificate somewhere",
            "RFC 8705 section 7.5",
            passed_on,
            |w: &World| {
                let proxy = PeerAddress::new(([10, 0, 0, 1], 1).into());
                let request = w.of_certificate(&DER).extension(proxy);
                request.header("client-cert", format!(":MAMCAQg=:, {WRITTEN}"))
            },
            Refused::Token(Check::Certificate, "does not hold exactly one"),
        ),
    ]
}
