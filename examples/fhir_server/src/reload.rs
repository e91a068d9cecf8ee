//! Another configuration while the server serves: at SIGHUP, and when the file has changed.

use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::config::{Config, ConfigFile};
use tower_fhir_auth::fhir::BaseUrl;

use crate::{Error, policy};

/// Follows the file, for ever. A configuration that cannot be used is refused, and the one before serves.
pub(crate) fn follow(
    mut file: ConfigFile,
    base: BaseUrl,
    layer: FhirAuthLayer,
) -> impl Future<Output = ()> {
    // It is caught from now on: before, it would end the server.
    let mut hang_up = HangUp::new();
    async move {
        loop {
            let read = tokio::select! {
                read = file.changed() => read,
                () = hang_up.received() => file.read().await,
            };
            let replaced =
                read.map_err(Error::from).and_then(|config| replace(config, &base, &layer));
            match replaced {
                Ok(()) => tracing::warn!("a new configuration is in use"),
                Err(mistake) => layer.reject_configuration(&mistake),
            }
        }
    }
}

/// Replaces all that the layer decides by. The routes are those of the start, and so is the base URL.
fn replace(config: Config, base: &BaseUrl, layer: &FhirAuthLayer) -> Result<(), Error> {
    if config.base_url() != base {
        return Err(format!("base_url: expected {base} until the server is started again").into());
    }
    let rule = config.policy()?;
    layer.replace(policy::enforced(config.layer(rule)?).cors(true))?;
    Ok(())
}

/// SIGHUP, where there is such a signal.
struct HangUp(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl HangUp {
    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self()
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
