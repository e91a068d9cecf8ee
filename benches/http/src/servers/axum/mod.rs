//! axum: bare, with the layer, and with a check by hand. This program is the server too, started
//! anew, on a runtime of one thread.

mod by_hand;
mod layer;

use std::env;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::Running;
use crate::issuer::Trust;
use crate::process::{Process, command, free_port};

/// What stands before the handler.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Guard {
    ByHand,
    /// With so many verified tokens remembered.
    Layer {
        remember: usize,
    },
    None,
}

/// What a server is started with.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Task {
    guard: Guard,
    port: u16,
    trust: Trust,
}

/// As the lock file has it, by which this program was built.
pub(super) fn version(guard: Guard) -> Result<String> {
    let package = match guard {
        Guard::ByHand => "jsonwebtoken",
        Guard::Layer { .. } => "tower-fhir-auth",
        Guard::None => "axum",
    };
    let lock = include_str!("../../../Cargo.lock");
    let (_, entry) = lock
        .split_once(&format!("name = \"{package}\"\nversion = \""))
        .with_context(|| format!("the lock file has no {package}"))?;
    Ok(entry.split('"').take(1).collect())
}

pub(super) fn start(guard: Guard, trust: &Trust) -> Result<Running> {
    let task = Task { guard, port: free_port()?, trust: trust.clone() };
    let mut command = command(env::current_exe()?);
    command.arg("--serve").arg(serde_json::to_string(&task)?);
    Ok(Running { process: Process::start(command)?, port: task.port, _files: None })
}

/// What the new process does, until it is ended.
pub(crate) fn serve(task: &Task) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let open = Router::new().route("/r4/Patient/{id}", get(async || "ok"));
        let app = match task.guard {
            Guard::ByHand => by_hand::guard(open, &task.trust)?,
            Guard::Layer { remember } => layer::guard(open, &task.trust, remember).await?,
            Guard::None => open,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, task.port)).await?;
        Ok(axum::serve(listener, app).await?)
    })
}
