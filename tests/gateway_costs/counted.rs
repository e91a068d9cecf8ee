//! Instructions of a program for one request, as valgrind counts them: the same on a busy machine as on an idle one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::gateway::{ConfinedBy, Gateway, PUBLIC, Process, READ, ready};
use super::{Each, ask};

/// Requests of the shorter and of the longer run: what starts and ends a program is in both.
const REQUESTS: [u32; 2] = [500, 6500];

/// Returns the instructions of one request outside of the kernel.
pub(crate) async fn instructions(backend: &str) -> Each {
    let by = async |confine, path| {
        of_one(async |requests| of_gateway(backend, confine, path, requests).await).await
    };
    Each {
        gateway: by(ConfinedBy::Gateway, READ).await,
        unconfined: by(ConfinedBy::Nobody, READ).await,
        public: by(ConfinedBy::Gateway, PUBLIC).await,
        guarded: of_one(async |requests| of_proxy(backend, true, requests).await).await,
        bare: of_one(async |requests| of_proxy(backend, false, requests).await).await,
    }
}

/// Returns what one request takes of what many do.
async fn of_one(total: impl AsyncFn(u32) -> u64) -> f64 {
    let [few, many] = REQUESTS;
    let all = total(many).await - total(few).await;
    f64::from(u32::try_from(all).unwrap()) / f64::from(many - few)
}

async fn of_gateway(backend: &str, confine: ConfinedBy, path: &str, requests: u32) -> u64 {
    let gateway = Gateway::run_by(counted, backend, confine).await;
    ask(&gateway.host, &gateway.lasting_head(path), requests).await;
    gateway.process.instructions()
}

async fn of_proxy(backend: &str, is_guarded: bool, requests: u32) -> u64 {
    // It issues the tokens.
    let gateway = Gateway::before(backend).await;
    let head = gateway.lasting_head(READ);
    let issuer = is_guarded.then(|| gateway.issuer_url());
    let (process, host) = Process::proxy(counted, backend, issuer);
    ready(&host, &head).await;
    ask(&host, &head, requests).await;
    process.instructions()
}

/// Runs a program so that its instructions are counted.
fn counted(program: PathBuf) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    command.stderr(Stdio::piped());
    command
}
