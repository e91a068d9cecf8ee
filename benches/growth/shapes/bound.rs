//! Proofs, certificates and step-up: what binds a token to its sender, and what its user has to show.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Request};
use serde_json::json;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::authentication::{
    CertificateFormat, CertificateHeader, Clock, Dpop, MutualTls, PeerAddress, SystemClock,
};
use tower_fhir_auth::authorization::StepUp;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::ProofBuilder;

use super::{Named, Reading, access, decision, filled, get, listed};
use crate::world::{self, BASE, Key};

pub(super) const SHAPES: &[Named] = &[
    ("proof: members of its header", |n| {
        unread(|proof| (0..n / 24).fold(proof, |proof, m| proof.header(&format!("a{m:06}"), 0)))
    }),
    ("proof: claims", |n| {
        unread(|proof| (0..n / 24).fold(proof, |proof, m| proof.claim(&format!("a{m:06}"), 0)))
    }),
    ("proof: members of its key", |n| {
        let members = (0..n / 24).map(|m| (format!("a{m:06}"), json!(0)));
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"});
        let jwk: serde_json::Map<_, _> =
            jwk.as_object().expect("an object").clone().into_iter().chain(members).collect();
        sent(Dpop::new(), &[401], |proof| proof.header("jwk", jwk))
    }),
    ("proof: members of its key that it must not have", |n| {
        let mut jwk = Key::new(Algorithm::Es256).0.jwk();
        jwk["d"] = "x".repeat(n / 2).into();
        sent(Dpop::new(), &[401], |proof| proof.header("jwk", jwk))
    }),
    ("proof: a long jti", |n| read(Dpop::new(), &[401], |proof| proof.claim("jti", long(n)))),
    ("proof: a long htu", |n| {
        read(Dpop::new(), &[401], |proof| {
            proof.claim("htu", format!("{BASE}/{}", "%41/".repeat(n / 8)))
        })
    }),
    ("proof: a long nonce", |n| {
        read(Dpop::new().nonce(true), &[401], |proof| proof.claim("nonce", long(n)))
    }),
    ("proof: headers of it", |n| {
        let (layer, token, _) = bound(Dpop::new());
        let proofs = listed(n, |m| format!("{m}{}", "a".repeat(80)));
        decision(
            &layer,
            move || {
                proofs.iter().fold(by_dpop(&token), |request, proof| with(request, "dpop", proof))
            },
            &[401],
        )
    }),
    ("proof: those that are remembered", remembered),
    ("certificate: a long header", |n| {
        certificate(CertificateFormat::ClientCert, ["127.0.0.1"], format!(":{}:", long(2 * n)))
    }),
    ("certificate: a long PEM", |n| {
        let line = "%41%0A".repeat(n / 6);
        let pem = format!("-----BEGIN CERTIFICATE-----{line}-----END CERTIFICATE-----");
        certificate(CertificateFormat::Pem, ["127.0.0.1"], pem)
    }),
    ("certificate: keys of an element of XFCC", |n| {
        let pairs = filled(n, ";", |m| format!("By=spiffe://{m}"));
        certificate(CertificateFormat::Xfcc, ["127.0.0.1"], format!("{pairs};Hash=00"))
    }),
    ("certificate: quotes of an element of XFCC", |n| {
        let quoted = format!("Subject=\"{}\"", "\\\"".repeat(n / 2));
        certificate(CertificateFormat::Xfcc, ["127.0.0.1"], quoted)
    }),
    ("certificate: elements of XFCC", |n| {
        let elements = filled(n, ",", |m| format!("By=spiffe://{m};Hash=00"));
        certificate(CertificateFormat::Xfcc, ["127.0.0.1"], elements)
    }),
    ("certificate: trusted proxies", |n| {
        let others = listed(n, |m| format!("10.{}.{}.0/24", m / 250, m % 250));
        let proxies = others.into_iter().chain(["127.0.0.1".to_owned()]);
        certificate(CertificateFormat::ClientCert, proxies, ":AAAA:".to_owned())
    }),
    ("certificate: headers of a stranger", |n| {
        let layer = certified(CertificateFormat::ClientCert, ["10.0.0.1"]);
        let token = Key::named("unknown", Algorithm::EdDsa).token().sign().expect("a token");
        decision(
            &layer,
            move || {
                let request = from_peer(get("/Patient/1", &token));
                (0..n / 16)
                    .fold(request, |request, m| with(request, &format!("client_cer{m}"), "x"))
            },
            &[401],
        )
    }),
    ("step-up: requirements", |n| {
        let (layer, token) =
            stepped_up((0..n / 16).map(|_| strong("Observation.d")), json!("weak"));
        decision(&layer, move || get("/Patient/1", &token), &[200])
    }),
    ("step-up: requirements on it", |n| {
        let (layer, token) = stepped_up((0..n / 16).map(|_| strong("Patient.r")), json!("strong"));
        decision(&layer, move || get("/Patient/1", &token), &[200])
    }),
    ("step-up: contexts of a requirement", |n| {
        let contexts = listed(n, |m| format!("urn:x:{m}"));
        let one = strong("Patient.r").acr(contexts);
        let (layer, token) = stepped_up([one], json!("weak"));
        decision(&layer, move || get("/Patient/1", &token), &[401])
    }),
    ("step-up: a token with much beside", |n| {
        let blocks = (0..8).map(|_| strong("Patient.r"));
        let (layer, token) =
            stepped_up(blocks, json!({"acr": "strong", "beside": listed(n, |m| format!("{m}"))}));
        decision(&layer, move || get("/Patient/1", &token), &[200])
    }),
    ("step-up: entries, and as much in the token", |n| {
        let blocks = (0..8).map(|_| strong("Observation.r"));
        let beside = listed(n, |m| format!("{m}"));
        let (layer, token) = stepped_up(blocks, json!({"acr": "strong", "beside": beside}));
        let access = access(&layer, super::request("POST", "", &token));
        Reading::of(move || {
            for _ in 0..n / 64 {
                assert!(
                    black_box(access.authorize_entry(&Method::GET, "Observation/1", None)).is_ok()
                );
            }
        })
    }),
];

fn long(n: usize) -> String {
    "a".repeat(n / 2)
}

/// A layer, and a token of it that is bound to a key.
fn bound(dpop: Dpop) -> (FhirAuthLayer, String, Key) {
    let (key, client) = (Key::new(Algorithm::EdDsa), Key::named("client", Algorithm::EdDsa));
    let layer = world::layer(key.set()).dpop(dpop).build().expect("a layer");
    let token = key.token().bound_to(&client.0).sign().expect("a token");
    (layer, token, client)
}

fn by_dpop(token: &str) -> Request<()> {
    let request = Request::get("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    request.body(()).expect("a request")
}

fn with(mut request: Request<()>, name: &str, value: &str) -> Request<()> {
    let name: http::HeaderName = name.parse().expect("a name");
    request.headers_mut().append(name, value.parse().expect("a value"));
    request
}

fn proof(client: &Key, token: &str) -> ProofBuilder {
    let url = format!("{BASE}/Patient/1");
    ProofBuilder::new(Arc::clone(&client.0), &Method::GET, &url, SystemClock.now()).of_token(token)
}

/// A proof that is refused before its signature is looked at.
fn unread(change: impl FnOnce(ProofBuilder) -> ProofBuilder) -> Reading {
    sent(Dpop::new(), &[401], |proof| change(proof).header("typ", "JWT"))
}

fn sent(
    dpop: Dpop,
    statuses: &'static [u16],
    change: impl FnOnce(ProofBuilder) -> ProofBuilder,
) -> Reading {
    let (layer, token, client) = bound(dpop);
    let proof = change(proof(&client, &token)).sign().expect("a proof");
    decision(&layer, move || with(by_dpop(&token), "dpop", &proof), statuses)
}

/// A proof whose signature is good, which does not count.
fn read(
    dpop: Dpop,
    statuses: &'static [u16],
    change: impl FnOnce(ProofBuilder) -> ProofBuilder,
) -> Reading {
    let (layer, token, client) = bound(dpop);
    let proof = change(proof(&client, &token)).sign().expect("a proof");
    let (bare, (input, signature)) = (client.bare(), world::signed_parts(&proof));
    let check = move || assert!(black_box(bare.verify_sig(&input, &signature)).is_ok());
    let reading = decision(&layer, move || with(by_dpop(&token), "dpop", &proof), statuses);
    Reading { apart: Box::new(check), ..reading }
}

/// A good proof after many others of its key.
fn remembered(n: usize) -> Reading {
    let (layer, token, client) = bound(Dpop::new());
    let fresh =
        move || with(by_dpop(&token), "dpop", &proof(&client, &token).sign().expect("a proof"));
    let mut service = world::guarded(&layer);
    for _ in 0..n / 100 {
        world::call(&mut service, fresh(), 200);
    }
    decision(&layer, fresh, &[200])
}

fn certified<N: AsRef<str>>(
    format: CertificateFormat,
    proxies: impl IntoIterator<Item = N>,
) -> FhirAuthLayer {
    let header = CertificateHeader::new("client-cert", format, proxies).expect("a header");
    let mutual_tls = MutualTls::of_connections().header(header);
    world::layer(key().set()).mutual_tls(mutual_tls).build().expect("a layer")
}

/// One key for tokens that are bound to a certificate.
fn key() -> &'static Key {
    static KEY: std::sync::OnceLock<Key> = std::sync::OnceLock::new();
    KEY.get_or_init(|| Key::new(Algorithm::EdDsa))
}

fn from_peer(mut request: Request<()>) -> Request<()> {
    let peer: SocketAddr = "127.0.0.1:1".parse().expect("an address");
    request.extensions_mut().insert(PeerAddress::new(peer));
    request
}

fn certificate<N: AsRef<str>>(
    format: CertificateFormat,
    proxies: impl IntoIterator<Item = N>,
    value: String,
) -> Reading {
    let layer = certified(format, proxies);
    let cnf = json!({"x5t#S256": "A".repeat(43)});
    let token = key().token().claim("cnf", cnf).sign().expect("a token");
    let request = move || with(from_peer(get("/Patient/1", &token)), "client-cert", &value);
    decision(&layer, request, &[401])
}

/// A requirement on one interaction.
fn strong(on: &str) -> StepUp {
    StepUp::on([on]).expect("a requirement").acr(["strong"])
}

/// A layer with these requirements, and a token with these claims, or this `acr`.
fn stepped_up(
    blocks: impl IntoIterator<Item = StepUp>,
    claims: serde_json::Value,
) -> (FhirAuthLayer, String) {
    let key = Key::new(Algorithm::EdDsa);
    let claims = match claims {
        serde_json::Value::Object(claims) => claims,
        acr => serde_json::Map::from_iter([("acr".to_owned(), acr)]),
    };
    let layer =
        blocks.into_iter().fold(world::layer(key.set()), |layer, block| layer.step_up(block));
    let token =
        claims.into_iter().fold(key.token(), |token, (name, value)| token.claim(&name, value));
    (layer.build().expect("a layer"), token.sign().expect("a token"))
}
