//! Envoy: answers by itself, with one worker, and `jwt_authn` before it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kit::{Server, Trust, command, free_port, said};
use serde_json::{Value, json};

use super::{REMEMBERED, Running};
use crate::http::PATH;

/// What stands before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    JwtAuthn,
    JwtAuthnCached,
    None,
}

/// The one that `install` brings, else the one of the machine.
fn program() -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/envoy");
    if installed.exists() { installed } else { "envoy".into() }
}

pub(super) fn version() -> Result<String> {
    let line = said(program(), "--version")?;
    // `envoy  version: <commit>/<version>/<state>/<profile>/<library>`
    let version = line.split('/').rev().nth(3).context("an unknown form of version")?;
    Ok(version.to_owned())
}

pub(super) fn start(filter: Filter, trust: &Trust) -> Result<Running> {
    let port = free_port()?;
    let mut command = command(program());
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]);
    command.arg("--config-yaml").arg(configuration(filter, trust, port).to_string());
    Ok(Running::of(Server::start(command)?, port, None))
}

/// JSON is YAML.
fn configuration(filter: Filter, trust: &Trust, port: u16) -> Value {
    let mut filters = vec![];
    if filter != Filter::None {
        filters.push(jwt_authn(filter, trust));
    }
    filters.push(extension("router", "http.router.v3.Router", json!({})));
    let route = json!({
        "match": {"path": PATH},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    });
    let manager = json!({
        "stat_prefix": "comparison",
        "generate_request_id": false,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    });
    let kind = "network.http_connection_manager.v3.HttpConnectionManager";
    json!({"static_resources": {
        "listeners": [{
            "address": address(port),
            "filter_chains": [{"filters": [extension("http_connection_manager", kind, manager)]}],
        }],
        "clusters": [{
            "name": "issuer",
            "load_assignment": {"cluster_name": "issuer", "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": address(trust.port)}},
            ]}]},
        }],
    }})
}

fn jwt_authn(filter: Filter, trust: &Trust) -> Value {
    let mut provider = json!({
        "issuer": trust.issuer,
        "audiences": [trust.audience],
        "remote_jwks": {
            "http_uri": {"uri": trust.jwks_uri, "cluster": "issuer", "timeout": "5s"},
            "async_fetch": {},
        },
    });
    if filter == Filter::JwtAuthnCached {
        provider["jwt_cache_config"] = json!({"jwt_cache_size": REMEMBERED});
    }
    let configuration = json!({
        "providers": {"issuer": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
    });
    extension("jwt_authn", "http.jwt_authn.v3.JwtAuthentication", configuration)
}

/// A configuration with the name of its type, as Envoy wants them.
fn extension(name: &str, kind: &str, mut configuration: Value) -> Value {
    configuration["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.{kind}"));
    json!({"name": name, "typed_config": configuration})
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
