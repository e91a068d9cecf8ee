//! A key set in a file.

use std::path::PathBuf;
use std::time::Duration;

use super::error::KeyError;
use super::source::{KeySource, KeyTag, LoadFuture, LoadedKeys};
use crate::error::{BuildError, ErrorCause};
use crate::jose::{JwkSet, KeyPolicy};
use crate::watched_file::{self, WatchedFile};

/// A JWKS file. Its content is the tag of its keys.
#[derive(Debug)]
pub(crate) struct FileKeySource {
    file: WatchedFile,
    policy: KeyPolicy,
}

impl FileKeySource {
    /// Opens a file, which must already hold at least one usable key.
    pub(crate) fn open(path: PathBuf, policy: KeyPolicy) -> Result<(Self, JwkSet), BuildError> {
        let fault = |source| BuildError::KeyFile { path: path.clone(), source };
        let content = watched_file::read(&path).map_err(|error| fault(ErrorCause::new(error)))?;
        let set = JwkSet::parse_with(&content, policy);
        let set = set.map_err(|error| fault(ErrorCause::new(error)))?;
        if set.is_empty() {
            let expected = "expected a key set with at least one usable key";
            return Err(fault(ErrorCause::new(expected)));
        }
        Ok((Self { file: WatchedFile::new(path), policy }, set))
    }

    async fn read(&self, installed: Option<KeyTag>) -> Result<LoadedKeys, KeyError> {
        let policy = self.policy;
        let read = self.file.read_with(move |content| {
            let tag = KeyTag::new(content.as_slice());
            if installed.is_some_and(|installed| installed == tag) {
                return Ok(LoadedKeys::unchanged());
            }
            Ok(LoadedKeys::new(JwkSet::parse_with(&content, policy)?).tag(tag))
        });
        read.await.map_err(|error| KeyError::File(ErrorCause::new(error)))?
    }
}

impl KeySource for FileKeySource {
    fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
        Box::pin(self.read(installed))
    }

    fn poll_every(&self) -> Option<Duration> {
        Some(watched_file::READ_EVERY)
    }
}
