//! A model of all that a verdict depends on and that changes while requests come: keys, time, definitions of
//! roles and assignments, with remembered tokens and without. No verdict is one that neither the state before
//! nor the state after a change would give.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use http::Request;
use serde_json::json;
use tower::{Layer, Service, ServiceExt};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::TrustedIssuer;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::authorization::{Assignments, RoleDefinitions, RolePolicy};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder, replace_keys};

use crate::support::{BASE, NOW};

const ISSUER: &str = "https://idp.example.org";
const KEYS: usize = 3;
/// Seconds after `NOW` at which tokens end, and before which others do not begin.
const TIMES: [i64; 3] = [100, 200, 300];

/// All that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The keys that are published, as bits.
    keys: u8,
    /// Seconds after `NOW`.
    time: i64,
    /// True if the role that tokens have grants reads.
    defined: bool,
    /// True if the callers are assigned a role that grants reads.
    assigned: bool,
}

/// A token, as far as the model knows it.
#[derive(Clone, Debug)]
struct Token {
    text: String,
    key: usize,
    begins: i64,
    ends: i64,
}

impl State {
    /// The status that a request gets. It shares nothing with the crate.
    fn verdict(self, token: &Token) -> u16 {
        let is_known = self.keys & (1 << token.key) != 0;
        let is_valid = token.begins <= self.time && self.time < token.ends;
        match (is_known && is_valid, self.defined || self.assigned) {
            (false, _) => 401,
            (true, false) => 403,
            (true, true) => 200,
        }
    }

    fn next(mut self, rng: &mut Rng) -> Self {
        match rng.u8(..4) {
            0 => self.keys = rng.u8(1..1 << KEYS),
            1 => self.time = rng.i64(0..400),
            2 => self.defined = !self.defined,
            _ => self.assigned = !self.assigned,
        }
        self
    }
}

struct World {
    layer: FhirAuthLayer,
    roles: RolePolicy,
    clock: TestClock,
    sets: Vec<JwkSet>,
    tokens: Vec<Token>,
}

impl World {
    fn new(remembered: usize) -> Self {
        let key = |number| SigningKey::generate(format!("k{number}"), Algorithm::EdDsa).unwrap();
        let keys: Vec<Arc<SigningKey>> = (0..KEYS).map(|number| Arc::new(key(number))).collect();
        let set = |bits: usize| {
            let published = keys.iter().enumerate().filter(|(number, _)| bits & (1 << number) != 0);
            let jwks: Vec<_> = published.map(|(_, key)| key.jwk()).collect();
            JwkSet::parse(json!({"keys": jwks}).to_string().as_bytes()).unwrap()
        };
        let mut tokens = Vec::new();
        for (number, key) in keys.iter().enumerate() {
            for begins in TIMES {
                for ends in TIMES.into_iter().filter(|ends| *ends > begins) {
                    let token =
                        TokenBuilder::new(ISSUER, Arc::clone(key), UnixTime::from_secs(NOW));
                    let token = token
                        .claim("aud", BASE)
                        .claim("roles", json!(["reader"]))
                        .claim("sub", "user");
                    let token = token.claim("nbf", NOW + begins).claim("exp", NOW + ends);
                    let text = token.claim("iat", NOW - 9).sign().unwrap();
                    tokens.push(Token { text, key: number, begins, ends });
                }
            }
        }
        let sets: Vec<JwkSet> = (0..1 << KEYS).map(set).collect();
        let clock = TestClock::at(NOW);
        let roles = RolePolicy::new(definitions(false)).assignments(Assignments::new());
        let issuer = TrustedIssuer::with_keys(ISSUER, sets[1].clone()).leeway(Duration::ZERO);
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(issuer)
            .authorizer(roles.clone())
            .clock(clock.clone())
            .token_cache_capacity(remembered);
        Self { layer: layer.build().unwrap(), roles, clock, sets, tokens }
    }

    fn start() -> State {
        State { keys: 1, time: 0, defined: false, assigned: false }
    }

    fn change(&self, from: State, to: State) {
        if from.keys != to.keys {
            assert!(replace_keys(&self.layer, ISSUER, self.sets[usize::from(to.keys)].clone()));
        }
        self.clock.advance(to.time - from.time);
        if from.defined != to.defined {
            self.roles.replace_definitions(definitions(to.defined));
        }
        if from.assigned != to.assigned {
            let roles: &[&str] = if to.assigned { &["assigned"] } else { &[] };
            self.roles.replace_assignments(Assignments::new().assign(
                ISSUER,
                "user",
                roles.iter().copied(),
            ));
        }
    }

    fn ask(&self, token: &Token) -> u16 {
        let inner = tower::service_fn(|_: Request<()>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
        });
        let mut service = self.layer.layer(inner);
        let request = Request::get("/r4/Patient/1")
            .header("authorization", format!("Bearer {}", token.text))
            .body(())
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response =
            runtime.block_on(async { service.ready().await.unwrap().call(request).await });
        response.unwrap().status().as_u16()
    }
}

fn definitions(granting: bool) -> RoleDefinitions {
    let actions: &[&str] = if granting { &["read"] } else { &["delete"] };
    let role = |name: &str, actions: &[&str]| json!({"name": name, "dataActions": actions, "notDataActions": [], "scopes": ["/"]});
    let roles = json!({"roles": [role("reader", actions), role("assigned", &["read"])]});
    RoleDefinitions::parse(roles.to_string().as_bytes()).unwrap()
}

#[test]
fn each_verdict_is_that_of_the_state_whatever_was_remembered() {
    for (remembered, seed) in [0, 1, 4, 1000].into_iter().flat_map(|size| [(size, 1), (size, 2)]) {
        let world = World::new(remembered);
        let mut rng = Rng::with_seed(seed);
        let mut state = World::start();
        let mut seen = std::collections::BTreeMap::new();
        for step in 0..400 {
            let next = state.next(&mut rng);
            world.change(state, next);
            state = next;
            for _ in 0..3 {
                let token = &world.tokens[rng.usize(..world.tokens.len())];
                let verdict = world.ask(token);
                assert_eq!(
                    verdict,
                    state.verdict(token),
                    "seed {seed}, {remembered} remembered, step {step}: {state:?} {token:?}"
                );
                *seen.entry(verdict).or_insert(0) += 1;
            }
        }
        assert!(seen.len() == 3 && seen.values().all(|count| *count > 30), "{seen:?}");
    }
}

#[test]
fn while_the_state_changes_each_verdict_is_that_of_before_or_after() {
    let world = World::new(1000);
    let states = Mutex::new(vec![World::start()]);
    let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    let judged = AtomicUsize::new(0);
    thread::scope(|scope| {
        for seed in 0..2 {
            let (world, states, begun, done, over, judged) =
                (&world, &states, &begun, &done, &over, &judged);
            scope.spawn(move || {
                let mut rng = Rng::with_seed(seed);
                while !over.load(Ordering::SeqCst) {
                    let token = &world.tokens[rng.usize(..world.tokens.len())];
                    let before = done.load(Ordering::SeqCst);
                    let verdict = world.ask(token);
                    let after = begun.load(Ordering::SeqCst);
                    // Of a request that has seen several changes the model cannot tell which.
                    if after <= before + 1 {
                        let states = states.lock().unwrap();
                        let possible: Vec<u16> = states[before..=after]
                            .iter()
                            .map(|state| state.verdict(token))
                            .collect();
                        assert!(
                            possible.contains(&verdict),
                            "{verdict}: {possible:?} {token:?} {:?}",
                            &states[before..=after]
                        );
                        judged.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let mut rng = Rng::with_seed(3);
        let mut state = World::start();
        for number in 1..=3_000 {
            let next = state.next(&mut rng);
            states.lock().unwrap().push(next);
            begun.store(number, Ordering::SeqCst);
            world.change(state, next);
            done.store(number, Ordering::SeqCst);
            state = next;
            thread::sleep(Duration::from_micros(300));
        }
        over.store(true, Ordering::SeqCst);
    });
    let judged = judged.load(Ordering::SeqCst);
    println!("{judged} requests judged while 3,000 changes were made");
    assert!(judged > 500, "{judged}");
}
