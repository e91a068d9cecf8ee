//! Reasons about the proofs of a sender: DPoP (RFC 9449), certificates (RFC 8705).

use std::borrow::Cow;

use crate::explanation::side::Advice;
use crate::jose::CompactJwsError;
use crate::time::UnixTime;

/// The reason for which a proof of DPoP is not accepted (RFC 9449 section 4.3).
///
/// ```
/// use tower_fhir_auth::explanation::{ProofReason, Reason};
///
/// fn was_sent_twice(reason: &Reason) -> bool {
///     matches!(reason, Reason::Proof(ProofReason::Replayed))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofReason {
    /// No proof, although the token is bound to a key.
    Missing,
    /// More than one `DPoP` header.
    Repeated,
    /// A proof over the largest size.
    TooLarge,
    /// No compact JWS of two JSON objects (RFC 7515 section 7.1).
    Malformed(CompactJwsError),
    /// A parameter of the header that is not supported, or not a string.
    Header(&'static str),
    /// A `typ` that is not `dpop+jwt`.
    Type,
    /// An `alg` that is no asymmetric signature, or not known.
    Algorithm,
    /// A `jwk` that is missing or cannot be used, told in words that follow its name.
    Key(String),
    /// A signature that does not verify with `jwk`.
    Signature,
    /// A claim that is missing.
    Lacks(&'static str),
    /// A claim that is not a string.
    NotAString(&'static str),
    /// A claim that is not a NumericDate (RFC 7519 section 2).
    NotADate(&'static str),
    /// A `jti` that is empty or too long.
    Identifier,
    /// An `htm` that is not the method of the request.
    Method,
    /// An `htu` that is not the address of the request.
    Target,
    /// An `iat` that is too long ago, or in the future.
    #[non_exhaustive]
    IssuedAt {
        /// The time in the proof.
        found: UnixTime,
        /// `true` where it lies in the future.
        is_ahead: bool,
    },
    /// An `exp` that has passed, or an `nbf` that is to come.
    OutOfTime(&'static str),
    /// No `nonce`, although this server asks for one.
    NonceMissing,
    /// A `nonce` that is not this server's, or too old.
    NonceNotAccepted,
    /// An `ath` that is not the hash of the token.
    OtherToken,
    /// A sound proof of another key than that of the token.
    OtherKey,
    /// A proof that was accepted before.
    Replayed,
}

/// The reason for which a token that is bound to a certificate is not accepted (RFC 8705 section 3).
///
/// ```
/// use tower_fhir_auth::explanation::{CertificateReason, Reason};
///
/// fn has_shown_none(reason: &Reason) -> bool {
///     matches!(reason, Reason::Certificate(CertificateReason::Missing))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateReason {
    /// No certificate of the client is known.
    Missing,
    /// More than one certificate where one is expected, or what is none: it counts as no certificate.
    Unusable(&'static str),
    /// Another certificate than that of the token.
    Other,
}

impl ProofReason {
    pub(super) fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Missing => {
                "`cnf.jkt` binds the token to a key, but the request has no proof of it in `DPoP`"
            }
            Self::Repeated => "more than one `DPoP` header",
            Self::TooLarge => "the proof in `DPoP` is larger than 8 KiB",
            Self::Malformed(error) => return format!("the proof {error}").into(),
            Self::Header(name) => {
                return format!("`{name}` in the header of the proof is not accepted").into();
            }
            Self::Type => "`typ` of the proof is not `dpop+jwt`",
            Self::Algorithm => {
                "`alg` of the proof is not an asymmetric signature algorithm that this server supports"
            }
            Self::Key(words) => return format!("`jwk` of the proof {words}").into(),
            Self::Signature => "the signature of the proof does not verify with its `jwk`",
            Self::Lacks(name) => return format!("`{name}` of the proof is missing").into(),
            Self::NotAString(name) => {
                return format!("`{name}` of the proof is not a string").into();
            }
            Self::NotADate(name) => return format!("`{name}` of the proof is not a date").into(),
            Self::Identifier => "`jti` of the proof is empty or has more than 256 bytes",
            Self::Method => "`htm` of the proof is not the method of the request",
            Self::Target => "`htu` of the proof is not the address of the request",
            Self::IssuedAt { is_ahead: true, .. } => "`iat` of the proof is in the future",
            Self::IssuedAt { is_ahead: false, .. } => "`iat` of the proof is too long ago",
            Self::OutOfTime("exp") => "`exp` of the proof has passed",
            Self::OutOfTime(name) => {
                return format!("`{name}` of the proof is in the future").into();
            }
            Self::NonceMissing => "the proof has no `nonce`, but this server asks for one",
            Self::NonceNotAccepted => {
                "`nonce` of the proof was not made by this server, or is too old"
            }
            Self::OtherToken => "`ath` of the proof is not the hash of the access token",
            Self::OtherKey => "the proof is signed with a key other than that of `cnf.jkt`",
            Self::Replayed => "`jti` of the proof was used before",
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        let text = match self {
            Self::Missing => {
                "send a fresh proof in the `DPoP` header of each request, signed with the key of the token"
            }
            Self::Repeated => "send one `DPoP` header",
            Self::TooLarge
            | Self::Malformed(_)
            | Self::NotADate(_)
            | Self::Header(_)
            | Self::Type => {
                "make the proof as RFC 9449 section 4.2 has it: a small JWT with `typ` `dpop+jwt`"
            }
            Self::Algorithm => {
                "sign the proof with one of the algorithms that the challenge lists in `algs`"
            }
            Self::Key(_) => {
                "put the public key of the proof into `jwk` of its header, and nothing private"
            }
            Self::Signature => "sign the proof with the private key that belongs to its `jwk`",
            Self::Lacks(_) | Self::NotAString(_) | Self::Identifier => {
                "put `jti`, `htm`, `htu`, `iat` and `ath` into the proof (RFC 9449 section 4.2)"
            }
            Self::Method | Self::Target => {
                "make a proof for this very request, with its method in `htm` and its address below the \
                 base URL in `htu`, without the query"
            }
            Self::IssuedAt { .. } | Self::OutOfTime(_) => {
                return vec![
                    Advice::client("make a new proof for each request, by a clock that is right"),
                    Advice::server("check the clock of this server"),
                ];
            }
            Self::NonceMissing | Self::NonceNotAccepted => {
                "put the `DPoP-Nonce` of this response into `nonce` of a new proof"
            }
            Self::OtherToken => "put the base64url of the SHA-256 of the access token into `ath`",
            Self::OtherKey => "sign the proof with the key that the token was asked for with",
            Self::Replayed => "make a new proof for each request, with a `jti` of its own",
        };
        vec![Advice::client(text)]
    }
}

impl CertificateReason {
    pub(super) fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::Missing => {
                "`cnf.x5t#S256` binds the token to a certificate, but the request came without one"
                    .into()
            }
            Self::Unusable(why) => {
                format!("`cnf.x5t#S256` binds the token to a certificate, but {why}").into()
            }
            Self::Other => "the certificate of the client is not that of `cnf.x5t#S256`".into(),
        }
    }

    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        let client = Advice::client(
            "connect with the certificate that the token was asked for with (RFC 8705 section 3)",
        );
        match self {
            Self::Other => vec![client],
            Self::Missing | Self::Unusable(_) => vec![
                client,
                Advice::server(
                    "have clients asked for certificates: `[listen] tls.client_ca`, or `[mtls]` with the \
                     proxy that ends TLS",
                ),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_proof_comes_with_its_own_way_out() {
        use ProofReason as P;
        let made = "make the proof as RFC 9449 section 4.2 has it";
        let claims = "put `jti`, `htm`, `htu`, `iat` and `ath` into the proof";
        let request = "make a proof for this very request, with its method in `htm`";
        let nonce = "put the `DPoP-Nonce` of this response into `nonce`";
        for (reason, start) in [
            (P::Missing, "send a fresh proof in the `DPoP` header of each request"),
            (P::Repeated, "send one `DPoP` header"),
            (P::TooLarge, made),
            (P::Malformed(CompactJwsError::Encrypted), made),
            (P::NotADate("iat"), made),
            (P::Header("crit"), made),
            (P::Type, made),
            (P::Algorithm, "sign the proof with one of the algorithms that the challenge lists"),
            (P::Key(String::new()), "put the public key of the proof into `jwk` of its header"),
            (P::Signature, "sign the proof with the private key that belongs to its `jwk`"),
            (P::Lacks("jti"), claims),
            (P::NotAString("htm"), claims),
            (P::Identifier, claims),
            (P::Method, request),
            (P::Target, request),
            (P::NonceMissing, nonce),
            (P::NonceNotAccepted, nonce),
            (P::OtherToken, "put the base64url of the SHA-256 of the access token into `ath`"),
            (P::OtherKey, "sign the proof with the key that the token was asked for with"),
            (P::Replayed, "make a new proof for each request, with a `jti` of its own"),
        ] {
            let advice = reason.advice();
            assert_eq!(advice.len(), 1, "{reason:?}");
            let text = &advice[0].text;
            assert!(text.starts_with(start), "{reason:?}: {text}");
            assert_eq!(advice, [Advice::client(text.as_str())], "{reason:?}");
        }
    }

    /// Either clock may be the wrong one.
    #[test]
    fn a_proof_out_of_its_time_is_a_matter_of_both_clocks() {
        let found = UnixTime::from_secs(0);
        for reason in [
            ProofReason::IssuedAt { found, is_ahead: true },
            ProofReason::IssuedAt { found, is_ahead: false },
            ProofReason::OutOfTime("exp"),
        ] {
            let expected = [
                Advice::client("make a new proof for each request, by a clock that is right"),
                Advice::server("check the clock of this server"),
            ];
            assert_eq!(reason.advice(), expected, "{reason:?}");
        }
    }

    #[test]
    fn a_certificate_that_no_client_is_asked_for_is_a_matter_of_the_server_too() {
        let client = Advice::client(
            "connect with the certificate that the token was asked for with (RFC 8705 section 3)",
        );
        assert_eq!(CertificateReason::Other.advice(), std::slice::from_ref(&client));
        for reason in [CertificateReason::Missing, CertificateReason::Unusable("x")] {
            let advice = reason.advice();
            assert_eq!(advice.len(), 2, "{reason:?}");
            assert_eq!(advice[0], client, "{reason:?}");
            let words = "have clients asked for certificates: `[listen] tls.client_ca`";
            assert!(advice[1].text.starts_with(words), "{reason:?}: {}", advice[1].text);
        }
    }
}
