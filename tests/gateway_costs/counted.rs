//! Instructions of a program for one request, as valgrind counts them: the same on a busy machine as on an idle one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::gateway::{ConfinedBy, Gateway, PUBLIC, Process, READ, ready};
use super::{Each, ask};

/// Requests before those that are counted: what a program does once for all of them.
const WARM_UP: u32 = 500;

const REQUESTS: u32 = 6000;

/// Returns the instructions of one request outside of the kernel.
pub(crate) async fn instructions(backend: &str) -> Each {
    Each {
        gateway: of_gateway(backend, ConfinedBy::Gateway, READ).await,
        unconfined: of_gateway(backend, ConfinedBy::Nobody, READ).await,
        public: of_gateway(backend, ConfinedBy::Gateway, PUBLIC).await,
        guarded: of_proxy(backend, true, READ).await,
        guarded_public: of_proxy(backend, true, PUBLIC).await,
        bare: of_proxy(backend, false, READ).await,
    }
}

async fn of_gateway(backend: &str, confine: ConfinedBy, path: &str) -> f64 {
    let counter = Counter::new();
    let gateway = Gateway::run_by(|program| counter.run(program), backend, confine).await;
    counter.of_one(&gateway.process, &gateway.host, &gateway.lasting_head(path)).await
}

async fn of_proxy(backend: &str, is_guarded: bool, path: &str) -> f64 {
    // It issues the tokens.
    let gateway = Gateway::before(backend).await;
    let issuer = is_guarded.then(|| gateway.issuer_url());
    let counter = Counter::new();
    let (process, host) = Process::proxy(|program| counter.run(program), backend, issuer);
    ready(&host, &gateway.lasting_head(READ)).await;
    counter.of_one(&process, &host, &gateway.lasting_head(path)).await
}

/// A counter of the instructions of one process.
struct Counter(TempDir);

impl Counter {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs a program so that its instructions are counted. It has one thread for its tasks: how often one wakes another
    /// is the machine's, and no cost of a request.
    fn run(&self, program: PathBuf) -> Command {
        let mut command = Command::new("valgrind");
        let file = self.0.path().join("counts");
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", file.display()));
        command.arg(program).env("TOKIO_WORKER_THREADS", "1").stderr(Stdio::null());
        command
    }

    /// Sends a request again and again, and returns the instructions of one.
    async fn of_one(&self, process: &Process, host: &str, head: &str) -> f64 {
        ask(host, head, WARM_UP).await;
        self.since(process, 1);
        ask(host, head, REQUESTS).await;
        f64::from(u32::try_from(self.since(process, 2)).unwrap()) / f64::from(REQUESTS)
    }

    /// Returns the instructions since the report before this one.
    fn since(&self, process: &Process, report: u32) -> u64 {
        let mut command = Command::new("callgrind_control");
        let done = command.arg("-d").arg(process.id().to_string()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        let report = self.0.path().join(format!("counts.{report}"));
        let report = std::fs::read_to_string(report).unwrap();
        let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
        total.unwrap_or_else(|| panic!("{report}")).parse().unwrap()
    }
}
