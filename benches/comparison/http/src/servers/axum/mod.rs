//! axum: bare, with the layer, and with a check by hand. This program is the server too, started
//! anew, on a runtime of one thread.

mod by_hand;
mod layer;

use std::env;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use kit::{Server, Trust, command, free_port, locked_version};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower::make::Shared;

use super::Running;

/// What stands before the handler.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Guard {
    ByHand,
    /// Around the router, with so many verified tokens remembered.
    Layer {
        remember: usize,
    },
    None,
    /// On each of its routes.
    RouterLayer {
        remember: usize,
    },
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
        Guard::Layer { .. } | Guard::RouterLayer { .. } => "tower-fhir-auth",
        Guard::None => "axum",
    };
    let version = locked_version(include_str!("../../../../Cargo.lock"), package);
    version.with_context(|| format!("the lock file has no {package}"))
}

pub(super) fn start(guard: Guard, trust: &Trust) -> Result<Running> {
    let task = Task { guard, port: free_port()?, trust: trust.clone() };
    let mut command = command(env::current_exe()?);
    command.arg("--serve").arg(serde_json::to_string(&task)?);
    Ok(Running::of(Server::start(command)?, task.port, None))
}

/// What the new process does, until it is ended.
pub(crate) fn serve(task: &Task) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // A process that has had one thread alone is spared work at each system call, by libc and
        // the kernel. A layer that looks up a name has had more, and so has any real server.
        tokio::task::spawn_blocking(|| ()).await?;
        let open = Router::new().route("/r4/Patient/{id}", get(async || "ok"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, task.port)).await?;
        let trust = &task.trust;
        let served = match task.guard {
            Guard::None => axum::serve(listener, open).await,
            Guard::ByHand => axum::serve(listener, by_hand::guard(open, trust)?).await,
            Guard::RouterLayer { remember } => {
                axum::serve(listener, open.layer(layer::layer(trust, remember).await?)).await
            }
            Guard::Layer { remember } => {
                let guarded = layer::around(layer::layer(trust, remember).await?, open);
                axum::serve(listener, Shared::new(guarded)).await
            }
        };
        Ok(served?)
    })
}
