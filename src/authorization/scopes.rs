//! SMART scopes as policy: which letters an interaction takes, on which types.
//!
//! Scopes that confine (`patient/…`, and those with `?…`) grant only what a handler would have to
//! enforce. As long as an application cannot declare that its handlers do, they grant nothing, and
//! the refusal says so.

use std::collections::BTreeSet;

use super::{Authorizer, Denial, Enforcement, Grant};
use crate::authentication::Principal;
use crate::fhir::{Interaction, InteractionKind, Permissions, ScopeContext, SmartScope};

/// Grants what the SMART scopes of a caller grant.
///
/// ```
/// use tower_fhir_auth::{Authorizer, ScopePolicy};
///
/// let rule = ScopePolicy::new().boxed();
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ScopePolicy {
    enforced: Enforcement,
}

/// What an interaction takes.
enum Need<'a> {
    /// These letters on each of these types.
    Letters(Permissions, BTreeSet<&'a str>),
    /// These letters on every type there is.
    EveryType(Permissions),
    /// `r` and `s` on every type, of a `system/` scope.
    Export,
    /// Any scope for FHIR data at all; what it opens is judged one by one.
    Anything,
    Nothing,
    /// No scope there is.
    Never,
}

impl ScopePolicy {
    /// A policy for handlers that enforce nothing of their own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares what the handlers enforce.
    pub fn handlers_enforce(mut self, enforced: Enforcement) -> Self {
        self.enforced = enforced;
        self
    }
}

impl Authorizer for ScopePolicy {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        let held: Vec<SmartScope> =
            principal.scopes().filter_map(|scope| scope.parse().ok()).collect();
        let need = needed(interaction, self.enforced);
        let open = |scope: &&SmartScope| {
            scope.context() != ScopeContext::Patient && scope.constraint().is_none()
        };
        let grants = |permissions, resource_type: Option<&str>| {
            // Letters may come from several scopes: they add up.
            let about = held.iter().filter(open).filter(|scope| match resource_type {
                Some(name) => scope.covers(name),
                None => scope.covers_every_type(),
            });
            about.fold(Permissions::default(), |sum, s| sum | s.permissions()).contain(permissions)
        };
        let granted = match &need {
            Need::Letters(letters, types) => types.iter().all(|name| grants(*letters, Some(name))),
            Need::EveryType(letters) => grants(*letters, None),
            Need::Export => held.iter().filter(open).any(|scope| {
                let letters = Permissions::READ | Permissions::SEARCH;
                let system = scope.context() == ScopeContext::System;
                system && scope.covers_every_type() && scope.permissions().contain(letters)
            }),
            Need::Anything => !held.is_empty(),
            Need::Nothing => true,
            Need::Never => false,
        };
        if granted {
            return Ok(Grant::by("the token's SMART scopes"));
        }
        Err(denial(principal, &need, held.iter().any(|scope| !open(&scope))))
    }
}

/// Which letters on which types an interaction takes (SMART App Launch 2.2; conditional forms are
/// searches too).
fn needed(interaction: &Interaction, enforced: Enforcement) -> Need<'_> {
    use InteractionKind as Kind;
    use Permissions as P;
    let Some(extra) = searched_types(interaction) else {
        return Need::EveryType(P::READ | P::SEARCH);
    };
    if interaction.is_search_by_post() && !enforced.includes(Enforcement::SEARCH_BODIES) {
        // The body may reach any type.
        return Need::EveryType(P::READ | P::SEARCH);
    }
    let resource_type = interaction.resource_type();
    let on_type = |letters| {
        let types: BTreeSet<&str> = resource_type.into_iter().collect();
        if types.is_empty() { Need::EveryType(letters) } else { Need::Letters(letters, types) }
    };
    match interaction.kind() {
        Kind::Read | Kind::VersionRead | Kind::HistoryInstance => on_type(P::READ),
        Kind::Create => on_type(P::CREATE),
        Kind::ConditionalCreate => on_type(P::CREATE | P::SEARCH),
        Kind::Update | Kind::Patch => on_type(P::UPDATE),
        Kind::ConditionalUpdate | Kind::ConditionalPatch => on_type(P::UPDATE | P::SEARCH),
        Kind::Delete => on_type(P::DELETE),
        Kind::ConditionalDelete => on_type(P::DELETE | P::SEARCH),
        Kind::SearchType | Kind::HistoryType => on_type(P::SEARCH),
        Kind::SearchCompartment => match interaction.searched_type() {
            Some(name) => Need::Letters(P::SEARCH, BTreeSet::from([name])),
            None => Need::EveryType(P::SEARCH),
        },
        Kind::SearchSystem | Kind::HistorySystem if extra.is_empty() => Need::EveryType(P::SEARCH),
        Kind::SearchSystem | Kind::HistorySystem => Need::Letters(P::SEARCH, extra),
        Kind::Batch if enforced.includes(Enforcement::BUNDLE_ENTRIES) => Need::Anything,
        Kind::Batch => Need::EveryType(P::ALL),
        Kind::Capabilities => Need::Nothing,
        Kind::Operation => match interaction.operation() {
            Some("export") => Need::Export,
            Some("everything") => Need::EveryType(P::READ | P::SEARCH),
            Some(_) | None => Need::Never,
        },
        Kind::Unknown => Need::Never,
    }
}

/// The types that `_type` names. `None` where the query reaches types that it does not spell out:
/// includes, chains and `_has`, which take a scope for every type.
fn searched_types(interaction: &Interaction) -> Option<BTreeSet<&str>> {
    let mut types = BTreeSet::new();
    for parameter in interaction.query().unwrap_or_default().split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let reaches_further =
            ["_include", "_revinclude", "_has", "_filter", "_query", "_contained"];
        // An encoded name is read as if it were one of these: nothing is guessed.
        if name.contains(['.', '%', '+'])
            || reaches_further.iter().any(|prefix| name.starts_with(prefix))
        {
            return None;
        }
        if name == "_type" {
            types.extend(value.split(','));
        }
    }
    Some(types)
}

fn denial(principal: &Principal, need: &Need<'_>, confined: bool) -> Denial {
    let application = principal.scopes().any(|scope| scope.starts_with("system"));
    let context = if application { "system" } else { "user" };
    let required: Vec<String> = match need {
        Need::Letters(letters, types) => {
            types.iter().map(|name| format!("{context}/{name}.{letters}")).collect()
        }
        Need::EveryType(letters) => vec![format!("{context}/*.{letters}")],
        Need::Export => vec!["system/*.rs".to_owned()],
        Need::Anything => vec![format!("{context}/*.rs")],
        Need::Nothing | Need::Never => Vec::new(),
    };
    let summary = if matches!(need, Need::Never) {
        "no scope grants this interaction"
    } else if confined {
        "no scope of the token grants this (`patient/` scopes and scopes with a constraint grant \
         nothing where the application has not declared that it enforces them)"
    } else {
        "no scope of the token grants this"
    };
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    match required.is_empty() {
        true => Denial::new(summary),
        false => Denial::new(summary).sides(held, required.join(" ")).required_scopes(required),
    }
}
