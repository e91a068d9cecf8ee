//! Keys in a file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::source::{KeyError, KeySource, LoadFuture, LoadedKeys};
use crate::error::BuildError;
use crate::jose::{JwkSet, KeyPolicy};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A JWKS file. Its content is what tells that it has changed: deployments replace files with
/// times and lengths of their own choosing.
#[derive(Debug)]
pub(crate) struct FileKeySource {
    path: PathBuf,
    policy: KeyPolicy,
    /// The content that the present keys were made of.
    taken: Mutex<Vec<u8>>,
}

impl FileKeySource {
    /// Opens a file that must hold at least one usable key now.
    pub(crate) fn open(path: PathBuf, policy: KeyPolicy) -> Result<(Self, JwkSet), BuildError> {
        let fault = |reason: String| BuildError::KeyFile { path: path.clone(), reason };
        let content = read(&path).map_err(|error| fault(error.to_string()))?;
        let set = JwkSet::parse_with(&content, policy).map_err(|error| fault(error.to_string()))?;
        if set.is_empty() {
            return Err(fault("expected a key set with at least one usable key".to_owned()));
        }
        Ok((Self { path, policy, taken: Mutex::new(content) }, set))
    }

    fn look(&self) -> Result<LoadedKeys, KeyError> {
        let content = read(&self.path)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if *taken == content {
            return Ok(LoadedKeys::unchanged());
        }
        let set = JwkSet::parse_with(&content, self.policy)?;
        if !set.is_empty() {
            *taken = content;
        }
        Ok(LoadedKeys::new(set))
    }
}

impl KeySource for FileKeySource {
    fn load(&self) -> LoadFuture<'_> {
        // A small local file: reading it in place costs less than handing it to another thread.
        Box::pin(async { self.look() })
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(LOOK_EVERY)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let fault = |error: std::io::Error| KeyError::File(error.to_string());
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(fault)?;
    match u64::try_from(content.len()) {
        Ok(length) if length <= MAX_BYTES => Ok(content),
        Ok(_) | Err(_) => Err(KeyError::File(format!("more than {MAX_BYTES} bytes"))),
    }
}
