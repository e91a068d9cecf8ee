//! Reasons about further claims of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;

/// The reason for which a further claim of a token is refused.
///
/// ```
/// use tower_fhir_auth::explanation::{ClaimReason, Reason};
///
/// fn missing(reason: &Reason) -> Option<&str> {
///     match reason {
///         Reason::Claim(ClaimReason::Missing(name)) => Some(name),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimReason {
    /// A claim that is not a string.
    NotAString(&'static str),
    /// No such claim, although it is required.
    Missing(String),
    /// A claim that names another client than one before it.
    ClientConflict(&'static str),
    /// No claim that names the client.
    ClientMissing,
    /// A client that is not on the issuer's list.
    ClientNotAllowed,
    /// Several `tid`, differing in case.
    TenantRepeated,
    /// A `tid` that is not the tenant of the issuer.
    TenantMismatch,
    /// No `tid`.
    TenantMissing,
    /// A `cnf` that is `null` (RFC 7800 section 3.1).
    ConfirmationNull,
    /// A `cnf` that is no object, or whose thumbprint is none (RFC 7800 section 3.1).
    ConfirmationMalformed,
    /// A `cnf` with a member that is not known here.
    ConfirmationUnknown,
    /// A token that is bound to a key, presented as a bearer token (RFC 9449 section 7.1).
    SenderConstrained,
    /// A token that is bound to its sender, where the issuer's may not be.
    BoundTokenRefused,
    /// A token that is not bound to its sender, where the issuer's must be.
    NotBound,
    /// A token under the scheme `DPoP` that is not bound to a key.
    NotBoundToKey,
}

impl ClaimReason {
    pub(super) fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotAString(name) => return format!("`{name}` is not a string").into(),
            Self::Missing(name) => return format!("`{name}` is required but missing").into(),
            Self::ClientConflict(name) => {
                return format!("`{name}` names another client than a claim before it").into();
            }
            Self::ClientMissing => {
                "the token names no client (`client_id`, `azp`, `appid` or `cid`)"
            }
            Self::ClientNotAllowed => {
                "the client (`client_id`, `azp`, `appid` or `cid`) is not allowed"
            }
            Self::TenantRepeated => "`tid` appears more than once, differing in case",
            Self::TenantMismatch => "`tid` is not the tenant that `iss` names",
            Self::TenantMissing => "`tid` is required but missing",
            Self::ConfirmationNull => "`cnf` is null: it does not say to whom the token is bound",
            Self::ConfirmationMalformed => {
                "`cnf` is malformed: it does not say to whom the token is bound"
            }
            Self::ConfirmationUnknown => {
                "`cnf` binds the token to its sender by a member other than `jkt` and `x5t#S256`"
            }
            Self::SenderConstrained => {
                "`cnf` binds the token to its sender, but it was presented as a bearer token"
            }
            Self::BoundTokenRefused => {
                "`cnf` binds the token to its sender, which this server does not accept"
            }
            Self::NotBound => "`cnf` is missing: the token is not bound to its sender",
            Self::NotBoundToKey => {
                "the token was sent with the scheme `DPoP`, but no `cnf.jkt` binds it to a key"
            }
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::NotAString(name) => {
                vec![Advice::provider(format!("send `{name}` as a string in access tokens"))]
            }
            Self::Missing(_) => vec![
                Advice::provider("put the claim into access tokens for this API"),
                Advice::server(
                    "leave the claim out of `required_claims`, if nothing depends on it",
                ),
            ],
            Self::ClientConflict(_) => {
                let text = "name one client in all claims of a token that name any";
                vec![Advice::provider(text)]
            }
            Self::ClientMissing => vec![Advice::provider("name the client in access tokens")],
            Self::ClientNotAllowed => {
                let text = "add the application to `clients`, if it may call this API";
                vec![Advice::server(text)]
            }
            Self::TenantRepeated | Self::TenantMismatch | Self::TenantMissing => {
                vec![Advice::client("ask the tenant that issued the token for another one")]
            }
            Self::ConfirmationNull | Self::ConfirmationMalformed => vec![Advice::provider(
                "name in `cnf` what the token is bound to, or leave it out (RFC 7800 section 3.1)",
            )],
            Self::ConfirmationUnknown => vec![Advice::provider(
                "bind tokens by `jkt` (DPoP) or `x5t#S256` (mutual TLS), or not at all",
            )],
            Self::SenderConstrained => vec![Advice::client(
                "send the token as `Authorization: DPoP <token>`, with a proof of its key in `DPoP`",
            )],
            Self::BoundTokenRefused => vec![Advice::client(
                "ask for a bearer token: this server takes none that is bound to its sender",
            )],
            Self::NotBound => vec![Advice::client(
                "ask for a token that is bound to a key (DPoP) or to a certificate (mutual TLS)",
            )],
            Self::NotBoundToKey => vec![Advice::client(
                "send a token that is not bound to a key as `Authorization: Bearer <token>`",
            )],
        }
    }
}
