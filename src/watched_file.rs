//! Files that are read again while the server runs: the configuration, key sets, role definitions.
//!
//! A file is read whole and within a bound, on a thread that nobody waits for. A change is detected
//! by content: deployments replace files with times and lengths of their own choosing. A file that
//! is broken or gone changes nothing, so the last good content stays in use.

use std::fmt::Display;
use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// The interval between two reads of a file.
pub(crate) const READ_EVERY: Duration = Duration::from_secs(2);

/// Reads a file. It may take as long as the file system likes, so never call it from a task that
/// others wait for.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    match u64::try_from(content.len()) {
        Ok(length) if length <= MAX_BYTES => Ok(content),
        Ok(_) | Err(_) => Err(Error::other(format!("more than {MAX_BYTES} bytes"))),
    }
}

/// Reads a file of text, as [`read`] does.
#[cfg(feature = "config")]
pub(crate) fn read_string(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|error| Error::new(std::io::ErrorKind::InvalidData, error))
}

/// Runs one read at a time: if the file system hangs, only one thread hangs with it.
#[derive(Debug)]
pub(crate) struct SingleFlightReader(Arc<Semaphore>);

impl Default for SingleFlightReader {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl SingleFlightReader {
    /// Reads on a blocking thread that nobody waits for when this is dropped. Fails when the read before has not
    /// ended within `patience`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let turn = timeout(patience, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::other("the file system has not answered yet"));
        };
        let read = tokio::task::spawn_blocking(move || {
            // It is given back when the read has ended, whoever still waits for it.
            let _turn = turn;
            read()
        });
        Ok(read.await?)
    }
}

/// A file that is read from time to time.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    reads: SingleFlightReader,
}

impl WatchedFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, reads: SingleFlightReader::default() }
    }

    /// Reads the file, and hands its content to `parse`, both on a blocking thread.
    pub(crate) async fn read_with<T: Send + 'static>(
        &self,
        parse: impl FnOnce(Vec<u8>) -> T + Send + 'static,
    ) -> Result<T> {
        let path = self.path.clone();
        self.reads.run(Duration::ZERO, move || read(&path).map(parse)).await?
    }

    /// Reads the file every 2 s, for ever. Reports content that differs from the `last` good one
    /// and can be parsed, and a fault that differs from the one before.
    pub(crate) async fn watch<T: Send + 'static, E: Display + 'static>(
        self,
        last: Vec<u8>,
        parse: fn(&[u8]) -> std::result::Result<T, E>,
        report: impl Fn(std::result::Result<T, String>),
    ) {
        let mut last: Arc<[u8]> = last.into();
        let mut fault = String::new();
        loop {
            tokio::time::sleep(READ_EVERY).await;
            let known = Arc::clone(&last);
            let read = self.read_with(move |content| {
                if content == *known {
                    return Ok(None);
                }
                let parsed = parse(&content).map_err(|error| error.to_string())?;
                Ok(Some((content, parsed)))
            });
            match read.await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(None) => fault.clear(),
                Ok(Some((content, parsed))) => {
                    report(Ok(parsed));
                    last = content.into();
                    fault.clear();
                }
                Err(error) if error == fault => {}
                Err(error) => {
                    report(Err(error.clone()));
                    fault = error;
                }
            }
        }
    }
}
