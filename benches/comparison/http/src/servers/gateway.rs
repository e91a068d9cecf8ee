//! `fhir-auth gateway` before a server that answers: a proxy that decides by itself, rewrites addresses, and
//! would take out of answers what was not granted.

use std::fs;

use anyhow::Result;
use kit::{Server, Trust, command, free_port};

use super::Running;
use super::axum::{self, Guard};
use super::proxied::fhir_auth;

pub(super) fn version() -> Result<String> {
    axum::version(Guard::Layer { remember: 0 })
}

pub(super) fn start(trust: &Trust) -> Result<Running> {
    let files = tempfile::tempdir()?;
    let upstream = axum::start(Guard::None, trust)?;
    let port = free_port()?;
    let file = files.path().join("gateway.toml");
    let text = format!(
        "base_url = \"https://fhir.example.org/r4\"\naccess = \"roles-or-scopes\"\n\
         [[issuers]]\nissuer = \"{}\"\naudiences = [\"{}\"]\n\
         [roles]\ndefinitions = \"builtin:microsoft\"\n\
         [upstream]\nurl = \"http://127.0.0.1:{}/r4\"\n",
        trust.issuer, trust.audience, upstream.port
    );
    fs::write(&file, text)?;
    let mut command = command(fhir_auth()?);
    command.args(["gateway", "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--config").arg(file).env("RUST_LOG", "error").env("TOKIO_WORKER_THREADS", "1");
    let server = Server::start(command)?;
    Ok(Running {
        server,
        helper: None,
        port,
        _files: Some(files),
        _upstream: Some(upstream.server),
    })
}
