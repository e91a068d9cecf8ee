//! Reasons about the issuer of a token.

use std::sync::Arc;

use crate::display_safe::sanitize;
use crate::explanation::side::Advice;

/// The reason for which the `iss` of a token is refused (RFC 7519 section 4.1.1).
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
    if issuer.trim_end_matches('/') == trusted.trim_end_matches('/') {
        let text = format!("set `issuer` to `{issuer}`: it is compared letter by letter");
        return vec![Advice::server(text)];
    }
    let is_entra = ["https://sts.windows.net/", "https://login.microsoftonline."]
        .iter()
        .any(|start| issuer.starts_with(start));
    let mut advices = Vec::new();
    if is_entra {
        advices.push(Advice::server(
            "trust both versions of the tenant's tokens with `entra.tenant` and `entra.client_id`",
        ));
        advices.push(Advice::provider(
            "in Entra, set accessTokenAcceptedVersion to 2 in the manifest of the API, if the \
             server trusts version 2.0 alone",
        ));
    }
    let text = format!("add an issuer `{issuer}`, if its tokens are to be accepted");
    advices.push(Advice::server(text));
    advices.push(Advice::client(format!("ask `{trusted}` for the token")));
    advices
}
