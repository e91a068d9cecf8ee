//! A configuration file that is followed while a program serves.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tower_fhir_auth::config::{Config, ConfigFile};

const CONFIGURATION: &str = "base_url = \"https://fhir.example.org\"\naccess = \"scopes\"\n\
                             [[issuers]]\nissuer = \"https://login.example.org\"\n";

/// Returns a folder with the file, and the file opened.
fn opened() -> (TempDir, ConfigFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.toml");
    std::fs::write(&path, CONFIGURATION).unwrap();
    let (file, _) = ConfigFile::open(path).unwrap();
    (folder, file)
}

/// The next content, or `None` if there is none within three looks.
async fn next(file: &mut ConfigFile) -> Option<Result<Config, String>> {
    let changed = tokio::time::timeout(Duration::from_secs(6), file.changed()).await;
    changed.ok().map(|read| read.map_err(|mistakes| mistakes.to_string()))
}

fn write(path: &Path, base: &str) {
    std::fs::write(path, CONFIGURATION.replace("fhir.example.org", base)).unwrap();
}

#[tokio::test]
async fn other_content_is_a_change_and_a_file_that_is_gone_is_none() {
    let (_folder, mut file) = opened();
    let path = file.path().to_owned();
    write(&path, "other.example.org");
    let config = next(&mut file).await.unwrap().unwrap();
    assert_eq!(config.base_url().as_str(), "https://other.example.org");
    std::fs::remove_file(&path).unwrap();
    assert!(next(&mut file).await.is_none());
    write(&path, "other.example.org");
    assert!(next(&mut file).await.is_none(), "it is what it was");
    std::fs::write(&path, "base_url = 1").unwrap();
    assert!(next(&mut file).await.unwrap().unwrap_err().contains("base_url"));
}

/// A device that never ends would fill the memory of a program that reads it whole.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_more_is_read_than_a_configuration_can_have() {
    let error = Config::from_file("/dev/zero").unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes"), "{error}");
    let (_folder, mut file) = opened();
    let path = file.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let error = file.read().await.unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes"), "{error}");
    assert!(next(&mut file).await.is_none(), "what cannot be read is not there");
}

/// A program looks at the file and at its signals at once, and drops the one when the other comes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_system_that_hangs_holds_one_thread_however_often_it_is_asked() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let (_folder, mut file) = opened();
    let path = file.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    // Whoever opens a pipe waits for somebody who writes.
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let a_moment = Duration::from_millis(50);
    assert!(tokio::time::timeout(a_moment, file.read()).await.is_err());
    let before = threads();
    for _ in 0..5 {
        assert!(tokio::time::timeout(a_moment, file.read()).await.is_err());
    }
    let error = file.read().await.unwrap_err().to_string();
    assert!(error.contains("the file system has not answered yet"), "{error}");
    assert!(threads() <= before, "{} more", threads() - before);
    // The thread that hangs is released, and the file is read again.
    write(&path, "other.example.org");
    std::fs::remove_file(&path).unwrap();
    write(&path, "other.example.org");
    let config = next(&mut file).await.unwrap().unwrap();
    assert_eq!(config.base_url().as_str(), "https://other.example.org");
}
