//! The contenders.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kit::{Dialogue, Trust, command, locked_version};

use crate::binaries::Binaries;

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
    pub(crate) fn name(&self) -> Result<String> {
        let Some(package) = self.package else { return Ok(self.variant.to_owned()) };
        let lockfile = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.program).join("Cargo.lock");
        let version = locked_version(&fs::read_to_string(lockfile)?, package)
            .with_context(|| format!("{package} is not in the lock file of {}", self.program))?;
        let variant = if self.variant.is_empty() { "" } else { ", " };
        Ok(format!("{package} {version}{variant}{}", self.variant))
    }
}

/// A contender's process, which answers one question at a time.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) contender: &'static Contender,
    process: Dialogue,
}

/// What came back for a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) has_challenge: bool,
}

impl Running {
    /// Starts a contender that trusts the issuer, and sends it a token until it is let in.
    ///
    /// # Errors
    ///
    /// When it says that it cannot start, ends, or does not let the token in.
    pub(crate) fn start(
        contender: &'static Contender,
        binaries: &Binaries,
        trust: &Trust,
        authorization: &str,
    ) -> Result<Self> {
        let mut program = command(binaries.path(contender.program)?);
        program.args([contender.argument, contender.backend]).args([
            &trust.issuer,
            &trust.jwks_uri,
            &trust.audience,
        ]);
        let mut process = Dialogue::start(program)?;
        if let Some((_, why)) = process.read()?.split_once('\t') {
            bail!("{why}");
        }
        let status = process.ask(&["warm", authorization])?;
        ensure!(status == "200", "answers the good token with {status}");
        Ok(Self { contender, process })
    }

    /// The CPU time of a number of requests with the same token.
    ///
    /// # Errors
    ///
    /// When one of them is refused.
    pub(crate) fn batch(&mut self, requests: u32, authorization: &str) -> Result<Duration> {
        let answer = self.process.ask(&["batch", &requests.to_string(), authorization])?;
        Ok(Duration::from_nanos(answer.parse()?))
    }

    /// The answer to one request.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub(crate) fn probe(&mut self, authorizations: &[String]) -> Result<Answer> {
        let mut question = vec!["probe"];
        question.extend(authorizations.iter().map(String::as_str));
        let answer = self.process.ask(&question)?;
        let (status, challenge) = answer.split_once('\t').context("no status came back")?;
        Ok(Answer { status: status.parse()?, has_challenge: !challenge.is_empty() })
    }
}
