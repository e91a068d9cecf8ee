//! What was granted, and the questions that a handler has about it.

use std::fmt;
use std::sync::Arc;

use http::Method;
use smallvec::{SmallVec, smallvec};

use super::combinators::all;
use super::{Alternatives, Authorizer, Denial, Grant};
use crate::authentication::Principal;
use crate::fhir::{Interaction, InteractionKind, Permissions};

/// What a request may do, and what the handler still has to confine. The layer puts it into the
/// request's extensions beside the [`Principal`].
///
/// The layer judges what an address spells. What it cannot see is the handler's, which asks here;
/// every answer comes from the rules that let the request in.
///
/// | the handler | asks |
/// |---|---|
/// | does the interaction | [`alternatives`](Self::alternatives): with whose resources, and which |
/// | does something else on the way | [`may`](Self::may) |
/// | follows an include or a chain | [`readable`](Self::readable), `may` with [`SEARCH`](Permissions::SEARCH) |
/// | has read the body of `POST …/_search` | [`search`](Self::search) |
/// | executes an entry of a bundle | [`entry`](Self::entry) |
/// | shows an asynchronous job | [`owns`](Self::owns) |
///
/// What it does not do although it has to, it must not declare as
/// [`Enforcement`](super::Enforcement).
#[derive(Clone)]
pub struct Access {
    interaction: Interaction,
    grant: Grant,
    principal: Principal,
    rules: Rules,
}

/// All of them have to grant.
type Rules = SmallVec<[Arc<dyn Authorizer>; 1]>;

/// Whose an asynchronous job is: an issuer and a subject of it, exactly.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JobOwner {
    issuer: String,
    subject: String,
}

impl Access {
    /// Asks a rule about an interaction.
    pub(crate) fn judge(
        rule: &Arc<dyn Authorizer>,
        principal: &Principal,
        interaction: Interaction,
    ) -> Result<Self, Denial> {
        let grant = rule.authorize(principal, &interaction)?;
        let rules = smallvec![Arc::clone(rule)];
        Ok(Self { interaction, grant, principal: principal.clone(), rules })
    }

    /// This access, where a further rule grants it too.
    pub(crate) fn narrowed(&self, rule: &Arc<dyn Authorizer>) -> Result<Self, Denial> {
        let mut rules = self.rules.clone();
        rules.push(Arc::clone(rule));
        self.judge_again(rules, self.interaction.clone())
    }

    fn rules(&self) -> impl Iterator<Item = &dyn Authorizer> {
        self.rules.iter().map(|rule| &**rule)
    }

    fn judge_again(&self, rules: Rules, interaction: Interaction) -> Result<Self, Denial> {
        let principal = self.principal.clone();
        let grant = all(rules.iter().map(|rule| &**rule), &principal, &interaction)?;
        Ok(Self { interaction, grant, principal, rules })
    }

    /// The interaction that was granted.
    #[must_use]
    pub fn interaction(&self) -> &Interaction {
        &self.interaction
    }

    /// The rule that granted it, to be written into audit logs.
    #[must_use]
    pub fn granted_by(&self) -> impl fmt::Display {
        self.grant.rule()
    }

    /// Under which alternatives this very interaction was granted, if it is a read, a version read,
    /// a history, a creation, an update, a deletion or a search of one type. Where it is made of
    /// several of these, they are asked for with [`may`](Self::may).
    #[must_use]
    pub fn alternatives(&self) -> &Alternatives {
        self.grant.alternatives()
    }

    /// Under which alternatives the caller may do what these letters stand for (all of them) with
    /// resources of a type: create, read, update, delete, search.
    #[must_use]
    pub fn may(&self, letters: Permissions, resource_type: &str) -> Alternatives {
        let base = self.interaction.base();
        let each = letters.letters().map(|letter| {
            let interaction = Interaction::of_letter(base, letter, resource_type);
            match all(self.rules(), &self.principal, &interaction) {
                Ok(grant) => grant.alternatives().clone(),
                Err(_) => Alternatives::none(),
            }
        });
        each.reduce(|one, another| one.and(&another)).unwrap_or_default()
    }

    /// Under which alternatives resources of a type may come along with a result: those that the
    /// caller may read or search.
    #[must_use]
    pub fn readable(&self, resource_type: &str) -> Alternatives {
        let read = self.may(Permissions::READ, resource_type);
        if read.is_open() { read } else { read.or(self.may(Permissions::SEARCH, resource_type)) }
    }

    /// Judges an entry of a bundle as if it had come by itself: its `request.method`,
    /// `request.url` and `request.ifNoneExist`.
    ///
    /// # Errors
    ///
    /// Why the entry is refused. A bundle within a bundle always is.
    pub fn entry(
        &self,
        method: &Method,
        url: &str,
        if_none_exist: Option<&str>,
    ) -> Result<Self, Denial> {
        let base = self.interaction.base();
        let entry = Interaction::of_entry(base, method, url, if_none_exist);
        if entry.kind() == InteractionKind::Batch {
            return Err(Denial::new("an entry of a bundle must not be a bundle"));
        }
        self.judge_again(self.rules.clone(), entry)
    }

    /// Judges a search with the parameters of its body (`application/x-www-form-urlencoded`),
    /// which count beside those of the address.
    ///
    /// # Errors
    ///
    /// Why the search is refused.
    pub fn search(&self, parameters: &str) -> Result<Self, Denial> {
        self.judge_again(self.rules.clone(), self.interaction.with_body(parameters))
    }

    /// Whose a job is that this request begins. `None` for a token without a subject: nobody could
    /// be told from another.
    #[must_use]
    pub fn owner(&self) -> Option<JobOwner> {
        let subject = self.principal.subject()?;
        Some(JobOwner::new(self.principal.issuer(), subject))
    }

    /// Whether a job is the caller's. Nobody else's rights reach it.
    #[must_use]
    pub fn owns(&self, owner: &JobOwner) -> bool {
        self.owner().is_some_and(|caller| caller == *owner)
    }
}

impl JobOwner {
    /// An owner, for example as a database has it.
    #[must_use]
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into() }
    }

    /// The issuer (`iss`).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject (`sub`).
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("interaction", &self.interaction().kind())
            .field("granted_by", &format_args!("{}", self.granted_by()))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for JobOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOwner").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
