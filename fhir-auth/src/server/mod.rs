//! The server that `gateway` and `decide` are: it listens, follows its configuration, and ends when it is told
//! to. What it answers is made of the configuration by the command.

mod app;
mod current;
mod idle;
mod outgoing;
mod peer;
mod serve;
mod signals;
mod streams;
mod tls;
mod write_timeout;

use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use self::app::{App, AppBody, BoxError, whole};
use self::current::Current;
pub(crate) use self::current::Source;
pub(crate) use self::peer::Peer;
use self::serve::Terms;
use self::signals::HangUp;
use crate::failure::Failure;

/// Serves what a configuration makes until it is told to stop. `address` is that of `--listen`.
pub(crate) async fn run(source: Source, address: Option<&str>) -> Result<(), Failure> {
    let (file, config) = source.open()?;
    let (sections, path) = (config.gateway().clone(), config.base_url().path().to_owned());
    let in_file = |failure: Failure| source.in_file(&failure);
    let current = Current::of(&source, config)?;
    let public = match address {
        Some(address) => listen("--listen", address).await?,
        None => listen("listen.address", &sections.listen).await.map_err(in_file)?,
    };
    let admin = match &sections.admin {
        Some(address) => Some(listen("admin.address", address).await.map_err(in_file)?),
        None => None,
    };
    let (stop, stopped) = watch::channel(false);
    // Whoever reads the line may send a signal at once.
    let fault = |error| Failure::new(format!("signals: {error}"));
    let (signal, hang_up) = (signals::stop().map_err(fault)?, HangUp::new().map_err(fault)?);
    let following = tokio::spawn(current.clone().follow(source.clone(), file, hang_up));
    let here = public.local_addr().map_err(|error| Failure::new(error.to_string()))?;
    // Checked on the bound address: only that tells what a host name has resolved to.
    source.may_listen(here)?;
    let scheme = if current.terms().tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{here}{path}");
    let admin = async {
        if let Some(listener) = admin {
            let terms = || Terms { tls: None, ..current.terms() };
            serve::until(stopped.clone(), (listener, terms), current.admin(&source)).await;
        }
    };
    let signalled = async {
        signal.await;
        // Nobody is left to be told if both have ended.
        let _ = stop.send(true);
    };
    let public = (public, || current.terms());
    tokio::join!(serve::until(stopped.clone(), public, current.public()), admin, signalled);
    following.abort();
    Ok(())
}

async fn listen(key: &str, address: &str) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::new(format!("{key}: {address}: {error}")))
}
