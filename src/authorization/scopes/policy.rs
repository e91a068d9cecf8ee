//! SMART scopes as policy (SMART App Launch 2.2).
//!
//! [`need`](super::need) says what an interaction takes; [`judge`](super::judge), which scopes count
//! for it. Scopes add up. Those that confine (`patient/…`, and those with `?…`) count
//! where the application has declared that its handlers enforce what they leave to them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::judge::{GrantedBy, Reasons, ScopeJudge};
use super::need::{Demand, Demands, Need, On, Part};
use crate::authentication::Principal;
use crate::authorization::grant::Rule;
use crate::authorization::{Authorizer, Denial, Enforcement, Grant};
use crate::fhir::{
    Interaction, InteractionKind, Permissions, ScopeKind, SmartScope, resource_type,
    search_parameter,
};
use crate::text::shown;

/// Grants what the SMART scopes of a caller grant.
///
/// ```
/// use tower_fhir_auth::{Enforcement, ScopePolicy};
///
/// let policy = ScopePolicy::new()
///     .handlers_enforce(Enforcement::COMPARTMENTS | Enforcement::CONSTRAINTS)
///     .search_parameters(|resource_type, name| {
///         matches!((resource_type, name), ("Condition" | "Observation", "category"))
///     });
/// ```
#[derive(Clone)]
#[must_use]
pub struct ScopePolicy {
    pub(super) enforced: Enforcement,
    pub(super) is_search_parameter: Arc<IsSearchParameter>,
}

/// Of a resource type and a name.
type IsSearchParameter = dyn Fn(&str, &str) -> bool + Send + Sync;

impl ScopePolicy {
    /// A policy for handlers that enforce nothing of their own.
    pub fn new() -> Self {
        Self {
            enforced: Enforcement::NONE,
            is_search_parameter: Arc::new(search_parameter::is_known),
        }
    }

    /// Declares what the handlers enforce.
    pub fn handlers_enforce(mut self, enforced: Enforcement) -> Self {
        self.enforced = enforced;
        self
    }

    /// Says which search parameters (of which resource type, by which name) the handlers can
    /// enforce as a constraint; a scope with another one grants nothing. Default: those that R4
    /// has for the type, without the ones of results.
    pub fn search_parameters(
        mut self,
        known: impl Fn(&str, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.is_search_parameter = Arc::new(known);
        self
    }

    /// Asks without reasons, which cost more than the answer: for a rule beside which another one
    /// may grant.
    pub(crate) fn grant(&self, principal: &Principal, interaction: &Interaction) -> Option<Grant> {
        match Need::of(interaction, self.enforced) {
            Need::Nothing => Some(Grant::by("a valid token")),
            Need::AnyScope => any_scope(principal),
            Need::Never | Need::Undeclared(_) => None,
            Need::All(demands) => {
                let judge = ScopeJudge::new(self, principal, interaction.base(), &demands);
                meet_all(&judge, interaction, &demands).ok()
            }
        }
    }

    fn denial(&self, principal: &Principal, interaction: &Interaction) -> Denial {
        let none_grants = Denial::new("no scope grants this interaction");
        match Need::of(interaction, self.enforced) {
            Need::Nothing | Need::Never => none_grants,
            Need::AnyScope => refusal(principal, &["user/*.rs".to_owned()], &Reasons::default()),
            Need::Undeclared(missing) => none_grants.undeclared(missing),
            Need::All(demands) => {
                let judge = ScopeJudge::new(self, principal, interaction.base(), &demands);
                let reasons = meet_all(&judge, interaction, &demands).err().unwrap_or_default();
                denial(principal, &judge, &demands, &reasons)
            }
        }
    }
}

impl Authorizer for ScopePolicy {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        self.grant(principal, interaction).ok_or_else(|| self.denial(principal, interaction))
    }
}

fn any_scope(principal: &Principal) -> Option<Grant> {
    let scopes = principal.smart_scopes();
    let named = scopes.iter().take(MAX_NAMED).cloned().map(Rule::Scope);
    (!scopes.is_empty()).then(|| Grant::by_all(named.collect()))
}

fn meet_all<'a>(
    judge: &ScopeJudge<'a>,
    interaction: &Interaction,
    demands: &'a Demands<'_>,
) -> Result<Grant, Reasons<'a>> {
    let mut by = GrantedBy::new();
    let mut own = None;
    let mut reasons = Reasons::default();
    let mut met = true;
    for demand in &demands.demands {
        match judge.meet(demand) {
            Ok((alternatives, scopes)) => {
                if demand.part == Part::Subject && own.is_none() {
                    own = Some(alternatives);
                }
                by.extend(scopes);
            }
            Err(more) => {
                met = false;
                reasons.extend(more);
            }
        }
    }
    if !met {
        return Err(reasons);
    }
    if by.len() > 1 {
        let mut each: HashSet<&SmartScope> = HashSet::new();
        by.retain(|scope| each.insert(*scope));
    }
    let grant = Grant::by_all(by.into_iter().cloned().map(Rule::Scope).collect());
    Ok(match own {
        Some(alternatives) if is_plain(interaction) => grant.confined_to(alternatives),
        _ => grant,
    })
}

/// Whether an interaction takes one letter on one type, so that its alternatives say all.
fn is_plain(interaction: &Interaction) -> bool {
    use InteractionKind as Kind;
    let read = matches!(interaction.kind(), Kind::Read | Kind::VersionRead | Kind::HistoryInstance);
    let search = matches!(interaction.kind(), Kind::SearchType | Kind::HistoryType);
    let write = matches!(interaction.kind(), Kind::Create | Kind::Update | Kind::Patch);
    read || search || write || matches!(interaction.kind(), Kind::Delete | Kind::DeleteHistory)
}

/// How many types a refusal names, and scopes a grant where any would do.
const MAX_NAMED: usize = 8;

/// How many circumstances a refusal tells.
const MAX_NOTES: usize = 3;

fn denial<'a>(
    principal: &Principal,
    judge: &ScopeJudge<'a>,
    demands: &'a Demands<'_>,
    reasons: &Reasons<'_>,
) -> Denial {
    let system = principal.smart_scopes().iter().any(SmartScope::is_of_system);
    let context = if demands.demands.iter().all(|demand| judge.patient_scope_would_do(demand)) {
        "patient"
    } else if system || demands.demands.iter().any(|demand| demand.part == Part::Exported) {
        "system"
    } else {
        "user"
    };
    refusal(principal, &enough(context, &demands.demands), reasons)
}

/// Scopes that would have been enough, together.
fn enough(context: &str, demands: &[Demand<'_>]) -> Vec<String> {
    let mut letters: BTreeMap<&str, Permissions> = BTreeMap::new();
    for demand in demands {
        let name = match &demand.on {
            On::Type(name) => &**name,
            On::AnyOf(types) => types.first().map_or("*", String::as_str),
            On::SomeType | On::EveryType => "*",
        };
        let one_is_enough = demand.part == Part::Included;
        let needed = if one_is_enough { Permissions::READ } else { demand.letters };
        let so_far = letters.entry(name).or_default();
        *so_far = *so_far | needed;
    }
    // A scope can only name a type that is known.
    let unknown = letters.keys().any(|name| !resource_type::is_known(name));
    let all = letters.values().fold(Permissions::default(), |all, some| all | *some);
    if unknown || letters.len() > MAX_NAMED {
        return vec![format!("{context}/*.{all}")];
    }
    letters.iter().map(|(name, letters)| format!("{context}/{name}.{letters}")).collect()
}

fn refusal(principal: &Principal, enough: &[String], reasons: &Reasons<'_>) -> Denial {
    let malformed = principal.scopes().filter(|text| ScopeKind::of(text) == ScopeKind::Malformed);
    let malformed =
        malformed.map(|text| format!("`{}` is malformed and grants nothing", shown(text)));
    let notes = reasons.iter().map(ToString::to_string).chain(malformed);
    let notes: Vec<String> = notes.take(MAX_NOTES).collect();
    let mut denial = Denial::new("no scope of the token grants this");
    if !notes.is_empty() {
        denial = denial.note(notes.join("; "));
    }
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    denial.sides(held, enough.join(" ")).required_scopes(enough)
}

impl Default for ScopePolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScopePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopePolicy").field("enforced", &self.enforced).finish_non_exhaustive()
    }
}
