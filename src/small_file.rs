//! Configuration files, read whole and within a bound.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

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
