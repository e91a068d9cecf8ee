//! The least that a refusal names as enough, in the context that the caller is in.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::{Enforcement, ScopePolicy};

use crate::support::Server;

/// The scopes that are named to a caller with these claims; each set of them is enough.
async fn named(server: &Server, claims: &Value, method: &str, uri: &str) -> Option<String> {
    let members = claims.as_object().unwrap();
    let token = || {
        let plain = server.token();
        members.iter().fold(plain, |token, (name, claim)| token.claim(name, claim.clone()))
    };
    let request = |token: String| {
        let request = Request::builder().method(method).uri(format!("/r4{uri}"));
        request.header("authorization", format!("Bearer {token}"))
    };
    let reply = server.send(request(token().sign().unwrap())).await;
    assert_eq!(reply.status, 403, "{claims} {method} {uri}");
    let Some(named) = reply.rejection.unwrap().required_scope() else {
        assert!(!reply.body.contains("expected"), "nothing is said to be enough: {}", reply.body);
        return None;
    };
    let held = claims["scope"].as_str().unwrap_or_default();
    let enough = token().claim("scope", format!("{held} {named}"));
    let reply = server.send(request(enough.sign().unwrap())).await;
    assert_eq!(reply.status, 200, "{claims} {method} {uri}: {named} was said to be enough");
    Some(named)
}

#[tokio::test]
async fn it_is_in_the_context_of_the_scopes_and_claims_that_a_token_has() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let read = ("GET", "/Patient/1");
    let export = ("GET", "/$export?_type=Patient");
    for (claims, (method, uri), enough) in [
        (json!({"scope": "openid"}), read, Some("user/Patient.r")),
        (json!({"scope": "openid", "patient": "1"}), read, Some("patient/Patient.r")),
        (json!({"scope": "openid fhirpatient"}), read, Some("user/Patient.r")),
        (json!({"scope": "launch/encounter"}), read, Some("user/Patient.r")),
        (json!({"scope": "user/Device.r system/Device.r"}), read, Some("user/Patient.r")),
        (json!({"scope": "system/Device.r"}), read, Some("system/Patient.r")),
        (json!({"scope": "user_Device.r system/Device.r"}), read, Some("user/Patient.r")),
        (json!({"scope": "openid"}), export, Some("system/Patient.rs")),
        (json!({"scope": "system/Device.r user/Device.r"}), export, Some("system/Patient.rs")),
        // An export is for applications by themselves.
        (json!({"scope": "openid", "patient": "1"}), export, None),
        (json!({"scope": "openid", "fhirUser": "Practitioner/p"}), export, None),
        (json!({"scope": "user/Device.r"}), export, None),
        (json!({"scope": "patient/Device.r", "patient": "1"}), export, None),
    ] {
        let found = named(&server, &claims, method, uri).await;
        assert_eq!(found.as_deref(), enough, "{claims} {uri}");
    }
}

/// What handlers do not enforce would be no use to the caller.
#[tokio::test]
async fn it_is_nothing_where_the_application_is_short() {
    for (enforced, uri) in [
        (Enforcement::empty(), "/Patient/1"),
        (Enforcement::COMPARTMENTS, "/Flag?_include=Flag:subject:Patient"),
    ] {
        let server = Server::enforcing(enforced, ScopePolicy::new()).await;
        let claims = json!({"scope": "openid", "patient": "1"});
        assert_eq!(named(&server, &claims, "GET", uri).await, None, "{uri}");
    }
}

/// Of handlers that follow includes without leaving anything out.
#[tokio::test]
async fn it_holds_for_all_that_is_required_together() {
    let enforced = Enforcement::ALL.difference(Enforcement::INCLUDES);
    let server = Server::enforcing(enforced, ScopePolicy::new()).await;
    let include = "/Flag?_include=Flag:subject:Patient";
    for (scope, method, uri, enough) in [
        // What is included takes one permission, and none under a constraint.
        ("openid", "GET", include, Some("user/Flag.s user/Patient.r")),
        (
            "user/Flag.s user/Patient.d?gender=male",
            "GET",
            include,
            Some("user/Flag.s user/Patient.r"),
        ),
        // Of the type itself it is held under a constraint alone.
        ("user/Flag.r?date=2024 user/Patient.r", "GET", include, None),
        // Any of several types for a look at the body, which names what else there is.
        ("openid", "POST", "/_search?_type=Flag,Device", Some("user/Device.s")),
        ("user/Flag.r", "POST", "/_search?_type=Flag,Device", Some("user/Flag.s")),
        (
            "openid",
            "POST",
            "/_search?_type=Flag,Device&subject:Patient.name=x",
            Some("user/Device.s user/Patient.s"),
        ),
        (
            "openid",
            "POST",
            "/_search?_type=Patient,Device&_include=Flag:subject:Patient",
            Some("user/Device.s user/Flag.r user/Patient.r"),
        ),
        // A wildcard is all of them, also of what comes along.
        ("openid", "GET", "?name=x&_include=Flag:subject:Patient", Some("user/*.s")),
        ("openid", "GET", "?_type=Flag&a.b=1", Some("user/*.rs")),
        // What an export starts from is one of the types that it is of.
        ("openid", "GET", "/Patient/$export", Some("system/Patient.rs")),
    ] {
        let found = named(&server, &json!({"scope": scope}), method, uri).await;
        assert_eq!(found.as_deref(), enough, "{scope} {uri}");
    }
}

/// A scope without a constraint takes that of another one away, in its own context and for its own permissions.
#[tokio::test]
async fn it_takes_no_constraint_away() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    for (scope, method, uri, enough) in [
        ("user/*.s?_id=1 user/Observation.d", "GET", "/Observation/1", Some("user/Observation.r")),
        ("user/Flag.s user/Flag.s?a:b=x", "PUT", "/Flag?code=x", Some("user/Flag.us")),
        ("user/Flag.s?a:b=x", "PUT", "/Flag?code=x", None),
        ("user/Flag.s?a:b=x system/Flag.s", "PUT", "/Flag?code=x", None),
        ("user/*.r?_tag=x system/*.d", "GET", "?name=x", None),
        ("user/*.r?_tag=x user/*.d", "GET", "?name=x", Some("user/*.s")),
    ] {
        let found = named(&server, &json!({"scope": scope}), method, uri).await;
        assert_eq!(found.as_deref(), enough, "{scope} {uri}");
    }
}
