//! A JSON Web Key (RFC 7517) becomes a [`VerificationKey`], or is left out with a reason.
//!
//! Entries are read with the strict JSON reader, not into the JWK type of another crate: that would
//! miss duplicate members, private members and newer algorithm names, and the two could disagree.

use super::algorithm::{Algorithm, KeyKind};
use super::base64url;
use super::json::{Document, Json, Row};
use super::key_issuer::KeyIssuer;
use super::signature::{KeyMaterial, PreparedKey};
use crate::display_safe::sanitize;

/// Bounds of an RSA modulus in bits: the lower one is RFC 7518 section 3.3, the upper one limits
/// the cost of a check.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The most `key_ops` that an entry may have; RFC 7517 section 4.3 names eight.
const MAX_OPERATIONS: usize = 16;

/// Members that only a private or symmetric key has (RFC 7518 section 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Members of which a public key has at least one (RFC 7518 section 6, RFC 8037 section 2).
const MEMBERS: [&str; 4] = ["n", "e", "x", "y"];

/// Encodings of the Ed25519 points whose order divides 8, without the sign bit. Signatures can be
/// forged under such a "key" without any secret.
const SMALL_ORDER: [[u8; 32]; 7] = [
    edge(0x00, 0x00, 0x00),
    edge(0x01, 0x00, 0x00),
    edge(0xec, 0xff, 0x7f),
    edge(0xed, 0xff, 0x7f),
    edge(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

const fn edge(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    let [head, .., tail] = &mut bytes;
    *head = first;
    *tail = last;
    bytes
}

/// A public key with the uses that its JWK allows, prepared for each algorithm it fits.
#[derive(Clone, Debug)]
pub(crate) struct VerificationKey {
    kid: Option<Box<str>>,
    /// The issuer of the key, where a set is shared by several.
    issuer: KeyIssuer,
    material: KeyMaterial,
    prepared: Vec<PreparedKey>,
}

/// The reason why an entry of a key set is left out. The rest of the set is not affected.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
///
/// let set = JwkSet::parse(br#"{"keys": [{"kty": "RSA", "kid": "a", "e": "AQAB"}]}"#)?;
/// println!("{}", set.left_out()[0].reason);
/// # Ok::<(), tower_fhir_auth::jose::JwkSetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// The entry is not a JSON object, has a duplicate member, or is nested too deeply.
    #[error("the entry {0}")]
    NotAnObject(String),
    /// A required member is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member has the wrong type, or its value is malformed.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// The key is given as a certificate and not by its own members. Certificates are not looked
    /// at: RFC 7517 section 4.7 has the members beside them.
    #[error("there is a certificate in `x5c` alone, without the members of the key")]
    CertificateAlone,
    /// A coordinate is not of the size that its curve requires (RFC 7518 section 6.2.1.2, RFC 8037
    /// section 2).
    #[error("`{name}` has {found} bytes instead of {expected}")]
    #[non_exhaustive]
    Coordinate {
        /// The member: `x` or `y`.
        name: &'static str,
        /// Its size in bytes.
        found: usize,
        /// The size that the curve requires.
        expected: usize,
    },
    /// The key type or curve is not one that signs access tokens here.
    #[error("key type or curve `{0}` is not supported")]
    Unsupported(String),
    /// The set publishes a private or a shared secret.
    #[error("`{0}` belongs to a private or symmetric key, which must never be published")]
    Private(&'static str),
    /// `use` or `key_ops` declares the key for something other than verifying signatures.
    #[error("`{0}` does not allow the key to verify signatures")]
    Purpose(&'static str),
    /// `alg` is not a signature algorithm of this crate, or not one that fits the key.
    #[error("`alg` `{0}` does not fit the key")]
    Algorithm(String),
    /// The RSA modulus is outside 2048 to 8192 bits, or even.
    #[error("an RSA modulus of {0} bits is not allowed: it must be odd, of 2048 to 8192 bits")]
    Modulus(usize),
    /// The RSA exponent is even, below 65537, or absurdly large.
    #[error("the RSA exponent is not allowed: it must be odd and at least 65537")]
    Exponent,
    /// The point is not on its curve, or is of small order.
    #[error("the point is not on its curve, or is of small order")]
    Point,
}

/// Requirements on keys beyond the standards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyPolicy {
    /// `true` when an RSA exponent of 3 is accepted, see [`danger`](crate::danger).
    pub(crate) rsa_exponent_3: bool,
}

impl VerificationKey {
    /// Reads one entry of a key set.
    pub(crate) fn parse(entry: &str, policy: KeyPolicy) -> Result<Self, JwkError> {
        let jwk =
            Document::parse(entry).map_err(|error| JwkError::NotAnObject(error.to_string()))?;
        let (kind, material) = public_key(&jwk, policy)?;
        let kid = string(&jwk, "kid")?.map(Box::from);
        let prepared = algorithms(&jwk, kind)?
            .into_iter()
            .map(|algorithm| PreparedKey::prepare(&material, algorithm))
            .collect::<Result<_, _>>()
            .map_err(|_| JwkError::Point)?;
        Ok(Self {
            kid,
            issuer: KeyIssuer::read(&jwk).map_err(JwkError::Malformed)?,
            material,
            prepared,
        })
    }

    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the key prepared for `algorithm`, if it may be used with it.
    pub(crate) fn prepared_for(&self, algorithm: Algorithm) -> Option<&PreparedKey> {
        self.prepared.iter().find(|key| key.algorithm() == algorithm)
    }

    pub(crate) fn issuer(&self) -> &KeyIssuer {
        &self.issuer
    }

    pub(crate) fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.prepared.iter().map(PreparedKey::algorithm)
    }

    /// Returns what two entries have in common that are the same key.
    pub(crate) fn identity(&self) -> (Option<&str>, &KeyIssuer, &KeyMaterial) {
        (self.kid(), &self.issuer, &self.material)
    }

    /// Reports whether two entries are the same key for the same algorithms.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        let same_algorithms = self.prepared.len() == other.prepared.len()
            && self.prepared.iter().all(|key| other.prepared_for(key.algorithm()).is_some());
        self.identity() == other.identity() && same_algorithms
    }
}

/// The members of a key: a document, or an object inside one.
pub(super) trait JwkMembers {
    fn value(&self, name: &str) -> Option<Json<'_>>;
}

impl JwkMembers for Document<'_> {
    fn value(&self, name: &str) -> Option<Json<'_>> {
        self.get(name)
    }
}

impl JwkMembers for Row<'_> {
    fn value(&self, name: &str) -> Option<Json<'_>> {
        self.member(name)
    }
}

/// Reads a public key, whatever its algorithms.
pub(super) fn public_key(
    jwk: &impl JwkMembers,
    policy: KeyPolicy,
) -> Result<(KeyKind, KeyMaterial), JwkError> {
    // A published secret can be used by everybody, so nothing it signs is trusted.
    if let Some(name) = PRIVATE.into_iter().find(|name| jwk.value(name).is_some()) {
        return Err(JwkError::Private(name));
    }
    purpose(jwk)?;
    let has = |name: &str| jwk.value(name).is_some();
    if has("x5c") && !MEMBERS.into_iter().any(has) {
        return Err(JwkError::CertificateAlone);
    }
    match string(jwk, "kty")?.ok_or(JwkError::Missing("kty"))? {
        "RSA" => Ok((KeyKind::Rsa, rsa(jwk, policy)?)),
        "EC" => elliptic(jwk),
        "OKP" => Ok((KeyKind::Ed25519, edwards(jwk)?)),
        other => Err(JwkError::Unsupported(sanitize(other))),
    }
}

fn string<'a>(jwk: &'a impl JwkMembers, name: &'static str) -> Result<Option<&'a str>, JwkError> {
    match jwk.value(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwkError::Malformed(name)),
    }
}

fn bytes(jwk: &impl JwkMembers, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let text = string(jwk, name)?.ok_or(JwkError::Missing(name))?;
    base64url::decode_either_alphabet(text).ok_or(JwkError::Malformed(name))
}

/// Checks `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3).
fn purpose(jwk: &impl JwkMembers) -> Result<(), JwkError> {
    if string(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err(JwkError::Purpose("use"));
    }
    // Where both are there, `key_ops` must agree with `use` (RFC 7517 section 4.3): either rules a key out.
    let Some(operations) = jwk.value("key_ops") else {
        return Ok(());
    };
    let operations = operations.as_array().filter(|all| all.count() <= MAX_OPERATIONS);
    let operations = operations.ok_or(JwkError::Malformed("key_ops"))?;
    // RFC 7517 section 4.3: "Duplicate key operation values MUST NOT be present in the array."
    let mut seen: Vec<&str> = Vec::new();
    for operation in operations {
        match operation.as_str() {
            Some(operation) if !seen.contains(&operation) => seen.push(operation),
            Some(_) | None => return Err(JwkError::Malformed("key_ops")),
        }
    }
    if seen.contains(&"verify") { Ok(()) } else { Err(JwkError::Purpose("key_ops")) }
}

/// Returns the algorithms a key may be used with: the one it names, else all that fit its kind.
pub(super) fn algorithms(jwk: &impl JwkMembers, kind: KeyKind) -> Result<Vec<Algorithm>, JwkError> {
    match string(jwk, "alg")? {
        Some(name) => match name.parse::<Algorithm>() {
            Ok(algorithm) if algorithm.key_kind() == kind => Ok(vec![algorithm]),
            Ok(_) | Err(_) => Err(JwkError::Algorithm(sanitize(name))),
        },
        None => Ok(Algorithm::ALL
            .iter()
            .copied()
            .filter(|algorithm| algorithm.key_kind() == kind)
            .collect()),
    }
}

fn rsa(jwk: &impl JwkMembers, policy: KeyPolicy) -> Result<KeyMaterial, JwkError> {
    // Some providers put the sign octet of DER before the modulus (not allowed by RFC 7518 section
    // 6.3.1.1, but harmless).
    let n = without_leading_zeros(bytes(jwk, "n")?);
    let e = without_leading_zeros(bytes(jwk, "e")?);
    let top = n.first().copied().unwrap_or(0);
    let unused = usize::try_from(top.leading_zeros()).unwrap_or(0);
    let bits = (n.len() * 8).saturating_sub(unused);
    // An even modulus has the factor 2, so its private key can be computed.
    if !RSA_BITS.contains(&bits) || n.last().is_none_or(|low| low % 2 == 0) {
        return Err(JwkError::Modulus(bits));
    }
    // 65537 is the least odd number of three bytes; small exponents have turned padding mistakes into forged
    // signatures.
    let too_small = e.len() < 3;
    let accepted_all_the_same = policy.rsa_exponent_3 && e == [3];
    if (too_small && !accepted_all_the_same)
        // A check takes longer with each bit of the exponent; AWS-LC allows no more than 33 for that reason.
        || e.len() > 4
        || e.last().is_none_or(|low| low % 2 == 0)
    {
        return Err(JwkError::Exponent);
    }
    Ok(KeyMaterial::Rsa { n, e })
}

fn elliptic(jwk: &impl JwkMembers) -> Result<(KeyKind, KeyMaterial), JwkError> {
    let (kind, size) = match string(jwk, "crv")?.ok_or(JwkError::Missing("crv"))? {
        "P-256" => (KeyKind::P256, 32),
        "P-384" => (KeyKind::P384, 48),
        "P-521" => (KeyKind::P521, 66),
        other => return Err(JwkError::Unsupported(sanitize(other))),
    };
    // The tag of an uncompressed point (SEC 1 section 2.3.3). RFC 7518 section 6.2.1.2 requires
    // coordinates of full size, with their leading zeros.
    let mut point = vec![4];
    for name in ["x", "y"] {
        let coordinate = bytes(jwk, name)?;
        if coordinate.len() != size {
            return Err(JwkError::Coordinate { name, found: coordinate.len(), expected: size });
        }
        point.extend(coordinate);
    }
    Ok((kind, KeyMaterial::Point(point)))
}

fn edwards(jwk: &impl JwkMembers) -> Result<KeyMaterial, JwkError> {
    match string(jwk, "crv")?.ok_or(JwkError::Missing("crv"))? {
        "Ed25519" => {}
        other => return Err(JwkError::Unsupported(sanitize(other))),
    }
    let point = bytes(jwk, "x")?;
    let mut unsigned: [u8; 32] = point.as_slice().try_into().map_err(|_| JwkError::Coordinate {
        name: "x",
        found: point.len(),
        expected: 32,
    })?;
    // RFC 8032 section 5.1.2: the highest bit of the last octet is the sign of x.
    if let Some(last) = unsigned.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER.contains(&unsigned) {
        return Err(JwkError::Point);
    }
    Ok(KeyMaterial::Point(point))
}

fn without_leading_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an RSA key with this exponent, and with an odd modulus of 2048 bits.
    fn rsa_error(e: &[u8], rsa_exponent_3: bool) -> Option<JwkError> {
        let (n, e) = (base64url::encode(&[0xff; 256]), base64url::encode(e));
        let entry = format!(r#"{{"kty":"RSA","alg":"RS256","n":"{n}","e":"{e}"}}"#);
        VerificationKey::parse(&entry, KeyPolicy { rsa_exponent_3 }).err()
    }

    #[test]
    fn an_rsa_exponent_is_odd_and_at_least_65537_or_3_where_that_is_accepted() {
        for (e, accepted, accepted_with_3) in [
            (&[1, 0, 1][..], true, true),
            (&[1, 0, 3], true, true),
            (&[1, 0, 0, 1], true, true),
            (&[0, 1, 0, 1], true, true),
            (&[3], false, true),
            (&[1], false, false),
            (&[2], false, false),
            (&[5], false, false),
            (&[17], false, false),
            (&[0xff, 0xff], false, false),
            (&[1, 0, 0], false, false),
            (&[1, 0, 2], false, false),
            (&[1, 0, 0, 0], false, false),
            (&[1, 0, 0, 0, 1], false, false),
            (&[], false, false),
        ] {
            let error = |is_accepted: bool| (!is_accepted).then_some(JwkError::Exponent);
            assert_eq!(rsa_error(e, false), error(accepted), "{e:?}");
            assert_eq!(rsa_error(e, true), error(accepted_with_3), "{e:?} with 3");
        }
    }

    #[test]
    fn a_certificate_alone_is_no_key_and_one_beside_a_key_does_not_matter() {
        let key = |members: &str| {
            let entry = format!(r#"{{"kty":"OKP","crv":"Ed25519"{members}}}"#);
            VerificationKey::parse(&entry, KeyPolicy::default()).err()
        };
        let x = r#","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
        for (members, expected) in [
            (r#","x5c":["MIIB"]"#.to_owned(), Some(JwkError::CertificateAlone)),
            (String::new(), Some(JwkError::Missing("x"))),
            (format!(r#","x5c":["MIIB"]{x}"#), None),
            (x.to_owned(), None),
        ] {
            assert_eq!(key(&members), expected, "{members}");
        }
    }
}
