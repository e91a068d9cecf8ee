//! Plain requirements, and rules of one's own.

use std::sync::Arc;

use http::Request;
use serde_json::json;
use tower_fhir_auth::authorization::{
    AccessMode, AccessPolicy, Alternative, Confinement, RoleDefinitions, RolePolicy, all_of,
    any_of, require_all_roles, require_all_scopes,
};
use tower_fhir_auth::{
    AccessRequest, Authorizer, BuildError, Denial, Enforcement, FhirAuthLayer, Grant,
    InteractionKind, RejectionKind, ScopePolicy, TrustedIssuer, authenticated, authorize_fn,
    require_any_role, require_any_scope, require_role, require_scope,
};

use super::oracle::InOneVoice;
use crate::support::{BASE, MODES, Server};

/// Whether a caller with these scopes and roles is let in, and what is said to be enough.
async fn judged(rule: impl Authorizer, scopes: &str, roles: &[&str]) -> Result<(), String> {
    let server = Server::authorizing(rule).await;
    let token = server.token().claim("scope", scopes).claim("roles", json!(roles));
    let reply = server.get(token).await;
    match reply.rejection {
        None => Ok(()),
        Some(rejection) => {
            assert_eq!((rejection.kind(), reply.status.as_u16()), (RejectionKind::Forbidden, 403));
            Err(rejection.required_scope().unwrap_or_default())
        }
    }
}

#[tokio::test]
async fn scopes_any_and_all() {
    assert_eq!(judged(require_scope("a"), "x a", &[]).await, Ok(()));
    assert_eq!(judged(require_scope("a"), "A ab", &[]).await, Err("a".to_owned()));
    assert_eq!(judged(require_any_scope(["a", "b"]), "b", &[]).await, Ok(()));
    assert_eq!(judged(require_any_scope(["a", "b"]), "c", &[]).await, Err("a".to_owned()));
    assert_eq!(judged(require_all_scopes(["a", "b"]), "b a", &[]).await, Ok(()));
    assert_eq!(judged(require_all_scopes(["a", "b"]), "b", &[]).await, Err("a b".to_owned()));
}

#[tokio::test]
async fn roles_any_and_all() {
    assert_eq!(judged(require_role("a"), "", &["a"]).await, Ok(()));
    assert_eq!(judged(require_role("a"), "a", &["A"]).await, Err(String::new()));
    assert_eq!(judged(require_any_role(["a", "b"]), "", &["b"]).await, Ok(()));
    assert_eq!(judged(require_all_roles(["a", "b"]), "", &["b"]).await, Err(String::new()));
}

#[tokio::test]
async fn rules_of_rules() {
    let listed = any_of([require_role("r").boxed(), require_scope("s").boxed()]);
    for either in [listed, require_role("r").or(require_scope("s"))] {
        assert_eq!(judged(either.clone(), "", &["r"]).await, Ok(()));
        assert_eq!(judged(either.clone(), "s", &[]).await, Ok(()));
        assert_eq!(judged(either, "", &[]).await, Err("s".to_owned()));
    }
    let listed = all_of([require_role("r").boxed(), require_scope("s").boxed()]);
    for both in [listed, require_role("r").and(require_scope("s"))] {
        assert_eq!(judged(both.clone(), "s", &["r"]).await, Ok(()));
        assert_eq!(judged(both.clone(), "", &["r"]).await, Err("s".to_owned()));
        assert_eq!(judged(both, "s", &[]).await, Err(String::new()));
    }
    let nested = || require_role("admin").or(require_role("clerk").and(require_scope("s")));
    assert_eq!(judged(nested(), "", &["admin"]).await, Ok(()));
    assert_eq!(judged(nested(), "s", &["clerk"]).await, Ok(()));
    assert!(judged(nested(), "s", &["guest"]).await.is_err());
}

#[tokio::test]
async fn what_nothing_grants_is_refused() {
    let nothing: [Box<dyn Authorizer>; 0] = [];
    assert!(judged(any_of(nothing), "s", &["r"]).await.is_err());
    let nothing: [Box<dyn Authorizer>; 0] = [];
    assert!(judged(all_of(nothing), "s", &["r"]).await.is_err());
    let none: [&str; 0] = [];
    assert!(judged(require_all_scopes(none), "s", &[]).await.is_err());
    assert!(judged(require_any_role(none), "", &["r"]).await.is_err());
}

#[tokio::test]
async fn a_rule_of_ones_own_sees_principal_and_interaction() {
    let own = authorize_fn(|request| {
        let (caller, interaction) = (request.principal(), request.interaction());
        let reads = interaction.kind() == InteractionKind::Read;
        match (reads, caller.subject(), interaction.id()) {
            (true, Some("alice"), Some("1")) => Ok(Grant::by("alice reads 1")),
            _ => Err(Denial::new("only alice reads, and only 1").required_scopes(["alice"])),
        }
    });
    let server = Server::authorizing(own).await;
    let reply = server.get(server.token()).await;
    reply.is_let_in();
    assert_eq!(reply.access.unwrap().granted_by().to_string(), "alice reads 1");
    let reply = server.get(server.token().claim("sub", "bob")).await;
    assert_eq!(reply.status.as_u16(), 403);
    assert!(
        reply.body.contains("only alice reads") && reply.challenge().contains("scope=\"alice\"")
    );
}

#[test]
fn a_layer_without_an_issuer_or_without_a_rule_is_an_error() {
    let nobody = FhirAuthLayer::builder(BASE).authorizer(authenticated()).build();
    assert_eq!(nobody.err(), Some(BuildError::NoIssuer));
    let issuer = TrustedIssuer::discover("https://idp.example.org");
    assert_eq!(
        FhirAuthLayer::builder(BASE).issuer(issuer).build().err(),
        Some(BuildError::NoAuthorizer)
    );
}

/// A rule that says of types and operations what it is told to.
#[derive(Debug)]
struct Says(bool);

impl Authorizer for Says {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Grant, Denial> {
        Ok(Grant::by("anybody"))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        self.0
    }

    fn may_grant_operation(&self, _: &str) -> bool {
        self.0
    }
}

/// A rule that says nothing of them.
#[derive(Debug)]
struct Silent;

impl Authorizer for Silent {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Grant, Denial> {
        Ok(Grant::by("anybody"))
    }
}

#[test]
fn a_rule_of_rules_grants_an_operation_where_these_may_and_treats_types_alike_where_all_do() {
    let says = |rule: &dyn Authorizer| {
        (rule.treats_unnamed_types_alike(), rule.may_grant_operation("validate"))
    };
    assert_eq!(says(&Silent), (false, true), "which is always right");
    assert_eq!(says(&authenticated()), (true, true));
    assert_eq!(says(&require_role("r")), (true, true));
    assert_eq!(says(&require_scope("s")), (true, true));
    for (one, other) in [(false, false), (false, true), (true, false), (true, true)] {
        assert_eq!(says(&Says(one).or(Says(other))), (one && other, one || other));
        assert_eq!(says(&Says(one).and(Says(other))), (one && other, one && other));
        assert_eq!(says(&Says(one).boxed()), (one, one));
        let shared: Arc<dyn Authorizer> = Arc::new(Says(one));
        assert_eq!(says(&shared), (one, one));
    }
}

/// Denies, or grants with something left to be confined, or without.
#[derive(Clone, Debug)]
struct Grants(Option<Confinement>);

impl Authorizer for Grants {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let confinement = self.0.clone().ok_or_else(|| Denial::new("nobody"))?;
        Ok(Grant::by("somebody").confined_to(confinement))
    }
}

#[tokio::test]
async fn rules_of_rules_grant_without_confining_where_their_grant_is_open() {
    let of_amara = Confinement::from(Alternative::new(Some("amara"), None));
    let each = [None, Some(of_amara), Some(Confinement::open())].map(Grants);
    for one in &each {
        for other in &each {
            let (either, both) = (one.clone().or(other.clone()), one.clone().and(other.clone()));
            let several = any_of([one.clone().boxed()]).and(all_of([other.clone().boxed()]));
            let nothing = any_of([]).or(all_of([]));
            let shared: Arc<dyn Authorizer> = Arc::new(either.clone());
            let rules =
                [either.boxed(), both.boxed(), several.boxed(), nothing.boxed(), shared.boxed()];
            for rule in rules {
                let server = Server::authorizing(InOneVoice(rule)).await;
                server.get(server.token()).await;
            }
        }
    }
}

#[tokio::test]
async fn policies_say_in_each_mode_whether_they_grant_without_confining() {
    let roles = json!({"roles": [
        {"name": "reader", "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]},
        {"name": "mark", "dataActions": ["smart"], "notDataActions": [], "scopes": ["/"]},
    ]});
    let roles = RolePolicy::new(RoleDefinitions::parse(roles.to_string().as_bytes()).unwrap());
    for mode in MODES {
        let policy = AccessPolicy::new(mode, roles.clone(), ScopePolicy::new());
        // Before handlers that leave out what may not come along, and before others.
        for enforced in [Enforcement::ALL, Enforcement::ALL.difference(Enforcement::INCLUDES)] {
            let server = Server::enforcing(enforced, InOneVoice(policy.clone())).await;
            for held in [&[][..], &["reader"], &["mark"], &["reader", "mark"]] {
                for scopes in [
                    "",
                    "patient/*.rs",
                    "system/*.rs",
                    "system/Observation.rs patient/Patient.r",
                    "system/Observation.rs system/Patient.r",
                    "system/Observation.rs?status=final system/Patient.r",
                    "patient/Observation.rs system/Patient.r",
                ] {
                    for path in [
                        "/Observation/1",
                        "/Observation",
                        "/Observation?_include=Observation:subject:Patient",
                    ] {
                        let token =
                            server.token().claim("roles", json!(held)).claim("scope", scopes);
                        let bearer =
                            format!("Bearer {}", token.claim("patient", "1").sign().unwrap());
                        let request =
                            Request::get(format!("/r4{path}")).header("authorization", bearer);
                        assert!(matches!(server.send(request).await.status.as_u16(), 200 | 403));
                    }
                }
            }
        }
    }
}

/// Scopes grant `$everything` and `$export`, roles what their data actions do.
#[test]
fn an_operation_that_no_scope_grants_is_granted_where_roles_alone_are_enough() {
    for (mode, expected) in [
        (AccessMode::Scopes, false),
        (AccessMode::RolesAndScopes, false),
        (AccessMode::Roles, true),
        (AccessMode::RolesOrScopes, true),
        (AccessMode::Microsoft, true),
    ] {
        let roles = RolePolicy::new(RoleDefinitions::microsoft());
        let policy = AccessPolicy::new(mode, roles, ScopePolicy::new());
        assert_eq!(policy.may_grant_operation("validate"), expected, "{mode:?}");
        assert!(policy.may_grant_operation("everything"), "{mode:?}");
        assert!(policy.treats_unnamed_types_alike());
    }
}
