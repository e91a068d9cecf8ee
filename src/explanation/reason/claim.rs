//! Reasons about further claims of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;

/// The reason for which a further claim of a token is refused.
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
    /// A token that is bound to its sender (RFC 7800).
    SenderConstrained,
}

impl ClaimReason {
    pub(super) fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotAString(name) => return format!("`{name}` is not a string").into(),
            Self::Missing(name) => return format!("`{name}` is required and missing").into(),
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
            Self::TenantMissing => "`tid` is required and missing",
            Self::ConfirmationNull => "`cnf` is null: it does not say to whom the token is bound",
            Self::SenderConstrained => {
                "`cnf` binds the token to its sender: it was presented as a bearer token"
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
            Self::ConfirmationNull | Self::SenderConstrained => vec![Advice::client(
                "ask for a bearer token: this server takes none that is bound to its sender",
            )],
        }
    }
}
