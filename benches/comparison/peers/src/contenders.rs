//! Who takes part.

use std::fs;
use std::path::Path;

use crate::Failure;

/// One row of the comparison.
#[derive(Debug)]
pub(crate) struct Contender {
    /// The crate, as its registry names it; the bare service has none.
    pub(crate) package: Option<&'static str>,
    /// What sets this row apart from another of the same crate.
    pub(crate) variant: &'static str,
    /// The folder of the program that it is part of.
    pub(crate) program: &'static str,
    /// Its name in that program.
    pub(crate) argument: &'static str,
    /// The crypto library.
    pub(crate) backend: &'static str,
    /// How often it checks a signature.
    pub(crate) work: Work,
    /// Whether it reads the request and writes the refusal itself, as a layer does.
    pub(crate) is_layer: bool,
}

/// How often a contender checks the signature of the same token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    /// Never: no layer at all.
    Nothing,
    /// Ours, with nothing remembered.
    FirstSight,
    /// Ours, as it is by default.
    SeenBefore,
    /// A rival that verifies every request.
    EveryTime,
    /// A rival that remembers what it has verified.
    Remembers,
}

pub(crate) const CONTENDERS: [Contender; 14] = [
    Contender {
        package: None,
        variant: "the service alone",
        argument: "bare",
        backend: "",
        work: Work::Nothing,
        ..ours()
    },
    Contender { variant: "first sight", argument: "first-sight", work: Work::FirstSight, ..ours() },
    Contender { variant: "seen before", argument: "seen-before", work: Work::SeenBefore, ..ours() },
    rival("aliri_tower", "ring"),
    rival("axum-jose", "aws-lc-rs"),
    rival("axum-jwt-auth", "aws-lc-rs"),
    as_shipped(rival("axum-jwt-auth", "RustCrypto")),
    Contender {
        variant: "remembers tokens",
        work: Work::Remembers,
        ..rival("axum-oidc-layer", "ring")
    },
    Contender { program: "helios", is_layer: false, ..rival("helios-auth", "ring") },
    rival("huskarl-axum", "RustCrypto"),
    rival("jwt-authorizer", "ring"),
    rival("oauth-resource-server", "ring"),
    rival("tower-oauth2-resource-server", "aws-lc-rs"),
    as_shipped(rival("tower-oauth2-resource-server", "RustCrypto")),
];

const fn ours() -> Contender {
    Contender {
        package: Some("tower-fhir-auth"),
        variant: "",
        program: "ours",
        argument: "",
        backend: "aws-lc-rs",
        work: Work::FirstSight,
        is_layer: true,
    }
}

const fn rival(package: &'static str, backend: &'static str) -> Contender {
    Contender {
        package: Some(package),
        variant: "",
        program: "rivals",
        argument: package,
        backend,
        work: Work::EveryTime,
        is_layer: true,
    }
}

const fn as_shipped(contender: Contender) -> Contender {
    Contender { variant: "as shipped", ..contender }
}

impl Contender {
    /// Crate, version and variant.
    ///
    /// # Errors
    ///
    /// When the lockfile of its program cannot be read.
    pub(crate) fn name(&self) -> Result<String, Failure> {
        let Some(package) = self.package else { return Ok(self.variant.to_owned()) };
        let lockfile = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.program).join("Cargo.lock");
        let version = locked_version(&fs::read_to_string(lockfile)?, package)
            .ok_or_else(|| format!("{package} is not in the lockfile of {}", self.program))?;
        let variant = if self.variant.is_empty() { "" } else { ", " };
        Ok(format!("{package} {version}{variant}{}", self.variant))
    }
}

fn locked_version(lockfile: &str, package: &str) -> Option<String> {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lockfile.split_once(&entry)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn versions_come_from_the_lockfile() {
        let lockfile = "[[package]]\nname = \"axum-jose\"\nversion = \"0.2.2\"\nsource = \"…\"\n";
        assert_eq!(locked_version(lockfile, "axum-jose").as_deref(), Some("0.2.2"));
        assert_eq!(locked_version(lockfile, "axum"), None);
    }
}
