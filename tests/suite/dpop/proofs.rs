//! Checks of a proof (RFC 9449 section 4.3, and the claims of section 4.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::ProofBuilder;

use super::kit::{World, key};
use crate::support::{BASE, NOW};

#[tokio::test]
async fn a_sound_proof_of_each_algorithm_lets_the_token_in() {
    for algorithm in Algorithm::ALL {
        let mut world = World::start().await;
        world.key = key(*algorithm);
        let token = world.bound();
        let proof = world.proof(&token).sign().unwrap();
        let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
        assert_eq!(reply.is_let_in().subject(), Some("alice"), "{algorithm}");
    }
}

#[tokio::test]
async fn section_4_3_check_1_there_is_one_proof_and_no_second_one() {
    let world = World::start().await;
    let token = world.bound();
    let [one, other] = [(); 2].map(|()| world.proof(&token).sign().unwrap());
    let credentials = format!("DPoP {token}");
    world.send(&credentials, &[&one, &other]).await.is_no_good_proof("more than one `DPoP` header");
    let joined = format!("{one}, {other}");
    world.send(&credentials, &[&joined]).await.is_no_good_proof("the proof is ");
    // None of them has been used.
    world.send(&credentials, &[&one]).await.is_let_in();
}

#[tokio::test]
async fn section_4_3_check_2_it_is_one_well_formed_jwt() {
    let world = World::start().await;
    let token = world.bound();
    let good = world.proof(&token).sign().unwrap();
    for bad in ["", "x", "a.b", "a.b.c.d", &format!("{good}."), &format!("{good}=")] {
        let reply = world.raw(bad).await;
        reply.is_no_good_proof("the proof ");
    }
    let large = |size: usize| {
        let proof = world.proof(&token).claim("x", "y".repeat(size));
        proof.sign().unwrap()
    };
    let largest = large(5_000);
    assert!(largest.len() < 8 * 1024);
    world.send(&format!("DPoP {token}"), &[&largest]).await.is_let_in();
    let too_large = large(6_000);
    assert!(too_large.len() > 8 * 1024);
    world.send(&format!("DPoP {token}"), &[&too_large]).await.is_no_good_proof("larger than 8 KiB");
    for doubled in
        [r#"{"jti":"a","jti":"b","htm":"GET","htu":"x","iat":1,"ath":"x"}"#, r#"["jti"]"#, ""]
    {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": world.key.jwk()}).to_string();
        let proof = world.key.sign(header.as_bytes(), doubled.as_bytes()).unwrap();
        world.raw(&proof).await.is_no_good_proof("the proof has a payload");
    }
}

#[tokio::test]
async fn section_4_3_check_3_all_claims_are_there_with_their_types() {
    let world = World::start().await;
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let missing = world.changed(|proof| proof.without(name)).await;
        missing.is_no_good_proof(&format!("`{name}` of the proof is missing"));
        for other in [Value::Null, json!({}), json!(true), json!([""])] {
            let reply = world.changed(|proof| proof.claim(name, other)).await;
            reply.is_no_good_proof(&format!("`{name}` of the proof is no"));
        }
    }
    world.changed(|proof| proof.claim("jti", "")).await.is_no_good_proof("`jti` of the proof");
    let long = "x".repeat(257);
    world.changed(|proof| proof.claim("jti", long)).await.is_no_good_proof("256 bytes");
    let longest = "x".repeat(256);
    world.changed(|proof| proof.claim("jti", longest)).await.is_let_in();
    world.changed(|proof| proof.claim("iat", "1800000000")).await.is_no_good_proof("`iat`");
    world.changed(|proof| proof.claim("iat", 1e300)).await.is_no_good_proof("`iat`");
    world.changed(|proof| proof.claim("more", json!({"of": ["it"]}))).await.is_let_in();
}

#[tokio::test]
async fn section_4_3_check_4_its_type_is_that_of_proofs() {
    let world = World::start().await;
    for typ in ["jwt", "at+jwt", "", "dpop", "dpop+jwt ", "text/dpop+jwt"] {
        world
            .changed(|proof| proof.header("typ", typ))
            .await
            .is_no_good_proof("`typ` of the proof");
    }
    world.changed(|proof| proof.without_header("typ")).await.is_no_good_proof("`typ` of the proof");
    world.changed(|proof| proof.header("typ", "application/DPoP+JWT")).await.is_let_in();
}

#[tokio::test]
async fn section_4_3_check_5_its_algorithm_is_an_asymmetric_signature() {
    let world = World::start().await;
    for alg in ["none", "HS256", "HS512", "dir", "ES257", ""] {
        let reply = world.changed(|proof| proof.header("alg", alg)).await;
        reply.is_no_good_proof("`alg` of the proof");
    }
    let missing = world.changed(|proof| proof.without_header("alg")).await;
    missing.is_no_good_proof("`alg` of the proof");
    for other in ["ES384", "RS256", "EdDSA"] {
        let reply = world.changed(|proof| proof.header("alg", other)).await;
        reply.is_no_good_proof("`jwk` of the proof cannot be used");
    }
    for name in ["crit", "b64", "zip"] {
        let reply = world.changed(|proof| proof.header(name, json!(["x"]))).await;
        reply.is_no_good_proof(&format!("`{name}` in the header of the proof"));
    }
    // A JWT in it would have claims of its own.
    for nested in ["JWT", "application/jwt"] {
        let reply = world.changed(|proof| proof.header("cty", nested)).await;
        reply.is_no_good_proof("`cty` in the header of the proof");
    }
}

#[tokio::test]
async fn section_4_3_check_6_its_signature_verifies_with_the_key_in_it() {
    let world = World::start().await;
    let other = key(Algorithm::Es256);
    let reply = world.changed(|proof| proof.signed_by(other)).await;
    reply.is_no_good_proof("the signature of the proof");
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let (start, _) = proof.rsplit_once('.').unwrap();
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    world.raw(&format!("{start}.{zeros}")).await.is_no_good_proof("the signature of the proof");
    let missing = world.changed(|proof| proof.without_header("jwk")).await;
    missing.is_no_good_proof("`jwk` of the proof is missing");
    for jwk in [json!("x"), json!(null), json!([])] {
        let reply = world.changed(|proof| proof.header("jwk", jwk)).await;
        reply.is_no_good_proof("`jwk` of the proof is not a JSON object");
    }
    let reply = world.changed(|proof| proof.header("jwk", json!({"kty": "EC"}))).await;
    reply.is_no_good_proof("`jwk` of the proof cannot be used: `crv` is missing");
}

#[tokio::test]
async fn section_4_3_check_7_the_key_in_it_is_public() {
    let world = World::start().await;
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut jwk = world.key.jwk();
        jwk[name] = "AQAB".into();
        let reply = world.changed(|proof| proof.header("jwk", jwk)).await;
        reply.is_no_good_proof(&format!("`jwk` of the proof cannot be used: `{name}` belongs to"));
    }
    let symmetric = json!({"kty": "oct", "k": "AAAA"});
    let reply = world.changed(|proof| proof.header("jwk", symmetric)).await;
    reply.is_no_good_proof("`jwk` of the proof cannot be used");
}

#[tokio::test]
async fn section_4_3_check_8_it_is_for_the_method_of_the_request() {
    let world = World::start().await;
    for htm in ["POST", "HEAD", "get", "", "GET "] {
        world.changed(|proof| proof.claim("htm", htm)).await.is_no_good_proof("`htm` of the proof");
    }
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let head = Request::head("/r4/Patient/1").header("authorization", format!("DPoP {token}"));
    let reply = world.server.send(head.header("dpop", &proof)).await;
    assert_eq!(reply.status, 401, "{reply:#?}");
}

#[tokio::test]
async fn section_4_3_check_9_it_is_for_the_address_of_the_request_without_query_and_fragment() {
    let world = World::start().await;
    for htu in [
        "https://fhir.example.org/r4/Patient/2",
        "http://fhir.example.org/r4/Patient/1",
        "https://fhir.example.com/r4/Patient/1",
        "https://fhir.example.org:8443/r4/Patient/1",
        "https://fhir.example.org/r4/Patient/1/",
        "https://fhir.example.org/r4",
        "/r4/Patient/1",
        "",
    ] {
        world.changed(|proof| proof.claim("htu", htu)).await.is_no_good_proof("`htu` of the proof");
    }
    for htu in [
        "https://fhir.example.org/r4/Patient/1?_format=json",
        "https://fhir.example.org/r4/Patient/1#x",
        "HTTPS://FHIR.EXAMPLE.ORG:443/r4/./Patient/%31",
    ] {
        world.changed(|proof| proof.claim("htu", htu)).await.is_let_in();
    }
    // The query of the request does not count either.
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let search = Request::get("/r4/Patient/1?_summary=true");
    let search = search.header("authorization", format!("DPoP {token}")).header("dpop", &proof);
    world.server.send(search).await.is_let_in();
}

#[tokio::test]
async fn the_address_of_a_request_is_that_of_the_base_url_and_never_of_its_host() {
    let world = World::start().await;
    let send = async |htu: &str| {
        let token = world.bound();
        let proof = world.proof(&token).claim("htu", htu).sign().unwrap();
        let request = Request::get("/r4/Patient/1").header("host", "evil.example");
        let request = request
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example;proto=https")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", &proof);
        world.server.send(request).await
    };
    send("https://evil.example/r4/Patient/1").await.is_no_good_proof("`htu` of the proof");
    send(&format!("{BASE}/Patient/1")).await.is_let_in();
    // Nor of an absolute address in the request line.
    let token = world.bound();
    let proof = world.proof(&token).claim("htu", "https://evil.example/r4/Patient/1");
    let request = Request::get("https://evil.example/r4/Patient/1")
        .header("authorization", format!("DPoP {token}"))
        .header("dpop", proof.sign().unwrap());
    world.server.send(request).await.is_no_good_proof("`htu` of the proof");
}

#[tokio::test]
async fn section_4_3_check_11_it_was_made_a_short_time_ago() {
    let world = World::start().await;
    // `max_age` and the leeway, 60 s each.
    for (iat, words) in [
        (NOW - 121, Some("`iat` of the proof is too long ago")),
        (NOW - 120, None),
        (NOW, None),
        (NOW + 60, None),
        (NOW + 61, Some("`iat` of the proof is in the future")),
        (0, Some("`iat` of the proof is too long ago")),
    ] {
        let reply = world.changed(|proof| proof.claim("iat", iat)).await;
        match words {
            None => drop(reply.is_let_in()),
            Some(words) => {
                reply.is_no_good_proof(words);
                assert!(reply.challenge().contains("this server's clock: 2027-01-15T08:00:00Z"));
            }
        }
    }
}

/// A proof is a JWT: RFC 7519 sections 4.1.4 and 4.1.5, with the leeway of 60 s.
#[tokio::test]
async fn a_proof_that_says_when_it_ends_or_begins_is_held_to_it() {
    let world = World::start().await;
    for (name, date, words) in [
        ("exp", json!(NOW - 60), Some("`exp` of the proof has passed")),
        ("exp", json!(NOW - 59), None),
        ("exp", json!(NOW + 1), None),
        ("nbf", json!(NOW + 61), Some("`nbf` of the proof is in the future")),
        ("nbf", json!(NOW + 60), None),
        ("exp", json!("soon"), Some("`exp` of the proof is not a date")),
        ("nbf", Value::Null, Some("`nbf` of the proof is not a date")),
    ] {
        let reply = world.changed(|proof| proof.claim(name, date)).await;
        match words {
            None => drop(reply.is_let_in()),
            Some(words) => reply.is_no_good_proof(words),
        }
    }
}

#[tokio::test]
async fn section_4_3_check_12_it_is_for_this_token_and_of_the_key_of_this_token() {
    let world = World::start().await;
    let other = world.token().claim("jti", "another").sign().unwrap();
    let reply = world.changed(|proof| proof.of_token(&other)).await;
    reply.is_no_good_proof("`ath` of the proof is not the hash of the access token");
    let token = world.bound();
    let now = tower_fhir_auth::authentication::UnixTime::from_secs(NOW);
    let url = format!("{BASE}/Patient/1");
    let proof = ProofBuilder::new(key(Algorithm::Es256), &http::Method::GET, &url, now);
    let proof = proof.of_token(&token).sign().unwrap();
    let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
    reply.is_refused_on_dpop("invalid_token", "a key other than that of `cnf.jkt`");
}

#[tokio::test]
async fn a_refusal_repeats_nothing_of_a_proof() {
    let world = World::start().await;
    let secret = "c2VjcmV0c2VjcmV0";
    for (name, value) in [("htu", secret), ("htm", secret), ("ath", secret), ("iat", secret)] {
        let reply = world.changed(|proof| proof.claim(name, value)).await;
        assert!(!format!("{reply:?}").contains(secret), "{name}");
    }
    let reply = world.changed(|proof| proof.header("alg", secret)).await;
    assert!(!format!("{reply:?}").contains(secret));
    for jwk in [
        json!({"kty": secret}),
        json!({"kty": "EC", "crv": secret}),
        json!({"kty": "OKP", "crv": secret, "x": secret}),
        {
            let mut own = key(Algorithm::Es256).jwk();
            own["alg"] = secret.into();
            own
        },
    ] {
        let reply = world.changed(|proof| proof.header("jwk", jwk.clone())).await;
        assert_eq!(reply.status, 401);
        assert!(!format!("{reply:?}").contains(secret), "{jwk}: {reply:?}");
    }
}
