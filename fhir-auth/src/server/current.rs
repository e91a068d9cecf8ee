//! The configuration that serves: replaced at SIGHUP and when the file changes, while requests go on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::config::Config;

use super::app::{App, whole};
use super::signals::HangUp;
use crate::failure::Failure;

/// The interval between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Makes of a configuration what answers, and the layer that it answers by.
type Make = dyn Fn(Config) -> Result<(App, FhirAuthLayer), Failure> + Send + Sync;

/// Answers `/metrics`.
type Metrics = dyn Fn() -> Response<Bytes> + Send + Sync;

/// The source of the configuration, and what is made of it.
#[derive(Clone)]
pub(crate) struct Source {
    file: PathBuf,
    /// `--upstream`
    upstream: Option<String>,
    make: Arc<Make>,
    /// What `/metrics` answers.
    metrics: Option<Arc<Metrics>>,
    /// The option that no address but loopback goes with.
    loopback: Option<&'static str>,
}

impl Source {
    pub(crate) fn new(
        file: PathBuf,
        upstream: Option<String>,
        make: impl Fn(Config) -> Result<(App, FhirAuthLayer), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self { file, upstream, make: Arc::new(make), metrics: None, loopback: None }
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

    pub(super) fn config(&self) -> Result<Config, Failure> {
        let config = Config::from_file(&self.file)?;
        let Some(url) = &self.upstream else { return Ok(config) };
        config.upstream_url(url).map_err(|error| Failure::new(format!("--upstream: {error}")))
    }

    pub(super) fn in_file(&self, failure: &Failure) -> Failure {
        Failure::new(format!("{}: {failure}", self.file.display()))
    }

    fn app(&self, config: Config) -> Result<(App, FhirAuthLayer), Failure> {
        (self.make)(config).map_err(|failure| self.in_file(&failure))
    }
}

/// The configuration that serves now.
#[derive(Clone)]
pub(super) struct Current(Arc<RwLock<Serving>>);

#[derive(Clone)]
struct Serving {
    app: App,
    auth: FhirAuthLayer,
    /// The fault of a later configuration, which does not serve.
    fault: Option<String>,
}

impl Current {
    pub(super) fn of(source: &Source, config: Config) -> Result<Self, Failure> {
        let (app, auth) = source.app(config)?;
        Ok(Self(Arc::new(RwLock::new(Serving { app, auth, fault: None }))))
    }

    fn serving(&self) -> Serving {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
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
                ("/ready", _) => current.ready(),
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

    fn ready(&self) -> Response<Bytes> {
        let Serving { auth, fault, .. } = self.serving();
        let readiness = auth.readiness();
        let Some(fault) = fault else { return readiness };
        let ready = readiness.status().is_success();
        let document = json!({"ready": ready, "issuers": auth.health(), "configuration": fault});
        let mut response = readiness.map(|_| Bytes::from(document.to_string()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Replaces what serves, at a signal and when the file has changed, for ever. One that cannot be used is
    /// refused, and the old one serves on.
    pub(super) async fn follow(self, source: Source, mut signal: HangUp) {
        let mut last = content(&source.file).await;
        loop {
            let told = tokio::time::timeout(LOOK_EVERY, signal.told()).await.is_ok();
            let now = content(&source.file).await;
            if !told && (now == last || now.is_none()) {
                continue;
            }
            last = now;
            self.replace(&source);
        }
    }

    fn replace(&self, source: &Source) {
        let made = source.config().and_then(|config| source.app(config));
        let mut serving = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match made {
            Ok((app, auth)) => {
                tracing::warn!("a new configuration serves");
                *serving = Serving { app, auth, fault: None };
            }
            Err(fault) => {
                tracing::error!(%fault, "the new configuration cannot be used: the old one serves");
                serving.fault = Some(fault.to_string());
            }
        }
    }
}

/// Reads the file, on a thread that nobody waits for.
async fn content(file: &Path) -> Option<Vec<u8>> {
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || std::fs::read(file).ok()).await.ok().flatten()
}
