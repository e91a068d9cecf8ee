//! The rules of the refresher, on time that moves only when everybody waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, advance, sleep};
use tower_fhir_auth::authentication::{AuthenticationError, UnixTime};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::{KeyError, KeySettings, KeySource, KeyTag, LoadFuture, LoadedKeys};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{AudiencePolicy, Authenticator, Principal, TrustedIssuer};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://idp.example.org";
const AUDIENCE: &str = "https://fhir.example.org/r4";

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a provider does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    Good,
    Fails,
    Hangs,
    /// Answers after a while, with the keys as they were when it was asked.
    Slow(Duration),
    /// Has no usable key.
    Empty,
}

/// A provider whose answers are written down, and how often it was asked.
#[derive(Debug)]
pub(crate) struct Provider {
    state: Mutex<State>,
    max_age: Option<Duration>,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    keys: VecDeque<Arc<SigningKey>>,
    asked_at: Vec<Instant>,
    answers: Vec<Load>,
}

/// A load that is over: when it began and ended, and the `kid` it brought, if it brought one.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) brought: Option<String>,
}

/// Writes a load down when its future ends, also by being dropped at the time-out.
struct Entry {
    provider: Arc<Provider>,
    began: Instant,
    brought: Option<String>,
}

impl Entry {
    fn brings(&mut self, kid: String) {
        self.brought = Some(kid);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let brought = self.brought.take();
        let load = Load { began: self.began, ended: Instant::now(), brought };
        self.provider.state.lock().unwrap().answers.push(load);
    }
}

#[derive(Debug)]
pub(crate) struct Source(pub(crate) Arc<Provider>);

impl Provider {
    pub(crate) fn new(max_age: Option<Duration>) -> Arc<Self> {
        let keys = VecDeque::from([key(0)]);
        let state = State { mood: Mood::Good, keys, asked_at: Vec::new(), answers: Vec::new() };
        Arc::new(Self { state: Mutex::new(state), max_age })
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// A new key signs; the old ones are withdrawn.
    pub(crate) fn rotate(&self) {
        let mut state = self.state.lock().unwrap();
        let number = state.keys.front().unwrap().kid().parse::<usize>().unwrap() + 1;
        state.keys = VecDeque::from([key(number)]);
    }

    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked_at.len()
    }

    pub(crate) fn asked_at(&self) -> Vec<Instant> {
        self.state.lock().unwrap().asked_at.clone()
    }

    /// The loads that are over.
    pub(crate) fn loads(&self) -> Vec<Load> {
        self.state.lock().unwrap().answers.clone()
    }

    /// The key that signs now.
    pub(crate) fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(self.state.lock().unwrap().keys.front().unwrap())
    }
}

fn key(number: usize) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(number.to_string(), Algorithm::Ed25519).unwrap())
}

impl KeySource for Source {
    fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
        let began = Instant::now();
        let mut entry = Entry { provider: Arc::clone(&self.0), began, brought: None };
        let (mood, kid, set) = {
            let mut state = self.0.state.lock().unwrap();
            state.asked_at.push(began);
            let kid = state.keys.front().unwrap().kid().to_owned();
            let keys: Vec<_> = state.keys.iter().map(|key| key.jwk()).collect();
            (
                state.mood,
                kid,
                JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap(),
            )
        };
        let loaded = LoadedKeys::new(set).max_age(self.0.max_age);
        Box::pin(async move {
            match mood {
                Mood::Good => {
                    entry.brings(kid);
                    Ok(loaded)
                }
                Mood::Fails => Err(KeyError::Discovery("down")),
                Mood::Empty => Ok(LoadedKeys::new(JwkSet::parse(br#"{"keys":[]}"#).unwrap())),
                Mood::Slow(pause) => {
                    sleep(pause).await;
                    entry.brings(kid);
                    Ok(loaded)
                }
                Mood::Hangs => {
                    std::future::pending::<()>().await;
                    drop(entry);
                    Err(KeyError::Timeout)
                }
            }
        })
    }
}

/// An authenticator that trusts such a provider.
pub(crate) struct Guarded {
    pub(crate) provider: Arc<Provider>,
    pub(crate) authenticator: Authenticator,
}

impl Guarded {
    pub(crate) fn new(settings: KeySettings) -> Self {
        Self::with(Provider::new(None), settings)
    }

    pub(crate) fn with(provider: Arc<Provider>, settings: KeySettings) -> Self {
        let source = Source(Arc::clone(&provider));
        Self::asking(source, provider, settings)
    }

    /// With a source of another manner between the refresher and the provider.
    fn asking(source: impl KeySource, provider: Arc<Provider>, settings: KeySettings) -> Self {
        let issuer = TrustedIssuer::with_key_source(ISSUER, source);
        let authenticator = Authenticator::builder()
            .audience(AudiencePolicy::exact([AUDIENCE]))
            .issuer(issuer.key_settings(settings))
            .clock(TestClock::at(NOW))
            .build()
            .unwrap();
        Self { provider, authenticator }
    }

    pub(crate) async fn judge(
        &self,
        token: TokenBuilder,
    ) -> Result<Principal, AuthenticationError> {
        self.judge_text(&token.sign().unwrap()).await
    }

    async fn judge_text(&self, token: &str) -> Result<Principal, AuthenticationError> {
        let mut headers = http::HeaderMap::new();
        let bearer = format!("Bearer {token}");
        headers.insert("authorization", bearer.parse().unwrap());
        self.authenticator.authenticate(&headers, &"/".parse().unwrap()).await
    }

    /// A good token under the key that signs now.
    pub(crate) async fn good(&self) -> Result<Principal, AuthenticationError> {
        self.judge(self.token()).await
    }

    pub(crate) fn token(&self) -> TokenBuilder {
        let now = UnixTime::from_secs(NOW);
        TokenBuilder::new(ISSUER, self.provider.signing(), now).claim("aud", AUDIENCE)
    }

    /// A token under a key that nobody has.
    pub(crate) async fn forged(&self) -> Result<Principal, AuthenticationError> {
        let kid = format!("forged-{}", self.provider.asked());
        self.judge(self.token().header("kid", kid)).await
    }
}

pub(crate) fn is_unknown_key(result: &Result<Principal, AuthenticationError>) -> bool {
    matches!(result, Err(AuthenticationError::InvalidToken(finding)) if finding.check() == Check::Key)
}

pub(crate) fn is_unavailable(result: &Result<Principal, AuthenticationError>) -> bool {
    matches!(result, Err(AuthenticationError::KeysUnavailable { .. }))
}

/// Settings under which nothing happens on schedule for a long time.
fn quiet() -> KeySettings {
    KeySettings::default().refresh(secs(100_000)).max_stale(secs(1_000_000))
}

#[tokio::test(start_paused = true)]
async fn keys_are_refreshed_on_schedule_with_jitter() {
    let guarded = Guarded::new(KeySettings::default().refresh(secs(100)).max_stale(secs(10_000)));
    guarded.authenticator.ready().await;
    sleep(secs(2000)).await;
    let asked = guarded.provider.asked_at();
    assert!((20..=23).contains(&asked.len()), "{}", asked.len());
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (secs(90)..=secs(101)).contains(pause)), "{pauses:?}");
    assert!(pauses.windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_max_age_of_the_provider_moves_the_refresh_within_1_min_and_24_h() {
    for (max_age, least, most) in [(1, 54, 61), (600, 540, 601), (1_000_000, 64_799, 86_401)] {
        let provider = Provider::new(Some(secs(max_age)));
        let settings = KeySettings::default().refresh(secs(5)).max_stale(secs(10_000_000));
        let guarded = Guarded::with(provider, settings);
        guarded.authenticator.ready().await;
        sleep(secs(200_000)).await;
        let asked = guarded.provider.asked_at();
        let pause = asked[1] - asked[0];
        assert!((secs(least)..=secs(most)).contains(&pause), "{max_age}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_loads_back_off_with_jitter_to_at_most_20_s() {
    let guarded = Guarded::new(quiet());
    guarded.provider.mood(Mood::Fails);
    sleep(secs(300)).await;
    let asked = guarded.provider.asked_at();
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses[0] <= Duration::from_millis(501), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_millis(20_001)), "{pauses:?}");
    assert!(pauses[8..].iter().all(|pause| *pause >= secs(10)), "{pauses:?}");
    assert!(pauses.len() < 40, "{}", pauses.len());
    guarded.provider.mood(Mood::Good);
    sleep(secs(21)).await;
    assert!(guarded.good().await.is_ok(), "recovery needs no restart");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_forces_one_load_in_a_cooldown_also_when_it_fails() {
    for mood in [Mood::Good, Mood::Fails, Mood::Empty] {
        let guarded = Guarded::new(quiet().cooldown(secs(30)));
        guarded.authenticator.ready().await;
        guarded.provider.mood(mood);
        let start = Instant::now();
        for _ in 0..100 {
            assert!(is_unknown_key(&guarded.forged().await));
        }
        assert!(start.elapsed() < secs(1), "nobody waits for a load that is not to be");
        assert_eq!(guarded.provider.asked(), 2, "{mood:?}");
        guarded.provider.mood(Mood::Good);
        advance(secs(31)).await;
        let before = guarded.provider.asked();
        assert!(is_unknown_key(&guarded.forged().await));
        assert!(is_unknown_key(&guarded.forged().await));
        assert!(guarded.provider.asked() <= before + 2, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_load_does_not_count_for_the_cooldown() {
    let guarded = Guarded::new(quiet());
    guarded.authenticator.ready().await;
    guarded.provider.rotate();
    assert!(guarded.good().await.is_ok());
    assert_eq!(guarded.provider.asked(), 2);
    guarded.provider.rotate();
    assert!(is_unknown_key(&guarded.good().await), "the second rotation lies in the window");
    advance(secs(30)).await;
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_flood_does_not_take_the_permit_of_the_scheduled_refresh() {
    let guarded = Guarded::new(quiet().refresh(secs(60)).cooldown(secs(80_000)));
    guarded.authenticator.ready().await;
    assert!(is_unknown_key(&guarded.forged().await));
    guarded.provider.rotate();
    for _ in 0..70 {
        assert!(is_unknown_key(&guarded.forged().await));
        sleep(secs(1)).await;
    }
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_no_longer_than_the_bound_whatever_the_provider_does() {
    let guarded = Guarded::new(quiet().timeout(secs(5)).cooldown(Duration::ZERO));
    let start = Instant::now();
    guarded.provider.mood(Mood::Hangs);
    assert!(is_unavailable(&guarded.good().await));
    assert!(start.elapsed() <= secs(5), "{:?}", start.elapsed());
    guarded.provider.mood(Mood::Good);
    guarded.authenticator.ready().await;
    for mood in [Mood::Hangs, Mood::Slow(secs(4)), Mood::Slow(secs(60))] {
        guarded.provider.mood(mood);
        for _ in 0..5 {
            let start = Instant::now();
            let _ = guarded.forged().await;
            assert!(start.elapsed() <= secs(5), "{mood:?}: {:?}", start.elapsed());
            assert!(guarded.good().await.is_ok(), "a known key never waits");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_the_rotation_does_not_refuse_the_new_key() {
    let guarded = Guarded::new(quiet().refresh(secs(60)));
    guarded.authenticator.ready().await;
    // A scheduled load is under way, and was answered before the rotation.
    guarded.provider.mood(Mood::Slow(secs(2)));
    sleep(secs(61)).await;
    guarded.provider.rotate();
    guarded.provider.mood(Mood::Good);
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_are_replaced_never_merged() {
    let guarded = Guarded::new(quiet());
    guarded.authenticator.ready().await;
    let old = guarded.token();
    guarded.provider.rotate();
    assert!(guarded.good().await.is_ok());
    assert!(is_unknown_key(&guarded.judge(old).await));
    assert_eq!(guarded.authenticator.health()[0].keys, 1);
}

#[tokio::test(start_paused = true)]
async fn good_keys_serve_until_they_are_too_old_and_then_it_is_503_until_new_ones_come() {
    let settings = KeySettings::default().refresh(secs(60)).max_stale(secs(600));
    let guarded = Guarded::new(settings);
    guarded.authenticator.ready().await;
    guarded.provider.mood(Mood::Fails);
    sleep(secs(590)).await;
    let remembered = guarded.token().sign().unwrap();
    assert!(guarded.judge_text(&remembered).await.is_ok());
    sleep(secs(70)).await;
    assert!(is_unavailable(&guarded.judge_text(&remembered).await), "it is not taken as verified");
    let Err(AuthenticationError::KeysUnavailable { retry_after, .. }) = guarded.good().await else {
        panic!("keys that are too old were used");
    };
    assert!((secs(1)..=secs(20)).contains(&retry_after), "{retry_after:?}");
    let health = guarded.authenticator.health().remove(0);
    assert!(!health.usable && health.age.unwrap() > secs(600), "{health:?}");
    guarded.provider.mood(Mood::Good);
    sleep(secs(21)).await;
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_may_jump_without_harm_to_keys() {
    // Ages are measured by the monotonic clock; the wall clock judges tokens alone.
    let guarded = Guarded::new(quiet().max_stale(secs(100_000)));
    guarded.authenticator.ready().await;
    let far = UnixTime::from_secs(NOW + 10_000_000);
    let later = TokenBuilder::new(ISSUER, guarded.provider.signing(), far).claim("aud", AUDIENCE);
    let refused = guarded.judge(later).await;
    assert!(
        matches!(refused, Err(AuthenticationError::InvalidToken(finding)) if finding.check() == Check::IssuedAt)
    );
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn confirmed_keys_are_as_fresh_as_loaded_ones() {
    #[derive(Debug)]
    struct Unchanging(Arc<Provider>);
    impl KeySource for Unchanging {
        fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
            let load = Source(Arc::clone(&self.0));
            Box::pin(async move {
                let loaded = load.load(None).await?.tag(KeyTag::new(*b"tag"));
                Ok(if installed.is_none() { loaded } else { LoadedKeys::unchanged() })
            })
        }
    }
    let provider = Provider::new(None);
    let settings = KeySettings::default().refresh(secs(60)).max_stale(secs(100));
    let source = Unchanging(Arc::clone(&provider));
    let guarded = Guarded::asking(source, provider, settings);
    guarded.authenticator.ready().await;
    sleep(secs(1000)).await;
    assert!(guarded.good().await.is_ok());
    assert!(guarded.authenticator.health()[0].age.unwrap() <= secs(60));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_1024_requests_wait_and_further_ones_are_refused_at_once() {
    let guarded = Arc::new(Guarded::new(quiet()));
    guarded.authenticator.ready().await;
    guarded.provider.mood(Mood::Hangs);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..1100 {
        let guarded = Arc::clone(&guarded);
        waiting.spawn(async move {
            let start = Instant::now();
            assert!(is_unknown_key(&guarded.forged().await));
            start.elapsed()
        });
    }
    let waits = waiting.join_all().await;
    let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
    assert!((76..=80).contains(&at_once), "{at_once}");
}

#[tokio::test(start_paused = true)]
async fn while_the_provider_fails_only_a_forced_load_is_worth_a_wait() {
    let guarded = Guarded::new(quiet().cooldown(secs(3600)));
    guarded.authenticator.ready().await;
    guarded.provider.mood(Mood::Hangs);
    let _ = guarded.forged().await;
    for _ in 0..50 {
        let start = Instant::now();
        assert!(is_unknown_key(&guarded.forged().await));
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleep(secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_has_failed_and_is_asked_again() {
    #[derive(Debug)]
    struct Clumsy(Arc<Provider>);
    impl KeySource for Clumsy {
        fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
            let load = Source(Arc::clone(&self.0));
            Box::pin(async move {
                assert!(load.0.asked() > 2 || load.load(None).await.is_err(), "clumsy");
                load.load(installed).await
            })
        }
    }
    let provider = Provider::new(None);
    let source = Clumsy(Arc::clone(&provider));
    let guarded = Guarded::asking(source, provider, KeySettings::default());
    sleep(secs(1)).await;
    let health = guarded.authenticator.health().remove(0);
    assert!(health.last_error.unwrap().to_string().contains("panicked"));
    sleep(secs(60)).await;
    assert!(guarded.good().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_not_taken_are_not_confirmed_later() {
    /// Says that nothing has changed whenever it is shown a tag, and gives every set one; its
    /// second set comes after the time-out.
    #[derive(Debug)]
    struct Forgetful(Arc<Provider>);
    impl KeySource for Forgetful {
        fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
            let load = Source(Arc::clone(&self.0));
            Box::pin(async move {
                let kid = load.0.signing().kid().to_owned();
                let tag = KeyTag::new(kid.into_bytes());
                if installed.is_some_and(|installed| installed == tag) {
                    return Ok(LoadedKeys::unchanged());
                }
                Ok(load.load(None).await?.tag(tag))
            })
        }
    }
    let provider = Provider::new(None);
    let source = Forgetful(Arc::clone(&provider));
    let guarded = Guarded::asking(source, provider, quiet().cooldown(Duration::ZERO));
    guarded.authenticator.ready().await;
    let old = guarded.token();
    guarded.provider.rotate();
    guarded.provider.mood(Mood::Slow(secs(60)));
    assert!(is_unknown_key(&guarded.good().await));
    sleep(secs(10)).await;
    guarded.provider.mood(Mood::Good);
    sleep(secs(30)).await;
    assert!(guarded.good().await.is_ok());
    assert!(is_unknown_key(&guarded.judge(old).await), "the old key was confirmed");
}
