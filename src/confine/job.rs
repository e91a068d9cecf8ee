//! Addresses of exports: the server's own, sealed together with their owner and with the types that are
//! exported.

use serde::{Deserialize, Serialize};

use crate::authentication::UnixTime;
use crate::authorization::JobOwner;
use crate::seal::{Purpose, SealKey};

/// An address of an export at the upstream server.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// The address, relative to the base of the upstream server.
    pub(super) link: String,
    pub(super) part: Part,
    /// Of a file, the address of the status that has named it.
    pub(super) status: Option<String>,
    /// The types that are exported; `None` for all of them.
    #[serde(with = "packed")]
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
    pub(super) fn seal(&self, key: &SealKey, context: &str) -> Option<String> {
        key.seal(&serde_json::to_vec(self).ok()?, Purpose::Export, context)
    }

    /// Opens an address that one of the keys has sealed for this owner, and that still serves.
    pub(super) fn open(
        sealed: &str,
        keys: &[SealKey],
        context: &str,
        owner: &JobOwner,
        now: UnixTime,
    ) -> Option<Self> {
        let plain = keys.iter().find_map(|key| key.open(sealed, Purpose::Export, context))?;
        let job: Self = serde_json::from_slice(&plain).ok()?;
        let is_owners = *owner == JobOwner::new(&*job.issuer, &*job.subject);
        (is_owners && now.as_secs() < job.expires).then_some(job)
    }

    /// Reports whether a type is among those that are exported.
    pub(super) fn has(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.iter().any(|one| one == name))
    }
}

/// Types in an address: there is one for each file of a manifest, and a bit of each type of R4 in it.
mod packed {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::fhir::ResourceTypes;

    #[derive(Serialize, Deserialize)]
    struct Packed {
        r4: Vec<u8>,
        /// The types that the application has declared.
        others: Vec<String>,
    }

    pub(super) fn serialize<S: Serializer>(
        types: &Option<Vec<String>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let packed = types.as_ref().map(|types| {
            let r4 = ResourceTypes::r4();
            let names: Vec<&str> = r4.names().collect();
            let is_one = |name: &&str| types.iter().any(|one| one == name);
            let byte = |names: &[&str]| {
                let bits = names.iter().enumerate().filter(|(_, name)| is_one(name));
                bits.fold(0, |byte, (bit, _)| byte | 1 << bit)
            };
            let others = types.iter().filter(|name| !r4.contains(name)).cloned().collect();
            Packed { r4: names.chunks(8).map(byte).collect(), others }
        });
        packed.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<String>>, D::Error> {
        let packed = Option::<Packed>::deserialize(deserializer)?;
        Ok(packed.map(|Packed { r4, others }| {
            let has = |bit: usize| {
                let byte = r4.get(bit / 8).copied().unwrap_or_default();
                byte & (1 << (bit % 8)) != 0
            };
            let types = ResourceTypes::r4();
            let named = types.names().enumerate().filter(|(bit, _)| has(*bit));
            named.map(|(_, name)| name.to_owned()).chain(others).collect()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::ResourceTypes;

    #[test]
    fn an_address_has_the_same_length_of_one_type_as_of_all() {
        let (key, owner) = (SealKey::new(&[7; 32]).unwrap(), JobOwner::new("issuer", "subject"));
        let end = UnixTime::from_secs(100);
        let sealed = |types: Vec<String>| {
            let link = "/status/1".to_owned();
            let job = Job::new(link, Part::Resources, Some(types), &owner, end);
            let sealed = job.seal(&key, "here").unwrap();
            let now = UnixTime::from_secs(99);
            let opened = Job::open(&sealed, std::slice::from_ref(&key), "here", &owner, now);
            assert_eq!(opened, Some(job));
            sealed.len()
        };
        let all: Vec<String> = ResourceTypes::r4().names().map(str::to_owned).collect();
        let own = vec!["Observation".to_owned(), "Patient".to_owned(), "OfOurs".to_owned()];
        assert!(sealed(all[3..4].to_vec()).abs_diff(sealed(all.clone())) < 80);
        assert!(sealed(own) < 400);
    }
}
