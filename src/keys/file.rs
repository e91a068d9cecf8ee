//! Keys in a file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::source::{KeyError, KeySource, LoadFuture, LoadedKeys};
use crate::error::BuildError;
use crate::jose::JwkSet;

/// How often the file is looked at. A change is in force within 10 s.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A JWKS file, read again when its length or time of change differs.
#[derive(Debug)]
pub(crate) struct FileKeySource {
    path: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

/// What tells that a file may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

impl FileKeySource {
    /// Opens a file that must hold at least one usable key now.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, JwkSet), BuildError> {
        let fault = |reason: String| BuildError::KeyFile { path: path.clone(), reason };
        let stamp = stamp(&path).map_err(|error| fault(error.to_string()))?;
        let set = read(&path).map_err(|error| fault(error.to_string()))?;
        if set.is_empty() {
            return Err(fault("expected a key set with at least one usable key".to_owned()));
        }
        let seen = Mutex::new(Some(stamp));
        Ok((Self { path, seen }, set))
    }

    fn look(&self) -> Result<LoadedKeys, KeyError> {
        let stamp = stamp(&self.path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(stamp) {
            return Ok(LoadedKeys::unchanged());
        }
        // Until it is good again a broken file is read, and complained about, at every look.
        *seen = None;
        let set = read(&self.path)?;
        if !set.is_empty() {
            *seen = Some(stamp);
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

fn stamp(path: &Path) -> Result<Stamp, KeyError> {
    let metadata = std::fs::metadata(path).map_err(|error| KeyError::File(error.to_string()))?;
    if metadata.len() > MAX_BYTES {
        return Err(KeyError::File(format!("more than {MAX_BYTES} bytes")));
    }
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Stamp { modified, length: metadata.len() })
}

fn read(path: &Path) -> Result<JwkSet, KeyError> {
    let json = std::fs::read(path).map_err(|error| KeyError::File(error.to_string()))?;
    Ok(JwkSet::parse(&json)?)
}
