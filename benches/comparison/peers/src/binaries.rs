//! The programs of the contenders, built by cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, str};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::contenders::CONTENDERS;

/// Where each program was put.
#[derive(Debug)]
pub(crate) struct Binaries(BTreeMap<&'static str, PathBuf>);

impl Binaries {
    /// Builds all programs, or finds that nothing has changed.
    ///
    /// # Errors
    ///
    /// When one of them does not build.
    pub(crate) fn build() -> Result<Self> {
        let mut programs = BTreeMap::new();
        for contender in &CONTENDERS {
            if !programs.contains_key(contender.program) {
                programs.insert(contender.program, build(contender.program)?);
            }
        }
        Ok(Self(programs))
    }

    /// The program in a folder.
    ///
    /// # Errors
    ///
    /// When no contender is in that folder.
    pub(crate) fn path(&self, program: &str) -> Result<&Path> {
        let path = self.0.get(program).map(PathBuf::as_path);
        path.with_context(|| format!("{program} was not built"))
    }
}

/// Beside this program, so that what they have in common is compiled once.
fn target_dir() -> Result<PathBuf> {
    let this = env::current_exe()?;
    Ok(this.ancestors().nth(2).context("this program is in no target directory")?.to_owned())
}

fn build(program: &str) -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(program).join("Cargo.toml");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Under `cargo run` these describe the runner; build scripts that watch them would start anew.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(name);
        }
    }
    let output = cargo
        .args(["build", "--release", "--locked"])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--target-dir")
        .arg(target_dir()?)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{program} does not build");
    executable(str::from_utf8(&output.stdout)?)
        .with_context(|| format!("cargo names no program of {program}"))
}

/// The only executable among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
}
