//! Time and allocations of small things on a machine that others use too.
//!
//! Absolute times say little there, so everything is a ratio of two things measured in turns: a
//! batch of the one, a batch of the other, and so on. What neighbours do only ever makes a batch
//! slower, so a run gives the fastest tenth of each; of several runs the median ratio counts.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How many runs a figure is the median of.
pub(crate) const RUNS: usize = 7;

/// How often the turn comes round within a run.
const ROUNDS: usize = 240;

/// How long a batch should take: long against the clock, short against what neighbours do.
const BATCH: Duration = Duration::from_micros(250);

/// The processor time of this thread, which stands still while others are on the processor.
pub(crate) fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(now.tv_sec).expect("time that was spent");
    let nanos = u32::try_from(now.tv_nsec).expect("less than a second");
    Duration::new(seconds, nanos)
}

/// How many inputs are made ready at once: as many as stay in the caches of a processor.
const PREPARED: usize = 16;

/// Something that is done again and again.
pub(crate) struct Case<'a> {
    batch: usize,
    body: Box<dyn FnMut(usize) -> Duration + 'a>,
}

impl<'a> Case<'a> {
    /// Does `work` a number of times.
    pub(crate) fn new(mut work: impl FnMut() + 'a) -> Self {
        Self::timed_by_itself(move |times| {
            let before = thread_time();
            (0..times).for_each(|_| work());
            thread_time() - before
        })
    }

    /// Makes ready what the work is done on, outside of the time that counts.
    pub(crate) fn with<T: 'a>(
        mut prepare: impl FnMut() -> T + 'a,
        mut work: impl FnMut(T) + 'a,
    ) -> Self {
        let mut inputs = Vec::with_capacity(PREPARED);
        Self::timed_by_itself(move |times| {
            let chunk = |begun: usize| PREPARED.min(times - begun);
            let chunks = (0..times).step_by(PREPARED).map(chunk);
            let timed = chunks.map(|chunk| {
                inputs.extend((0..chunk).map(|_| prepare()));
                let before = thread_time();
                inputs.drain(..).for_each(&mut work);
                thread_time() - before
            });
            timed.sum()
        })
    }

    fn timed_by_itself(body: impl FnMut(usize) -> Duration + 'a) -> Self {
        let mut case = Self { batch: 4, body: Box::new(body) };
        // The first batches warm caches and branch predictors, and tell how large one must be.
        for _ in 0..12 {
            let taken = (case.body)(case.batch).max(Duration::from_nanos(50));
            let fitting = case.batch as f64 * BATCH.as_secs_f64() / taken.as_secs_f64();
            case.batch = (fitting as usize).clamp(1, 4096);
        }
        case
    }

    /// Seconds of one turn of the work, by one batch.
    fn once(&mut self) -> f64 {
        (self.body)(self.batch).as_secs_f64() / self.batch as f64
    }
}

/// How much one thing takes in another's terms: the median of all runs, and between which figures
/// they lie. Where the bound lies between them too, the machine was too busy to tell.
#[derive(Clone, Copy)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// What several cases took, in turns: for each run the fastest batches of each case, in seconds.
pub(crate) struct Figures(Vec<Vec<f64>>);

/// Measures cases in turns.
pub(crate) fn measure<const N: usize>(mut cases: [Case<'_>; N]) -> Figures {
    let run = |_| {
        let mut batches = vec![Vec::with_capacity(ROUNDS); N];
        for round in 0..ROUNDS {
            for turn in 0..N {
                let one = (round + turn) % N;
                batches[one].push(cases[one].once());
            }
        }
        batches.into_iter().map(fastest_tenth).collect()
    };
    Figures((0..RUNS).map(run).collect())
}

impl Figures {
    /// How much one case took in another's terms.
    pub(crate) fn ratio(&self, one: usize, to: usize) -> Ratio {
        self.of_runs(|run| run[one] / run[to])
    }

    /// The same, with what a third thing takes left out of the first: the bare inner service.
    pub(crate) fn ratio_without(&self, one: usize, bare: usize, to: usize) -> Ratio {
        self.of_runs(|run| (run[one] - run[bare]) / run[to])
    }

    fn of_runs(&self, ratio: impl Fn(&Vec<f64>) -> f64) -> Ratio {
        let runs: Vec<f64> = self.0.iter().map(ratio).collect();
        let lowest = runs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = runs.iter().copied().fold(0.0, f64::max);
        Ratio { median: median(runs), lowest, highest }
    }

    /// Seconds of one case.
    pub(crate) fn seconds(&self, one: usize) -> f64 {
        median(self.0.iter().map(|run| run[one]).collect())
    }
}

/// The slowest of the fastest tenth.
fn fastest_tenth(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 10]
}

/// The middle one; of an even number, the upper of the two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
