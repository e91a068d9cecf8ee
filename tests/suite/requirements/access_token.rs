//! RFC 9068: JWT access tokens, and what other providers send in their place.

use serde_json::{Value, json};
use tower_fhir_auth::authenticated;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;

use crate::support::{BASE, NOW, Server, b64};

#[tokio::test]
async fn a1_typ_is_that_of_an_access_token() {
    let server = Server::start().await;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", "JWT", "jwt", ""] {
        server.get(server.token().header("typ", typ)).await.is_let_in();
    }
    server.get(server.token().without_header("typ")).await.is_let_in();
    for other in [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "id+jwt",
        "at+jwt ",
        "text/at+jwt",
        "application/",
    ] {
        let reply = server.get(server.token().header("typ", other)).await;
        reply.is_refused_by(Check::Type, "`typ`");
    }
    let number = server.get(server.token().header("typ", 5)).await;
    number.is_refused_by(Check::Header, "`typ`");

    let strict = Server::trusting(|issuer| issuer.token_types(["at+jwt"])).await;
    strict.get(strict.token()).await.is_let_in();
    strict.get(strict.token().header("typ", "JWT")).await.is_refused_by(Check::Type, "`typ`");
    strict.get(strict.token().without_header("typ")).await.is_refused_by(Check::Type, "`typ`");
}

#[tokio::test]
async fn a2_tokens_are_signed_with_an_accepted_algorithm_of_the_issuers_keys() {
    for algorithm in Algorithm::ALL {
        let build =
            |layer: tower_fhir_auth::FhirAuthLayerBuilder| layer.authorizer(authenticated());
        let server = Server::build(*algorithm, |issuer| issuer, build).await;
        server.get(server.token()).await.is_let_in();
        let changed = if *algorithm == Algorithm::Rs256 { "RS384" } else { "RS256" };
        let reply = server.get(server.token().header("alg", changed)).await;
        reply.is_refused_by(Check::Key, "`alg`");
    }
    let server = Server::trusting(|issuer| issuer.algorithms([Algorithm::Rs256])).await;
    let reply = server.get(server.token()).await;
    reply.is_refused_by(Check::Algorithm, "the token has `ES256`, this server accepts `RS256`");
}

#[tokio::test]
async fn a3_iss_is_exactly_a_trusted_issuer() {
    let server = Server::start().await;
    let url = server.issuer.url().to_owned();
    for other in [
        format!("{url}/"),
        url.to_uppercase(),
        format!("{url}.evil.example"),
        "https://evil.example".to_owned(),
        String::new(),
        format!(" {url}"),
    ] {
        let reply = server.get(server.token().claim("iss", other.clone())).await;
        reply.is_refused_by(Check::Issuer, &format!("this server accepts `{url}`"));
        assert!(reply.body.contains(&format!("the token has `{other}`")), "{}", reply.body);
    }
    server.get(server.token().without("iss")).await.is_refused_by(Check::Issuer, "missing");
}

#[tokio::test]
async fn a4_aud_contains_an_identifier_of_this_server() {
    let server = Server::start().await;
    server.get(server.token().without("aud")).await.is_refused_by(Check::Audience, "missing");
    let prefix = server.get(server.token().claim("aud", format!("{BASE}/Patient"))).await;
    prefix.is_refused_by(Check::Audience, "`aud`");
}

#[tokio::test]
async fn a5_exp_is_required_whatever_the_settings() {
    let none: [&str; 0] = [];
    let server = Server::trusting(|issuer| issuer.required_claims(none)).await;
    for token in [server.token().without("exp"), server.token().claim("exp", Value::Null)] {
        server.get(token).await.is_refused_by(Check::RequiredClaims, "`exp` is required");
    }
    server.get(server.token().without("sub")).await.is_let_in();
}

#[tokio::test]
async fn a6_required_claims_are_there() {
    let required = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"];
    let server = Server::trusting(|issuer| issuer.required_claims(required)).await;
    server.get(server.token()).await.is_let_in();
    for name in ["sub", "client_id", "iat", "jti"] {
        for token in [
            server.token().without(name),
            server.token().claim(name, Value::Null),
            server.token().claim(name, ""),
        ] {
            let reply = server.get(token).await;
            if name == "iat" && reply.body.contains("NumericDate") {
                continue;
            }
            reply.is_refused_by(Check::RequiredClaims, &format!("`{name}` is required"));
        }
    }
    let default = Server::start().await;
    let reply = default.get(default.token().claim("sub", Value::Null)).await;
    reply.is_refused_by(Check::RequiredClaims, "`sub` is required");
    default
        .get(default.token().without("jti").without("client_id").without("iat"))
        .await
        .is_let_in();
}

#[tokio::test]
async fn a7_encrypted_tokens_are_refused() {
    let server = Server::start().await;
    let header = b64(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let jwe = format!("{header}.{}.{}.{}.{}", b64("key"), b64("iv"), b64("text"), b64("tag"));
    server.bearer(&jwe).await.is_refused_by(Check::Shape, "encrypted");
}

#[tokio::test]
async fn a8_every_fault_of_a_token_is_invalid_token() {
    let server = Server::start().await;
    for token in [
        server.token().claim("exp", NOW - 3600),
        server.token().claim("aud", "other"),
        server.token().header("kid", "other"),
        server.token().claim("cnf", json!({"x5t#S256": "x"})),
        server.token().claim("cnf", json!({})),
        server.token().claim("cnf", ""),
    ] {
        let reply = server.get(token).await;
        assert_eq!(reply.status, 401);
        assert!(reply.challenge().contains("error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn a9_scope_is_separated_by_spaces_and_roles_and_groups_are_lists() {
    let server = Server::start().await;
    let token = server
        .token()
        .claim("scope", "openid  a,b\tc a")
        .claim("scp", json!(["d", "e f"]))
        .claim("roles", json!(["reader", 5, "reader", "two words"]))
        .claim("groups", json!(["g1", "g2"]));
    let reply = server.get(token).await;
    let principal = reply.is_let_in();
    assert_eq!(principal.scopes().collect::<Vec<_>>(), ["openid", "a,b\tc", "a", "d", "e", "f"]);
    assert_eq!(principal.roles().collect::<Vec<_>>(), ["reader", "two words"]);
    assert_eq!(principal.groups().collect::<Vec<_>>(), ["g1", "g2"]);
    assert!(principal.has_scope("d") && !principal.has_scope("e f"));
}

#[tokio::test]
async fn a10_what_says_how_the_user_signed_in_is_not_interpreted() {
    let server = Server::start().await;
    let token = server.token().claim("auth_time", "never").claim("acr", 5).claim("amr", json!({}));
    let reply = server.get(token).await;
    let acr: Option<u8> = reply.is_let_in().claim("acr").unwrap();
    assert_eq!(acr, Some(5));
}
