//! `fhir-auth decide`: answers the authorization sub-requests of a proxy, through which all data goes.
//!
//! `original` reads which request the proxy asks about; the layer decides on it, by the rules of `sight`, which
//! let pass what can be decided without a look at a body; `granted` is the service within; `answer` makes of
//! both what the proxy understands.
//!
//! Status 0 after SIGINT or SIGTERM, 2 where the configuration cannot be used.

mod address_only;
mod answer;
mod granted;
mod original;
mod peers;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::Parser;
use tower_fhir_auth::FhirAuthLayer;

use self::original::ProxyKind;
use self::peers::Peers;
use crate::failure::Failure;
use crate::server::Source;
use crate::{command, logs, server};

const USAGE: &str = "usage: fhir-auth decide --for nginx|forward|envoy --config auth.toml \
                     [--listen 127.0.0.1:8080] [--peers 127.0.0.0/8,::1]";

struct Options {
    proxy: ProxyKind,
    config: PathBuf,
    listen: Option<String>,
    peers: Peers,
}

/// Runs the command with the arguments after its name, until it is told to stop.
pub async fn run(arguments: Parser) -> ExitCode {
    logs::of_a_server();
    let options = match command::begin(options(arguments), USAGE) {
        Ok(options) => options,
        Err(status) => return status,
    };
    match decide(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn options(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut proxy, mut config, mut listen, mut peers) = (None, None, None, Peers::default());
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("for") => proxy = Some(arguments.value()?.parse::<ProxyKind>()?),
            Long("config") => config = Some(PathBuf::from(arguments.value()?)),
            Long("listen") => listen = Some(arguments.value()?.string()?),
            Long("peers") => peers = arguments.value()?.parse()?,
            Long("help") | Short('h') => return Ok(None),
            Value(_) | Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    let proxy = proxy.ok_or("--for is required: nginx, forward or envoy")?;
    let config = config.ok_or("--config is required")?;
    Ok(Some(Options { proxy, config, listen, peers }))
}

async fn decide(options: Options) -> Result<(), Failure> {
    let Options { proxy, config, listen, peers } = options;
    let make = move |config, before: Option<&FhirAuthLayer>| {
        answer::app(config, before, (proxy, peers.clone()))
    };
    server::run(Source::new(config, None, make), listen.as_deref()).await
}
