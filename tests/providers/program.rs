//! Programs that are no Node: started in a process group of their own, which ends with the test.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Program {
    process: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it, and waits until an address of it answers with 200.
    pub(crate) async fn start(
        mut command: Command,
        log: &Path,
        address: &str,
        patience: Duration,
    ) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let started = command.process_group(0).spawn();
        let process = started.unwrap_or_else(|error| {
            panic!("not installed (`.ci/world providers` does it): {command:?}: {error}")
        });
        let mut program = Self { process, log: log.to_owned() };
        let deadline = Instant::now() + patience;
        loop {
            let answer = reqwest::get(address).await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return program;
            }
            let has_ended = program.process.try_wait().unwrap().is_some();
            assert!(!has_ended && Instant::now() < deadline, "no answer: {}", program.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        // It may have ended already.
        let end = |signal: &str| {
            Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status()
        };
        let _ = end("-TERM");
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = end("-KILL");
        let _ = self.process.wait();
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A folder that `.ci/world providers` fills.
pub(crate) fn fetched(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("providers").join(name)
}
