//! `fhir-auth gateway`: protects a FHIR server that enforces nothing and cannot be changed.
//!
//! A request goes through the layer ([`tower_fhir_auth::confine`]), which judges it and, where it has to, the
//! answer; `upstream` is the service within. What goes on is in `request` and `caller`, what comes back in
//! `response` and `rewrite`.
//!
//! Status 0 after SIGINT or SIGTERM, 2 where the configuration cannot be used.

mod account;
mod app;
mod base;
mod caller;
mod current;
mod exchange;
mod peer;
mod request;
mod response;
mod rewrite;
mod serve;
mod tls;
mod unanswered;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::Parser;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_fhir_auth::confine::SealKey;

use self::current::{Current, HangUp, Source};
use crate::failure::Failure;
use crate::{command, logs};

const USAGE: &str =
    "usage: fhir-auth gateway --config gateway.toml [--listen 127.0.0.1:8080] [--upstream URL]";

#[derive(Default)]
struct Options {
    config: PathBuf,
    listen: Option<String>,
    upstream: Option<String>,
}

/// Runs the command with the arguments after its name, until it is told to stop.
pub async fn run(arguments: Parser) -> ExitCode {
    logs::of_a_server();
    let options = match command::begin(options(arguments), USAGE) {
        Ok(options) => options,
        Err(status) => return status,
    };
    match gateway(&options).await {
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
            Long("help") | Short('h') => return Ok(None),
            Value(_) | Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    if options.config.as_os_str().is_empty() {
        return Err("--config is required".into());
    }
    Ok(Some(options))
}

async fn gateway(options: &Options) -> Result<(), Failure> {
    let key = SealKey::random().map_err(|_| Failure::new("the system has no random numbers"))?;
    let (file, upstream) = (options.config.clone(), options.upstream.clone());
    let source = Source { file, upstream, key };
    let config = source.config()?;
    let (sections, path) = (config.gateway().clone(), config.base_url().path().to_owned());
    let in_file = |failure: Failure| source.in_file(&failure);
    let tls = sections.tls.as_ref().map(tls::acceptor).transpose().map_err(in_file)?;
    let current = Current::of(&source, config)?;
    let public = match &options.listen {
        Some(address) => listen("--listen", address).await?,
        None => listen("listen.address", &sections.listen).await.map_err(in_file)?,
    };
    let admin = match &sections.admin {
        Some(address) => Some(listen("admin.address", address).await.map_err(in_file)?),
        None => None,
    };
    let (stop, stopped) = watch::channel(false);
    // Whoever reads the line may send a signal at once.
    let signals = |error| Failure::new(format!("signals: {error}"));
    let (signal, hang_up) = (signal().map_err(signals)?, HangUp::new().map_err(signals)?);
    let following = tokio::spawn(current.clone().follow(source.clone(), hang_up));
    let here = public.local_addr().map_err(|error| Failure::new(error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{here}{path}");
    let admin = async {
        if let Some(listener) = admin {
            serve::until(stopped.clone(), (listener, None), current.admin()).await;
        }
    };
    let signalled = async {
        signal.await;
        // Nobody is left to be told if both have ended.
        let _ = stop.send(true);
    };
    tokio::join!(serve::until(stopped.clone(), (public, tls), current.public()), admin, signalled);
    following.abort();
    Ok(())
}

async fn listen(key: &str, address: &str) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::new(format!("{key}: {address}: {error}")))
}

/// Resolves at SIGINT or SIGTERM, which are caught from now on.
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without a way to be told, the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
