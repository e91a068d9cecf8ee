//! HAProxy: answers by itself, on one thread, after `jwt_verify` and the claims that it can tell.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use kit::{Server, Trust, command, free_port, said};

use super::Running;
use crate::http::PATH;

const PROGRAM: &str = "haproxy";

pub(super) fn version() -> Result<String> {
    // `HAProxy version <version> <date> - <address>`
    let line = said(PROGRAM, "-v")?;
    let version = line.split_whitespace().nth(2).context("an unknown form of version")?;
    Ok(version.to_owned())
}

pub(super) fn start(checks: bool, trust: &Trust) -> Result<Running> {
    let port = free_port()?;
    let files = tempfile::tempdir()?;
    let (key, configuration) = (files.path().join("key.pem"), files.path().join("haproxy.cfg"));
    fs::write(&key, &trust.public_key)?;
    let rules = if checks { rules(trust, &key) } else { String::new() };
    fs::write(&configuration, whole(port, &rules))?;
    let mut command = command(PROGRAM);
    command.arg("-db").arg("-f").arg(configuration);
    Ok(Running::of(Server::start(command)?, port, Some(files)))
}

fn whole(port: u16, rules: &str) -> String {
    format!(
        "global
    nbthread 1

defaults
    mode http
    timeout client 30s
    timeout http-keep-alive 30s

frontend comparison
    bind 127.0.0.1:{port}
{rules}    http-request return status 200 content-type text/plain string ok if {{ path {PATH} }}
"
    )
}

/// One key and no `kid`: a key set is beyond this HAProxy.
fn rules(trust: &Trust, key: &Path) -> String {
    let (issuer, audience, key) = (&trust.issuer, &trust.audience, key.display());
    format!(
        "    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    acl alg var(txn.token),jwt_header_query('$.alg') -m str RS256
    acl signed var(txn.token),jwt_verify(\"RS256\",\"{key}\") -m int 1
    acl issuer var(txn.token),jwt_payload_query('$.iss') -m str {issuer}
    acl audience var(txn.token),jwt_payload_query('$.aud') -m str {audience}
    acl expired var(txn.exp),sub(txn.now) -m int lt 0
    http-request deny deny_status 401 unless alg signed issuer audience !expired
"
    )
}
