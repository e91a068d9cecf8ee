//! One requirement: on what, of whom, and how they have to have been authenticated.

use std::time::Duration;

use super::target::StepUpTarget;
use crate::error::BuildError;
use crate::fhir::ResourceTypes;

/// A requirement on how the user of a token was authenticated, for some interactions, however they are
/// granted. Where it is not met, the refusal tells the client what to ask the provider for.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::authorization::StepUp;
///
/// let deletions = StepUp::on(["*.d", "Patient.u", "$export"])?
///     .acr(["urn:example:mfa"])
///     .max_auth_age(Duration::from_secs(300));
/// # Ok::<(), tower_fhir_auth::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StepUp {
    pub(super) on: Vec<StepUpTarget>,
    pub(super) acr: Vec<String>,
    pub(super) max_auth_age: Option<Duration>,
    pub(super) callers: StepUpCallers,
}

/// The callers that a [`StepUp`] is about.
///
/// ```
/// use tower_fhir_auth::authorization::{StepUp, StepUpCallers};
///
/// let rule = StepUp::on(["*.d"])?.acr(["mfa"]).callers(StepUpCallers::All);
/// # Ok::<(), tower_fhir_auth::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepUpCallers {
    /// All.
    #[default]
    All,
    /// Users: not a token without `fhirUser` whose `sub` is missing or its client's id, and for
    /// Microsoft Entra ID not an application's.
    Users,
}

impl StepUp {
    /// Starts a requirement on interactions: `Patient.d` for a permission of SMART scopes on a type, `*.u`
    /// for one on every type, `$export` for an operation.
    ///
    /// # Errors
    ///
    /// When one is written in another way, or none is given.
    pub fn on<T: AsRef<str>>(on: impl IntoIterator<Item = T>) -> Result<Self, BuildError> {
        let fault = |expected| BuildError::Setting { setting: "require.on", expected };
        let targets: Option<Vec<StepUpTarget>> =
            on.into_iter().map(|target| StepUpTarget::parse(target.as_ref())).collect();
        let on = targets.filter(|targets| !targets.is_empty()).ok_or_else(|| {
            fault("`Type.letter`, `*.letter` or `$operation`, with one of c, r, u, d, s")
        })?;
        Ok(Self { on, acr: Vec::new(), max_auth_age: None, callers: StepUpCallers::All })
    }

    /// Sets the authentication contexts of which one must be in `acr` (for Microsoft Entra ID in
    /// `acrs`).
    pub fn acr<T: Into<String>>(mut self, values: impl IntoIterator<Item = T>) -> Self {
        self.acr = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the longest time since the user was authenticated, by `auth_time`.
    pub fn max_auth_age(mut self, age: Duration) -> Self {
        self.max_auth_age = Some(age);
        self
    }

    /// Sets whom it is about. Default: all callers.
    pub fn callers(mut self, callers: StepUpCallers) -> Self {
        self.callers = callers;
        self
    }

    /// Checks that it names types that there are, and asks for something.
    pub(crate) fn check(&self, types: &ResourceTypes) -> Result<(), BuildError> {
        let fault = |setting, expected| Err(BuildError::Setting { setting, expected });
        if !self.on.iter().all(|target| target.is_of(types)) {
            return fault("require.on", "types of R4, or declared ones, before the letter");
        }
        if self.acr.is_empty() && self.max_auth_age.is_none() {
            return fault("require", "`acr`, `max_auth_age` or both");
        }
        if self.acr.iter().any(|value| value.is_empty() || value.contains([' ', '"', '\\'])) {
            return fault("require.acr", "values without spaces, quotes and backslashes");
        }
        if self.max_auth_age.is_some_and(|age| age.is_zero()) {
            return fault("require.max_auth_age", "more than 0s");
        }
        Ok(())
    }
}
