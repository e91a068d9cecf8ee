//! A JSON Web Key Set (RFC 7517 section 5): tolerant of bad entries, exact in choosing a key.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::Algorithm;
use super::json::without_mark;
use super::jwk::{JwkError, KeyPolicy, VerificationKey};
use super::key_issuer::ExpectedKeyIssuer;
use super::signature::{BadSignature, PreparedKey, SignatureValid};
use crate::display_safe::sanitize;

/// The most keys that are tried when a token has no `kid`.
const MAX_TRIALS: usize = 4;

/// The most entries that a set may have.
const MAX_KEYS: usize = 1024;

/// The most entries that were left out whose `kid` is remembered.
const MAX_REMEMBERED: usize = 256;

/// The longest `kid` that is remembered of an entry that was left out, in bytes.
const MAX_REMEMBERED_ID: usize = 256;

/// The keys of one issuer, prepared for checking signatures.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys": [
///     {"kty": "OKP", "crv": "Ed25519", "kid": "one",
///      "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty": "oct", "k": "c2VjcmV0"}
/// ]}"#)?;
/// assert_eq!(set.len(), 1);
/// assert_eq!(set.left_out()[0].index, 1);
/// # Ok::<(), tower_fhir_auth::jose::JwkSetError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<VerificationKey>,
    by_kid: HashMap<Box<str>, Vec<usize>>,
    left_out: Vec<LeftOut>,
    /// For each `kid` of those, exactly as it is, the index in `left_out` of the first that has it.
    left_out_by_kid: HashMap<Box<str>, usize>,
}

/// An entry of a key set that is not used, with the reason.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys": [{"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]}"#)?;
/// for entry in set.left_out() {
///     println!("{entry:?}");
/// }
/// assert!(set.is_empty() && set.left_out().len() == 1);
/// # Ok::<(), tower_fhir_auth::jose::JwkSetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its index in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, where it has a readable one.
    pub kid: Option<String>,
    /// The reason.
    pub reason: JwkError,
}

/// The reason why a string is not a key set.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
///
/// let error = JwkSet::parse(b"<html>Not Found</html>").unwrap_err();
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkSetError {
    /// The string is not a JSON object with one array `keys`.
    #[error("expected a JSON object with an array `keys` (RFC 7517 section 5)")]
    NotASet,
    /// The set has more entries than are accepted.
    #[error("{0} entries, but at most {MAX_KEYS} are accepted")]
    TooMany(usize),
}

/// The reason why no key of a set can verify a token's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// No key has the token's `kid`; or the token has none, and no key fits its algorithm.
    Unknown,
    /// Keys have the `kid`, but none may be used with the algorithm.
    WrongAlgorithm,
    /// Keys have the `kid`, but all are another issuer's.
    Foreign,
    /// More keys match than are tried.
    Ambiguous,
}

impl NoKey {
    pub(crate) fn is_unknown(self) -> bool {
        self == Self::Unknown
    }
}

/// The keys that a token may mean: one, where it has a `kid` as it should.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    first: &'a PreparedKey,
    others: Vec<&'a PreparedKey>,
}

impl Candidates<'_> {
    /// Verifies a signature with each of the keys until one matches.
    pub(crate) fn verify(
        &self,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<SignatureValid, BadSignature> {
        let mut result = self.first.verify(signing_input, signature);
        for key in &self.others {
            result = result.or_else(|_| key.verify(signing_input, signature));
        }
        result
    }
}

#[derive(Deserialize)]
struct JwkSetDocument<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// Parses a key set. Entries that cannot be used are left out one by one, see
    /// [`left_out`](Self::left_out).
    ///
    /// # Errors
    ///
    /// When the string is not a key set, or has more than 1,024 entries.
    pub fn parse(json: &[u8]) -> Result<Self, JwkSetError> {
        Self::parse_with(json, KeyPolicy::default())
    }

    pub(crate) fn parse_with(json: &[u8], policy: KeyPolicy) -> Result<Self, JwkSetError> {
        let json = without_mark(json);
        if !json.trim_ascii_start().starts_with(b"{") {
            // A derived reader would also accept the members as an array.
            return Err(JwkSetError::NotASet);
        }
        // Entries stay raw: in a strict reading of the whole, a doubled member of one would cost all keys.
        let document: JwkSetDocument<'_> =
            serde_json::from_slice(json).map_err(|_| JwkSetError::NotASet)?;
        if document.keys.len() > MAX_KEYS {
            return Err(JwkSetError::TooMany(document.keys.len()));
        }
        let mut set = Self::default();
        let mut known = KeysByIdentity::default();
        for (index, entry) in document.keys.into_iter().enumerate() {
            match VerificationKey::parse(entry.get(), policy) {
                Ok(key) => set.add(key, &mut known),
                Err(reason) => set.leave_out(index, readable_kid(entry.get()), reason),
            }
        }
        Ok(set)
    }

    /// Returns the number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Reports whether no key is usable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Reports whether another set has the same keys, in the same order.
    pub(crate) fn has_the_keys_of(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.keys.iter().zip(&other.keys).all(|(one, another)| one.repeats(another))
    }

    /// Returns the entries that were left out, in the order of the set.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Returns the reason why the entry that a `kid` names was left out; where several have it, that
    /// of the first.
    pub(crate) fn reason_left_out(&self, kid: &str) -> Option<&JwkError> {
        let index = self.left_out_by_kid.get(kid)?;
        self.left_out.get(*index).map(|entry| &entry.reason)
    }

    /// Returns the keys that `kid` and `algorithm` of a token mean. `kid` is compared exactly (RFC
    /// 7517 section 4.5); without one, those that fit the algorithm, if they are few. With an
    /// expected issuer, keys declared for another one do not count.
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        expected: Option<&ExpectedKeyIssuer>,
    ) -> Result<Candidates<'_>, NoKey> {
        let is_own =
            |key: &&VerificationKey| expected.is_none_or(|expected| key.issuer().admits(expected));
        let Some(kid) = kid else {
            // Unknown, so that the request waits for a load: it may bring the key that the token means.
            return select_few(self.keys.iter().filter(is_own), algorithm, NoKey::Unknown);
        };
        let indices = self.by_kid.get(kid).ok_or(NoKey::Unknown)?;
        let named = || indices.iter().filter_map(|index| self.keys.get(*index));
        let none =
            if named().any(|key| is_own(&key)) { NoKey::WrongAlgorithm } else { NoKey::Foreign };
        select_few(named().filter(is_own), algorithm, none)
    }

    /// Returns the algorithms of the keys that a `kid` names.
    pub(crate) fn algorithms_of(&self, kid: &str) -> Vec<Algorithm> {
        let indices = self.by_kid.get(kid).into_iter().flatten();
        let keys = indices.filter_map(|index| self.keys.get(*index));
        keys.flat_map(VerificationKey::algorithms).collect()
    }

    fn leave_out(&mut self, index: usize, kid: Option<String>, reason: JwkError) {
        let shown = kid.as_deref().map(sanitize);
        if let Some(kid) = kid.filter(|kid| kid.len() <= MAX_REMEMBERED_ID)
            && self.left_out_by_kid.len() < MAX_REMEMBERED
        {
            self.left_out_by_kid.entry(kid.into()).or_insert(self.left_out.len());
        }
        self.left_out.push(LeftOut { index, kid: shown, reason });
    }

    /// Adds a key, unless the set has it already.
    fn add(&mut self, key: VerificationKey, known: &mut KeysByIdentity) {
        let alike = known.alike(&key);
        if alike.iter().filter_map(|index| self.keys.get(*index)).any(|other| other.repeats(&key)) {
            return;
        }
        let index = self.keys.len();
        alike.push(index);
        if let Some(kid) = key.kid() {
            self.by_kid.entry(kid.into()).or_default().push(index);
        }
        self.keys.push(key);
    }
}

/// The keys of a set by what they are, while it is read: a provider may publish very many under one
/// `kid`, or none.
#[derive(Default)]
struct KeysByIdentity {
    hasher: DefaultHashBuilder,
    indices: HashMap<u64, Vec<usize>>,
}

impl KeysByIdentity {
    /// Returns the indices of the keys that may be the same.
    fn alike(&mut self, key: &VerificationKey) -> &mut Vec<usize> {
        self.indices.entry(self.hasher.hash_one(key.identity())).or_default()
    }
}

fn select_few<'a>(
    keys: impl Iterator<Item = &'a VerificationKey>,
    algorithm: Algorithm,
    none: NoKey,
) -> Result<Candidates<'a>, NoKey> {
    let mut fitting = keys.filter_map(|key| key.prepared_for(algorithm));
    let first = fitting.next().ok_or(none)?;
    // With the first, one more than may be tried: enough to tell that there are too many.
    let others: Vec<_> = fitting.take(MAX_TRIALS).collect();
    if others.len() == MAX_TRIALS {
        return Err(NoKey::Ambiguous);
    }
    Ok(Candidates { first, others })
}

fn readable_kid(entry: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kid {
        kid: String,
    }
    serde_json::from_str::<Kid>(entry).ok().map(|entry| entry.kid)
}

/// Converts keys of the `jsonwebtoken` crate, for applications that have its types.
#[cfg(feature = "jsonwebtoken")]
impl TryFrom<&jsonwebtoken::jwk::JwkSet> for JwkSet {
    type Error = JwkSetError;

    fn try_from(set: &jsonwebtoken::jwk::JwkSet) -> Result<Self, JwkSetError> {
        let json = serde_json::to_vec(set).map_err(|_| JwkSetError::NotASet)?;
        Self::parse(&json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns the one key under the one `kid`, with these members beside.
    fn entry(members: &Value) -> Value {
        let mut entry = json!({"kty": "OKP", "crv": "Ed25519", "kid": "one",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        for (name, value) in members.as_object().unwrap() {
            entry[name] = value.clone();
        }
        entry
    }

    fn set(keys: &[Value]) -> JwkSet {
        JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_that_stands_twice_is_one_unless_its_algorithms_differ() {
        let (plain, eddsa) = (entry(&json!({})), entry(&json!({"alg": "EdDSA"})));
        let (ed25519, other) = (entry(&json!({"alg": "Ed25519"})), entry(&json!({"kid": "other"})));
        let of_issuer = entry(&json!({"issuer": "https://idp.test"}));
        for (keys, expected) in [
            (vec![&plain, &plain], 1),
            (vec![&eddsa, &plain, &eddsa], 2),
            (vec![&plain, &eddsa], 2),
            (vec![&eddsa, &ed25519], 2),
            (vec![&plain, &other], 2),
            (vec![&plain, &of_issuer], 2),
        ] {
            let keys: Vec<Value> = keys.into_iter().cloned().collect();
            assert_eq!(set(&keys).len(), expected, "{keys:?}");
        }
    }

    #[test]
    fn why_there_is_no_key_is_told_by_kid_algorithm_and_issuer() {
        let set = set(&[entry(&json!({"issuer": "https://idp.test"}))]);
        let expected = |issuer: &str| ExpectedKeyIssuer {
            tenant: "t".to_owned(),
            issuers: vec![issuer.to_owned()],
            cloud: "global",
        };
        let (own, another) = (expected("https://idp.test"), expected("https://another.test"));
        for (kid, algorithm, issuer, why) in [
            (Some("one"), Algorithm::EdDsa, None, None),
            (Some("one"), Algorithm::EdDsa, Some(&own), None),
            (None, Algorithm::EdDsa, Some(&own), None),
            (Some("one"), Algorithm::Rs256, None, Some(NoKey::WrongAlgorithm)),
            (Some("one"), Algorithm::Rs256, Some(&own), Some(NoKey::WrongAlgorithm)),
            (Some("one"), Algorithm::EdDsa, Some(&another), Some(NoKey::Foreign)),
            (Some("two"), Algorithm::EdDsa, None, Some(NoKey::Unknown)),
            (None, Algorithm::Rs256, None, Some(NoKey::Unknown)),
            (None, Algorithm::EdDsa, Some(&another), Some(NoKey::Unknown)),
        ] {
            let found = set.select(kid, algorithm, issuer).err();
            assert_eq!(found, why, "{kid:?} {algorithm} {issuer:?}");
        }
    }

    #[test]
    fn only_a_key_that_is_unknown_may_come_with_the_next_load() {
        assert!(NoKey::Unknown.is_unknown());
        for why in [NoKey::WrongAlgorithm, NoKey::Foreign, NoKey::Ambiguous] {
            assert!(!why.is_unknown(), "{why:?}");
        }
    }
}
