//! The caller that something was sealed for.

use serde::{Deserialize, Serialize};

use crate::authentication::Principal;
use crate::jose::base64url;
use crate::jose::digest::sha256;

/// A digest of a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallerDigest(String);

/// A caller, as it is told from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Caller {
    issuer: String,
    subject: String,
    client: Option<String>,
    patient: Option<String>,
}

impl Caller {
    /// `None` for a token without a subject, which could not be told from another.
    pub(super) fn of(principal: &Principal) -> Option<Self> {
        Some(Self {
            issuer: principal.issuer().to_owned(),
            subject: principal.subject()?.to_owned(),
            client: principal.client_id().map(str::to_owned),
            patient: principal.patient().map(str::to_owned),
        })
    }

    /// Returns a digest of the caller, of the same length for everybody, for addresses that are sealed many times.
    /// `None` only if the caller cannot be serialized, which never happens.
    pub(super) fn mark(&self) -> Option<CallerDigest> {
        Some(CallerDigest(base64url::encode(&sha256(&serde_json::to_vec(self).ok()?))))
    }

    #[cfg(test)]
    pub(super) fn named(subject: &str) -> Self {
        let (issuer, subject) = ("https://idp.example.org".to_owned(), subject.to_owned());
        Self { issuer, subject, client: None, patient: None }
    }
}
