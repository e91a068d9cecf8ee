//! Real proxies, each by the configurations of the manual as they are pasted: before `fhir-auth decide`, and
//! where they end TLS and pass certificates of clients on.
//!
//! Not part of a plain `cargo test`, because it needs the proxies: `.ci/world proxies` installs them.
//!
//! ```text
//! cargo test --test proxies                     all of them
//! cargo test --test proxies -- nginx            one: its whole table
//! cargo test --test proxies -- nginx::smoke     a few requests
//! cargo test --test proxies -- --list           their names
//! ```
//!
//! The last lines count the requests. [`page`] takes a configuration out of the manual, [`proxy`] starts it,
//! [`table`] has the requests, and [`run`] compares what the proxy does with what the layer says in process. [`certificates`] stands alone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod certificates;
#[path = "../suite/keys/certified.rs"]
mod certified;
mod kit;
mod page;
mod proxy;
mod run;
mod table;
mod wire;

use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::proxy::Proxy;

/// Lines to be printed at the end.
static COUNTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn trial<F>(proxy: Proxy, what: &str, test: fn(Proxy) -> F) -> Trial
where
    F: Future<Output = Option<String>> + 'static,
{
    Trial::test(format!("{}::{what}", proxy.name()), move || {
        let runtime = tokio::runtime::Runtime::new().map_err(Failed::from)?;
        if let Some(line) = runtime.block_on(test(proxy)) {
            COUNTED.lock().unwrap().push(line);
        }
        Ok(())
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One after the other: a machine has the ports of all, and not the time.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let decisions = Proxy::ALL.into_iter().flat_map(|proxy| {
        [
            trial(proxy, "smoke", run::smoke),
            trial(proxy, "verdicts_are_those_of_the_layer", run::verdicts),
            trial(proxy, "only_what_is_seen_is_granted", run::within_sight),
            trial(proxy, "nobody_passes_where_nobody_decides", run::out_of_reach),
            trial(proxy, "bodies_are_untouched_and_answers_stream", run::bodies),
            trial(proxy, "the_documents_are_served_without_a_token", run::documents),
        ]
    });
    let certificates = Proxy::WITH_CERTIFICATES.into_iter().map(|proxy| {
        trial(proxy, "certificates_of_clients_pass_and_nobody_elses", certificates::pass_through)
    });
    let conclusion = libtest_mimic::run(&arguments, decisions.chain(certificates).collect());
    for line in COUNTED.lock().unwrap().iter() {
        println!("{line}");
    }
    conclusion.exit_code()
}
