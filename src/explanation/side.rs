//! One way out of a refusal, and the side that can take it.

use std::fmt;

/// The side that can mend something.
///
/// ```
/// use tower_fhir_auth::explanation::{Finding, Side};
///
/// fn can_be_mended_here(finding: &Finding) -> bool {
///     finding.advice().iter().any(|advice| advice.side == Side::Server)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// The application that sends the request.
    Client,
    /// The provider that issues the token, and whoever administers it.
    Provider,
    /// This server, and its configuration.
    Server,
}

/// One way out of a refusal.
///
/// ```
/// use tower_fhir_auth::explanation::Finding;
///
/// fn print(finding: &Finding) {
///     for advice in finding.advice() {
///         println!("{}: {}", advice.side.name(), advice.text);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// The side that can take it.
    pub side: Side,
    /// The step to take, in one sentence.
    pub text: String,
}

impl Side {
    /// A stable name: `client`, `provider`, `server`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Provider => "provider",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Advice {
    pub(super) fn new(side: Side, text: impl Into<String>) -> Self {
        Self { side, text: text.into() }
    }

    /// Makes a step for the application that sends the request.
    pub(super) fn client(text: impl Into<String>) -> Self {
        Self::new(Side::Client, text)
    }

    /// Makes a step for the provider.
    pub(super) fn provider(text: impl Into<String>) -> Self {
        Self::new(Side::Provider, text)
    }

    /// Makes a step for this server.
    pub(super) fn server(text: impl Into<String>) -> Self {
        Self::new(Side::Server, text)
    }

    /// Returns the advice for every token of another kind: no setting makes it an access token.
    pub(super) fn of_another_token() -> Self {
        Self::client(
            "send the access token for this API, not the ID token, the refresh token or another one",
        )
    }
}
