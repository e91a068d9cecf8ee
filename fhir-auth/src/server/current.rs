//! The configuration that serves: replaced at SIGHUP and when the file changes, while requests go on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio_rustls::TlsAcceptor;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::config::{Config, ConfigError, ConfigFile};

use super::app::{App, whole};
use super::serve::Terms;
use super::signals::HangUp;
use super::tls;
use crate::failure::Failure;

/// Makes of a configuration what answers, and the layer that it answers by, which is the successor of the layer
/// that serves.
type Make =
    dyn Fn(Config, Option<&FhirAuthLayer>) -> Result<(App, FhirAuthLayer), Failure> + Send + Sync;

/// Answers `/metrics`.
type Metrics = dyn Fn() -> Response<Bytes> + Send + Sync;

/// The source of the configuration, and what is made of it.
#[derive(Clone)]
pub(crate) struct Source {
    path: PathBuf,
    /// `--upstream`
    upstream: Option<String>,
    make: Arc<Make>,
    /// The answer of `/metrics`.
    metrics: Option<Arc<Metrics>>,
    /// The option that no address but loopback goes with.
    loopback: Option<&'static str>,
}

impl Source {
    pub(crate) fn new(
        path: PathBuf,
        upstream: Option<String>,
        make: impl Fn(Config, Option<&FhirAuthLayer>) -> Result<(App, FhirAuthLayer), Failure>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { path, upstream, make: Arc::new(make), metrics: None, loopback: None }
    }

    /// Tells operators figures, too.
    pub(crate) fn with_metrics(
        self,
        answer: impl Fn() -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self { metrics: Some(Arc::new(answer)), ..self }
    }

    /// Refuses to listen for others than this machine, by the option that asks for it.
    pub(crate) fn on_loopback_alone(self, option: &'static str) -> Self {
        Self { loopback: Some(option), ..self }
    }

    pub(super) fn may_listen(&self, address: SocketAddr) -> Result<(), Failure> {
        let option = self.loopback.filter(|_| !address.ip().is_loopback());
        option.map_or(Ok(()), |option| {
            let text = "the gateway listens on loopback alone, such as 127.0.0.1:8080";
            Err(Failure::new(format!("{option}: {address}: {text}")))
        })
    }

    pub(super) fn open(&self) -> Result<(ConfigFile, Config), Failure> {
        let (file, config) = ConfigFile::open(&self.path)?;
        Ok((file, self.completed(config)?))
    }

    /// Puts what the command line says over the file.
    fn completed(&self, config: Config) -> Result<Config, Failure> {
        let Some(url) = &self.upstream else { return Ok(config) };
        config.with_upstream_url(url).map_err(|error| Failure::new(format!("--upstream: {error}")))
    }

    pub(super) fn in_file(&self, failure: &Failure) -> Failure {
        Failure::new(format!("{}: {failure}", self.path.display()))
    }

    fn serving(&self, config: Config, before: Option<&FhirAuthLayer>) -> Result<Serving, Failure> {
        let made = || {
            let tls = config.gateway().tls.as_ref().map(tls::acceptor).transpose()?;
            let (addresses, client_timeout) =
                (ListenAddresses::of(&config), config.gateway().upstream.timeout);
            let (app, auth) = (self.make)(config, before)?;
            Ok(Serving { app, auth, tls, client_timeout, addresses })
        };
        made().map_err(|failure| self.in_file(&failure))
    }
}

/// The configuration that serves now.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Arc<Serving>>>);

struct Serving {
    app: App,
    auth: FhirAuthLayer,
    /// Accepts connections; without it they are plain.
    tls: Option<TlsAcceptor>,
    /// The longest time for which a client may take nothing of an answer, the same as the upstream server has between
    /// two frames of it.
    client_timeout: Duration,
    addresses: ListenAddresses,
}

/// The addresses that are listened on, which are those of the start.
#[derive(Clone, PartialEq)]
struct ListenAddresses {
    listen: String,
    admin: Option<String>,
}

impl ListenAddresses {
    fn of(config: &Config) -> Self {
        let sections = config.gateway();
        Self { listen: sections.listen.clone(), admin: sections.admin.clone() }
    }
}

impl Current {
    pub(super) fn of(source: &Source, config: Config) -> Result<Self, Failure> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(source.serving(config, None)?)))))
    }

    fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the rules for connections from now on.
    pub(super) fn terms(&self) -> Terms {
        let serving = self.serving();
        Terms { tls: serving.tls.clone(), client_timeout: serving.client_timeout }
    }

    /// The port for clients.
    pub(super) fn public(&self) -> App {
        let current = self.clone();
        App::from_fn(move |request| current.serving().app.answer(request))
    }

    /// The port for operators: `/live`, `/ready` and, where there are figures, `/metrics`.
    pub(super) fn admin(&self, source: &Source) -> App {
        let (current, metrics) = (self.clone(), source.metrics.clone());
        App::from_fn(move |request| {
            let response = match (request.uri().path(), &metrics) {
                ("/live", _) => Response::new(Bytes::from_static(b"live\n")),
                ("/ready", _) => current.serving().auth.readiness(),
                ("/metrics", Some(metrics)) => metrics(),
                _ => {
                    let mut response = Response::new(Bytes::from_static(b"/live /ready\n"));
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            };
            Box::pin(std::future::ready(response.map(whole)))
        })
    }

    /// Replaces what serves, at a signal and when the file has changed, for ever. One that cannot be used is
    /// refused, and the old one serves on.
    pub(super) async fn follow(self, source: Source, mut file: ConfigFile, mut signal: HangUp) {
        loop {
            let read = tokio::select! {
                read = file.changed() => read,
                () = signal.received() => file.read().await,
            };
            self.replace(&source, read);
        }
    }

    /// Makes the successor of what serves beside it, and puts it in its place. Requests that have begun go on
    /// with the old one.
    fn replace(&self, source: &Source, read: Result<Config, ConfigError>) {
        let before = self.serving();
        let config = read.map_err(Failure::from).and_then(|config| source.completed(config));
        match config.and_then(|config| source.serving(config, Some(&before.auth))) {
            Ok(next) => {
                if next.addresses != before.addresses {
                    tracing::warn!("changed listen addresses take effect only after a restart");
                }
                tracing::warn!("a new configuration is in use");
                let mut serving = self.0.write().unwrap_or_else(PoisonError::into_inner);
                *serving = Arc::new(Serving { addresses: before.addresses.clone(), ..next });
            }
            Err(fault) => before.auth.reject_configuration(&fault),
        }
    }
}
