//! A model of the refresher: random interleavings of successes, failures, floods, rotations and
//! the passing of time, on each of which the invariants hold. A failure names its seed.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::TokenBuilder;

use super::refresher::{Guarded, Load, Mood, is_unavailable, is_unknown_key, secs};

const SEEDS: u64 = 300;
const STEPS: usize = 60;
const TIMEOUT: Duration = secs(5);
/// Timers have a resolution of a millisecond.
const TICK: Duration = Duration::from_millis(2);

struct World {
    guarded: Arc<Guarded>,
    rng: Rng,
    refresh: Duration,
    cooldown: Duration,
    max_stale: Duration,
    start: Instant,
    /// A token of every key there ever was.
    tokens: Vec<TokenBuilder>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut pick = |choices: &[u64]| secs(choices[rng.usize(..choices.len())]);
        let refresh = pick(&[2, 30, 600, 100_000]);
        let cooldown = pick(&[1, 10, 30, 300]);
        let max_stale = pick(&[10, 100, 1000, 1_000_000]);
        let settings = KeySettings::default()
            .refresh(refresh)
            .cooldown(cooldown)
            .max_stale(max_stale)
            .timeout(TIMEOUT);
        let guarded = Arc::new(Guarded::new(settings));
        let tokens = vec![guarded.token()];
        Self { guarded, rng, refresh, cooldown, max_stale, start: Instant::now(), tokens }
    }

    async fn step(&mut self) {
        match self.rng.u8(..10) {
            0 | 1 => sleep(Duration::from_millis(self.rng.u64(..2_000))).await,
            2 => sleep(secs(self.rng.u64(..120))).await,
            3 => {
                let moods = [
                    Mood::Good,
                    Mood::Good,
                    Mood::Fails,
                    Mood::Hangs,
                    Mood::Empty,
                    Mood::Slow(secs(self.rng.u64(1..7))),
                ];
                self.guarded.provider.mood(moods[self.rng.usize(..moods.len())]);
            }
            4 => {
                self.guarded.provider.rotate();
                self.tokens.push(self.guarded.token());
            }
            5 => self.flood().await,
            _ => {
                let token = self.rng.usize(..self.tokens.len());
                self.judge(token).await;
            }
        }
        self.loads_keep_to_their_permits();
    }

    /// Forged tokens at once, each with a key of its own, some of whose senders go away.
    async fn flood(&mut self) {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..self.rng.usize(1..20) {
            let guarded = Arc::clone(&self.guarded);
            let patience = if self.rng.bool() { secs(60) } else { Duration::from_millis(10) };
            tasks.spawn(async move {
                let start = Instant::now();
                let token = guarded.token().header("kid", format!("forged-{n}"));
                let verdict = tokio::time::timeout(patience, guarded.judge(token)).await;
                assert!(start.elapsed() <= TIMEOUT + TICK, "waited {:?}", start.elapsed());
                assert!(!matches!(verdict, Ok(Ok(_))), "a forged token was accepted");
            });
        }
        tasks.join_all().await;
    }

    /// A token of one of the keys, the present one or a withdrawn one.
    async fn judge(&self, number: usize) {
        let token = self.tokens[number].clone();
        let start = Instant::now();
        let known_before = self.key_in_use(start);
        let verdict = self.guarded.judge(token).await;
        assert!(start.elapsed() <= TIMEOUT + TICK, "waited {:?}", start.elapsed());
        let known_after = self.key_in_use(Instant::now());
        let kid = number.to_string();
        match (known_before, known_after) {
            // Neither a rotation nor an age came between: the verdict follows from the keys.
            (Some(before), Some(after)) if before == after => {
                if before == kid {
                    assert!(verdict.is_ok(), "a good key was lost: {verdict:?}");
                } else {
                    assert!(is_unknown_key(&verdict), "a withdrawn key was used: {verdict:?}");
                }
            }
            (None, None) => assert!(is_unavailable(&verdict), "keys from nowhere: {verdict:?}"),
            // New keys came while it waited; they decide.
            (_, Some(after)) if verdict.is_ok() => assert_eq!(after, kid),
            _ => {}
        }
    }

    /// The key of the last good load, unless it is too old.
    fn key_in_use(&self, now: Instant) -> Option<String> {
        let loads = self.guarded.provider.loads();
        let good = loads.into_iter().rev().find(|load| load.brought.is_some())?;
        (now - good.ended <= self.max_stale).then_some(good.brought)?
    }

    /// A load that begins sooner after the one before than the schedule has it was forced; of
    /// those there is one in a cooldown.
    fn loads_keep_to_their_permits(&self) {
        let loads = self.guarded.provider.loads();
        for load in &loads {
            assert!(load.ended - load.began <= TIMEOUT + TICK, "a load without end: {load:?}");
        }
        let mut failures = 0;
        let mut forced = 0;
        for pair in loads.windows(2) {
            let [before, after] = pair else { continue };
            failures = if before.brought.is_some() { 0 } else { failures + 1 };
            assert!(after.began >= before.ended, "two loads at once");
            // After a failure the pause counts from the beginning.
            let from = if before.brought.is_some() { before.ended } else { before.began };
            let due = before.ended.max(from + self.pause_after(before, failures));
            if after.began + TICK < due {
                forced += 1;
            }
        }
        let windows = self.start.elapsed().as_secs() / self.cooldown.as_secs() + 1;
        assert!(forced <= windows, "{forced} forced loads in {windows} windows: {loads:#?}");
    }

    fn pause_after(&self, load: &Load, failures: u32) -> Duration {
        if load.brought.is_some() {
            return self.refresh.min(self.max_stale.mul_f64(0.75)).mul_f64(0.9);
        }
        let doubled = Duration::from_millis(500) * 2_u32.pow((failures - 1).min(10));
        doubled.min(secs(20)).mul_f64(0.5)
    }
}

#[test]
fn on_every_interleaving_the_invariants_hold() {
    for seed in 0..SEEDS {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let run = std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut world = World::new(seed);
                for _ in 0..STEPS {
                    world.step().await;
                }
            });
        });
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
