//! A key set in a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::source::{KeyError, KeySource, KeyTag, LoadFuture, LoadedKeys};
use crate::error::BuildError;
use crate::jose::{JwkSet, KeyPolicy};
use crate::small_file;

/// The interval at which the file is read.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A JWKS file. A change is detected by content: deployments replace files with times and lengths
/// of their own choosing.
#[derive(Debug)]
pub(crate) struct FileKeySource {
    path: PathBuf,
    policy: KeyPolicy,
    /// `true` while a read is under way. A file system may hang; then one thread hangs with it, and
    /// no more.
    reading: Arc<AtomicBool>,
}

impl FileKeySource {
    /// Opens a file, which must already hold at least one usable key.
    pub(crate) fn open(path: PathBuf, policy: KeyPolicy) -> Result<(Self, JwkSet), BuildError> {
        let fault = |reason: String| BuildError::KeyFile { path: path.clone(), reason };
        let content = small_file::read(&path).map_err(|error| fault(error.to_string()))?;
        let set = JwkSet::parse_with(&content, policy).map_err(|error| fault(error.to_string()))?;
        if set.is_empty() {
            return Err(fault("expected a key set with at least one usable key".to_owned()));
        }
        Ok((Self { path, policy, reading: Arc::default() }, set))
    }

    async fn look(&self, installed: Option<KeyTag>) -> Result<LoadedKeys, KeyError> {
        if self.reading.swap(true, Ordering::SeqCst) {
            return Err(KeyError::File("the file system has not answered yet".to_owned()));
        }
        let (path, policy, reading) = (self.path.clone(), self.policy, Arc::clone(&self.reading));
        let look = tokio::task::spawn_blocking(move || {
            let content = small_file::read(&path);
            reading.store(false, Ordering::SeqCst);
            let content = content.map_err(|error| KeyError::File(error.to_string()))?;
            let tag = KeyTag::new(content.as_slice());
            if installed.is_some_and(|installed| installed == tag) {
                return Ok(LoadedKeys::unchanged());
            }
            Ok(LoadedKeys::new(JwkSet::parse_with(&content, policy)?).tag(tag))
        });
        look.await.map_err(KeyError::other)?
    }
}

impl KeySource for FileKeySource {
    fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
        Box::pin(self.look(installed))
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(LOOK_EVERY)
    }
}
