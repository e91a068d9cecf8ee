//! The applications that may send tokens of an issuer.

use serde_json::{Value, json};
use tower_fhir_auth::explanation::Check;

use crate::support::Server;

#[tokio::test]
async fn with_a_list_all_claims_that_name_the_client_name_the_same() {
    let server = Server::trusting(|issuer| issuer.clients(["good", "better"])).await;
    for (claims, words) in [
        (json!({"client_id": "good", "azp": "good", "appid": "good", "cid": "good"}), None),
        (json!({"client_id": null, "azp": null, "appid": "good"}), None),
        (json!({"cid": "good", "client_id": null}), None),
        (json!({"client_id": "good", "azp": "better"}), Some("`azp` names another client")),
        (json!({"azp": "good", "appid": "bad"}), Some("`appid` names another client")),
        (json!({"azp": "good", "cid": "bad"}), Some("`cid` names another client")),
        (json!({"client_id": "bad", "cid": "good"}), Some("`cid` names another client")),
        (json!({"azp": "good", "appid": ""}), Some("`appid` names another client")),
        (json!({"azp": "good", "cid": 7}), Some("`cid` is not a string")),
        (json!({"cid": "bad"}), Some("`cid`")),
        (json!({"cid": null}), Some("names no client (`client_id`, `azp`, `appid` or `cid`)")),
    ] {
        let reply = server.get(token(&server, &claims)).await;
        match words {
            None => {
                assert_eq!(reply.is_let_in().client_id(), Some("good"), "{claims}");
            }
            Some(words) => reply.is_refused_by(Check::Client, words),
        }
    }
}

#[tokio::test]
async fn without_a_list_claims_that_differ_refuse_nothing() {
    let server = Server::start().await;
    for (claims, client) in [
        (json!({"azp": "one", "cid": "two"}), Some("one")),
        (json!({"cid": "two"}), Some("two")),
        (json!({"cid": 7}), None),
    ] {
        let reply = server.get(token(&server, &claims)).await;
        assert_eq!(reply.is_let_in().client_id(), client, "{claims}");
    }
}

fn token(server: &Server, claims: &Value) -> tower_fhir_auth::test_util::TokenBuilder {
    let claims = claims.as_object().unwrap().clone();
    let token = server.token().without("client_id");
    claims.into_iter().fold(token, |token, (name, value)| token.claim(&name, value))
}
