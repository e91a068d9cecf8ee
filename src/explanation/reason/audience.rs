//! Reasons about the audience of a token.

use crate::display_safe::sanitize;
use crate::explanation::conjunction::joined;
use crate::explanation::side::Advice;

/// The reason for which the `aud` of a token is refused (RFC 7519 section 4.1.3).
///
/// ```
/// use tower_fhir_auth::explanation::{AudienceReason, Reason};
///
/// /// Returns the audiences of a token that was made for another API.
/// fn audiences(reason: &Reason) -> &[String] {
///     match reason {
///         Reason::Audience(AudienceReason::Mismatch { audiences, .. }) => audiences,
///         _ => &[],
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudienceReason {
    /// Neither a string nor an array of strings.
    Malformed,
    /// No `aud`.
    #[non_exhaustive]
    Missing {
        /// The first of the accepted audiences.
        accepted: Vec<String>,
    },
    /// No `aud` in an access token of Amazon Cognito, which writes one only on request.
    #[non_exhaustive]
    MissingFromCognito {
        /// The first of the accepted audiences.
        accepted: Vec<String>,
    },
    /// An `aud` that does not name this server.
    #[non_exhaustive]
    Mismatch {
        /// The first audiences of the token.
        audiences: Vec<String>,
        /// The first of the accepted audiences.
        accepted: Vec<String>,
        /// The setting of the configuration file that lists further audiences of the issuer.
        setting: &'static str,
    },
}

impl AudienceReason {
    pub(super) fn sentence(&self) -> &'static str {
        match self {
            Self::Malformed => "`aud` is neither a string nor an array of strings",
            Self::Missing { .. } => "`aud` is missing",
            Self::MissingFromCognito { .. } => {
                "`aud` is missing: Amazon Cognito writes it into an access token only where a \
                 resource was asked for"
            }
            Self::Mismatch { .. } => "`aud` does not name this server",
        }
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Malformed => {
                vec![Advice::provider("put one string, or an array of strings, into `aud`")]
            }
            Self::Missing { accepted } => {
                let accepted = listed(accepted, "or");
                let text = format!("put {accepted} into `aud` of access tokens for this API");
                vec![Advice::provider(text)]
            }
            Self::MissingFromCognito { accepted } => of_cognito(&listed(accepted, "or")),
            Self::Mismatch { audiences, accepted, setting } => vec![
                Advice::client(format!("ask for a token for {}", listed(accepted, "or"))),
                Advice::server(format!(
                    "add {} to `{setting}`{}, if it names this API and not an application that \
                     calls it",
                    listed(audiences, "or"),
                    beside(setting, accepted)
                )),
            ],
        }
    }
}

/// Amazon Cognito developer guide: "Resource binding", and "Claims and scopes reference" of the pre
/// token generation trigger.
fn of_cognito(accepted: &str) -> Vec<Advice> {
    vec![
        Advice::client(format!(
            "send `resource` with the authorization request, for {accepted}: Cognito binds the \
             token to it and writes it into `aud` (RFC 8707; not for client credentials)"
        )),
        Advice::provider(format!(
            "define a resource server of the user pool with the identifier {accepted}, so that it \
             can be asked for"
        )),
        Advice::provider(
            "for client credentials, write `aud` in a pre token generation trigger of version 3: \
             Cognito takes nothing there but the id of the app client",
        ),
        Advice::server(
            "add that id to `audiences`, if the trigger writes it and the app client is for this \
             API alone",
        ),
    ]
}

/// Names what `audiences` must go on to hold: the base URL counts only while it is not set.
fn beside(setting: &str, accepted: &[String]) -> String {
    match setting {
        "audiences" => format!(" beside {}", listed(accepted, "and")),
        _ => String::new(),
    }
}

/// Lists values: `` `a`, `b` or `c` ``.
fn listed(values: &[String], between: &str) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{}`", sanitize(value))).collect();
    joined(&values, between)
}
