//! `fhir-auth gateway`: protects a FHIR server that enforces nothing and cannot be changed.
//!
//! A request goes through the layer ([`tower_fhir_auth::confine`]), which judges it and, where it has to, the
//! answer; `upstream` is the service within. What goes on is in `request`, what comes back in `response` and
//! `rewrite`.
//!
//! Status 0 after SIGINT or SIGTERM, 2 where the configuration cannot be used.

mod app;
mod base;
mod buffer;
mod cors;
mod demo;
mod exchange;
mod gateway_error;
mod headers;
mod held;
mod known;
mod meter;
mod request;
mod response;
mod rewrite;
mod shares;
mod spelling;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::Parser;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::confine::SealKey;

use self::buffer::BufferPool;
use self::meter::GatewayMetrics;
use crate::failure::Failure;
use crate::server::Source;
use crate::{command, logs, server};

const USAGE: &str = "usage: fhir-auth gateway --config gateway.toml [--listen 127.0.0.1:8080] [--upstream URL] \
     [--demo [--demo-client ID]]";

#[derive(Default)]
struct Options {
    config: PathBuf,
    listen: Option<String>,
    upstream: Option<String>,
    /// The page that explains, at the root.
    demo: bool,
    /// The public client of the provider that people sign in to on it.
    demo_client: Option<String>,
}

/// Runs the command with the arguments after its name, until it is told to stop.
pub async fn run(arguments: Parser) -> ExitCode {
    logs::of_a_server();
    let options = match command::begin(options(arguments), USAGE) {
        Ok(options) => options,
        Err(status) => return status,
    };
    match gateway(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn options(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("config") => options.config = arguments.value()?.into(),
            Long("listen") => options.listen = Some(arguments.value()?.string()?),
            Long("upstream") => options.upstream = Some(arguments.value()?.string()?),
            Long("demo") => options.demo = true,
            Long("demo-client") => options.demo_client = Some(arguments.value()?.string()?),
            Long("help") | Short('h') => return Ok(None),
            Value(_) | Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    if options.config.as_os_str().is_empty() {
        return Err("--config is required".into());
    }
    if options.demo_client.is_some() && !options.demo {
        return Err("--demo-client requires --demo".into());
    }
    Ok(Some(options))
}

async fn gateway(options: Options) -> Result<(), Failure> {
    let key = SealKey::random().map_err(|_| Failure::new("the system has no random numbers"))?;
    let Options { config, listen, upstream, demo, demo_client } = options;
    let figures = GatewayMetrics::collect();
    let buffered = BufferPool::new();
    let source = Source::new(config, upstream, move |config, before: Option<&FhirAuthLayer>| {
        let base = config.base_url().clone();
        let (limit, longest) =
            (config.gateway().upstream.max_buffered, config.gateway().upstream.max_body);
        let (app, auth) = app::gateway(config, before, (&key, &buffered))?;
        let app = match demo {
            true => demo::before(app, &auth, &base, demo_client.clone())?,
            false => app,
        };
        // Not by one that cannot be used.
        buffered.make_room(limit, longest);
        Ok((app, auth))
    });
    let source = source.with_metrics(move || figures.respond());
    // The page tells everybody what refusals keep from strangers.
    let source = if demo { source.on_loopback_alone("--demo") } else { source };
    server::run(source, listen.as_deref()).await
}
