//! Advice follows from what was required, and names it as what it is: a scope, a role, or neither.

use std::time::Duration;

use http::Request;
use serde_json::json;
use tower_fhir_auth::authorization::{DataAction, IssuerLimits, require_all_roles};
use tower_fhir_auth::explanation::{Advice, AudienceReason, Check, Reason, Side, TimeReason};
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    AudiencePolicy, Authorizer, Denial, FhirAuthLayer, Grant, RoleDefinitions, RolePolicy,
    ScopePolicy, TrustedIssuer, authorize_fn, require_any_role, require_any_scope, require_role,
    require_scope,
};

use crate::support::{BASE, NOW, Server};

async fn advice(server: &Server, token: TokenBuilder) -> Vec<(Side, String)> {
    let header = format!("Bearer {}", token.sign().unwrap());
    let request = Request::get("/r4/Patient/1").header("authorization", header);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let explanation = server.layer.explain(&parts).await;
    let advice = explanation.failure().unwrap_or_else(|| panic!("{explanation}")).advice();
    advice.into_iter().map(|Advice { side, text, .. }| (side, text)).collect()
}

async fn advice_of(rule: impl Authorizer) -> Vec<(Side, String)> {
    let server = Server::authorizing(rule).await;
    advice(&server, server.token()).await
}

#[tokio::test]
async fn a_role_is_no_scope() {
    for (rule, expected) in [
        (require_role("admin"), "assign the role `admin` to the caller"),
        (require_all_roles(["a", "b"]), "assign the roles `a` and `b` to the caller"),
        (require_any_role(["a", "b"]), "assign the role `a` or `b` to the caller"),
    ] {
        assert_eq!(advice_of(rule).await, [(Side::Provider, expected.to_owned())]);
    }
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let text = "give the caller a role with the data action `readById` and no more, in the token \
                or by an assignment (`[roles.assign]`)";
    assert_eq!(advice_of(roles).await, [(Side::Server, text.to_owned())]);
}

#[tokio::test]
async fn any_scope_is_not_one_scope_with_a_space() {
    let scope = advice_of(require_scope("a")).await;
    assert_eq!(scope, [(Side::Client, "ask for the scope `a`".to_owned())]);
    let any = advice_of(require_any_scope(["a", "b"])).await;
    assert_eq!(any, [(Side::Client, "ask for the scope `a` or `b`".to_owned())]);
    let none = advice_of(require_any_scope::<String>([])).await;
    let [(Side::Server, text)] = none.as_slice() else { panic!("{none:?}") };
    assert!(text.contains("names nothing that would be enough"), "{text}");
}

#[tokio::test]
async fn a_limit_of_an_issuer_is_no_scope() {
    let limited = authorize_fn(|request| {
        let issuer = request.principal().issuer();
        IssuerLimits::new().allow(issuer, [DataAction::Create]).authorize(request)
    });
    let text = "allow its callers the data action `readById`, in the limits of the issuer";
    assert_eq!(advice_of(limited).await, [(Side::Server, text.to_owned())]);
}

#[tokio::test]
async fn what_an_application_denies_is_told_in_its_own_words() {
    let denied =
        |denial: Denial| authorize_fn(move |_| -> Result<Grant, Denial> { Err(denial.clone()) });
    let words =
        advice_of(denied(Denial::new("closed").with_expected("a visit; or an appointment"))).await;
    let [(Side::Server, text)] = words.as_slice() else { panic!("{words:?}") };
    assert!(text.contains("`a visit; or an appointment`") && !text.contains("scope"), "{text}");
    let bare = advice_of(denied(Denial::new("closed"))).await;
    let [(Side::Server, text)] = bare.as_slice() else { panic!("{bare:?}") };
    assert!(!text.contains("scope"), "{text}");
    let scopes = advice_of(denied(Denial::new("closed").required_scopes(["a", "b"]))).await;
    assert_eq!(scopes, [(Side::Client, "ask for the scopes `a` and `b`".to_owned())]);
    let roles = advice_of(denied(Denial::new("closed").required_roles(["admin"]))).await;
    assert_eq!(roles, [(Side::Provider, "assign the role `admin` to the caller".to_owned())]);
}

#[tokio::test]
async fn rules_together_advise_each_for_itself() {
    let either = require_role("admin").or(require_scope("a"));
    let both = require_role("admin").and(require_scope("a"));
    let expected = [
        (Side::Provider, "assign the role `admin` to the caller".to_owned()),
        (Side::Client, "ask for the scope `a`".to_owned()),
    ];
    assert_eq!(advice_of(either).await, expected);
    assert_eq!(advice_of(both).await, expected);
    let twice = require_scope("a").and(require_scope("a"));
    assert_eq!(advice_of(twice).await, expected.get(1..).unwrap());
}

/// A declaration that is missing comes first, whatever text the refusal has beside it.
#[tokio::test]
async fn what_the_handlers_have_not_declared_is_advised_once() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    let token = server.token().claim("patient", "1");
    let found = advice(&server, token.claim("scope", json!("patient/Patient.rs"))).await;
    let [(Side::Server, text), rest @ ..] = found.as_slice() else { panic!("{found:?}") };
    assert!(text.contains("`handlers_enforce`"), "{text}");
    assert!(rest.iter().all(|(side, _)| *side == Side::Client), "{found:?}");
}

#[tokio::test]
async fn two_audiences_are_not_proposed_as_one() {
    let audiences = AudiencePolicy::exact(["api://one", "api://two"]);
    let server = Server::trusting(|issuer| issuer.audience(audiences)).await;
    let token = server.token().claim("aud", json!(["a", "b"]));
    let text = "add `a` or `b` to `audiences` beside `api://one` and `api://two`, if it names this \
                API and not an application that calls it";
    let expected = [
        (Side::Client, "ask for a token for `api://one` or `api://two`".to_owned()),
        (Side::Server, text.to_owned()),
    ];
    assert_eq!(advice(&server, token).await, expected);
    let text = "put one string, or an array of strings, into `aud`".to_owned();
    let malformed = advice(&server, server.token().claim("aud", 7)).await;
    assert_eq!(malformed, [(Side::Provider, text)]);
}

#[tokio::test]
async fn a_difference_of_whole_hours_is_named_as_a_time_zone() {
    let server = Server::start().await;
    let zone = |name: &str, hours: &str| {
        format!(
            "look at the time zone: `{name}` is {hours} this server's clock, almost to the minute; \
             is the clock of one side in local time?"
        )
    };
    for (name, seconds, expected) in [
        ("exp", -7200, Some(zone("exp", "2 hours behind"))),
        ("exp", -7260, Some(zone("exp", "2 hours behind"))),
        ("exp", -3600 * 14, Some(zone("exp", "14 hours behind"))),
        ("exp", -7200 + 121, None),
        ("exp", -3600 * 24, None),
        ("exp", -100, None),
        ("nbf", 3600, Some(zone("nbf", "1 hour ahead of"))),
        ("nbf", 3600 - 90, Some(zone("nbf", "1 hour ahead of"))),
        ("nbf", 1800, None),
        ("iat", 7200 + 120, Some(zone("iat", "2 hours ahead of"))),
        ("iat", 100, None),
    ] {
        let found = advice(&server, server.token().claim(name, NOW + seconds)).await;
        let told = found.iter().find(|(_, text)| text.contains("time zone"));
        let told = told.map(|(side, text)| {
            assert_eq!(*side, Side::Provider);
            text.clone()
        });
        assert_eq!(told, expected, "{name} {seconds}: {found:?}");
        // No leeway could be so large.
        let leeway = found.iter().any(|(_, text)| text.contains("`leeway`"));
        assert_eq!(leeway, name != "exp" && seconds <= 600, "{name} {seconds}: {found:?}");
    }
}

#[tokio::test]
async fn a_token_of_cognito_without_an_audience_is_told_how_it_gets_one() {
    let server = Server::start().await;
    let text = |words: &str| words.to_owned();
    let expected = [
        (
            Side::Client,
            text(
                "send `resource` with the authorization request, for `https://fhir.example.org/r4`: \
                 Cognito binds the token to it and writes it into `aud` (RFC 8707; not for client \
                 credentials)",
            ),
        ),
        (
            Side::Provider,
            text(
                "define a resource server of the user pool with the identifier \
                 `https://fhir.example.org/r4`, so that it can be asked for",
            ),
        ),
        (
            Side::Provider,
            text(
                "for client credentials, write `aud` in a pre token generation trigger of version \
                 3: Cognito takes nothing there but the id of the app client",
            ),
        ),
        (
            Side::Server,
            text(
                "add that id to `audiences`, if the trigger writes it and the app client is for \
                 this API alone",
            ),
        ),
    ];
    let of_cognito = || server.token().without("aud").claim("token_use", "access");
    assert_eq!(advice(&server, of_cognito()).await, expected);
    let reply = server.get(of_cognito()).await;
    reply.is_refused_by(Check::Audience, "Amazon Cognito writes it into an access token only");
    assert!(reply.body.contains("this server accepts `https://fhir.example.org/r4`"));
    // By the name of the issuer, whatever the token says of itself.
    let pool = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc";
    let jwks = JwkSet::parse(server.issuer.jwks().to_string().as_bytes()).unwrap();
    let layer = FhirAuthLayer::builder(BASE)
        .clock(server.clock.clone())
        .issuer(TrustedIssuer::with_keys(pool, jwks))
        .authorizer(tower_fhir_auth::authenticated())
        .build()
        .unwrap();
    let named = Server { layer, ..Server::start().await };
    let token = server.token().claim("iss", pool);
    assert_eq!(advice(&named, token.clone().without("aud")).await, expected);
    assert_eq!(named.get(token).await.status, 200, "with `aud` it is like any other");
    // Others, and other kinds of token, are not Cognito's.
    for token in [
        server.token().without("aud"),
        server.token().without("aud").without("client_id").claim("token_use", "access"),
    ] {
        let found = advice(&server, token).await;
        let [(Side::Provider, text)] = found.as_slice() else { panic!("{found:?}") };
        assert!(text.starts_with("put `https://fhir.example.org/r4` into `aud`"), "{text}");
    }
}

#[tokio::test]
async fn reasons_are_values_that_can_be_matched() {
    let server = Server::start().await;
    let reason = async |token: TokenBuilder| {
        let mut headers = http::HeaderMap::new();
        headers
            .insert("authorization", format!("Bearer {}", token.sign().unwrap()).parse().unwrap());
        let uri = "/r4/Patient/1".parse().unwrap();
        let explanation = server.layer.authenticator().explain(&headers, &uri).await;
        explanation.failure().unwrap().reason().clone()
    };
    let expired = reason(server.token().claim("exp", NOW - 100)).await;
    let Reason::Time(TimeReason::Expired { ago, .. }) = expired else { panic!("{expired:?}") };
    assert_eq!(ago, Duration::from_secs(100));
    assert_eq!(
        reason(server.token().claim("exp", "1")).await,
        Reason::Time(TimeReason::NotANumericDate("exp"))
    );
    assert_eq!(
        reason(server.token().without("exp")).await,
        Reason::Time(TimeReason::ExpiryMissing)
    );
    let missing = reason(server.token().without("aud")).await;
    assert!(matches!(missing, Reason::Audience(AudienceReason::Missing { .. })), "{missing:?}");
    let other = reason(server.token().claim("aud", "other")).await;
    assert!(matches!(other, Reason::Audience(AudienceReason::Mismatch { .. })), "{other:?}");
    assert_eq!(other.to_string(), "`aud` does not name this server");
}

/// Nobody is sent to ask for a role that would change nothing.
#[tokio::test]
async fn what_one_of_two_rules_would_grant_by_is_not_advised_while_the_other_names_nothing() {
    let closed = || authorize_fn(|_| -> Result<Grant, Denial> { Err(Denial::new("closed")) });
    for rule in [closed().and(require_role("admin")), closed().and(require_scope("a"))] {
        let advice = advice_of(rule).await;
        let [(Side::Server, text)] = advice.as_slice() else { panic!("{advice:?}") };
        assert!(text.contains("names nothing that would be enough"), "{text}");
    }
    let either = advice_of(closed().or(require_role("admin"))).await;
    assert_eq!(either, [(Side::Provider, "assign the role `admin` to the caller".to_owned())]);
}
