//! Answers about an opaque token, judged as a JWT's claims are.

use serde_json::{Value, json};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{AudiencePolicy, ScopePolicy};

use super::kit::{Guarded, Manner, OPAQUE};
use crate::support::{BASE, NOW};

/// The refusal of a good answer with these changes.
async fn refused(changes: Value, check: Check, words: &str) {
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, changes);
    server.bearer(OPAQUE).await.is_refused_by(check, words);
}

async fn let_in(changes: Value) {
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, changes);
    server.bearer(OPAQUE).await.is_let_in();
}

#[tokio::test]
async fn n3_active_is_the_boolean_true_and_nothing_like_it() {
    let words = "the provider says that the token is not active";
    for active in [json!(false), json!("true"), json!(1), json!([true]), json!({}), Value::Null] {
        refused(json!({"active": active}), Check::Introspection, words).await;
    }
    let server = Guarded::start().await;
    server.bearer(OPAQUE).await.is_refused_by(Check::Introspection, words);
    // `null` itself, which the kit takes for none.
    let mut answer = server.provider.good();
    answer["active"] = Value::Null;
    server.provider.says("other", answer);
    server.bearer("other").await.is_refused_by(Check::Introspection, words);
    let_in(json!({})).await;
}

#[tokio::test]
async fn n4_exp_is_required_and_judged_as_nbf_and_iat_are() {
    refused(json!({"exp": null}), Check::RequiredClaims, "`exp` is required but missing").await;
    refused(json!({"exp": "soon"}), Check::Expiry, "`exp` is not a valid NumericDate").await;
    refused(json!({"nbf": NOW + 61}), Check::NotBefore, "`nbf` is in the future").await;
    refused(json!({"iat": NOW + 61}), Check::IssuedAt, "`iat` is in the future").await;
    let_in(json!({"exp": NOW - 59, "nbf": NOW + 60, "iat": NOW + 60})).await;
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, json!({"exp": NOW - 61}));
    let reply = server.bearer(OPAQUE).await;
    reply.is_refused_by(Check::Expiry, "the token has expired");
    assert!(reply.body.contains("\"expired\""), "{}", reply.body);
}

#[tokio::test]
async fn n5_an_audience_that_is_named_is_judged() {
    for aud in [json!("https://other.example.org"), json!([format!("{BASE}/")]), json!(["", "x"])] {
        refused(json!({"aud": aud}), Check::Audience, "`aud` does not name this server").await;
    }
    refused(json!({"aud": 5}), Check::Audience, "`aud`").await;
    let_in(json!({"aud": ["x", BASE]})).await;
}

#[tokio::test]
async fn n5_without_an_audience_a_token_may_be_for_any_api() {
    let absent = [Some(Value::Null), Some(json!("")), Some(json!([])), None];
    for is_known in [false, true] {
        for aud in &absent {
            let server = Guarded::with(|settings| match is_known {
                true => settings.audience_from_provider(),
                false => settings,
            })
            .await;
            let mut answer = server.provider.good();
            match aud {
                Some(aud) => answer["aud"] = aud.clone(),
                None => drop(answer.as_object_mut().unwrap().remove("aud")),
            }
            server.provider.says(OPAQUE, answer);
            let reply = server.bearer(OPAQUE).await;
            match is_known {
                true => drop(reply.is_let_in()),
                false => reply.is_refused_by(Check::Audience, "`aud` is missing from the provider"),
            }
        }
    }
    // One that is named is judged all the same.
    let server = Guarded::with(|settings| settings.audience_from_provider()).await;
    server.provider.says_with(OPAQUE, json!({"aud": "https://other.example.org"}));
    server.bearer(OPAQUE).await.is_refused_by(Check::Audience, "`aud` does not name this server");
    server.provider.says_with("odd", json!({"aud": {"a": 1}}));
    server.bearer("odd").await.is_refused_by(Check::Audience, "`aud`");
}

#[tokio::test]
async fn n5_an_issuer_that_is_named_is_the_one_that_was_asked() {
    let words = "`iss` of the provider's answer is not the issuer that was asked";
    for iss in [json!("https://other.example.org"), json!(5), json!("")] {
        refused(json!({"iss": iss}), Check::Introspection, words).await;
    }
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, json!({"iss": null}));
    assert_eq!(server.bearer(OPAQUE).await.is_let_in().issuer(), server.provider.url);
}

#[tokio::test]
async fn n6_scope_client_subject_and_the_members_of_smart_make_the_caller() {
    let server = Guarded::start().await;
    server.provider.says_with(
        OPAQUE,
        json!({"patient": "p1", "fhirUser": "Practitioner/d", "username": "a@example.org"}),
    );
    let reply = server.bearer(OPAQUE).await;
    let caller = reply.is_let_in();
    assert_eq!(caller.subject(), Some("alice"));
    assert_eq!(caller.client_id(), Some("app"));
    assert_eq!(caller.scopes().collect::<Vec<_>>(), ["system/Patient.rs", "launch"]);
    assert_eq!((caller.patient(), caller.fhir_user()), (Some("p1"), Some("Practitioner/d")));
    assert_eq!(caller.claim::<String>("username").unwrap().as_deref(), Some("a@example.org"));
    assert_eq!(caller.expires_at().as_secs(), NOW + 300);
}

#[tokio::test]
async fn n6_scopes_of_an_answer_grant_and_confine_as_those_of_a_jwt_do() {
    let granting = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        layer.authorizer(ScopePolicy::new()).handlers_enforce(tower_fhir_auth::Enforcement::ALL)
    };
    let server = Guarded::built(|settings| settings, |issuer| issuer, granting).await;
    server.provider.says_with(OPAQUE, json!({"scope": "patient/Patient.r", "patient": "1"}));
    server.bearer(OPAQUE).await.is_let_in();
    server.provider.says_with("another", json!({"scope": "patient/Patient.r", "patient": "2"}));
    assert_eq!(server.bearer("another").await.status, 403);
    server.provider.says_with("none", json!({"scope": "system/Observation.r"}));
    assert_eq!(server.bearer("none").await.status, 403);
}

#[tokio::test]
async fn an_answer_about_another_kind_of_token_is_refused_as_that_kind() {
    for (changes, words) in [
        (json!({"token_type": "refresh_token"}), "this is a refresh token"),
        (json!({"token_type": "Refresh"}), "this is a refresh token"),
        (json!({"token_use": "refresh_token"}), "this is a refresh token"),
        (json!({"typ": "Refresh"}), "this is a refresh token"),
        (json!({"typ": "Offline"}), "this is a refresh token"),
        (json!({"token_type": "id_token"}), "this is an ID token"),
        (json!({"at_hash": "x"}), "this is an ID token"),
        (json!({"token_type": "N_A"}), "this is not an access token"),
    ] {
        refused(changes, Check::TokenKind, words).await;
    }
    for token_type in [json!("bearer"), json!("access_token"), Value::Null] {
        let_in(json!({"token_type": token_type, "typ": "Bearer"})).await;
    }
}

#[tokio::test]
async fn the_rules_of_the_issuer_hold_for_answers() {
    let rules = |issuer: tower_fhir_auth::TrustedIssuer| {
        issuer
            .clients(["app"])
            .required_claims(["sub", "fhirUser"])
            .audience(AudiencePolicy::exact(["api"]))
            .max_token_age(std::time::Duration::from_secs(600))
    };
    let server = Guarded::built(|settings| settings, rules, |layer| layer).await;
    let good = json!({"aud": "api", "fhirUser": "Patient/1", "iat": NOW});
    server.provider.says_with("good", good.clone());
    server.bearer("good").await.is_let_in();
    let faults = [
        (json!({"client_id": "other"}), Check::Client),
        (json!({"client_id": null}), Check::Client),
        (json!({"fhirUser": null}), Check::RequiredClaims),
        (json!({"sub": null}), Check::RequiredClaims),
        (json!({"sub": 5}), Check::RequiredClaims),
        (json!({"aud": BASE}), Check::Audience),
        (json!({"iat": NOW - 661}), Check::IssuedAt),
        (json!({"iat": null}), Check::IssuedAt),
    ];
    for (index, (changes, check)) in faults.into_iter().enumerate() {
        let mut all = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        let token = format!("token-{index}");
        server.provider.says_with(&token, all);
        server.bearer(&token).await.is_refused_by(check, "");
    }
}

#[tokio::test]
async fn n7_an_answer_is_one_object_that_has_each_member_once() {
    let good = |server: &Guarded| server.provider.good().to_string();
    let server = Guarded::start().await;
    let sound = good(&server);
    let inner = sound.trim_start_matches('{');
    for body in [
        String::new(),
        "true".to_owned(),
        format!("[{sound}]"),
        format!("{sound}{sound}"),
        format!("{sound},"),
        format!("{{\"active\":true,{inner}"),
        format!("{{\"active\":false,{inner}"),
        format!("{{\"act\":{{\"sub\":1,\"sub\":2}},{inner}"),
        sound.replace("alice", "\u{1}"),
        sound.strip_suffix('}').unwrap().to_owned(),
    ] {
        let server = Guarded::start().await;
        server.provider.behave(Manner::Raw(200, "application/json", body));
        server.bearer(OPAQUE).await.is_unavailable();
    }
    let server = Guarded::start().await;
    let marked = format!("\u{feff} {} ", good(&server));
    server.provider.behave(Manner::Raw(200, "application/json; charset=utf-8", marked));
    server.bearer(OPAQUE).await.is_let_in();
}
