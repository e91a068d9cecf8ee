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
    std::fs::remove_file(&path).unwrap();
    write(&path, "other.example.org");
    assert!(next(&mut file).await.unwrap().is_ok());
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let error = next(&mut file).await.unwrap().unwrap_err();
    assert!(error.contains("more than 1048576 bytes"), "an operator has to know: {error}");
    assert!(next(&mut file).await.is_none(), "and is told once");
}

/// A program looks at the file and at its signals at once, and drops the one when the other comes.
#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_hangs_holds_one_thread_however_often_it_is_asked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()
        .unwrap();
    let (_folder, mut file) = opened();
    let path = file.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    // Whoever opens a pipe waits for somebody who writes.
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let hangs = Hanging(path.clone());
    runtime.block_on(async {
        let a_moment = Duration::from_millis(50);
        for _ in 0..5 {
            assert!(tokio::time::timeout(a_moment, file.read()).await.is_err());
        }
        let error = file.read().await.unwrap_err().to_string();
        assert!(error.contains("the file system has not answered yet"), "{error}");
        let other = tokio::task::spawn_blocking(|| "the second thread is free");
        let other = tokio::time::timeout(Duration::from_secs(5), other).await;
        assert!(other.is_ok(), "both threads hang");
        // The file is read when the file system goes on, as it was asked for, also where it is what it was.
        drop(hangs);
        std::fs::remove_file(&path).unwrap();
        write(&path, "fhir.example.org");
        let config = next(&mut file).await.unwrap().unwrap();
        assert_eq!(config.base_url().as_str(), "https://fhir.example.org");
    });
}

/// A pipe that threads wait for. They are released at the end, or the test would not end where it fails.
#[cfg(target_os = "linux")]
struct Hanging(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Drop for Hanging {
    fn drop(&mut self) {
        // To open it for both does not wait.
        let _ = std::fs::OpenOptions::new().read(true).write(true).open(&self.0);
    }
}
