//! RFC 7515 and RFC 7797: the compact JWS.

use serde_json::json;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::SigningKey;

use crate::support::{BASE, NOW, Server, b64};

/// Signs header and payload as they stand here.
fn signed(server: &Server, header: &str, payload: &str) -> String {
    server.issuer.key().sign(header.as_bytes(), payload.as_bytes()).unwrap()
}

fn payload(server: &Server) -> String {
    json!({"iss": server.issuer.url(), "aud": BASE, "sub": "alice", "exp": NOW + 60}).to_string()
}

#[tokio::test]
async fn j1_a_token_has_exactly_three_segments() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    let (input, _) = token.rsplit_once('.').unwrap();
    for wrong in [
        input.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.a"),
        format!("{token}.a.b"),
        token.replace('.', ".."),
    ] {
        server.bearer(&wrong).await.is_refused_by(Check::Shape, "the token");
    }
}

#[tokio::test]
async fn j2_base64url_without_padding_white_space_or_trailing_bits() {
    let server = Server::start().await;
    // 64 octets leave one in the last group: its lower four bits must be zero.
    let token = server.token().sign().unwrap();
    let last = token.chars().last().unwrap();
    assert!("AQgw".contains(last));
    let next = char::from(u8::try_from(last).unwrap() + 1);
    let with_bits = format!("{}{next}", token.strip_suffix(last).unwrap());
    server.bearer(&with_bits).await.is_refused_by(Check::Shape, "signature");
    server.bearer(&format!("{token}==")).await.is_refused_by(Check::Shape, "signature");
    for (segment, name) in [(0, "header"), (1, "payload")] {
        let mut segments: Vec<String> = token.split('.').map(str::to_owned).collect();
        let target = segments.get_mut(segment).unwrap();
        target.insert(3, '+');
        server.bearer(&segments.join(".")).await.is_refused_by(Check::Shape, name);
    }
}

#[tokio::test]
async fn j3_the_header_is_a_json_object_without_doubled_members() {
    let server = Server::start().await;
    let claims = payload(&server);
    server.bearer(&signed(&server, r#"{"alg":"ES256","kid":"key-1"}"#, &claims)).await.is_let_in();
    for header in [
        r#"{"alg":"ES256","alg":"ES256","kid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"key-1","\u006bid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"key-1","x":{"a":1,"a":1}}"#,
        r#"["ES256"]"#,
        r#"{"alg":"ES256","kid":"key-1"} x"#,
        "",
        "{",
    ] {
        let reply = server.bearer(&signed(&server, header, &claims)).await;
        reply.is_refused_by(Check::Shape, "header");
    }
    let mut not_utf8 = br#"{"alg":"ES256","kid":"key-1","x":""#.to_vec();
    not_utf8.extend_from_slice(b"\xff\"}");
    let token = server.issuer.key().sign(&not_utf8, claims.as_bytes()).unwrap();
    server.bearer(&token).await.is_refused_by(Check::Shape, "header");
}

#[tokio::test]
async fn j4_alg_is_text_that_names_an_accepted_signature() {
    let server = Server::start().await;
    let claims = payload(&server);
    for (header, words) in [
        (r#"{"kid":"key-1"}"#, "`alg`"),
        (r#"{"alg":256,"kid":"key-1"}"#, "`alg`"),
        (r#"{"alg":["ES256"],"kid":"key-1"}"#, "`alg`"),
        (r#"{"alg":null,"kid":"key-1"}"#, "`alg`"),
        (r#"{"alg":"none"}"#, "`none`"),
        (r#"{"alg":"nOnE"}"#, "`nOnE`"),
        (r#"{"alg":"HS256","kid":"key-1"}"#, "`HS256`"),
    ] {
        let reply = server.bearer(&signed(&server, header, &claims)).await;
        reply.is_refused_by(Check::Header, words);
    }
    for alg in ["es256", "ES256 ", "ES256K", "RSA-OAEP", "XS256", ""] {
        let reply = server.get(server.token().header("alg", alg)).await;
        reply.is_refused_by(Check::Algorithm, "this server accepts `RS256");
    }
    let unsigned = format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(&claims));
    server.bearer(&unsigned).await.is_refused_by(Check::Header, "`alg`");
}

#[tokio::test]
async fn j5_any_crit_is_refused() {
    let server = Server::start().await;
    for crit in
        [json!(["exp"]), json!([]), json!(["alg"]), json!(null), json!("exp"), json!(["b64"])]
    {
        let reply = server.get(server.token().header("crit", crit)).await;
        reply.is_refused_by(Check::Header, "`crit`");
    }
}

#[tokio::test]
async fn j6_any_b64_is_refused_and_so_are_compression_and_nesting() {
    let server = Server::start().await;
    for b64 in [json!(false), json!(true), json!(null)] {
        let reply = server.get(server.token().header("b64", b64)).await;
        reply.is_refused_by(Check::Header, "`b64`");
    }
    server.get(server.token().header("zip", "DEF")).await.is_refused_by(Check::Header, "`zip`");
    for cty in ["JWT", "jwt", "application/jwt"] {
        let reply = server.get(server.token().header("cty", cty)).await;
        reply.is_refused_by(Check::Header, "`cty`");
    }
    server.get(server.token().header("cty", "application/json")).await.is_let_in();
}

#[tokio::test]
async fn j7_unknown_header_parameters_are_ignored_whatever_their_type() {
    let server = Server::start().await;
    let token = server
        .token()
        .header("foo", 1)
        .header("bar", json!({"deep": [null, true, 1.5]}))
        .header("x5t", json!([]))
        .header("nonce", "n");
    server.get(token).await.is_let_in();
}

#[tokio::test]
async fn j8_what_a_token_says_of_its_own_keys_chooses_none() {
    let server = Server::start().await;
    let mine = SigningKey::generate("key-1", server.issuer.key().algorithm()).unwrap();
    let mine = std::sync::Arc::new(mine);
    let forged = server
        .token()
        .header("jwk", mine.jwk())
        .header("jku", server.issuer.jwks_uri())
        .header("x5u", "https://evil.example/cert")
        .header("x5c", json!(["MIIB"]))
        .signed_by(mine);
    let loads = server.issuer.jwks_requests();
    server.get(forged).await.is_refused_by(Check::Signature, "signature");
    assert_eq!(server.issuer.jwks_requests(), loads);
}
