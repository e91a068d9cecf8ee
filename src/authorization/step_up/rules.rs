//! The requirements of a layer, judged by a caller's token and the present time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::challenge::{Insufficient, StepUpChallenge};
use super::requirement::{StepUp, StepUpCallers};
use crate::authentication::sign_in::AuthTime;
use crate::authentication::string_claim::StringClaim;
use crate::authentication::{Authenticator, CallerKind, Principal};
use crate::authorization::{Denial, Enforcement};
use crate::explanation::StepUpReason;
use crate::fhir::{Interaction, InteractionKind};
use crate::time::{Clock, UnixTime};

/// The requirements of a layer.
#[derive(Debug)]
pub(crate) struct StepUpRules {
    blocks: Vec<StepUp>,
    clock: Arc<dyn Clock>,
    issuers: HashMap<Arc<str>, IssuerFacts>,
    /// `true` where nobody within judges what a body asks for.
    by_address_alone: bool,
}

/// The facts about an issuer that requirements on its tokens are judged by.
#[derive(Clone, Debug)]
struct IssuerFacts {
    leeway: Duration,
    /// The address at which users of Microsoft Entra ID sign in.
    entra: Option<String>,
}

/// The caller, as far as requirements look at it.
struct Caller<'a> {
    principal: &'a Principal,
    now: UnixTime,
    leeway: Duration,
    entra: Option<&'a str>,
}

/// A fault of one requirement.
enum Fault {
    Level,
    Age,
    AuthTime,
}

impl StepUpRules {
    pub(crate) fn new(blocks: Vec<StepUp>, authenticator: &Authenticator) -> Self {
        let issuers = authenticator.issuer_facts();
        let issuers =
            issuers.map(|(issuer, leeway, entra)| (issuer, IssuerFacts { leeway, entra }));
        let (clock, by_address_alone) = (authenticator.clock(), false);
        Self { blocks, clock, issuers: issuers.collect(), by_address_alone }
    }

    /// Says that nobody within judges what a body asks for.
    pub(crate) fn by_address_alone(mut self, by_address_alone: bool) -> Self {
        self.by_address_alone = by_address_alone;
        self
    }

    /// Reports whether a request may do what its address does not say, and nobody within looks: then it
    /// needs what any interaction would.
    fn is_unseen(&self, interaction: &Interaction, enforced: Enforcement) -> bool {
        let is_left = |judged| self.by_address_alone || !enforced.contains(judged);
        let is = |kind| interaction.kind() == kind;
        is(InteractionKind::Unknown)
            || (is(InteractionKind::Batch) && is_left(Enforcement::BUNDLE_ENTRIES))
            || (interaction.has_unseen_body() && is_left(Enforcement::SEARCH_BODIES))
    }

    /// Checks that the caller was authenticated as the interaction requires.
    // One of five whose calls are 1.5 % of the instructions for a token seen before.
    #[inline]
    pub(in crate::authorization) fn check(
        &self,
        principal: &Principal,
        interaction: &Interaction,
        enforced: Enforcement,
    ) -> Result<(), Denial> {
        match self.blocks.is_empty() {
            true => Ok(()),
            false => self.evaluate(principal, interaction, enforced),
        }
    }

    fn evaluate(
        &self,
        principal: &Principal,
        interaction: &Interaction,
        enforced: Enforcement,
    ) -> Result<(), Denial> {
        let caller = self.caller(principal);
        let is_unseen = self.is_unseen(interaction, enforced);
        let is_about = |block: &&StepUp| {
            block.is_about(&caller)
                && (is_unseen
                    || block.on.iter().any(|target| target.concerns(interaction, enforced)))
        };
        let blocks: Vec<&StepUp> = self.blocks.iter().filter(is_about).collect();
        // What nobody can read is told before what a better sign-in would mend.
        let is_unreadable =
            caller.has_no_time() && blocks.iter().any(|block| block.max_auth_age.is_some());
        let fault = is_unreadable.then_some(Fault::AuthTime);
        match fault.or_else(|| blocks.iter().find_map(|block| caller.fault_of(block))) {
            None => Ok(()),
            Some(fault) => Err(caller.denial(&fault, &blocks)),
        }
    }

    /// Reports whether the caller meets every requirement on any interaction at all.
    pub(in crate::authorization) fn are_met_everywhere(&self, principal: &Principal) -> bool {
        self.blocks.iter().all(|block| {
            let caller = self.caller(principal);
            !block.is_about(&caller) || caller.fault_of(block).is_none()
        })
    }

    fn caller<'a>(&'a self, principal: &'a Principal) -> Caller<'a> {
        let facts = self.issuers.get(principal.issuer());
        Caller {
            principal,
            now: self.clock.now(),
            leeway: facts.map_or(Duration::ZERO, |facts| facts.leeway),
            entra: facts.and_then(|facts| facts.entra.as_deref()),
        }
    }
}

impl StepUp {
    fn is_about(&self, caller: &Caller<'_>) -> bool {
        self.callers == StepUpCallers::All || caller.is_user()
    }
}

impl Caller<'_> {
    fn is_user(&self) -> bool {
        let principal = self.principal;
        if self.entra.is_some() {
            return principal.kind() != CallerKind::Application;
        }
        let has_subject =
            principal.subject().is_some_and(|subject| Some(subject) != principal.client_id());
        principal.fhir_user_claim().claim != StringClaim::Absent || has_subject
    }

    fn fault_of(&self, block: &StepUp) -> Option<Fault> {
        if !block.acr.is_empty() && !self.contexts().iter().any(|held| block.acr.contains(held)) {
            return Some(Fault::Level);
        }
        let age = block.max_auth_age?;
        match self.principal.sign_in().time {
            _ if self.has_no_time() => Some(Fault::AuthTime),
            AuthTime::At(time) => (time.saturating_add(age) < self.now).then_some(Fault::Age),
            AuthTime::Absent | AuthTime::Unreadable => Some(Fault::Age),
        }
    }

    /// Reports whether `auth_time` is no time at which somebody can have signed in.
    fn has_no_time(&self) -> bool {
        match self.principal.sign_in().time {
            AuthTime::Absent => false,
            AuthTime::At(time) => time > self.now.saturating_add(self.leeway),
            AuthTime::Unreadable => true,
        }
    }

    /// The authentication contexts of the token: `acr`, for Microsoft Entra ID `acrs`.
    fn contexts(&self) -> &[String] {
        let sign_in = self.principal.sign_in();
        match self.entra {
            None => &sign_in.context,
            Some(_) => &sign_in.entra_contexts,
        }
    }

    /// Tells what a token must have that meets all requirements on the interaction.
    fn denial(&self, fault: &Fault, blocks: &[&StepUp]) -> Denial {
        if matches!(fault, Fault::AuthTime) {
            return Denial::of_step_up(StepUpReason::AuthTime, Insufficient::AuthTime);
        }
        let wanted = || blocks.iter().map(|block| &block.acr).filter(|acr| !acr.is_empty());
        let first = wanted().next().cloned().unwrap_or_default();
        // Sets, so that many values are not compared with as many.
        let others: Vec<HashSet<&String>> =
            wanted().skip(1).map(|acr| acr.iter().collect()).collect();
        let in_all = |value: &&String| others.iter().all(|other| other.contains(value));
        let common: Vec<String> = first.iter().filter(in_all).cloned().collect();
        let acr = if common.is_empty() { first } else { common };
        let max_age = blocks.iter().filter_map(|block| block.max_auth_age).min();
        let reason = match fault {
            Fault::Level => StepUpReason::Level,
            Fault::Age | Fault::AuthTime => StepUpReason::Age,
        };
        let expected = match (fault, max_age) {
            (Fault::Level, _) => format!("one of {}", acr.join(" ")),
            (_, Some(age)) => {
                let since = self.now.saturating_sub(age);
                format!("at least {since} (this server's clock: {})", self.now)
            }
            (_, None) => String::new(),
        };
        let handles_claims_challenge = self.principal.sign_in().handles_claims_challenge;
        let challenge = match self.entra.filter(|_| handles_claims_challenge) {
            Some(address) => StepUpChallenge::of_entra(&acr, max_age.is_some(), address),
            None => StepUpChallenge::Values { acr, max_age },
        };
        Denial::of_step_up(reason, Insufficient::Challenged(challenge)).with_expected(expected)
    }
}
