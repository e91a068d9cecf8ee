//! The questions to a provider: one for each token at a time, put by tasks of their own, so that no
//! client can cancel one, and bounded in number and in time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::answer::{ActiveAnswer, IntrospectionAnswer};
use super::answer_cache::{AnswerCache, CachedAnswer, TokenHash};
use super::bulkhead::{Bulkhead, BulkheadPermit};
use super::circuit::CallPermit;
use super::error::IntrospectionError;
use super::provider::Provider;
use super::report::Report;
use super::signed::SignedAnswers;
use crate::authentication::audience::AudiencePolicy;
use crate::authentication::issuer::IssuerSettings;
use crate::keys::{IntrospectionHealth, IssuerKeys, KeySettings};
use crate::telemetry::meter;
use crate::time::Clock;

/// The shortest pause that a client is asked for: `Retry-After: 0` would invite it back at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The outcome of a question, for a request.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Answered(IntrospectionAnswer<Arc<ActiveAnswer>>),
    /// The provider is out of reach, or there are too many questions.
    #[non_exhaustive]
    Unavailable {
        retry_after: Duration,
    },
}

/// The outcome that is known now, or a wait for it.
pub(crate) enum IntrospectionLookup {
    Known(Outcome),
    /// A question is open.
    Open(AnswerWait),
}

/// The questions to one provider.
#[derive(Clone, Debug)]
pub(crate) struct Questions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    provider: Provider,
    answer_cache: AnswerCache,
    open: Mutex<HashMap<TokenHash, OpenQuestion>>,
    /// Of tokens that were active before, and of all others.
    known_before: Arc<Bulkhead>,
    unknown: Arc<Bulkhead>,
    report: Report,
    turned_away: AtomicU64,
    issuer: Arc<str>,
    transport: TransportSettings,
    runtime: Handle,
}

/// The way in which a provider is asked.
#[derive(Debug)]
pub(super) struct TransportSettings {
    settings: KeySettings,
    /// The files of certificate authorities, as they were read.
    authorities: Vec<Option<Vec<u8>>>,
    clock: Arc<dyn Clock>,
}

impl TransportSettings {
    pub(super) fn new(settings: &KeySettings, clock: &Arc<dyn Clock>) -> Self {
        let authorities = settings.authorities();
        Self { settings: settings.clone(), authorities, clock: Arc::clone(clock) }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.authorities == other.authorities
            && Arc::ptr_eq(&self.clock, &other.clock)
    }
}

type Receiver = watch::Receiver<Option<Outcome>>;

#[derive(Debug)]
struct OpenQuestion {
    outcome: Receiver,
    bulkhead: Arc<Bulkhead>,
}

/// The wait of one request for an answer.
#[derive(Debug)]
pub(crate) struct AnswerWait {
    outcome: Receiver,
    bound: Duration,
    _slot: BulkheadPermit,
}

impl AnswerWait {
    /// Resolves when there is an answer, or when the time is up.
    pub(crate) async fn finished(mut self) -> Outcome {
        let came = timeout(self.bound, self.outcome.wait_for(Option::is_some)).await;
        let outcome = came.ok().and_then(Result::ok).and_then(|outcome| outcome.clone());
        outcome.unwrap_or(Outcome::Unavailable { retry_after: SHORTEST_PAUSE })
    }
}

impl Questions {
    pub(super) fn new(
        provider: Provider,
        max_age: Duration,
        transport: TransportSettings,
        runtime: Handle,
    ) -> Self {
        let issuer = Arc::clone(&provider.issuer);
        Self(Arc::new(Shared {
            provider,
            answer_cache: AnswerCache::new(max_age),
            open: Mutex::default(),
            known_before: Bulkhead::of_known(),
            unknown: Bulkhead::of_unknown(),
            report: Report::default(),
            turned_away: AtomicU64::new(0),
            issuer,
            transport,
            runtime,
        }))
    }

    /// Returns what is known about a token, or a wait for what will be. The token is asked about
    /// unless that is done already, or there are too many.
    pub(crate) fn look_up(&self, token: &[u8]) -> IntrospectionLookup {
        let shared = &self.0;
        let hash = TokenHash::of(token);
        let known = shared.known(hash);
        if let Some(known) = outcome_of(&known) {
            return IntrospectionLookup::Known(known);
        }
        let mut open = shared.open();
        if let Some(OpenQuestion { outcome, bulkhead }) = open.get(&hash) {
            return shared.wait(outcome.clone(), bulkhead);
        }
        // An answer may have come since.
        let known = shared.known(hash);
        if let Some(known) = outcome_of(&known) {
            return IntrospectionLookup::Known(known);
        }
        let bulkhead = match known {
            CachedAnswer::Stale => &shared.known_before,
            CachedAnswer::Answered(_) | CachedAnswer::Inactive | CachedAnswer::Unknown => {
                &shared.unknown
            }
        };
        let permit = match bulkhead.circuit.admit() {
            Ok(permit) => permit,
            Err(pause) => {
                let retry_after = pause.max(SHORTEST_PAUSE);
                return IntrospectionLookup::Known(Outcome::Unavailable { retry_after });
            }
        };
        let (Some(slot), Ok(token)) = (bulkhead.question(), std::str::from_utf8(token)) else {
            bulkhead.circuit.unused(permit);
            return shared.turned_away();
        };
        let (sender, receiver) = watch::channel(None);
        let question = OpenQuestion { outcome: receiver.clone(), bulkhead: Arc::clone(bulkhead) };
        open.insert(hash, question);
        drop(open);
        let permit = Some(permit);
        let shared = Arc::clone(shared);
        let bulkhead = Arc::clone(bulkhead);
        let closing = Closing { shared, hash, sender, permit, bulkhead, _slot: slot };
        // Not under the lock: a runtime that is shutting down drops the task at once.
        let wait = self.0.wait(receiver, &closing.bulkhead);
        self.0.runtime.spawn(ask(closing, token.to_owned()));
        wait
    }

    /// Reports whether the provider is asked in the same way, and signed answers are verified by these keys and
    /// rules.
    pub(super) fn are_put_for(
        &self,
        transport: &TransportSettings,
        issuer: &IssuerSettings,
        keys: &IssuerKeys,
        base_url: &AudiencePolicy,
    ) -> bool {
        let SignedAnswers { keys: own_keys, settings, base_url: own_base_url, .. } =
            &self.0.provider.signed;
        own_keys.are_those_of(keys)
            && self.0.transport.is_same_as(transport)
            && settings.algorithms == issuer.algorithms
            && settings.leeway == issuer.leeway
            && settings.key_issuer() == issuer.key_issuer()
            && own_base_url == base_url
    }

    /// Returns when an answer has to be asked for again.
    pub(crate) fn counts_until(&self, answer: &ActiveAnswer) -> tokio::time::Instant {
        self.0.answer_cache.counts_until(answer)
    }

    pub(crate) fn health(&self) -> IntrospectionHealth {
        let shared = &self.0;
        let mut health = IntrospectionHealth::default();
        shared.report.write_to(&mut health);
        health.turned_away = shared.turned_away.load(Ordering::Relaxed);
        health.open = shared.known_before.open() + shared.unknown.open();
        health.paused = shared.known_before.circuit.pause();
        health.paused = health.paused.or_else(|| shared.unknown.circuit.pause());
        health
    }
}

/// Puts one question, and tells everybody who waits for it.
async fn ask(mut closing: Closing, token: String) {
    let (shared, bulkhead) = (Arc::clone(&closing.shared), Arc::clone(&closing.bulkhead));
    let Ok(Ok(_permit)) = timeout(shared.timeout(), bulkhead.at_once.acquire()).await else {
        return;
    };
    // A pause has begun while this question waited for its turn.
    if !closing.permit.as_ref().is_some_and(|permit| bulkhead.circuit.still_admits(permit)) {
        return;
    }
    let ask = shared.provider.ask(&token, &*shared.transport.clock);
    let result = timeout(shared.timeout(), ask).await;
    closing.close(result.unwrap_or(Err(IntrospectionError::Timeout)));
}

/// An open question. Whatever becomes of its task, the question is closed in the end.
struct Closing {
    shared: Arc<Shared>,
    hash: TokenHash,
    sender: watch::Sender<Option<Outcome>>,
    permit: Option<CallPermit>,
    bulkhead: Arc<Bulkhead>,
    _slot: BulkheadPermit,
}

impl Closing {
    fn close(&mut self, result: Result<IntrospectionAnswer, IntrospectionError>) {
        let Self { shared, hash, sender, permit, bulkhead, .. } = self;
        let Some(permit) = permit.take() else { return };
        meter::introspection(&shared.issuer, meter_name(&result));
        shared.report.note(&shared.issuer, &result, shared.transport.clock.now());
        match &result {
            Err(error) if error.is_outage() => bulkhead.circuit.failed(permit),
            Ok(_) => bulkhead.circuit.succeeded(permit),
            // The provider is there, and may still be down for sound tokens.
            Err(_) => bulkhead.circuit.unused(permit),
        }
        let outcome = match result {
            Ok(answer) => {
                let answer = answer.shared();
                shared.answer_cache.keep(*hash, &answer);
                Outcome::Answered(answer)
            }
            Err(_) => {
                let pause = bulkhead.circuit.pause().unwrap_or_default();
                Outcome::Unavailable { retry_after: pause.max(SHORTEST_PAUSE) }
            }
        };
        // Before the question is closed the answer is in the cache: nobody asks in between.
        sender.send_replace(Some(outcome));
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(unused) = self.permit.take() {
            self.bulkhead.circuit.unused(unused);
        }
        self.shared.open().remove(&self.hash);
    }
}

fn meter_name(result: &Result<IntrospectionAnswer, IntrospectionError>) -> &'static str {
    match result {
        Ok(IntrospectionAnswer::Active(_)) => "active",
        Ok(IntrospectionAnswer::Inactive) => "inactive",
        Err(_) => "failed",
    }
}

fn outcome_of(known: &CachedAnswer) -> Option<Outcome> {
    match known {
        CachedAnswer::Answered(answer) => {
            Some(Outcome::Answered(IntrospectionAnswer::Active(Arc::clone(answer))))
        }
        CachedAnswer::Inactive => Some(Outcome::Answered(IntrospectionAnswer::Inactive)),
        CachedAnswer::Stale | CachedAnswer::Unknown => None,
    }
}

impl Shared {
    /// Returns what is known of a token. A signed answer counts under the keys that verified it.
    fn known(&self, token: TokenHash) -> CachedAnswer {
        let SignedAnswers { keys, settings, .. } = &self.provider.signed;
        self.answer_cache.get(token, (self.transport.clock.now(), settings.leeway), |answer| {
            answer.key_set().is_none_or(|key_set| keys.usable_set_id() == Some(key_set))
        })
    }

    fn wait(&self, outcome: Receiver, bulkhead: &Arc<Bulkhead>) -> IntrospectionLookup {
        match bulkhead.wait() {
            Some(slot) => IntrospectionLookup::Open(AnswerWait {
                outcome,
                bound: self.timeout(),
                _slot: slot,
            }),
            None => self.turned_away(),
        }
    }

    fn timeout(&self) -> Duration {
        self.transport.settings.timeout
    }

    fn turned_away(&self) -> IntrospectionLookup {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
        meter::introspection(&self.issuer, "turned-away");
        IntrospectionLookup::Known(Outcome::Unavailable { retry_after: SHORTEST_PAUSE })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<TokenHash, OpenQuestion>> {
        // Nothing panics while the lock is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
