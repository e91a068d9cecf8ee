//! The challenge, and who gets one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_fhir_auth::authorization::{StepUp, StepUpCallers};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{Entra, FhirAuthLayer, RejectionKind, TrustedIssuer, authenticated};

use super::{MFA, ask, on, server, strong, weak};
use crate::support::{BASE, NOW, Reply, send};

#[track_caller]
fn is_challenged(reply: &Reply, attributes: &str) {
    assert_eq!(reply.status, 401, "{reply:#?}");
    assert_eq!(reply.kind(), RejectionKind::InsufficientUserAuthentication);
    assert_eq!(reply.rejection.as_ref().unwrap().check(), Some(Check::StepUp));
    let challenge = reply.challenge();
    let start = format!("Bearer realm=\"{BASE}\", error=\"insufficient_user_authentication\", ");
    assert!(challenge.starts_with(&start), "{challenge}");
    assert!(challenge.contains(attributes), "no `{attributes}` in {challenge}");
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(body["issue"][0]["code"], "login");
}

fn five_minutes() -> StepUp {
    on(["Patient.d"]).acr([MFA, "urn:example:card"]).max_auth_age(Duration::from_secs(300))
}

#[tokio::test]
async fn section_3_the_challenge_names_acr_values_and_max_age() {
    let server = server([five_minutes()]).await;
    let both = "acr_values=\"urn:example:mfa urn:example:card\", max_age=\"300\"";
    for token in [
        weak(&server),
        strong(&server).claim("acr", "urn:example:password"),
        strong(&server).claim("acr", json!([MFA])),
        strong(&server).without("acr"),
        strong(&server).without("auth_time"),
        strong(&server).claim("auth_time", NOW - 301),
        strong(&server).claim("auth_time", 0),
    ] {
        is_challenged(&ask(&server, "DELETE", "/Patient/1", token).await, both);
    }
    for token in [
        strong(&server),
        strong(&server).claim("acr", "urn:example:card"),
        strong(&server).claim("auth_time", NOW - 300),
        strong(&server).claim("auth_time", NOW + 30),
    ] {
        ask(&server, "DELETE", "/Patient/1", token).await.is_let_in();
    }
}

#[tokio::test]
async fn a_time_of_sign_in_that_is_none_or_in_the_future_is_an_invalid_token() {
    let server = server([five_minutes()]).await;
    for time in [json!(NOW + 100), json!("1800000000"), json!(null), json!({}), json!(1e300)] {
        let token = strong(&server).claim("auth_time", time.clone());
        let reply = ask(&server, "DELETE", "/Patient/1", token).await;
        reply.is_refused_by(Check::StepUp, "`auth_time` is not a valid time, or is in the future");
        // A better sign-in would not mend it, whatever else is missing.
        let token = weak(&server).claim("auth_time", time);
        let reply = ask(&server, "DELETE", "/Patient/1", token).await;
        reply.is_refused_by(Check::StepUp, "`auth_time` is not a valid time, or is in the future");
    }
}

#[tokio::test]
async fn a_time_of_sign_in_counts_where_one_is_asked_for() {
    let server = server([on(["Patient.d"]).acr([MFA])]).await;
    for time in [json!("soon"), json!(NOW + 1000)] {
        let token = strong(&server).claim("auth_time", time);
        ask(&server, "DELETE", "/Patient/1", token).await.is_let_in();
    }
}

#[tokio::test]
async fn where_no_value_satisfies_all_the_challenge_names_those_of_the_first() {
    let requirements = [on(["*.d"]).acr([MFA]), on(["Patient.d"]).acr(["urn:example:card"])];
    let server = server(requirements).await;
    let reply = ask(&server, "DELETE", "/Patient/1", weak(&server)).await;
    is_challenged(&reply, "acr_values=\"urn:example:mfa\"");
}

#[tokio::test]
async fn what_is_not_granted_is_403_before_any_step_up() {
    let server = server([five_minutes()]).await;
    let token = weak(&server).claim("scope", "system/Patient.r");
    let reply = ask(&server, "DELETE", "/Patient/1", token).await;
    assert_eq!((reply.status.as_u16(), reply.kind()), (403, RejectionKind::Forbidden));
}

#[tokio::test]
async fn all_blocks_that_match_must_hold_and_one_challenge_asks_for_all() {
    let requirements = [
        on(["*.d"]).acr([MFA, "urn:example:card"]),
        on(["Patient.d"]).acr(["urn:example:card"]).max_auth_age(Duration::from_secs(600)),
        on(["Patient.d"]).max_auth_age(Duration::from_secs(60)),
    ];
    let server = server(requirements).await;
    let both = "acr_values=\"urn:example:card\", max_age=\"60\"";
    for token in [
        weak(&server),
        strong(&server),
        strong(&server).claim("acr", "urn:example:card").claim("auth_time", NOW - 61),
    ] {
        is_challenged(&ask(&server, "DELETE", "/Patient/1", token).await, both);
    }
    let good = strong(&server).claim("acr", "urn:example:card");
    ask(&server, "DELETE", "/Patient/1", good).await.is_let_in();
    let of_another_type = ask(&server, "DELETE", "/Observation/1", weak(&server)).await;
    is_challenged(&of_another_type, "acr_values=\"urn:example:mfa urn:example:card\"");
    assert!(!of_another_type.challenge().contains("max_age"));
}

#[tokio::test]
async fn tokens_without_a_user_are_left_out_where_only_users_are_asked() {
    let server = server([on(["Patient.d"]).acr([MFA]).callers(StepUpCallers::Users)]).await;
    let delete =
        async |token: TokenBuilder| ask(&server, "DELETE", "/Patient/1", token).await.status;
    // `sub` is `alice`, `client_id` is `app`.
    assert_eq!(delete(weak(&server)).await, 401);
    assert_eq!(delete(weak(&server).claim("sub", "app")).await, 200);
    let user = weak(&server).claim("sub", "app").claim("fhirUser", "Practitioner/1");
    assert_eq!(delete(user).await, 401);
    // They are meant where nothing is said of callers.
    let server = super::server([on(["Patient.d"]).acr([MFA])]).await;
    let application = weak(&server).claim("sub", "app");
    assert_eq!(ask(&server, "DELETE", "/Patient/1", application).await.status, 401);
}

#[tokio::test]
async fn values_that_no_challenge_can_name_are_errors() {
    for (value, is_good) in
        [(MFA, true), ("", false), ("a b", false), ("a\"b", false), ("a\\b", false)]
    {
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(TrustedIssuer::discover("https://idp.example.org"))
            .authorizer(authenticated())
            .step_up(on(["Patient.d"]).acr([value]));
        let is_about_acr =
            layer.build().is_err_and(|error| error.to_string().contains("require.acr"));
        assert_eq!(is_about_acr, !is_good, "{value}");
    }
}

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";

#[tokio::test]
async fn entra_compares_acrs_and_clients_that_can_read_it_get_a_claims_challenge() {
    let key = std::sync::Arc::new(
        SigningKey::generate("k", tower_fhir_auth::jose::Algorithm::Es256).unwrap(),
    );
    let mut jwk = key.jwk();
    jwk["issuer"] = format!("https://login.microsoftonline.com/{TENANT}/v2.0").into();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({"keys": [jwk]}).to_string()).unwrap();
    JwkSet::parse(std::fs::read(&file).unwrap().as_slice()).unwrap();
    let issuers = Entra::tenant(TENANT, CLIENT).issuers_with_jwks_file(&file).unwrap();
    let layer = |callers| {
        FhirAuthLayer::builder(BASE)
            .issuers(issuers.clone())
            .clock(TestClock::at(NOW))
            .authorizer(authenticated())
            .step_up(on(["Patient.r"]).acr(["c1"]).callers(callers))
            .build()
            .unwrap()
    };
    let now = tower_fhir_auth::authentication::UnixTime::from_secs(NOW);
    let token = || {
        let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        TokenBuilder::new(&issuer, key.clone(), now)
            .header("typ", "JWT")
            .claim("aud", CLIENT)
            .claim("tid", TENANT)
            .claim("azp", "app")
            .without("client_id")
    };
    let all = layer(StepUpCallers::All);
    let get = async |layer: &FhirAuthLayer, token: TokenBuilder| {
        let bearer = format!("Bearer {}", token.sign().unwrap());
        send(layer, http::Request::get("/r4/Patient/1").header("authorization", bearer)).await
    };
    get(&all, token().claim("acrs", json!(["p1", "c1"]))).await.is_let_in();
    get(&all, token().claim("acrs", "c1")).await.is_let_in();
    // `acr` says something else there.
    for weak in [token(), token().claim("acr", "c1"), token().claim("acrs", json!(["c2"]))] {
        is_challenged(&get(&all, weak).await, "acr_values=\"c1\"");
    }
    let reply = get(&all, token().claim("xms_cc", json!(["cp1"]))).await;
    let challenge = reply.challenge();
    assert_eq!(reply.status, 401);
    assert!(challenge.contains("error=\"insufficient_claims\""), "{challenge}");
    let uri = format!(
        "authorization_uri=\"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize\""
    );
    assert!(challenge.contains(&uri) && !challenge.contains("acr_values"), "{challenge}");
    let claims = challenge.split_once("claims=\"").unwrap().1.split('"').next().unwrap();
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims, json!({"access_token": {"acrs": {"essential": true, "value": "c1"}}}));
    let reply = get(&all, token().claim("xms_cc", "cp1")).await;
    assert!(reply.challenge().contains("error=\"insufficient_claims\""), "{}", reply.challenge());
    // A time that is asked for is an essential claim, too.
    let timed = FhirAuthLayer::builder(BASE)
        .issuers(issuers.clone())
        .clock(TestClock::at(NOW))
        .authorizer(authenticated())
        .step_up(on(["Patient.r"]).max_auth_age(Duration::from_secs(60)))
        .build()
        .unwrap();
    let reply = get(&timed, token().claim("xms_cc", json!(["cp1"]))).await;
    let claims = reply.challenge().split_once("claims=\"").unwrap().1.split('"').next().unwrap();
    let claims: Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims, json!({"access_token": {"auth_time": {"essential": true}}}));
    // An application has no user to sign in.
    let users = layer(StepUpCallers::Users);
    get(&users, token().claim("idtyp", "app")).await.is_let_in();
    assert_eq!(get(&users, token().claim("idtyp", "user")).await.status, 401);
}

/// RFC 9470 section 3: each parameter where it is asked for.
#[tokio::test]
async fn a_sign_in_that_is_recent_enough_asks_for_no_level() {
    let server = server([on(["Patient.r"]).max_auth_age(Duration::from_secs(300))]).await;
    let reply = server.get(weak(&server)).await;
    assert_eq!(reply.status, 401);
    let challenge = reply.challenge();
    assert!(challenge.contains("max_age=\"300\""), "{challenge}");
    assert!(!challenge.contains("acr_values"), "{challenge}");
}

#[tokio::test]
async fn an_explanation_has_the_step() {
    let server = server([five_minutes()]).await;
    let token = weak(&server).sign().unwrap();
    let request = http::Request::delete("/r4/Patient/1");
    let request = request.header("authorization", format!("Bearer {token}"));
    let (request, ()) = request.body(()).unwrap().into_parts();
    let explanation = server.layer.explain(&request).await;
    let text = explanation.to_string();
    assert!(!explanation.is_accepted(), "{text}");
    assert!(
        text.contains("failed       step-up") && text.contains("passed       authorization"),
        "{text}"
    );
}
