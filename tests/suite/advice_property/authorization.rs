//! Refusals by scopes and roles. Followed, the advice lets the request in; over the matrix it allows
//! what the oracle says of that grant, and nothing that worked stops working.

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;
use serde_json::json;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::explanation::Reason;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, FhirAuthLayer, RolePolicy, ScopePolicy, TrustedIssuer,
};

use super::matrix::{MATRIX, Row};
use super::steps::{Step, read};
use super::{Counts, ask, bearer, reasons};
use crate::authorization::oracle::{ACTIONS, Role, definitions, effective, roles_grant};
use crate::support::{BASE, NOW};

const ISSUER: &str = "https://idp.example.org";
const CONTEXTS: [&str; 3] = ["patient", "user", "system"];
const LETTERS: [&str; 5] = ["c", "r", "u", "d", "s"];
const MODES: [AccessMode; 5] = [
    AccessMode::Scopes,
    AccessMode::Roles,
    AccessMode::RolesOrScopes,
    AccessMode::RolesAndScopes,
    AccessMode::Microsoft,
];

/// What no patient writes, of the types in the matrix: a Patient, a Provenance, and what is shared.
const NOT_CREATED: [&str; 6] =
    ["Patient", "Provenance", "Location", "Medication", "Organization", "Practitioner"];

/// What a caller holds.
#[derive(Clone, Debug)]
struct Caller {
    mode: AccessMode,
    roles: Vec<Role>,
    scopes: Vec<Scope>,
    patient: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
struct Scope {
    context: String,
    on: String,
    letters: String,
    constraint: String,
}

impl Scope {
    fn parse(text: &str) -> Self {
        let (text, constraint) = text.split_once('?').unwrap_or((text, ""));
        let (context, rest) = text.split_once('/').unwrap();
        let (on, letters) = rest.split_once('.').unwrap();
        let own = |text: &str| text.to_owned();
        Self {
            context: own(context),
            on: own(on),
            letters: own(letters),
            constraint: own(constraint),
        }
    }

    fn text(&self) -> String {
        let Self { context, on, letters, constraint } = self;
        let mark = if constraint.is_empty() { "" } else { "?" };
        format!("{context}/{on}.{letters}{mark}{constraint}")
    }

    fn random(rng: &mut Rng) -> Self {
        let types = ["*", "Observation", "Patient", "Condition", "Organization", "Encounter"];
        let on = types[rng.usize(..types.len())];
        let letters: String = LETTERS.into_iter().filter(|_| rng.bool()).collect();
        let letters = if letters.is_empty() { "r".to_owned() } else { letters };
        let is_constrained = on == "Observation" && rng.u8(..4) == 0;
        let constraint = if is_constrained { "category=laboratory" } else { "" };
        let context = CONTEXTS[rng.usize(..3)].to_owned();
        Self { context, on: on.to_owned(), letters, constraint: constraint.to_owned() }
    }
}

impl Caller {
    fn random(rng: &mut Rng) -> Self {
        let actions = |rng: &mut Rng, most| -> Vec<&'static str> {
            (0..rng.usize(..most)).map(|_| ACTIONS[rng.usize(..ACTIONS.len())]).collect()
        };
        let role = |rng: &mut Rng| Role { actions: actions(rng, 4), not: actions(rng, 2) };
        let context = rng.choice(CONTEXTS);
        let mut scopes: Vec<Scope> = (0..rng.usize(..4)).map(|_| Scope::random(rng)).collect();
        if let Some(context) = context.filter(|_| rng.bool()) {
            scopes.iter_mut().for_each(|scope| scope.context = context.to_owned());
        }
        Self {
            mode: MODES[rng.usize(..MODES.len())],
            roles: (0..rng.usize(..3)).map(|_| role(rng)).collect(),
            scopes,
            patient: (rng.u8(..5) > 0).then_some("1"),
        }
    }

    /// The oracle: whether a scope grants a letter on a type, at an address that names a patient.
    fn scope_counts(&self, scope: &Scope, letter: &str, on: &str, names: Option<&str>) -> bool {
        let covers = scope.letters.contains(letter) && (scope.on == "*" || scope.on == on);
        let is_confined = scope.context == "patient";
        let may = !is_confined
            || (self.patient.is_some_and(|own| names.is_none_or(|name| name == own))
                && !(letter == "c" && NOT_CREATED.contains(&on)));
        covers && may
    }

    fn is_granted(&self, row: &Row) -> bool {
        let held = effective(&self.roles);
        let by_role = roles_grant(&held, row.actions);
        let by_scope = row.scopes != "never"
            && row.scopes.split(',').all(|one| {
                let (letter, on) = one.split_once(' ').unwrap();
                self.scopes.iter().any(|scope| self.scope_counts(scope, letter, on, row.names))
            });
        match self.mode {
            AccessMode::Roles => by_role,
            AccessMode::RolesOrScopes => by_role || by_scope,
            AccessMode::RolesAndScopes => by_role && by_scope,
            AccessMode::Microsoft => by_role && (by_scope || !held.contains("smart")),
            AccessMode::Scopes | _ => by_scope,
        }
    }
}

/// Layers that differ in nothing but their mode, whose roles are those of the last caller.
struct World {
    key: Arc<SigningKey>,
    policy: RolePolicy,
    layers: Vec<(AccessMode, FhirAuthLayer)>,
}

impl World {
    fn new() -> Self {
        let key = Arc::new(SigningKey::generate("key", Algorithm::Es256).unwrap());
        let set = json!({"keys": [key.jwk()]}).to_string();
        let policy = RolePolicy::new(definitions(&[]));
        let layers = MODES.map(|mode| {
            let keys = JwkSet::parse(set.as_bytes()).unwrap();
            let rule = AccessPolicy::new(mode, policy.clone(), ScopePolicy::new());
            let layer = FhirAuthLayer::builder(BASE)
                .issuer(TrustedIssuer::with_keys(ISSUER, keys))
                .authorizer(rule)
                .handlers_enforce(Enforcement::ALL)
                .clock(TestClock::at(NOW));
            (mode, layer.build().unwrap())
        });
        Self { key, policy, layers: layers.into() }
    }

    fn layer(&self, mode: AccessMode) -> &FhirAuthLayer {
        &self.layers.iter().find(|(one, _)| *one == mode).unwrap().1
    }

    /// Puts the caller's roles in force, and makes the token.
    fn token(&self, caller: &Caller) -> String {
        self.policy.replace_definitions(definitions(&caller.roles));
        let scopes: Vec<String> = caller.scopes.iter().map(Scope::text).collect();
        let token = TokenBuilder::new(ISSUER, Arc::clone(&self.key), UnixTime::from_secs(NOW));
        let token = token.claim("aud", BASE).claim("scope", scopes.join(" "));
        let token = token.claim("roles", json!(["a", "b", "c", "d"]));
        let token = match caller.patient {
            Some(patient) => token.claim("patient", patient),
            None => token,
        };
        token.sign().unwrap()
    }

    async fn is_let_in(&self, caller: &Caller, row: &Row) -> bool {
        let token = self.token(caller);
        ask(self.layer(caller.mode), &bearer(row.method, &row.path, &token)).await.0 == 200
    }

    /// The requests of the matrix that a caller may make, which are those of the oracle.
    async fn allowed(&self, caller: &Caller) -> BTreeSet<usize> {
        let (layer, token) = (self.layer(caller.mode), self.token(caller));
        let mut allowed = BTreeSet::new();
        for (place, row) in MATRIX.iter().enumerate() {
            let request =
                http::Request::builder().method(row.method).uri(format!("/r4{}", row.path));
            let request = request.header("authorization", format!("Bearer {token}"));
            let is_let_in = crate::support::send(layer, request).await.status == 200;
            let (method, path) = (row.method, &row.path);
            assert_eq!(is_let_in, caller.is_granted(row), "{method} {path} for {caller:?}");
            if is_let_in {
                allowed.insert(place);
            }
        }
        allowed
    }
}

/// What a caller holds who followed the advice, and the smaller ones that leave a part of it out.
fn followed(caller: &Caller, row: &Row, step: &Step) -> Vec<(Caller, Vec<Caller>)> {
    match step {
        Step::Scopes(ways) => ways.iter().map(|way| with_scopes(caller, row, way)).collect(),
        Step::DataActions(actions) => {
            let with = |actions: &[&String]| {
                let known = |name: &&String| ACTIONS.into_iter().find(|one| one == *name).unwrap();
                let actions = actions.iter().map(known).collect();
                let mut caller = caller.clone();
                caller.roles.push(Role { actions, not: Vec::new() });
                caller
            };
            let all: Vec<&String> = actions.iter().collect();
            let fewer = (0..all.len()).map(|left_out| {
                let kept = all.iter().enumerate().filter(|(place, _)| *place != left_out);
                with(&kept.map(|(_, one)| *one).collect::<Vec<_>>())
            });
            vec![(with(&all), fewer.collect())]
        }
        Step::Declare | Step::Token(_) | Step::Setting(_) | Step::Elsewhere => Vec::new(),
    }
}

/// Whether the token has a letter on a type: in the same context, or in one that is not confined, where
/// to have it in a narrower one, too, allows nothing more.
fn holds(caller: &Caller, scope: &Scope, letter: char) -> bool {
    caller.scopes.iter().any(|held| {
        (held.context == scope.context || held.context != "patient")
            && (held.on == scope.on || held.on == "*")
            && held.letters.contains(letter)
            && (held.constraint.is_empty() || held.constraint == scope.constraint)
    })
}

fn with_scopes(caller: &Caller, row: &Row, way: &[String]) -> (Caller, Vec<Caller>) {
    // Each is one letter on one type, or the launch context.
    let mut units: Vec<Option<Scope>> = Vec::new();
    for text in way {
        if text == "launch/patient" {
            units.push(None);
            continue;
        }
        let scope = Scope::parse(text);
        // What the token has already is named to be asked for again, not as more.
        let letters = scope.letters.chars().filter(|one| !holds(caller, &scope, *one));
        units.extend(letters.map(|one| Some(Scope { letters: one.to_string(), ..scope.clone() })));
    }
    let with = |units: &[&Option<Scope>]| {
        let mut caller = caller.clone();
        for unit in units {
            match unit {
                Some(scope) => caller.scopes.push(scope.clone()),
                // The user chooses whom the request is about.
                None => caller.patient = Some(row.names.unwrap_or("1")),
            }
        }
        caller
    };
    let all: Vec<&Option<Scope>> = units.iter().collect();
    let fewer = (0..all.len()).map(|left_out| {
        let kept = all.iter().enumerate().filter(|(place, _)| *place != left_out);
        with(&kept.map(|(_, one)| *one).collect::<Vec<_>>())
    });
    (with(&all), fewer.collect())
}

/// Makes up callers until so many were refused, and follows what each is advised.
pub(super) async fn follow(counts: &mut Counts, refusals: usize) {
    let world = World::new();
    let mut rng = Rng::with_seed(18);
    let (mut refused, mut followed_steps) = (0, 0);
    while refused < refusals {
        let caller = Caller::random(&mut rng);
        let row = &MATRIX[rng.usize(..MATRIX.len())];
        let request = bearer(row.method, &row.path, &world.token(&caller));
        let (status, refusal) = ask(world.layer(caller.mode), &request).await;
        let Some((reason, advice)) = refusal else { continue };
        assert_eq!(status, 403, "{reason:?}");
        refused += 1;
        *counts.entry(reasons::name(&reason)).or_default() += 1;
        let steps: Vec<Step> = advice.iter().map(read).collect();
        followed_steps += world.follow(&caller, row, &reason, &steps).await;
    }
    assert!(followed_steps > refusals / 2, "only {followed_steps} steps were followed");
}

impl World {
    async fn follow(&self, caller: &Caller, row: &Row, reason: &Reason, steps: &[Step]) -> usize {
        let case = || format!("{} {} for {caller:?}: {reason:?}", row.method, row.path);
        let before = self.allowed(caller).await;
        let held: BTreeSet<&str> = caller.scopes.iter().map(|one| one.context.as_str()).collect();
        let mut count = 0;
        for step in steps {
            for (after, fewer) in followed(caller, row, step) {
                count += 1;
                // In the token's own context, where it has one.
                let new = after.scopes.iter().skip(caller.scopes.len());
                let contexts = new.map(|scope| scope.context.as_str()).collect::<BTreeSet<_>>();
                assert!(held.is_empty() || contexts.is_subset(&held), "{step:?}: {}", case());
                // Where roles and scopes are both asked for, each is followed with the other.
                let whole = self.with_others(&after, row, steps, step);
                assert!(self.is_let_in(&whole, row).await, "{step:?}: {}", case());
                for less in fewer {
                    let less = self.with_others(&less, row, steps, step);
                    assert!(
                        !self.is_let_in(&less, row).await,
                        "{less:?} is enough: {step:?}: {}",
                        case()
                    );
                }
                let allowed = self.allowed(&after).await;
                assert!(before.is_subset(&allowed), "{step:?} takes something away: {}", case());
                let is_confined = !held.is_empty()
                    && held.iter().all(|context| *context == "patient")
                    && matches!(step, Step::Scopes(_));
                for place in allowed.difference(&before).filter(|_| is_confined) {
                    let names = MATRIX[*place].names;
                    assert!(names.is_none() || names == after.patient, "{step:?}: {}", case());
                }
            }
        }
        count
    }

    /// Follows the other pieces, too, where each alone is not meant to be enough.
    fn with_others(&self, caller: &Caller, row: &Row, steps: &[Step], done: &Step) -> Caller {
        let together = matches!(caller.mode, AccessMode::RolesAndScopes | AccessMode::Microsoft);
        let others = steps.iter().filter(|step| together && *step != done);
        others.fold(caller.clone(), |caller, step| {
            followed(&caller, row, step).into_iter().next().map_or(caller, |(with, _)| with)
        })
    }
}
