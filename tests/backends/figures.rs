//! The figures of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::requests::Request;
use crate::run::Plan;
use crate::wire::Reply;

/// How many failures are told in full.
const MOST_TOLD: usize = 60;

/// The least share of granted requests that has to pass, in percent: nothing is proven by refusing.
const LEAST_PASSING: u64 = 95;

/// From how many granted requests on that is a share. Of fewer it tells nothing.
const A_SHARE: u64 = 100;

#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) compared: u64,
    answers: BTreeMap<(&'static str, u16), u64>,
    pages: usize,
    resources: usize,
    refusals: BTreeMap<String, u64>,
    excepted: BTreeMap<String, u64>,
    /// Requests that the enforcing example answers with a success.
    granted: u64,
    /// The reasons why some of them do not pass the gateway.
    stopped: BTreeMap<String, u64>,
    failures: Vec<String>,
}

impl Figures {
    pub(crate) fn note(&mut self, request: &Request, replies: &[Reply], granted: bool) {
        let first = &replies[0];
        self.requests += 1;
        *self.answers.entry((request.kind, first.status)).or_default() += 1;
        self.pages += replies.len();
        self.resources += replies.iter().map(|reply| reply.resources().len()).sum::<usize>();
        // An answer to HEAD has a status alone.
        let is_refused = first.status >= 300;
        if is_refused && request.method != "HEAD" {
            *self.refusals.entry(first.reason()).or_default() += 1;
        }
        self.granted += u64::from(granted);
        if granted && is_refused {
            let kind = format!("{} {}: {}", request.method, request.kind, first.reason());
            *self.stopped.entry(kind).or_default() += 1;
        }
    }

    pub(crate) fn note_meant(&mut self, class: String) {
        *self.excepted.entry(class).or_default() += 1;
    }

    pub(crate) fn note_failure(
        &mut self,
        number: u64,
        wrong: Vec<String>,
        who: &str,
        request: &Request,
    ) {
        let more = wrong.len().saturating_sub(3);
        let told = wrong.into_iter().take(3).collect::<Vec<_>>().join("; ");
        let more = if more == 0 { String::new() } else { format!("; {more} more") };
        self.failures.push(format!("{number}: {told}{more}\n    {who}: {}", request.text()));
    }

    /// Prints all of it. True if nothing has failed, and enough of what was granted has passed.
    pub(crate) fn report(&self, name: &str, plan: &Plan, took: Duration) -> bool {
        let lines = |title: &str, counts: &BTreeMap<String, u64>| {
            println!("{title}:");
            counts.iter().for_each(|(what, count)| println!("{count:>6}  {what}"));
        };
        println!();
        lines("refusals by reason", &self.refusals);
        lines("differences that are meant", &self.excepted);
        println!("answers by kind and status:");
        for ((kind, status), count) in &self.answers {
            println!("{count:>6}  {kind} {status}");
        }
        if self.granted > 0 {
            lines("granted requests that do not pass, by reason", &self.stopped);
        }
        for failure in self.failures.iter().take(MOST_TOLD) {
            println!("FAILED {failure}");
        }
        let passed = self.granted - self.stopped.values().sum::<u64>();
        let is_enough = self.granted < A_SHARE || 100 * passed >= LEAST_PASSING * self.granted;
        let share = match self.granted {
            0 => String::new(),
            granted => format!(
                "; {passed} of {granted} granted requests pass ({}.{} %)",
                100 * passed / granted,
                1000 * passed / granted % 10
            ),
        };
        println!(
            "{name}: {} requests from {}, seed {}, {} answers with {} resources, {} searches compared with an unconfined token's, {} failures{share}; {:.0} s",
            self.requests,
            plan.numbers.start,
            plan.seed,
            self.pages,
            self.resources,
            self.compared,
            self.failures.len(),
            took.as_secs_f64(),
        );
        if !is_enough {
            println!("FAILED fewer than {LEAST_PASSING} % of the granted requests pass");
        }
        self.failures.is_empty() && is_enough
    }
}
