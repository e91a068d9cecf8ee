//! The end of a command that could not do what it was asked to.

use std::fmt;
use std::process::ExitCode;

/// A reason for which nothing could be said: the command line, the configuration, or its input.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A command line that is not understood. No value of it is repeated: it may be a token, which
    /// belongs on standard input.
    pub(crate) fn usage(error: &lexopt::Error, usage: &str) -> Self {
        use lexopt::Error as E;
        let message = match error {
            E::MissingValue { option: Some(option) } => {
                format!("a value is missing for `{option}`")
            }
            E::MissingValue { option: None } => "a value is missing".to_owned(),
            E::UnexpectedOption(_) => "unknown option".to_owned(),
            E::UnexpectedArgument(_) => {
                "too many arguments (the token is read from standard input)".to_owned()
            }
            E::UnexpectedValue { .. } => "an option was given a value but takes none".to_owned(),
            E::ParsingFailed { error, .. } => {
                format!("invalid value: {error}")
            }
            E::NonUnicodeValue(_) => "there is a value that is not Unicode".to_owned(),
            E::Custom(error) => error.to_string(),
        };
        Self(format!("{message}\n{usage}"))
    }

    /// Writes it to standard error, and returns status 2.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("{self}");
        ExitCode::from(2)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<tower_fhir_auth::config::ConfigError> for Failure {
    fn from(error: tower_fhir_auth::config::ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl From<tower_fhir_auth::BuildError> for Failure {
    fn from(error: tower_fhir_auth::BuildError) -> Self {
        Self(error.to_string())
    }
}
