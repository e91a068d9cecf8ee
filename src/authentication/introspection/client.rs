//! The authentication of this server to the provider that it asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;

use super::error::IntrospectionError;
use super::settings::{ClientAuthMethod, IntrospectionClient, Secret};
use crate::background_task::BackgroundTask;
use crate::error::{BuildError, ErrorCause};
use crate::hot_swap::HotSwap;
use crate::jose::private_key::{PrivateKey, random_id};
use crate::telemetry::log;
use crate::time::UnixTime;
use crate::watched_file::{self, WatchedFile};

/// The time that an assertion of this server is good.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);

/// The type of an assertion (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// This server as a client, ready to authenticate.
#[derive(Debug)]
pub(super) struct ClientAuthentication {
    pub(super) id: Arc<str>,
    proof: LoadedAuthMethod,
}

#[derive(Debug)]
enum LoadedAuthMethod {
    Secret(Secret),
    Key { key: Arc<HotSwap<PrivateKey>>, _watch: BackgroundTask },
}

/// The credentials that go with one question.
pub(super) enum Credentials<'c> {
    Secret(&'c str),
    Assertion(String),
}

impl ClientAuthentication {
    /// Reads the key, which has to be there and sound at start, and begins to watch its file.
    pub(super) fn start(
        client: &IntrospectionClient,
        issuer: &Arc<str>,
        runtime: &Handle,
    ) -> Result<Self, BuildError> {
        let proof = match &client.proof {
            ClientAuthMethod::Secret(secret) => LoadedAuthMethod::Secret(secret.clone()),
            ClientAuthMethod::KeyFile(path) => watched(path.clone(), issuer, runtime)?,
        };
        Ok(Self { id: Arc::clone(&client.id), proof })
    }

    /// Returns the credentials for a question that is put now. `audience` is the name of the issuer:
    /// an assertion for another name could be replayed by whoever has that.
    pub(super) fn credentials(
        &self,
        audience: &str,
        now: UnixTime,
    ) -> Result<Credentials<'_>, IntrospectionError> {
        let key = match &self.proof {
            LoadedAuthMethod::Secret(secret) => return Ok(Credentials::Secret(secret.reveal())),
            LoadedAuthMethod::Key { key, .. } => key.snapshot(),
        };
        let failed = |_| IntrospectionError::Signing;
        let id = &*self.id;
        // RFC 7523 section 3.
        let claims = json!({
            "iss": id,
            "sub": id,
            "aud": audience,
            "jti": random_id().map_err(failed)?,
            "iat": now.as_secs(),
            "exp": now.saturating_add(ASSERTION_LIFETIME).as_secs(),
        });
        let key = key.get().ok_or(IntrospectionError::Signing)?;
        key.sign(&claims).map(Credentials::Assertion).map_err(failed)
    }
}

fn watched(
    path: PathBuf,
    issuer: &Arc<str>,
    runtime: &Handle,
) -> Result<LoadedAuthMethod, BuildError> {
    let (content, first) = read_key_file(path.clone())?;
    let key = Arc::new(HotSwap::new(Some(first)));
    let (replaced, issuer) = (Arc::clone(&key), Arc::clone(issuer));
    let watch = WatchedFile::new(path).watch(content, PrivateKey::parse, move |read| match read {
        Ok(key) => {
            log::info!(issuer = &*issuer, "the key for introspection was read again");
            replaced.replace(key);
        }
        Err(error) => {
            log::warn!(issuer = &*issuer, error, "the key for introspection cannot be read");
            let _ = (&issuer, error);
        }
    });
    Ok(LoadedAuthMethod::Key { key, _watch: BackgroundTask::spawn(runtime, watch) })
}

/// Reads the key of a file, with the content of the file.
pub(crate) fn read_key_file(path: PathBuf) -> Result<(Vec<u8>, PrivateKey), BuildError> {
    let read = watched_file::read(&path).map_err(ErrorCause::new).and_then(|content| {
        let key = PrivateKey::parse(&content).map_err(ErrorCause::new)?;
        Ok((content, key))
    });
    read.map_err(|source| BuildError::ClientKeyFile { path, source })
}
