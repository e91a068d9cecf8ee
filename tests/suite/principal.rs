//! The caller, as a handler sees them, and as a log does not.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn the_claims_of_a_token_are_in_the_principal() {
    let server = Server::trusting(|issuer| issuer.roles_claim("realm_access.roles")).await;
    let token = server
        .token()
        .claim("oid", "o-1")
        .claim("tid", "t-1")
        .claim("realm_access", json!({"roles": ["reader"]}))
        .claim("roles", json!(["not", "these"]))
        .claim("groups", json!(["g"]))
        .claim("fhirUser", "Practitioner/7")
        .claim("patient", "p-1");
    let reply = server.get(token).await;
    let caller = reply.is_let_in();
    assert_eq!(caller.issuer(), server.issuer.url());
    assert_eq!(caller.subject(), Some("alice"));
    assert_eq!(caller.object_id(), Some("o-1"));
    assert_eq!(caller.tenant_id(), Some("t-1"));
    assert_eq!(caller.client_id(), Some("app"));
    assert_eq!(caller.fhir_user(), Some("Practitioner/7"));
    assert_eq!(caller.patient(), Some("p-1"));
    assert!(caller.has_role("reader") && !caller.has_role("not"));
    assert_eq!(caller.expires_at().to_string(), "2027-01-15T08:05:00Z");
}

#[tokio::test]
async fn a_roles_claim_with_a_dot_in_its_name_comes_before_the_path() {
    let url = "https://example.org/claims.roles";
    let server = Server::trusting(|issuer| issuer.roles_claim(url)).await;
    let reply = server.get(server.token().claim(url, json!(["a"]))).await;
    assert!(reply.is_let_in().has_role("a"));
}

#[tokio::test]
async fn the_client_is_client_id_or_azp_or_appid_or_cid_and_may_be_limited() {
    let server = Server::trusting(|issuer| issuer.clients(["good"])).await;
    let bare = || server.token().without("client_id");
    for name in ["client_id", "azp", "appid", "cid"] {
        let reply = server.get(bare().claim(name, "good")).await;
        assert_eq!(reply.is_let_in().client_id(), Some("good"));
        let reply = server.get(bare().claim(name, "Good")).await;
        reply.is_refused_by(tower_fhir_auth::explanation::Check::Client, "is not allowed");
    }
    let first = server.get(bare().claim("client_id", "bad").claim("azp", "good")).await;
    first.is_refused_by(tower_fhir_auth::explanation::Check::Client, "client");
    server
        .get(bare())
        .await
        .is_refused_by(tower_fhir_auth::explanation::Check::Client, "no client");
}

#[tokio::test]
async fn further_claims_are_read_as_a_type_of_ones_own() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Address {
        city: String,
    }
    let server = Server::start().await;
    let token = server.token().claim("address", json!({"city": "Ghent"})).claim("level", 3);
    let reply = server.get(token).await;
    let caller = reply.is_let_in();
    let address: Option<Address> = caller.claim("address").unwrap();
    assert_eq!(address, Some(Address { city: "Ghent".to_owned() }));
    assert_eq!(caller.claim::<u8>("level").unwrap(), Some(3));
    assert_eq!(caller.claim::<u8>("absent").unwrap(), None);
    let error = caller.claim::<u8>("address").unwrap_err();
    assert_eq!(error.to_string(), "claim `address` is not of the expected type");

    #[derive(Debug, Deserialize, PartialEq)]
    struct Claims {
        address: Address,
        level: u8,
        absent: Option<u8>,
    }
    let all: Claims = caller.claims().unwrap();
    let address = Address { city: "Ghent".to_owned() };
    assert_eq!(all, Claims { address, level: 3, absent: None });
    let error = caller.claims::<Vec<u8>>().unwrap_err();
    assert_eq!(error.to_string(), "the claims are not of the expected type");
}

#[tokio::test]
async fn debug_names_no_person_and_clones_share_one_allocation() {
    let server = Server::start().await;
    let secret = "a-name-that-no-log-may-hold";
    let names = ["sub", "oid", "tid", "client_id", "patient", "fhirUser", "email"];
    let token = names.iter().fold(server.token(), |token, name| token.claim(name, secret));
    let reply = server.get(token.claim("groups", json!([secret])).claim("scope", "s")).await;
    let caller = reply.is_let_in();
    let debug = format!("{caller:?}");
    assert!(!debug.contains(secret), "{debug}");
    assert!(debug.contains("scopes: [\"s\"]") && debug.contains("subject: Present"), "{debug}");
    let clone = Arc::new(caller.clone());
    assert!(std::ptr::eq(clone.issuer(), caller.issuer()));
    assert_eq!(size_of_val(caller), size_of::<usize>());
}
