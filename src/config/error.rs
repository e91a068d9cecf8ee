//! Errors of a configuration.

use std::fmt;
use std::path::{Path, PathBuf};

/// All errors of a configuration, one line each: file, key, and what was expected.
///
/// ```
/// use tower_fhir_auth::config::Config;
///
/// let error = Config::from_toml("acess = \"scopes\"").unwrap_err();
/// // Each problem of the file, a line each.
/// eprintln!("{error}");
/// assert!(error.problems().len() > 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<PathBuf>,
    problems: Vec<Problem>,
}

/// One error of a configuration.
///
/// ```
/// use tower_fhir_auth::config::Config;
///
/// let error = Config::from_toml("acess = \"scopes\"").unwrap_err();
/// let problem = error.problems().iter().find(|problem| problem.key() == "acess");
/// assert!(problem.is_some_and(|problem| problem.message().contains("`access`")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    key: String,
    message: String,
}

impl ConfigError {
    pub(crate) fn in_file(file: &Path, problems: Vec<Problem>) -> Self {
        Self { file: Some(file.to_owned()), problems }
    }

    pub(crate) fn in_text(problems: Vec<Problem>) -> Self {
        Self { file: None, problems }
    }

    pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        let message = format!("expected a readable TOML file: {error}");
        Self::in_file(file, vec![Problem::new("(file)", message)])
    }

    /// Returns each error.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// Returns the key, as a path: `issuers[0].algorithms[1]`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the message: what was expected, and what was found.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if let Some(file) = &self.file {
                write!(f, "{}: ", file.display())?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl std::error::Error for ConfigError {}
