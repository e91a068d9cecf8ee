//! A FHIR R4 server protected by the layer, with patients in memory.
//!
//! ```text
//! cargo run -p fhir_server --example fhir_server        a demo authorization server comes with it
//!     -- --config auth.toml                             trusts the issuers of the file instead
//!     -- --unprotected                                  the store alone, to put a gateway before
//! ```
//!
//! Read on in the order of a request: `run` puts the layer around the router, and `cors` around it, for browsers;
//! `policy` says who may do what; `api` answers requests that were let in, with `rights`; `confine` is what the layer leaves
//! to the handlers; `store` holds the resources. `reload` puts another configuration in force while the server
//! serves. `demo_idp` issues the tokens of the demo, `samples` prints requests to try, and `page` shows them in
//! a browser, each answer beside its reasons.

#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]
#![expect(clippy::wildcard_enum_match_arm, reason = "the enums of the crate may grow")]

mod api;
mod confine;
mod cors;
mod demo_idp;
mod json;
mod options;
mod page;
mod policy;
mod reload;
mod rights;
mod samples;
mod serve;
mod store;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tokio::net::{TcpListener, lookup_host};
use tower::Layer as _;
use tower_fhir_auth::config::ConfigFile;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{AccessMode, AccessPolicy, FhirAuthLayer, ScopePolicy};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use api::App;
use demo_idp::DemoIdp;
use options::Options;
use page::Page;
use serve::HttpService;
use store::Store;

/// A fault that ends the server before it begins.
type Error = Box<dyn std::error::Error>;

/// Serves as the command line says, until it is told to stop.
pub fn main() -> ExitCode {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let events = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(chosen.unwrap_or_else(warnings_and_refusals));
    tracing_subscriber::registry().with(events).init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    let result = runtime.block_on(run());
    // Work that is under way in the store has had its time.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&*error),
    }
}

/// The events that are shown where `RUST_LOG` says nothing: whoever is refused asks the operator why.
fn warnings_and_refusals() -> Targets {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    warnings.with_target("tower_fhir_auth::rejection", LevelFilter::INFO)
}

fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}

async fn run() -> Result<(), Error> {
    let Some(options) = Options::from_command_line()? else {
        println!("{}", options::USAGE);
        return Ok(());
    };
    let config = options.config.as_ref().map(ConfigFile::open).transpose()?;
    let listener = listener(&options).await?;
    let address = listener.local_addr()?;
    if options.unprotected {
        return serve_unprotected(&options, listener).await;
    }

    let origin = format!("http://{address}");
    let (base, auth, demo): (BaseUrl, _, _) = match config {
        Some((file, config)) => {
            let base = config.base_url().clone();
            let rule = config.policy()?;
            let auth = policy::enforced(config.layer(rule)?).cors(true).build()?;
            tokio::spawn(reload::follow(file, base.clone(), auth.clone()));
            (base, auth, None)
        }
        None => {
            let base: BaseUrl = format!("http://{address}/fhir").parse()?;
            let idp = DemoIdp::start(base.as_str().to_owned(), &origin).await?;
            let (mode, roles) = (AccessMode::RolesOrScopes, policy::demo_roles()?);
            let builder = FhirAuthLayer::builder(base.as_str())
                .issuer(policy::demo_issuer(idp.url()))
                .authorizer(AccessPolicy::new(mode, roles, ScopePolicy::new()));
            (base.clone(), policy::enforced(builder).cors(true).build()?, Some(idp))
        }
    };

    // Around the router as a whole: a layer on its routes stands inside axum's own answers.
    let app = App::new(base.clone(), resources(&options, &base)?, Some(auth.clone()));
    let app = cors::around(auth.layer(api::router(app)));
    // Signals are caught before the line is printed: whoever waits for it may send one at once.
    let signal = signal()?;
    let here = format!("http://{address}{}", base.path());
    println!("listening on {here}");
    match demo {
        None => serve::until(signal, listener, app).await,
        Some(idp) => {
            samples::print(&here, idp.url(), &format!("{origin}/"));
            let page = Page::new(auth, base, &origin, idp.url())?;
            serve::until(signal, listener, page::before(page, app)).await;
        }
    }
    Ok(())
}

/// Serves the store alone. No CORS either: pages of other origins have no business with it.
async fn serve_unprotected(options: &Options, listener: TcpListener) -> Result<(), Error> {
    let base: BaseUrl = format!("http://{}/fhir", listener.local_addr()?).parse()?;
    let app = api::router(App::new(base.clone(), resources(options, &base)?, None));
    let app = app.layer(from_fn(own_machine_alone));
    eprintln!(
        "--unprotected: no token is asked for and nothing is enforced; everybody on this machine \
         reads and writes everything"
    );
    let signal = signal()?;
    println!("listening on {base}");
    serve::until(signal, listener, HttpService::new(app)).await;
    Ok(())
}

/// Answers programs of this machine, and not web pages. A site can point a host name of its own here, and so share
/// its origin with this server; and pages send reads, and bodies without a media type, without a preflight.
async fn own_machine_alone(request: Request, next: Next) -> Response {
    match foreign(&request) {
        Some(refused) => refused.into_response(),
        None => next.run(request).await,
    }
}

fn foreign(request: &Request) -> Option<(StatusCode, &'static str)> {
    if !page::is_for_loopback(request.uri(), request.headers()) {
        let text = "with --unprotected the server answers to names of this machine alone";
        return Some((StatusCode::MISDIRECTED_REQUEST, text));
    }
    let has = |name| request.headers().contains_key(name);
    let is_sent_unasked = request.method() == Method::POST && !request.body().is_end_stream();
    if has(ORIGIN) && is_sent_unasked && !has(CONTENT_TYPE) {
        return Some((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a body from a page says its media type",
        ));
    }
    // What an image or a link of another site asks for. Through a gateway come requests of scripts.
    let fetched = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let is_of_another_site = fetched("sec-fetch-site") == Some(b"cross-site")
        && fetched("sec-fetch-mode") != Some(b"cors");
    let text = "another site has sent this";
    is_of_another_site.then_some((StatusCode::FORBIDDEN, text))
}

async fn listener(options: &Options) -> Result<TcpListener, Error> {
    let named = |error| format!("--listen {}: {error}", options.listen);
    let addresses: Vec<SocketAddr> = lookup_host(&options.listen).await.map_err(named)?.collect();
    let is_here = addresses.iter().all(|address| address.ip().is_loopback());
    if options.unprotected && !is_here {
        let text =
            "with --unprotected the server listens on loopback alone, such as 127.0.0.1:8080";
        return Err(format!("--listen {}: {text}", options.listen).into());
    }
    Ok(TcpListener::bind(&*addresses).await.map_err(named)?)
}

/// The synthetic patients, or what is in the folder. What cannot be loaded from there is named.
fn resources(options: &Options, base: &BaseUrl) -> Result<Store, Error> {
    let Some(folder) = &options.data else {
        return Ok(Store::new(store::synthetic(base.clone())));
    };
    let loaded =
        store::from_folder(base.clone(), folder).map_err(|error| format!("--data {error}"))?;
    for refused in &loaded.refused {
        tracing::warn!(file = refused.file, reason = refused.reason, "not loaded");
    }
    Ok(Store::new(loaded.state))
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
