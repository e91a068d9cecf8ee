//! The owner of an asynchronous job.

use std::fmt;

/// The owner of an asynchronous job: an issuer and a subject of it, exactly.
///
/// ```
/// use tower_fhir_auth::Access;
/// use tower_fhir_auth::authorization::JobOwner;
///
/// /// An export that runs in the background. Whoever began it may ask for it.
/// struct Job {
///     owner: JobOwner,
/// }
///
/// fn find<'j>(job: &'j Job, access: &Access) -> Option<&'j Job> {
///     access.owns(&job.owner).then_some(job)
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JobOwner {
    issuer: String,
    subject: String,
}

impl JobOwner {
    /// Makes an owner, for example of what a database has.
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

impl fmt::Debug for JobOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobOwner").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
