//! The most that the callers of an issuer may do.

use std::collections::HashMap;

use super::data_action::DataActions;
use super::refusal::unlisted;
use super::required::required;
use crate::authorization::{AccessRequest, Authorizer, DataAction, Denial, Enforcement, Grant};
use crate::explanation::Requirement;
use crate::fhir::InteractionKind;

/// Limits the callers of some issuers to data actions, whatever else grants, as Azure does with
/// the external providers of a FHIR service (`allowedDataActions`). Issuers that are not named
/// are not limited. It is one half of a rule: [`Authorizer::and`] joins it with the other.
///
/// ```
/// use tower_fhir_auth::authorization::{DataAction, IssuerLimits};
/// use tower_fhir_auth::{Authorizer, ScopePolicy};
///
/// let limits = IssuerLimits::new().allow("https://idp.example.org", [DataAction::Read]);
/// let policy = ScopePolicy::new().and(limits);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct IssuerLimits(HashMap<String, DataActions>);

impl IssuerLimits {
    /// No limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits an issuer to these data actions, and those of earlier calls.
    pub fn allow(
        mut self,
        issuer: impl Into<String>,
        actions: impl IntoIterator<Item = DataAction>,
    ) -> Self {
        let allowed = self.0.entry(issuer.into()).or_default();
        for action in actions {
            *allowed |= action.into();
        }
        self
    }
}

const SUMMARY: &str = "callers of this issuer may not do this";

impl Authorizer for IssuerLimits {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let Some(allowed) = self.0.get(request.principal().issuer()) else {
            return Ok(Grant::by("no limit of the issuer"));
        };
        if let Some(fault) = request.interaction().address_fault()
            && !allowed.contains(DataActions::EVERY)
        {
            return Err(Denial::of_address(fault));
        }
        // What the handlers enforce is the business of the rules that grant; but of a bundle that nobody
        // judges entry by entry, no data action but all of them is the most.
        let enforced = match request.interaction().kind() == InteractionKind::Batch {
            true => request.enforcement(),
            false => Enforcement::ALL,
        };
        let required = required(request.interaction(), enforced);
        let required =
            required.map_err(|undeclared| Denial::new(SUMMARY).undeclared(undeclared))?;
        if required.met_by(*allowed) {
            return Ok(Grant::by("the limit of the issuer"));
        }
        let Some(words) = required.words() else {
            return Err(unlisted(SUMMARY, required, request.interaction()));
        };
        let least = required.least_beside(*allowed).names();
        Err(Denial::new(SUMMARY)
            .requires([Requirement::IssuerLimit(least)])
            .with_expected(format!("an issuer whose callers may have {words}")))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}
