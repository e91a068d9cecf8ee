//! Providers that lie, loop, stall or point elsewhere, and clients that make a server ask for keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use crate::kit::{Attack, Pair, Refused};
use crate::support::{BASE, Server, send};

const JWKS: &str = "/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";
const UNKNOWN: Refused = Refused::Token(Check::Key, "no key of the issuer has the token's `kid`");

fn quick() -> KeySettings {
    KeySettings::default().cooldown(Duration::ZERO).timeout(Duration::from_millis(1500))
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks: Vec<Attack> = answers().into_iter().map(answered).collect();
    attacks.extend(addresses().into_iter().map(pointed_at));
    attacks.extend([
        Attack::new("an endless key set", "tried by hand: an endless body", || streamed(true)),
        Attack::new("a key set by the byte", "tried by hand: a slow body", || streamed(false)),
        Attack::new("a flood of kids", "CVE-2026-48524, axum-jose: 50 kids are 50 loads", flood),
        Attack::new("a flood while the provider fails", "CVE-2026-48524", flood_in_outage),
        Attack::new(
            "a client that leaves takes the load with it",
            "huskarl: a client freezes the refresh",
            leaves,
        ),
        Attack::new(
            "a slow load for an unknown kid stalls good tokens",
            "jwt-authorizer: one mutex around look-up and fetch",
            stalled,
        ),
        Attack::new(
            "a rotation whose token fails by its signature",
            "axum-keycloak-auth: rotation is fatal",
            rotated,
        ),
        Attack::new(
            "a bad signature with a known kid makes the server ask",
            "go-oidc: any bad signature fetches",
            bad_signature,
        ),
    ]);
    attacks
}

/// An answer to the request for keys, made of the one that would be right.
type Row = (&'static str, &'static str, fn(&TestIssuer) -> (&'static str, Answer));

fn keys(issuer: &TestIssuer) -> String {
    issuer.jwks().to_string()
}

fn ok(body: impl Into<bytes::Bytes>) -> Answer {
    Answer::status(StatusCode::OK).body(body)
}

fn header(answer: Answer, name: header::HeaderName, value: &'static str) -> Answer {
    answer.header(name, HeaderValue::from_static(value))
}

/// Packs bytes without making them smaller (RFC 1951 section 3.2.4, RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let crc = bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    let length = u16::try_from(bytes.len()).unwrap();
    let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01";
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let end = [(!crc).to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&head[..], &lengths, bytes, &end].concat()
}

fn answers() -> Vec<Row> {
    let hand = "tried by hand";
    vec![
        (
            "status 500 and a key set",
            "tower-oauth2-resource-server: the status is not looked at",
            |i| (JWKS, Answer::status(StatusCode::INTERNAL_SERVER_ERROR).body(keys(i))),
        ),
        ("status 500 and an empty set", "tower-oauth2-resource-server: 500 wipes all keys", |_| {
            let fails = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
            (JWKS, fails.body(r#"{"keys":[]}"#))
        }),
        ("status 404 and a key set", hand, |i| {
            (JWKS, Answer::status(StatusCode::NOT_FOUND).body(keys(i)))
        }),
        ("status 204", hand, |_| (JWKS, Answer::status(StatusCode::NO_CONTENT))),
        ("status 304 that nobody asked for", hand, |_| {
            (JWKS, Answer::status(StatusCode::NOT_MODIFIED))
        }),
        ("status 206 and a key set", hand, |i| {
            (JWKS, Answer::status(StatusCode::PARTIAL_CONTENT).body(keys(i)))
        }),
        ("an empty set", "GHSA-675f-rq2r-jw82", |_| (JWKS, Answer::json(&json!({"keys": []})))),
        ("a page", hand, |i| (JWKS, header(ok(keys(i)), header::CONTENT_TYPE, "text/html"))),
        ("half a set", hand, |i| (JWKS, ok(keys(i).split_off(5)))),
        ("a set that ends early", hand, |i| {
            let mut set = keys(i);
            set.pop();
            (JWKS, ok(set))
        }),
        ("a set of two lists", hand, |i| (JWKS, ok(keys(i).replacen('{', r#"{"keys":[],"#, 1)))),
        ("a list in place of a set", hand, |i| (JWKS, ok(i.jwks()["keys"].to_string()))),
        ("10,000 keys", "tried by hand: 10,000-key sets", |i| {
            let mut set: Value = i.jwks();
            set["keys"].as_array_mut().unwrap().extend(vec![json!({}); 10_000]);
            (JWKS, Answer::json(&set))
        }),
        ("1,025 keys", "jsonwebtoken: 100,000 keys are parsed", |i| {
            let mut set: Value = i.jwks();
            set["keys"].as_array_mut().unwrap().extend(vec![json!({}); 1025]);
            (JWKS, Answer::json(&set))
        }),
        ("10 MiB of blanks", hand, |i| (JWKS, ok(format!("{}{}", " ".repeat(10 << 20), keys(i))))),
        ("a compressed set", "tried by hand: a gzip bomb", |i| {
            (JWKS, header(ok(gzip(keys(i).as_bytes())), header::CONTENT_ENCODING, "gzip"))
        }),
        ("a redirect", "CVE-2026-41413", |i| {
            i.answer("/other", Answer::json(&i.jwks()));
            (JWKS, header(Answer::status(StatusCode::FOUND), header::LOCATION, "/other"))
        }),
        ("a redirect to metadata of a cloud", "CVE-2026-41413", |_| {
            let location = "http://169.254.169.254/latest/meta-data/";
            (
                JWKS,
                header(Answer::status(StatusCode::TEMPORARY_REDIRECT), header::LOCATION, location),
            )
        }),
        ("an answer that never comes", hand, |_| (JWKS, Answer::hang())),
        ("a document of another issuer", "OpenID Connect Discovery section 4.3", |i| {
            let document = json!({"issuer": "https://evil.example", "jwks_uri": i.jwks_uri()});
            (DISCOVERY, Answer::json(&document))
        }),
        ("a document without an issuer", "OpenID Connect Discovery section 4.3", |i| {
            (DISCOVERY, Answer::json(&json!({"jwks_uri": i.jwks_uri()})))
        }),
        ("a document whose issuer is a list", "OpenID Connect Discovery section 4.3", |i| {
            (DISCOVERY, Answer::json(&json!({"issuer": [i.url()], "jwks_uri": i.jwks_uri()})))
        }),
        ("a document that is a redirect", "CVE-2026-41413", |i| {
            i.answer("/other", Answer::json(&json!({"issuer": i.url(), "jwks_uri": i.jwks_uri()})));
            (DISCOVERY, header(Answer::status(StatusCode::FOUND), header::LOCATION, "/other"))
        }),
    ]
}

/// A new key is published, and the answer that holds it is spoilt. The old keys go on to serve.
fn answered((name, reference, spoil): Row) -> Attack {
    Attack::new(name, reference, move || async move {
        let sound = Server::trusting(|issuer| issuer.key_settings(quick())).await;
        sound.issuer.rotate().unwrap();
        let twin = sound.get(sound.token()).await;
        let server = Server::trusting(|issuer| issuer.key_settings(quick())).await;
        let old = server.token();
        server.issuer.rotate().unwrap();
        let (path, answer) = spoil(&server.issuer);
        server.issuer.answer(path, answer);
        let attack = server.get(server.token()).await;
        server.get(old).await.is_let_in();
        Pair::new(twin, attack, UNKNOWN)
    })
}

/// Addresses that a discovery document must not send a server to.
fn addresses() -> Vec<(&'static str, &'static str)> {
    vec![
        ("metadata of a cloud", "http://169.254.169.254/latest/meta-data/"),
        ("metadata of a cloud, with TLS", "https://169.254.169.254/jwks"),
        ("metadata by IPv6", "https://[fd00:ec2::254]/jwks"),
        ("metadata by IPv4 within IPv6", "https://[::ffff:169.254.169.254]/jwks"),
        ("metadata by a number", "https://2852039166/jwks"),
        ("metadata by octal numbers", "https://0251.0376.0251.0376/jwks"),
        ("a link-local address", "https://[fe80::1]/jwks"),
        ("plain http", "http://idp.example.org/jwks"),
        ("a file", "file:///etc/passwd"),
        ("another scheme", "gopher://127.0.0.1/jwks"),
        ("no scheme", "//127.0.0.1/jwks"),
        ("a path", "/jwks"),
    ]
}

fn pointed_at((name, address): (&'static str, &'static str)) -> Attack {
    Attack::new(format!("jwks_uri is {name}"), "CVE-2026-41413", move || async move {
        let twin = Server::start().await;
        let twin = twin.get(twin.token()).await;
        let issuer = TestIssuer::start().await.unwrap();
        let document = json!({"issuer": issuer.url(), "jwks_uri": address});
        issuer.answer(DISCOVERY, Answer::json(&document));
        let layer = without_keys(issuer.trusted().key_settings(quick()));
        let start = Instant::now();
        let attack = bearer(&layer, &issuer.token().claim("aud", BASE).sign().unwrap()).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let error = layer.health()[0].last_error.as_ref().map(ToString::to_string);
        let error = error.unwrap_or_default();
        let is_said =
            ["is not allowed", "jwks_uri", "expected"].iter().any(|it| error.contains(it));
        assert!(is_said, "it was refused for something else: {error}");
        Pair::new(twin, attack, Refused::NoKeys)
    })
}

fn without_keys(trusted: TrustedIssuer) -> FhirAuthLayer {
    FhirAuthLayer::builder(BASE).issuer(trusted).authorizer(authenticated()).build().unwrap()
}

async fn bearer(layer: &FhirAuthLayer, token: &str) -> crate::support::Reply {
    let bearer = format!("Bearer {token}");
    send(layer, http::Request::get("/r4/Patient/1").header("authorization", bearer)).await
}

/// A body that does not end, or comes by the byte.
async fn streamed(endless: bool) -> Pair {
    let issuer = TestIssuer::start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 2048]).await?;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"keys\":[";
                stream.write_all(head.as_bytes()).await?;
                loop {
                    let (length, pause) = if endless { (16 * 1024, 0) } else { (1, 50) };
                    stream.write_all(&vec![b' '; length]).await?;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                #[expect(unreachable_code, reason = "the type of the block")]
                Ok::<(), std::io::Error>(())
            });
        }
    });
    let good = issuer.token().claim("aud", BASE).sign().unwrap();
    let sound = TrustedIssuer::with_jwks_uri(issuer.url(), issuer.jwks_uri());
    let sound = without_keys(sound.key_settings(quick()));
    sound.ready().await;
    let twin = bearer(&sound, &good).await;
    let layer = without_keys(TrustedIssuer::with_jwks_uri(issuer.url(), url).key_settings(quick()));
    let start = Instant::now();
    let attack = bearer(&layer, &good).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    Pair::new(twin, attack, Refused::NoKeys)
}

async fn flood() -> Pair {
    let server = Server::start().await;
    let before = server.issuer.jwks_requests();
    for number in 0..200 {
        let forged = server.token().header("kid", format!("forged-{number}"));
        server.get(forged).await.is_refused_by(Check::Key, "`kid`");
    }
    assert!(server.issuer.jwks_requests() <= before + 1, "at most one load in a cooldown");
    let attack = server.get(server.token().header("kid", "forged")).await;
    Pair::new(server.get(server.token()).await, attack, UNKNOWN)
}

async fn flood_in_outage() -> Pair {
    let server = Server::trusting(|issuer| issuer.key_settings(quick())).await;
    server.issuer.fail();
    for number in 0..50 {
        let forged = server.token().header("kid", format!("forged-{number}"));
        server.get(forged).await.is_refused_by(Check::Key, "`kid`");
    }
    let attack = server.get(server.token().header("kid", "forged")).await;
    Pair::new(server.get(server.token()).await, attack, UNKNOWN)
}

/// The request of an unknown kid is dropped while the load that it began is under way.
async fn leaves() -> Pair {
    let server = Server::start().await;
    server.issuer.rotate().unwrap();
    let slow = Answer::json(&server.issuer.jwks()).after(Duration::from_millis(300));
    server.issuer.answer(JWKS, slow);
    let forged = server.token().header("kid", "forged").sign().unwrap();
    let left = tokio::time::timeout(Duration::from_millis(50), server.bearer(&forged)).await;
    assert!(left.is_err(), "it waits for the load");
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The cooldown allows no other load: that one has ended all the same.
    let twin = server.get(server.token()).await;
    Pair::new(twin, server.bearer(&forged).await, UNKNOWN)
}

async fn stalled() -> Pair {
    let server = Arc::new(Server::trusting(|issuer| issuer.key_settings(quick())).await);
    server.issuer.answer(JWKS, Answer::hang());
    let waiting = {
        let server = Arc::clone(&server);
        let forged = server.token().header("kid", "forged");
        tokio::spawn(async move { server.get(forged).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    let twin = server.get(server.token()).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(!waiting.is_finished(), "the load is still under way");
    Pair::new(twin, waiting.await.unwrap(), UNKNOWN)
}

async fn rotated() -> Pair {
    let server = Server::start().await;
    server.issuer.rotate().unwrap();
    let twin = server.get(server.token()).await;
    let forged = server.token().header("kid", "key-1");
    let words = "the signature does not verify";
    Pair::new(twin, server.get(forged).await, Refused::Token(Check::Signature, words))
}

async fn bad_signature() -> Pair {
    let server = Server::trusting(|issuer| issuer.key_settings(quick())).await;
    let before = server.issuer.jwks_requests();
    let forged = server.token().sign().unwrap();
    let forged = format!("{}.{}", forged.rsplit_once('.').unwrap().0, "A".repeat(86));
    let asked = AtomicUsize::new(0);
    while asked.fetch_add(1, Ordering::SeqCst) < 20 {
        server.bearer(&forged).await.is_refused_by(Check::Signature, "signature");
    }
    assert_eq!(server.issuer.jwks_requests(), before, "a known kid forces no load");
    let twin = server.get(server.token()).await;
    let words = "the signature does not verify";
    Pair::new(twin, server.bearer(&forged).await, Refused::Token(Check::Signature, words))
}
