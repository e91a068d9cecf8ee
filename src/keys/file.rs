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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_unchanged_while_it_holds_what_the_keys_in_use_were_read_of() {
        let keys = |kid: &str| {
            format!(
                r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
            )
        };
        let name = format!("fhir-auth-key-file-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, keys("one")).unwrap();
        let (source, first) = FileKeySource::open(path.clone(), KeyPolicy::default()).unwrap();
        assert_eq!(first.len(), 1);
        let read = source.load(None).await.unwrap();
        assert!(read.set.is_some() && read.tag.is_some());
        let again = source.load(read.tag.clone()).await.unwrap();
        assert!(again.set.is_none());
        std::fs::write(&path, keys("two")).unwrap();
        let changed = source.load(read.tag.clone()).await.unwrap();
        assert!(changed.set.is_some() && changed.tag != read.tag);
        std::fs::remove_file(&path).unwrap();
    }
}
