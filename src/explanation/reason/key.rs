//! Reasons about the key of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;
use crate::jose::JwkError;

/// The reason for which no key verifies a token (RFC 7515 section 6).
///
/// ```
/// use tower_fhir_auth::explanation::{KeyReason, Reason};
///
/// /// Reports whether the provider publishes no key of the token's `kid`.
/// fn is_unknown(reason: &Reason) -> bool {
///     matches!(reason, Reason::Key(KeyReason::Unknown))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyReason {
    /// No key with the token's `kid`.
    Unknown,
    /// An entry with the token's `kid` that was left out of the set, with the fault of the entry.
    LeftOut(JwkError),
    /// No key for the token's `alg`.
    Unfit,
    /// A key that may not be used with the token's `alg` (RFC 7517 section 4.4).
    ForAnotherAlgorithm,
    /// A key that is said to be another issuer's.
    OfAnotherIssuer,
    /// Too many keys with the token's `kid`.
    SameId,
    /// No `kid`, and too many keys that fit.
    NoId,
}

impl KeyReason {
    pub(super) fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Unknown => "no key of the issuer has the token's `kid`",
            Self::LeftOut(fault) => {
                let text = "the key that `kid` names was left out of the issuer's key set";
                return format!("{text}: {fault}").into();
            }
            Self::Unfit => "no key of the issuer fits the token's `alg`",
            Self::ForAnotherAlgorithm => {
                "the key that `kid` names may not be used with the token's `alg`"
            }
            Self::OfAnotherIssuer => {
                "the key set says that the key of the token's `kid` belongs to another issuer"
            }
            Self::SameId => "too many keys of the issuer have the token's `kid`",
            Self::NoId => "too many keys of the issuer fit the token, which has no `kid`",
        };
        fixed.into()
    }

    /// Returns the same advice for all but a key that was left out: which key was meant, the check
    /// cannot know.
    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::LeftOut(fault) => vec![Advice::provider(mending(fault))],
            Self::SameId => {
                vec![Advice::provider("publish each key under a `kid` of its own")]
            }
            Self::NoId => {
                vec![Advice::provider("name the key that signs by `kid` in the header of tokens")]
            }
            Self::ForAnotherAlgorithm => vec![Advice::provider(
                "sign with the algorithm of the key that `kid` names, or name the key that signs",
            )],
            Self::Unknown | Self::Unfit | Self::OfAnotherIssuer => vec![
                Advice::provider("publish the key that signs in the key set, before it signs"),
                Advice::server(
                    "look at `jwks_uri` or `discovery`: is it the provider that issued the token?",
                ),
                Advice::client("ask for a new token, if the key has been withdrawn"),
            ],
        }
    }
}

/// Tells what to mend at an entry of a key set.
fn mending(fault: &JwkError) -> String {
    match fault {
        JwkError::NotAnObject(_) => {
            "publish the key as a flat JSON object that has each member once".to_owned()
        }
        JwkError::Missing(name) | JwkError::Malformed(name) => {
            format!("publish the key with a sound `{name}` (RFC 7517, RFC 7518 section 6)")
        }
        JwkError::CertificateAlone => {
            "publish the members of the key beside `x5c`: `n` and `e` of an RSA key, `crv`, `x` and \
             `y` of an EC key (RFC 7518 section 6)"
                .to_owned()
        }
        JwkError::Coordinate { name, expected, .. } => format!(
            "write `{name}` in its full size of {expected} bytes, with its leading zeros (RFC 7518 \
             section 6.2.1.2)"
        ),
        JwkError::Unsupported(_) => {
            "sign with an RSA key, an EC key on P-256, P-384 or P-521, or an Ed25519 key".to_owned()
        }
        JwkError::Private(_) => "sign with another key, since this one is no secret any more, and \
                                 publish its public members alone"
            .to_owned(),
        JwkError::Purpose("key_ops") => {
            "let `key_ops` contain `verify`, or leave it out, if the key is there to sign tokens"
                .to_owned()
        }
        JwkError::Purpose(name) => {
            format!("let `{name}` be `sig`, or leave it out, if the key is there to sign tokens")
        }
        JwkError::Algorithm(_) => "let `alg` be the signature algorithm that the key is used with, \
                                   or leave it out"
            .to_owned(),
        JwkError::Modulus(_) => "sign with an RSA key of 2048 to 8192 bits".to_owned(),
        JwkError::Exponent => "sign with an RSA key that has the exponent 65537".to_owned(),
        JwkError::Point => "publish the point of the key that signs, as it is on its curve".to_owned(),
    }
}
