//! The sign-in as handlers and audit logs see it: `acr`, `auth_time`, `amr`, `act`, and purposes of use.

use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;

use crate::support::{NOW, Server};

#[tokio::test]
async fn the_context_of_a_sign_in_is_told() {
    let server = Server::start().await;
    let token = server
        .token()
        .claim("acr", "urn:example:mfa")
        .claim("auth_time", NOW - 5)
        .claim("amr", json!(["pwd", "otp"]));
    let reply = server.get(token).await;
    let caller = reply.is_let_in();
    assert_eq!(caller.acr().as_deref(), Some("urn:example:mfa"));
    assert_eq!(caller.auth_time(), Some(UnixTime::from_secs(NOW - 5)));
    assert_eq!(caller.amr(), ["pwd", "otp"]);
    let odd = server.token().claim("acr", 1).claim("auth_time", "x").claim("amr", json!({}));
    let reply = server.get(odd).await;
    let caller = reply.is_let_in();
    assert_eq!((caller.acr(), caller.auth_time()), (None, None));
    assert!(caller.amr().is_empty() && caller.actors().is_empty());
}

#[tokio::test]
async fn actors_are_told_one_in_the_other_up_to_four() {
    let server = Server::start().await;
    let act = (0..6).rev().fold(Value::Null, |inner, n| {
        let mut act = json!({"sub": format!("actor {n}"), "iss": "https://idp.example.org"});
        if !inner.is_null() {
            act["act"] = inner;
        }
        act
    });
    let reply = server.get(server.token().claim("act", act)).await;
    let actors = reply.is_let_in().actors();
    let names: Vec<_> = actors.iter().map(|actor| actor.subject.as_deref().unwrap()).collect();
    assert_eq!(names, ["actor 0", "actor 1", "actor 2", "actor 3"]);
    assert_eq!(actors[0].issuer.as_deref(), Some("https://idp.example.org"));
}

#[tokio::test]
async fn purposes_are_read_where_iua_and_udap_put_them() {
    let server = Server::start().await;
    let purposes = async |extensions: Value| {
        let reply = server.get(server.token().claim("extensions", extensions)).await;
        let purposes = reply.is_let_in().purpose_of_use();
        purposes.into_iter().map(|one| (one.system, one.code)).collect::<Vec<_>>()
    };
    let system = "urn:oid:2.16.840.1.113883.5.8";
    let of = |code: &str| (Some(system.to_owned()), code.to_owned());
    let iua = json!({"ihe_iua": {"purpose_of_use": [
        {"system": system, "code": "ETREAT"}, {"code": ""}, 5,
    ]}});
    assert_eq!(purposes(iua).await, [of("ETREAT")]);
    let udap = json!({"hl7-b2b": {"purpose_of_use": [format!("{system}#TREAT"), "HPAYMT"]}});
    assert_eq!(purposes(udap).await, [of("TREAT"), (None, "HPAYMT".to_owned())]);
    for none in [json!("x"), json!({}), json!({"hl7-b2b": 1}), json!(null)] {
        assert!(purposes(none).await.is_empty());
    }
}
