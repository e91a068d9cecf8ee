//! Reasons about the audience of a token.

use crate::display_safe::sanitize;
use crate::explanation::side::Advice;

/// The reason for which the `aud` of a token is refused (RFC 7519 section 4.1.3).
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
    /// An `aud` that does not name this server.
    #[non_exhaustive]
    Mismatch {
        /// The first audiences of the token.
        audiences: Vec<String>,
        /// The first of the accepted audiences.
        accepted: Vec<String>,
    },
}

impl AudienceReason {
    pub(super) fn sentence(&self) -> &'static str {
        match self {
            Self::Malformed => "`aud` is neither a string nor an array of strings",
            Self::Missing { .. } => "`aud` is missing",
            Self::Mismatch { .. } => "`aud` does not name this server",
        }
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Malformed => {
                vec![Advice::provider("put one string, or an array of strings, into `aud`")]
            }
            Self::Missing { accepted } => {
                let accepted = either(accepted);
                let text = format!("put {accepted} into `aud` of access tokens for this API");
                vec![Advice::provider(text)]
            }
            Self::Mismatch { audiences, accepted } => vec![
                Advice::client(format!("ask for a token for {}", either(accepted))),
                Advice::server(format!(
                    "add {} to `audiences`, if it names this API and not an application that \
                     calls it",
                    either(audiences)
                )),
            ],
        }
    }
}

/// Lists alternatives: `` `a`, `b` or `c` ``.
fn either(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{}`", sanitize(value))).collect();
    match values.as_slice() {
        [earlier @ .., last] if !earlier.is_empty() => {
            format!("{} or {last}", earlier.join(", "))
        }
        values => values.concat(),
    }
}
