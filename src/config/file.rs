//! The configuration file of a program that serves on while the file changes.

use std::io;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::jose::digest::{Sha256, sha256};
use crate::watched_file::{self, READ_EVERY, SingleFlightReader};

/// A configuration file that is followed while a layer serves. It is compared by content, and so are the files
/// of `[listen] tls`.
///
/// ```no_run
/// use tower_fhir_auth::config::{Config, ConfigError, ConfigFile};
/// use tower_fhir_auth::{BuildError, FhirAuthLayer, FhirAuthLayerBuilder};
///
/// fn settings(config: Config) -> Result<FhirAuthLayerBuilder, BuildError> {
///     let policy = config.policy()?;
///     config.layer(policy)
/// }
///
/// async fn follow(mut file: ConfigFile, layer: FhirAuthLayer) {
///     loop {
///         match file.changed().await {
///             Err(mistakes) => layer.reject_configuration(&mistakes),
///             Ok(config) => match settings(config) {
///                 Err(mistake) => layer.reject_configuration(&mistake),
///                 // The layer keeps a mistake, and tells it in its health.
///                 Ok(settings) => drop(layer.replace(settings)),
///             },
///         }
///     }
/// }
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let (file, config) = ConfigFile::open("auth.toml")?;
/// let layer = settings(config)?.build()?;
/// tokio::spawn(follow(file, layer.clone()));
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct ConfigFile {
    path: PathBuf,
    /// The files beside it that only programs read which serve.
    beside: Vec<PathBuf>,
    /// The digests of their contents when they were read, in their order.
    known: Digests,
    reads: SingleFlightReader,
}

type Digests = Vec<Digest>;

/// The state of a file, as far as it tells a change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Digest {
    Read(Sha256),
    Gone,
    /// It is there, and cannot be read: it is too large, perhaps.
    Unreadable(io::ErrorKind),
}

impl ConfigFile {
    /// Reads the file for the first time. It may take as long as the file system likes.
    ///
    /// # Errors
    ///
    /// All errors of the file.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, Config), ConfigError> {
        let path = path.into();
        let first = digests(std::slice::from_ref(&path));
        let config = Config::from_file(&path)?;
        let beside = files_of(&config);
        // A change in between is one that is seen.
        let known = first.into_iter().chain(digests(&beside)).collect();
        let reads = SingleFlightReader::default();
        Ok((Self { path, beside, known, reads }, config))
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Resolves when the content of the file is another one than was last read, with what it is now; it is
    /// looked at every 2 s, on a thread that nobody waits for. A file that is gone is no change. No more than 1 MiB
    /// is read. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// All errors of the file.
    pub async fn changed(&mut self) -> Result<Config, ConfigError> {
        loop {
            tokio::time::sleep(READ_EVERY).await;
            // While the file system does not answer, nothing has changed.
            let Ok(now) = self.look().await else { continue };
            let is_gone = now.first().is_none_or(|first| *first == Digest::Gone);
            if !is_gone && now != self.known {
                return self.take(now).await;
            }
        }
    }

    /// Reads the file now, whether it has changed or not: for a signal of an operator.
    ///
    /// # Errors
    ///
    /// All errors of the file.
    pub async fn read(&mut self) -> Result<Config, ConfigError> {
        match self.look().await {
            Ok(now) => self.take(now).await,
            Err(error) => {
                // It is read when the file system answers, whatever it has by then.
                self.known.clear();
                Err(self.unreadable(&error))
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> ConfigError {
        ConfigError::unreadable(&self.path, error)
    }

    async fn look(&self) -> io::Result<Digests> {
        let files: Vec<PathBuf> =
            std::iter::once(&self.path).chain(&self.beside).cloned().collect();
        self.reads.run(READ_EVERY, move || digests(&files)).await
    }

    /// Reads what was seen to be there: later changes are changes again.
    async fn take(&mut self, seen: Digests) -> Result<Config, ConfigError> {
        let path = self.path.clone();
        let read = self.reads.run(READ_EVERY, move || {
            let config = Config::from_file(&path)?;
            let beside = files_of(&config);
            let digests = digests(&beside);
            Ok::<_, ConfigError>((config, beside, digests))
        });
        match read.await.map_err(|error| self.unreadable(&error)).and_then(|read| read) {
            Ok((config, beside, digests)) => {
                self.known = seen.into_iter().take(1).chain(digests).collect();
                self.beside = beside;
                Ok(config)
            }
            Err(mistakes) => {
                self.known = seen;
                Err(mistakes)
            }
        }
    }
}

/// Returns the files that are read when a program begins to serve.
fn files_of(config: &Config) -> Vec<PathBuf> {
    let files = config.gateway().tls.iter();
    let files =
        files.flat_map(|tls| [Some(&tls.certificate), Some(&tls.key), tls.client_ca.as_ref()]);
    files.flatten().cloned().collect()
}

fn digests(files: &[PathBuf]) -> Digests {
    let digest = |file: &PathBuf| match watched_file::read(file) {
        Ok(content) => Digest::Read(sha256(&content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Digest::Gone,
        Err(error) => Digest::Unreadable(error.kind()),
    };
    files.iter().map(digest).collect()
}
