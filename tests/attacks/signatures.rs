//! Signatures that are none: forged, borrowed, bent, or by a key that the token brings itself.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_fhir_auth::authenticated;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{SigningKey, TokenBuilder};

use crate::kit::{Attack, Pair, Refused, Row, row, table};
use crate::support::{BASE, NOW, Reply, Server, b64};

type Make = fn(&Server) -> String;

async fn with_algorithm(algorithm: Algorithm) -> Server {
    Server::build(algorithm, |issuer| issuer, |layer| layer.authorizer(authenticated())).await
}

async fn ask(server: &Server, make: Make) -> Reply {
    server.bearer(&make(server)).await
}

const GOOD: Make = |s| s.token().sign().unwrap();
const INVALID: Refused = Refused::Token(Check::Signature, "the signature does not verify");
const UNSIGNED: Refused = Refused::Token(Check::Header, "`alg` is not an asymmetric signature");
/// The order of the base point of P-256.
const ORDER: &[u8; 32] = b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\
    \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
/// The order of the base point of Ed25519, its least byte first.
const EDWARDS_ORDER: &[u8; 32] = b"\xed\xd3\xf5\x5c\x1a\x63\x12\x58\xd6\x9c\xf7\xa2\xde\xf9\xde\
    \x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10";

/// Changes the signature of a good token.
fn bent(server: &Server, bend: impl FnOnce(&mut Vec<u8>)) -> String {
    let token = GOOD(server);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bend(&mut signature);
    format!("{input}.{}", b64(signature))
}

fn key(kid: &str, algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(kid, algorithm).unwrap())
}

pub(crate) fn attacks() -> Vec<Attack> {
    let of = |rows: Vec<Row<Make>>, algorithm| table(rows, move || with_algorithm(algorithm), ask);
    let mut attacks = of(ecdsa(), Algorithm::Es256);
    attacks.extend(of(edwards(), Algorithm::Ed25519));
    attacks.extend(of(rsa(), Algorithm::Rs256));
    attacks.extend(brought_along());
    attacks
}

fn ecdsa() -> Vec<Row<Make>> {
    let psychic = "CVE-2022-21449";
    let against = |name, reference, attack: Make| row(name, reference, GOOD, attack, INVALID);
    vec![
        against("r and s are zero", psychic, |s| bent(s, |it| it.fill(0))),
        against("r is zero", psychic, |s| bent(s, |it| it[..32].fill(0))),
        against("s is zero", psychic, |s| bent(s, |it| it[32..].fill(0))),
        against("r is the order", psychic, |s| bent(s, |it| it[..32].copy_from_slice(ORDER))),
        against("s is the order", psychic, |s| bent(s, |it| it[32..].copy_from_slice(ORDER))),
        against("r and s are the order", psychic, |s| bent(s, |it| *it = ORDER.repeat(2))),
        against("r and s are one", psychic, |s| {
            bent(s, |it| {
                it.fill(0);
                (it[31], it[63]) = (1, 1);
            })
        }),
        against("s before r", "RFC 7518 section 3.4", |s| bent(s, |it| it.rotate_left(32))),
        against("a signature of DER", "RFC 7518 section 3.4", |s| {
            bent(s, |it| {
                let (r, rest) = it.split_at(32);
                *it = [&[0x30, 0x46, 2, 0x21, 0], r, &[2, 0x21, 0], rest].concat();
            })
        }),
        against("a very long signature", "HAProxy jwt: overflow by DER", |s| {
            bent(s, |it| it.resize(8000, 0x30))
        }),
        against("a byte more", "RFC 7518 section 3.4", |s| bent(s, |it| it.push(0))),
        against("a byte less", "RFC 7518 section 3.4", |s| bent(s, |it| it.truncate(63))),
        against("no signature", "CVE-2020-28042", |s| bent(s, Vec::clear)),
        against("a bit more", "RFC 7515 section 5.2", |s| bent(s, |it| it[40] ^= 1)),
        against("another token's", "RFC 7515 section 5.2", |s| {
            let other = s.token().claim("sub", "mallory").sign().unwrap();
            let signature = GOOD(s).rsplit_once('.').unwrap().1.to_owned();
            format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
        }),
        against("claims replaced", "RFC 7515 section 5.2", |s| {
            let token = GOOD(s);
            let segments: Vec<&str> = token.split('.').collect();
            let claims =
                json!({"iss": s.issuer.url(), "aud": BASE, "sub": "root", "exp": NOW + 60});
            format!("{}.{}.{}", segments[0], b64(claims.to_string()), segments[2])
        }),
        against("header replaced", "RFC 7515 section 5.2", |s| {
            let token = GOOD(s);
            let (_, rest) = token.split_once('.').unwrap();
            format!("{}.{rest}", b64(r#"{"alg":"ES256","kid":"key-1"}"#))
        }),
        against("another key of this kid", "RFC 7515 section 5.2", |s| {
            s.token().signed_by(key("key-1", Algorithm::Es256)).sign().unwrap()
        }),
    ]
}

fn edwards() -> Vec<Row<Make>> {
    let bends = "RFC 8032 section 5.1.7";
    let against = |name, attack: Make| row(name, bends, GOOD, attack, INVALID);
    vec![
        against("S and the order", |s| {
            bent(s, |it| {
                let mut carry = 0;
                for (byte, more) in it[32..].iter_mut().zip(EDWARDS_ORDER) {
                    let sum = u16::from(*byte) + u16::from(*more) + carry;
                    *byte = u8::try_from(sum & 0xff).unwrap();
                    carry = sum >> 8;
                }
            })
        }),
        against("R and S are zero", |s| bent(s, |it| it.fill(0))),
        against("R is the identity, and S zero", |s| {
            bent(s, |it| {
                it.fill(0);
                it[0] = 1;
            })
        }),
        against("a bit of R", |s| bent(s, |it| it[0] ^= 1)),
        against("a byte more behind S", |s| bent(s, |it| it.push(0))),
        against("S alone", |s| bent(s, |it| *it = it.split_off(32))),
    ]
}

/// Makes a token whose key is what everybody knows: a form of the public key.
fn hmac_of(server: &Server, secret: impl FnOnce(&[u8], &Value) -> Vec<u8>) -> String {
    let jwk = server.issuer.key().jwk();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    // SubjectPublicKeyInfo of RSA with 2048 bits and the exponent 65537.
    let head = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0\x03\
        \x82\x01\x0f\0\x30\x82\x01\x0a\x02\x82\x01\x01\0";
    let der = [&head[..], &modulus, b"\x02\x03\x01\0\x01"].concat();
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret(&der, &jwk));
    let header = json!({"alg": "HS256", "kid": "key-1", "typ": "at+jwt"}).to_string();
    let claims = json!({"iss": server.issuer.url(), "aud": BASE, "sub": "root", "exp": NOW + 60});
    let input = format!("{}.{}", b64(header), b64(claims.to_string()));
    format!("{input}.{}", b64(hmac::sign(&secret, input.as_bytes())))
}

fn pem(der: &[u8]) -> String {
    let lines: Vec<String> = STANDARD
        .encode(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn rsa() -> Vec<Row<Make>> {
    let confused = "CVE-2016-10555, CVE-2022-29217, CVE-2024-33663, CVE-2024-37568";
    let unbound = "CVE-2026-22817, CVE-2026-22818, CVE-2026-48523";
    let blank = "CVE-2019-20933, CVE-2020-28637";
    let unfit = Refused::Token(Check::Key, "may not be used with the token's `alg`");
    let symmetric = |name, reference, attack: Make| row(name, reference, GOOD, attack, UNSIGNED);
    let against = |name, attack: Make| row(name, "RFC 8017 section 8.2.2", GOOD, attack, INVALID);
    let other = |name, attack: Make| row(name, unbound, GOOD, attack, unfit);
    fn as_algorithm(server: &Server, alg: &str) -> String {
        server.token().header("alg", alg).sign().unwrap()
    }
    vec![
        symmetric("HMAC by DER", confused, |s| hmac_of(s, |der, _| der.to_vec())),
        symmetric("HMAC by PEM", confused, |s| hmac_of(s, |der, _| pem(der).into_bytes())),
        symmetric("HMAC by PEM without its last line end", "CVE-2026-48526", |s| {
            hmac_of(s, |der, _| pem(der).trim().as_bytes().to_vec())
        }),
        symmetric("HMAC by PEM and a blank", "CVE-2023-48223, CVE-2026-34950", |s| {
            hmac_of(s, |der, _| format!(" {}", pem(der)).into_bytes())
        }),
        symmetric("HMAC by the modulus", confused, |s| {
            hmac_of(s, |_, jwk| URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap())
        }),
        symmetric("HMAC by the text of the modulus", "CVE-2026-33322", |s| {
            hmac_of(s, |_, jwk| jwk["n"].as_str().unwrap().as_bytes().to_vec())
        }),
        symmetric("HMAC by the JWK", "CVE-2026-48526", |s| {
            hmac_of(s, |_, jwk| jwk.to_string().into_bytes())
        }),
        symmetric("HMAC by nothing", blank, |s| hmac_of(s, |_, _| Vec::new())),
        symmetric("HMAC by a zero", blank, |s| hmac_of(s, |_, _| vec![0])),
        other("alg is RS384 for a key of RS256", |s| as_algorithm(s, "RS384")),
        other("alg is RS512 for a key of RS256", |s| as_algorithm(s, "RS512")),
        other("alg is PS256 for a key of RS256", |s| as_algorithm(s, "PS256")),
        against("the whole of RSA is zero", |s| bent(s, |it| it.fill(0))),
        against("all of it is ones", |s| bent(s, |it| it.fill(0xff))),
        against("a zero before", |s| bent(s, |it| it.insert(0, 0))),
        against("a byte less than the modulus", |s| bent(s, |it| it.truncate(255))),
        against("it is one", |s| {
            bent(s, |it| {
                it.fill(0);
                it[255] = 1;
            })
        }),
    ]
}

/// Keys that a token names or brings along, signed by them; each place is watched.
fn brought_along() -> Vec<Attack> {
    type Header = fn(TokenBuilder, &SigningKey, &str) -> TokenBuilder;
    let injected = "CVE-2018-0114, RFC 8725 section 3.10";
    let rows: [(&str, &str, Header); 6] = [
        ("jwk", injected, |t, key, _| t.header("jwk", key.jwk())),
        ("jku", injected, |t, _, url| t.header("jku", url)),
        ("jku of a file", "CVE-2026-48522", |t, _, _| t.header("jku", "file:///dev/null")),
        ("x5u", injected, |t, _, url| t.header("x5u", url)),
        ("x5c", injected, |t, key, _| t.header("x5c", json!([key.jwk()["x"]]))),
        ("kid that is a URL", "jwt-authorizer: sends the kid to the provider", |t, _, url| {
            t.header("kid", url)
        }),
    ];
    let attack = |(name, reference, header): (&'static str, &'static str, Header)| {
        Attack::new(format!("a key by {name}"), reference, move || async move {
            let server = Server::start().await;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/jwks", listener.local_addr().unwrap());
            let mine = key("key-1", Algorithm::Es256);
            let token = || {
                let now = UnixTime::from_secs(NOW);
                let key = server.issuer.key();
                TokenBuilder::new(server.issuer.url(), key, now).claim("aud", BASE)
            };
            let is_kid = name.starts_with("kid");
            let twin = match is_kid {
                true => server.get(token()).await,
                // What it says of keys is ignored, where a good key signs.
                false => server.get(header(token(), &mine, &url)).await,
            };
            let forged = header(token().signed_by(Arc::clone(&mine)), &mine, &url);
            let attack = server.get(forged).await;
            let asked = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
            assert!(asked.is_err(), "the address in the token was asked");
            let refused = match is_kid {
                true => Refused::Token(Check::Key, "no key of the issuer has the token's `kid`"),
                false => INVALID,
            };
            Pair::new(twin, attack, refused)
        })
    };
    rows.into_iter().map(attack).collect()
}
