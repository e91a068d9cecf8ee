//! The commands of the program `fhir-auth`, for those who run a FHIR server and write no Rust:
//!
//! ```text
//! fhir-auth explain --config auth.toml [--method GET --path /Patient/1] < token
//! fhir-auth check auth.toml [--online]
//! fhir-auth gateway --config gateway.toml [--listen ADDRESS] [--upstream URL] [--demo [--demo-client ID]]
//! fhir-auth decide --for nginx|forward|envoy --config auth.toml [--listen ADDRESS] [--peers NETWORKS]
//! ```
//!
//! [`explain`] says why a token is let in or refused, check by check, and what to change on which
//! side. [`check`] reads a configuration and tells all of its mistakes at once. [`gateway`] protects a
//! FHIR server that enforces nothing. [`decide`] answers the authorization sub-requests of other proxies. All are the code of `tower-fhir-auth`, the layer that guards
//! requests, with the file that it is configured by.

mod caller_headers;
pub mod check;
mod command;
pub mod decide;
pub mod explain;
mod failure;
pub mod gateway;
mod logs;
mod pasted;
mod path;
mod print;
mod proofs;
mod server;

use std::process::ExitCode;

use lexopt::{Arg, Parser};

pub use failure::Failure;

const USAGE: &str = "usage: fhir-auth explain --config auth.toml [--method GET --path /Patient/1] \
                     [--at TIME] [--offline] [--json] [--dpop FILE] [--certificate FILE] < token\n       \
                     fhir-auth check auth.toml [--online]\n       \
                     fhir-auth gateway --config gateway.toml [--listen ADDRESS] [--upstream URL]\n               \
                     [--demo [--demo-client ID]]\n       \
                     fhir-auth decide --for nginx|forward|envoy --config auth.toml [--listen ADDRESS] \
                     [--peers NETWORKS]\n       \
                     fhir-auth --version";

/// Runs the command that the first argument names, and returns the status to end with.
pub async fn run(mut arguments: Parser) -> ExitCode {
    let command = match arguments.next() {
        Ok(Some(Arg::Value(command))) => command,
        Ok(Some(Arg::Long("help") | Arg::Short('h'))) => return shown(USAGE),
        Ok(Some(Arg::Long("version") | Arg::Short('V'))) => {
            return shown(concat!("fhir-auth ", env!("CARGO_PKG_VERSION")));
        }
        Ok(Some(other)) => return Failure::usage(&other.unexpected(), USAGE).report(),
        Ok(None) => return Failure::new(USAGE).report(),
        Err(error) => return Failure::usage(&error, USAGE).report(),
    };
    match command.to_str() {
        Some("explain") => explain::run(arguments).await,
        Some("check") => check::run(arguments).await,
        Some("decide") => decide::run(arguments).await,
        Some("gateway") => gateway::run(arguments).await,
        _ => Failure::new(format!("unknown command\n{USAGE}")).report(),
    }
}

fn shown(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}
