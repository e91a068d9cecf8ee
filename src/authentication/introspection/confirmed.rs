//! The answer about a JWT beside the JWT: what contradicts it, and which scopes both have.

use hashbrown::HashSet;
use serde_json::{Map, Value};

use super::answer::SaidToBeActive;
use crate::authentication::audience::AudiencePolicy;
use crate::authentication::claims::Claims;
use crate::authentication::issuer::IssuerSettings;
use crate::explanation::{Check, Checked, Evidence, IntrospectionReason, Reason};

/// A JWT whose provider has said that it is active, and nothing that contradicts it.
pub(crate) struct Confirmed<'a> {
    /// The scopes of the answer; `None` where it says nothing of scopes.
    scopes: Option<HashSet<&'a str>>,
}

/// The member of an answer that holds scopes (RFC 7662 section 2.2).
const SCOPE: &str = "scope";

impl<'a> Confirmed<'a> {
    /// Compares an answer with the JWT that it is about. A member that only one of them has
    /// contradicts nothing.
    pub(crate) fn compare(
        jwt: &Claims<'_>,
        (answer, _): (&'a Claims<'_>, SaidToBeActive),
        settings: &IssuerSettings,
        audience: &AudiencePolicy,
    ) -> Checked<Self, impl FnOnce() -> Evidence> {
        let result = match contradiction(jwt, answer, audience) {
            Some(name) => Err(Reason::Introspection(IntrospectionReason::Contradiction(name))),
            None => Ok(Self { scopes: scopes(answer, settings) }),
        };
        Checked::new(Check::Introspection, result, || Evidence::found("active"))
    }

    /// Reports whether a scope of the JWT counts.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }
}

/// Returns the scopes of an answer, where it has any claim for them. A value that is not a string holds
/// none.
fn scopes<'a>(answer: &'a Claims<'_>, settings: &IssuerSettings) -> Option<HashSet<&'a str>> {
    let names = || settings.scope_claims.iter().map(String::as_str).chain([SCOPE]);
    let is_there = names().any(|name| answer.present(name).is_some());
    let claims = || names().filter_map(|name| answer.present(name));
    is_there.then(|| claims().flat_map(Claims::scopes_of).collect())
}

/// Names the first member that contradicts the JWT.
fn contradiction(
    jwt: &Claims<'_>,
    answer: &Claims<'_>,
    audience: &AudiencePolicy,
) -> Option<&'static str> {
    let other = ["iss", "sub", "jti"].into_iter().find(|name| is_other_string(jwt, answer, name));
    if other.is_some() {
        return other;
    }
    if is_other_string(jwt, answer, "client_id") || is_other_client(jwt, answer) {
        return Some("client_id");
    }
    if is_other_audience(jwt, answer, audience) {
        return Some("aud");
    }
    is_other_confirmation(jwt, answer).then_some("cnf")
}

fn is_other_string(jwt: &Claims<'_>, answer: &Claims<'_>, name: &str) -> bool {
    let value = |claims: &Claims<'_>| {
        claims
            .member(name)
            .filter(|value| !value.is_null())
            .map(|value| value.as_str().map(str::to_owned))
    };
    match (value(jwt), value(answer)) {
        (Some(of_jwt), Some(of_answer)) => of_answer.is_none() || of_jwt != of_answer,
        (None, _) | (_, None) => false,
    }
}

/// Reports whether the answer names another client, which a JWT may name by other claims.
fn is_other_client(jwt: &Claims<'_>, answer: &Claims<'_>) -> bool {
    match (jwt.client(), answer.client()) {
        (Some(of_jwt), Some(of_answer)) => of_jwt != of_answer,
        (None, _) | (_, None) => false,
    }
}

/// Reports whether the two have no audience in common that names this server. A provider may tell only
/// the audiences that concern who asks (RFC 9701 section 5).
fn is_other_audience(jwt: &Claims<'_>, answer: &Claims<'_>, audience: &AudiencePolicy) -> bool {
    if answer.names_no_audience() {
        return false;
    }
    let (Ok(of_jwt), Ok(of_answer)) = (jwt.audiences(), answer.audiences()) else {
        return true;
    };
    let of_jwt: HashSet<&str> = of_jwt.into_iter().collect();
    !of_answer.iter().any(|one| of_jwt.contains(one) && audience.accepts(one))
}

/// Reports whether both are bound, and not by the same.
fn is_other_confirmation(jwt: &Claims<'_>, answer: &Claims<'_>) -> bool {
    if !jwt.has("cnf") || !answer.has("cnf") {
        return false;
    }
    // As JSON, not as thumbprints: where the JWT has a `cnf`, that of the answer is read nowhere else.
    let confirmation = |claims: &Claims<'_>| {
        let members: Map<String, Value> = serde_json::from_str(claims.sources().0).ok()?;
        members.get("cnf").cloned()
    };
    confirmation(jwt) != confirmation(answer)
}
