//! Reasons about the issuer of a token.

use std::sync::Arc;

use crate::display_safe::sanitize;
use crate::explanation::side::Advice;

/// The reason for which the `iss` of a token is refused (RFC 7519 section 4.1.1).
///
/// ```
/// use tower_fhir_auth::explanation::{IssuerReason, Reason};
///
/// fn stranger(reason: &Reason) -> Option<&str> {
///     match reason {
///         Reason::Issuer(IssuerReason::NotTrusted { issuer, .. }) => Some(issuer),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerReason {
    /// No `iss`, with a trusted issuer as an example.
    #[non_exhaustive]
    Missing {
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
    /// An `iss` that is not a string, with a trusted issuer as an example.
    #[non_exhaustive]
    NotAString {
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
    /// An `iss` that is not trusted.
    #[non_exhaustive]
    NotTrusted {
        /// The issuer of the token.
        issuer: String,
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
}

impl IssuerReason {
    pub(super) fn sentence(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "`iss` is missing",
            Self::NotAString { .. } => "`iss` is not a string",
            Self::NotTrusted { .. } => "`iss` is not a trusted issuer",
        }
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Missing { trusted } | Self::NotAString { trusted } => {
                let trusted = sanitize(trusted);
                let text = format!("put `iss` into access tokens, for example `{trusted}`");
                vec![Advice::provider(text)]
            }
            Self::NotTrusted { issuer, trusted } => {
                not_trusted(&sanitize(issuer), &sanitize(trusted))
            }
        }
    }
}

fn not_trusted(issuer: &str, trusted: &str) -> Vec<Advice> {
    let (theirs, ours) = (EntraName::of(issuer), EntraName::of(trusted));
    if issuer.trim_end_matches('/') == trusted.trim_end_matches('/') {
        return vec![match theirs {
            Some(name) if !name.is_written => Advice::client(
                "look where the token comes from: Microsoft Entra ID writes no such `iss`",
            ),
            _ => Advice::server(format!(
                "set `issuer` to `{issuer}`: it is compared letter by letter"
            )),
        }];
    }
    let add = format!("add an issuer `{issuer}`, if its tokens are to be accepted");
    let ask = Advice::client(format!("ask `{trusted}` for the token"));
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if !theirs.tenant.eq_ignore_ascii_case(ours.tenant) => vec![
            Advice::client(format!(
                "ask for a token of this server's tenant: this one is of the tenant `{}`, and the \
                 server trusts `{}`",
                theirs.tenant, ours.tenant
            )),
            Advice::server(add),
        ],
        // The manifest of the API decides on the version, not whom the client asks.
        (Some(_), ours) => {
            let ask = ours.is_none().then_some(ask);
            let settings = [
                Advice::server(
                    "trust both versions of the tenant's tokens with `entra.tenant` and \
                     `entra.client_id`",
                ),
                Advice::provider(
                    "in Entra, set `requestedAccessTokenVersion` (`accessTokenAcceptedVersion` \
                     before) in the manifest of the API to the version that the server trusts, 2 \
                     for `login.microsoftonline.com`",
                ),
                Advice::server(add),
            ];
            settings.into_iter().chain(ask).collect()
        }
        (None, _) => vec![Advice::server(add), ask],
    }
}

/// A name by which Microsoft Entra ID issues tokens (Microsoft identity platform, "Access tokens").
struct EntraName<'a> {
    tenant: &'a str,
    /// True if it is spelled as Entra writes it: that of version 1.0 ends with a slash, that of
    /// version 2.0 does not.
    is_written: bool,
}

impl<'a> EntraName<'a> {
    fn of(issuer: &'a str) -> Option<Self> {
        let name = issuer.trim_end_matches('/');
        if let Some(tenant) = name.strip_prefix("https://sts.windows.net/") {
            return Some(Self { tenant, is_written: issuer.strip_suffix('/') == Some(name) });
        }
        let rest = name.strip_prefix("https://login.microsoftonline.")?;
        let (_, path) = rest.split_once('/')?;
        let tenant = path.strip_suffix("/v2.0").unwrap_or(path);
        Some(Self { tenant, is_written: issuer == name })
    }
}
