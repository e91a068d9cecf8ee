//! Express, bare and with a middleware for bearer tokens.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use kit::{Server, Trust, command, free_port, said};
use serde_json::Value;

use super::Running;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("express")
}

pub(super) fn version(checks: bool) -> Result<String> {
    let package = if checks { "express-oauth2-jwt-bearer" } else { "express" };
    let file = folder().join("node_modules").join(package).join("package.json");
    let text = fs::read(file).with_context(|| {
        format!("{package} is not installed: see benches/comparison/http/install")
    })?;
    let package: Value = serde_json::from_slice(&text)?;
    let version = package["version"].as_str().context("package.json without a version")?;
    Ok(format!("{version}, Node {}", said("node", "--version")?.trim_start_matches('v')))
}

pub(super) fn start(checks: bool, trust: &Trust) -> Result<Running> {
    let port = free_port()?;
    let mut command = command("node");
    command
        .arg(folder().join("server.mjs"))
        .env("NODE_ENV", "production")
        .env("PORT", port.to_string());
    if checks {
        command.env("ISSUER", &trust.issuer).env("AUDIENCE", &trust.audience);
    }
    Ok(Running::of(Server::start(command)?, port, None))
}
