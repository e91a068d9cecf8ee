//! Addresses of exports: the server's own, sealed together with their owner and with the types that are
//! exported.

use serde::{Deserialize, Serialize};

use crate::authentication::UnixTime;
use crate::authorization::JobOwner;
use crate::seal::{Purpose, SealKey};

/// An address of an export at the server behind.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// The address, relative to the base of the server behind.
    pub(super) link: String,
    pub(super) part: Part,
    /// Of a file, the address of the status that has named it.
    pub(super) status: Option<String>,
    /// The types that are exported; `None` for all of them.
    pub(super) types: Option<Vec<String>>,
    issuer: String,
    subject: String,
    /// The second from which on it serves no more.
    expires: i64,
}

/// The part of an export that an address is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    /// Its status, and its manifest: with the address by which it was asked for.
    Status { request: String },
    /// A file of resources.
    Resources,
    /// A file of what was deleted.
    Deletions,
    /// A file of what could not be exported.
    Errors,
}

impl Job {
    pub(super) fn new(
        link: String,
        part: Part,
        types: Option<Vec<String>>,
        owner: &JobOwner,
        expires: UnixTime,
    ) -> Self {
        let (issuer, subject) = (owner.issuer().to_owned(), owner.subject().to_owned());
        Self { link, part, status: None, types, issuer, subject, expires: expires.as_secs() }
    }

    /// Makes the address of a part that this status names, for the same owner and the same time.
    pub(super) fn other(&self, link: String, part: Part) -> Self {
        let status = (!matches!(part, Part::Status { .. })).then(|| self.link.clone());
        let (types, expires) = (self.types.clone(), self.expires);
        let (issuer, subject) = (self.issuer.clone(), self.subject.clone());
        Self { link, part, status, types, issuer, subject, expires }
    }

    /// Seals it, as the last segment of its address.
    pub(super) fn seal(&self, key: &SealKey, place: &str) -> Option<String> {
        key.seal(&serde_json::to_vec(self).ok()?, Purpose::Export, place)
    }

    /// Opens an address that one of the keys has sealed for this owner, and that still serves.
    pub(super) fn open(
        sealed: &str,
        keys: &[SealKey],
        place: &str,
        owner: &JobOwner,
        now: UnixTime,
    ) -> Option<Self> {
        let plain = keys.iter().find_map(|key| key.open(sealed, Purpose::Export, place))?;
        let job: Self = serde_json::from_slice(&plain).ok()?;
        let is_owners = *owner == JobOwner::new(&*job.issuer, &*job.subject);
        (is_owners && now.as_secs() < job.expires).then_some(job)
    }

    /// Reports whether a type is among those that are exported.
    pub(super) fn has(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|one| one == name))
    }
}
