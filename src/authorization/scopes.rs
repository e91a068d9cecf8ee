//! SMART scopes as policy: which letters an interaction takes, on which types.
//!
//! Scopes that confine (`patient/…`, and those with `?…`) grant only what a handler would have to
//! enforce. As long as an application cannot declare that its handlers do, they grant nothing, and
//! the refusal says so.

use std::collections::BTreeSet;

use super::{Authorizer, Denial, Enforcement, Grant};
use crate::authentication::Principal;
use crate::fhir::{
    Interaction, InteractionKind, Permissions, ScopeContext, SmartScope, resource_type,
};

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
    Each(Permissions, BTreeSet<&'a str>),
    /// These letters on any of these types.
    Any(Permissions, BTreeSet<&'a str>),
    /// These letters on any type at all.
    SomeType(Permissions),
    /// These letters on every type there is.
    EveryType(Permissions),
    /// The same, of `system/` scopes alone.
    EveryTypeForSystem(Permissions),
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
        let confined = |scope: &SmartScope| {
            scope.context() == ScopeContext::Patient || scope.constraint().is_some()
        };
        let open: Vec<&SmartScope> = held.iter().filter(|scope| !confined(scope)).collect();
        // Letters may come from several scopes: they add up.
        let sum = |about: &dyn Fn(&SmartScope) -> bool| {
            let about = open.iter().filter(|scope| about(scope));
            about.fold(Permissions::default(), |sum, scope| sum | scope.permissions())
        };
        let on = |name: &str| sum(&|scope| scope.covers(name));
        let granted = match &need {
            Need::Each(letters, types) => types.iter().all(|name| on(name).contain(*letters)),
            Need::Any(letters, types) => types.iter().any(|name| on(name).contain(*letters)),
            Need::SomeType(letters) => open.iter().any(|s| s.permissions().contain(*letters)),
            Need::EveryType(letters) => sum(&SmartScope::covers_every_type).contain(*letters),
            Need::EveryTypeForSystem(letters) => {
                let system = |scope: &SmartScope| {
                    scope.covers_every_type() && scope.context() == ScopeContext::System
                };
                sum(&system).contain(*letters)
            }
            Need::Anything => !held.is_empty(),
            Need::Nothing => true,
            Need::Never => false,
        };
        if granted {
            return Ok(Grant::by("the token's SMART scopes"));
        }
        Err(denial(principal, &need, open.len() < held.len()))
    }
}

/// Which letters on which types an interaction takes (SMART App Launch 2.2; conditional forms are
/// searches too). What the interaction itself takes comes first; a query can only add to it.
fn needed(interaction: &Interaction, enforced: Enforcement) -> Need<'_> {
    use Permissions as P;
    let own = needed_by_kind(interaction, enforced);
    let letters = match own {
        Need::Never | Need::Nothing | Need::Anything | Need::EveryTypeForSystem(_) => return own,
        Need::Each(letters, _) | Need::Any(letters, _) => letters,
        Need::SomeType(letters) | Need::EveryType(letters) => letters,
    };
    let unseen_body =
        interaction.is_search_by_post() && !enforced.includes(Enforcement::SEARCH_BODIES);
    if unseen_body || interaction.queries().any(reaches_further) {
        return Need::EveryType(letters | P::READ | P::SEARCH);
    }
    own
}

fn needed_by_kind(interaction: &Interaction, enforced: Enforcement) -> Need<'_> {
    use InteractionKind as Kind;
    use Permissions as P;
    let on_type = |letters| match interaction.resource_type() {
        Some(name) => Need::Each(letters, BTreeSet::from([name])),
        None => Need::EveryType(letters),
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
            Some(name) => Need::Each(P::SEARCH, BTreeSet::from([name])),
            None => Need::EveryType(P::SEARCH),
        },
        Kind::SearchSystem | Kind::HistorySystem => {
            // The body of a search is the handler's to judge, where it is declared to.
            let by_post = interaction.is_search_by_post();
            match named_types(interaction) {
                Some(types) if by_post => Need::Any(P::SEARCH, types),
                Some(types) => Need::Each(P::SEARCH, types),
                None if by_post => Need::SomeType(P::SEARCH),
                None => Need::EveryType(P::SEARCH),
            }
        }
        Kind::Batch if enforced.includes(Enforcement::BUNDLE_ENTRIES) => Need::Anything,
        // An entry may be an operation that no scope grants.
        Kind::Batch => Need::Never,
        Kind::Capabilities => Need::Nothing,
        Kind::Operation => match interaction.operation() {
            Some("export") => Need::EveryTypeForSystem(P::READ | P::SEARCH),
            Some("everything") => Need::EveryType(P::READ | P::SEARCH),
            Some(_) | None => Need::Never,
        },
        Kind::Unknown => Need::Never,
    }
}

/// The types that `_type` names; `None` where it names none.
fn named_types(interaction: &Interaction) -> Option<BTreeSet<&str>> {
    let parameters = interaction.query().unwrap_or_default().split('&');
    let values = parameters.filter_map(|parameter| parameter.strip_prefix("_type="));
    let types: BTreeSet<&str> = values.flat_map(|value| value.split(',')).collect();
    (!types.is_empty()).then_some(types)
}

/// Parameters by which a search reads other types than the one of its address: includes, chains,
/// filters, and lists and groups as a place to look in.
const FURTHER: [&str; 9] = [
    "_contained",
    "_containedtype",
    "_filter",
    "_has",
    "_in",
    "_include",
    "_list",
    "_query",
    "_revinclude",
];

/// Whether a query may reach types that it does not spell out in the one way that is understood
/// here. Whatever another reader could take for such a parameter counts: encoded or in another
/// case, after a semicolon, or with brackets. Nothing is guessed.
fn reaches_further(query: &str) -> bool {
    query.split('&').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
        let base = name.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let no_type = |name: &str| !resource_type::is_like_a_type(name);
        !name.bytes().all(plain)
            || value.contains(';')
            || FURTHER.contains(&base.as_str())
            || (base == "_type" && (name != "_type" || value.split(',').any(no_type)))
            || (base == "_sort" && value.contains(['.', '%']))
    })
}

/// How many types a refusal names.
const MAX_NAMED: usize = 8;

fn denial(principal: &Principal, need: &Need<'_>, confined: bool) -> Denial {
    let application = principal.scopes().any(|scope| scope.starts_with("system"));
    let context = if application { "system" } else { "user" };
    let on = |name: &str, letters: &Permissions| format!("{context}/{name}.{letters}");
    let required: Vec<String> = match need {
        Need::Each(letters, types) if types.len() <= MAX_NAMED => {
            types.iter().map(|name| on(name, letters)).collect()
        }
        Need::Any(letters, types) => types.iter().take(1).map(|name| on(name, letters)).collect(),
        Need::Each(letters, _) | Need::SomeType(letters) | Need::EveryType(letters) => {
            vec![on("*", letters)]
        }
        Need::EveryTypeForSystem(letters) => vec![format!("system/*.{letters}")],
        Need::Anything => vec![on("*", &(Permissions::READ | Permissions::SEARCH))],
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
    if required.is_empty() {
        return Denial::new(summary);
    }
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    Denial::new(summary).sides(held, required.join(" ")).required_scopes(required)
}
