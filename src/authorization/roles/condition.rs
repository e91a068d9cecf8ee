//! Roles that count only for those who have said why they ask, or have signed in a short time ago.

use std::fmt;
use std::time::Duration;

use hashbrown::HashMap;

use super::ascii_case::{CaseInsensitive, CaseInsensitiveName};
use crate::authentication::sign_in::AuthTime;
use crate::authentication::{Principal, PurposeOfUse};
use crate::error::BuildError;
use crate::time::UnixTime;

/// The code system of HL7's purposes of use, which a purpose has that names none.
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// Its object identifier, as UDAP writes it.
const ACT_REASON_BY_OID: [&str; 2] = ["urn:oid:2.16.840.1.113883.5.8", "2.16.840.1.113883.5.8"];

/// The time by which the clocks of provider and server may differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// A condition that a token has to meet for a role to count: emergency access ("break the glass") is a role with a
/// purpose of use and a sign-in that is not long ago.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::authorization::RoleCondition;
/// use tower_fhir_auth::{RoleDefinitions, RolePolicy};
///
/// let emergency = RoleCondition::new()
///     .purpose_of_use(["ETREAT", "BTG"])
///     .max_auth_age(Duration::from_secs(300));
/// let policy = RolePolicy::new(RoleDefinitions::microsoft())
///     .role_counts_when("globalReader", emergency)?;
/// # Ok::<(), tower_fhir_auth::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RoleCondition {
    purposes: Vec<(String, String)>,
    max_auth_age: Option<Duration>,
}

/// The conditions of roles, by their names in any case.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(HashMap<CaseInsensitiveName, RoleCondition>);

impl RoleCondition {
    /// Makes a condition that asks for nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the purposes of which the token has to have one, where
    /// [IHE IUA and UDAP](Principal::purpose_of_use) put them: a code of HL7's
    /// [PurposeOfUse](https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html), or `system|code`.
    pub fn purpose_of_use<T: AsRef<str>>(mut self, purposes: impl IntoIterator<Item = T>) -> Self {
        let coding = |purpose: T| {
            let whole = purpose.as_ref();
            let (system, code) = whole.rsplit_once('|').unwrap_or((ACT_REASON, whole));
            (named(system).to_owned(), code.to_owned())
        };
        self.purposes = purposes.into_iter().map(coding).collect();
        self
    }

    /// Sets the longest time since the user was authenticated, by `auth_time` (OpenID Connect Core section 2).
    pub fn max_auth_age(mut self, age: Duration) -> Self {
        self.max_auth_age = Some(age);
        self
    }

    /// Checks that it asks for something.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let fault = |setting, expected| Err(BuildError::Setting { setting, expected });
        if self.purposes.is_empty() && self.max_auth_age.is_none() {
            return fault("roles.when", "`purpose_of_use`, `max_auth_age` or both");
        }
        if self.purposes.iter().any(|(system, code)| system.is_empty() || code.is_empty()) {
            return fault("roles.when.purpose_of_use", "codes such as `ETREAT`, or `system|code`");
        }
        if self.max_auth_age.is_some_and(|age| age.is_zero()) {
            return fault("roles.when.max_auth_age", "more than 0s");
        }
        Ok(())
    }

    fn is_met(&self, caller: &Principal, now: UnixTime) -> bool {
        let sign_in = caller.sign_in();
        let is_wanted = |held: &PurposeOfUse| {
            let system = held.system.as_deref().map_or(ACT_REASON, named);
            self.purposes.iter().any(|(wanted, code)| wanted == system && *code == held.code)
        };
        let is_recent = |age: Duration| match sign_in.time {
            AuthTime::At(time) => {
                time.saturating_add(age) >= now && time <= now.saturating_add(LEEWAY)
            }
            AuthTime::Absent | AuthTime::Unreadable => false,
        };
        (self.purposes.is_empty() || sign_in.purposes.iter().any(is_wanted))
            && self.max_auth_age.is_none_or(is_recent)
    }
}

/// Returns the one name of a code system.
fn named(system: &str) -> &str {
    if ACT_REASON_BY_OID.contains(&system) { ACT_REASON } else { system }
}

impl fmt::Display for RoleCondition {
    /// Says what a token needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.purposes.is_empty() {
            f.write_str("a purpose of use among")?;
            for (system, code) in &self.purposes {
                match system.as_str() {
                    ACT_REASON => write!(f, " `{code}`")?,
                    system => write!(f, " `{system}|{code}`")?,
                }
            }
        }
        if let Some(age) = self.max_auth_age {
            let and = if self.purposes.is_empty() { "" } else { " and " };
            write!(f, "{and}a sign-in within {}", humantime::format_duration(age))?;
        }
        Ok(())
    }
}

impl Conditions {
    /// Adds that of a role, which has one alone: a second one could take away what the first asks for.
    pub(super) fn add(&mut self, role: &str, condition: RoleCondition) -> Result<(), BuildError> {
        condition.check()?;
        match self.0.insert(CaseInsensitiveName::new(role), condition) {
            None => Ok(()),
            Some(_) => {
                Err(BuildError::Setting { setting: "roles.when", expected: "each role once" })
            }
        }
    }

    /// Returns the condition of a role that the caller does not meet.
    pub(super) fn unmet(
        &self,
        role: &str,
        caller: &Principal,
        now: UnixTime,
    ) -> Option<&RoleCondition> {
        self.0.get(&CaseInsensitive(role)).filter(|condition| !condition.is_met(caller, now))
    }
}
