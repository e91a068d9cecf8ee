//! Refusals by what the provider says of a token: whoever follows their advice, on the token, the
//! answer or the setting, is let in.

use fastrand::Rng;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::Introspection;
use tower_fhir_auth::explanation::Reason;

use super::steps::{Mend, Step, read};
use super::{Counts, ask, bearer, reasons};
use crate::introspection::kit::{Guarded, merge};

/// How often each fault is tried.
const TIMES: usize = 9;

/// The servers that ask: about opaque tokens, about such of a provider that names no other API, and
/// about every token.
struct World {
    opaque: Guarded,
    audience_known: Guarded,
    every: Guarded,
    rng: Rng,
}

/// A fault of the answer: its reason, and the members that make it.
type Fault = (&'static str, fn(&mut Rng) -> Value);

const OF_OPAQUE: &[Fault] = &[
    ("Introspection.Inactive", |rng| {
        let others = [json!(false), json!("true"), json!(1), Value::Null];
        json!({"active": others[rng.usize(..others.len())]})
    }),
    ("Introspection.OtherIssuer", |rng| json!({"iss": format!("https://{}", word(rng))})),
    ("Introspection.AudienceMissing", |_| json!({"aud": null})),
];

const OF_EVERY: &[Fault] = &[("Introspection.Contradiction", |rng| {
    let name = ["sub", "aud", "client_id", "jti"][rng.usize(..4)];
    json!({ name: word(rng) })
})];

fn word(rng: &mut Rng) -> String {
    (0..12).map(|_| rng.lowercase()).collect()
}

pub(super) async fn follow(counts: &mut Counts) {
    let mut world = World {
        opaque: Guarded::start().await,
        audience_known: Guarded::with(Introspection::audience_from_provider).await,
        every: Guarded::of_every_token().await,
        rng: Rng::with_seed(9),
    };
    for (name, fault) in OF_OPAQUE {
        for _ in 0..TIMES {
            let (token, members) = (word(&mut world.rng), fault(&mut world.rng));
            world.opaque.provider.says_with(&token, members.clone());
            for step in refused(&world.opaque, name, &token, counts).await {
                world.mend(name, &step, &members).await;
            }
        }
    }
    for (name, fault) in OF_EVERY {
        for _ in 0..TIMES {
            let members = fault(&mut world.rng);
            let token = world.jwt();
            world.every.provider.says_with(&token, members);
            let steps = refused(&world.every, name, &token, counts).await;
            assert_eq!(steps, [Step::Elsewhere], "{name}");
            // The answer says what the token says.
            let token = world.jwt();
            world.every.provider.says_with(&token, json!({}));
            is_let_in(&world.every, name, &token).await;
        }
    }
}

/// Asks with a token that is refused for this reason, and returns what its advice says to do.
async fn refused(server: &Guarded, name: &str, token: &str, counts: &mut Counts) -> Vec<Step> {
    let (status, refusal) = ask(&server.layer, &bearer("GET", "/Patient/1", token)).await;
    let Some((reason, advice)) = refusal else { panic!("{name}: {status}") };
    assert_eq!((status, reasons::name(&reason).as_str()), (401, name), "{reason:?}");
    assert!(matches!(reason, Reason::Introspection(_)) && !advice.is_empty(), "{name}");
    *counts.entry(name.to_owned()).or_default() += 1;
    advice.iter().map(read).collect()
}

async fn is_let_in(server: &Guarded, name: &str, token: &str) {
    let (status, refusal) = ask(&server.layer, &bearer("GET", "/Patient/1", token)).await;
    assert_eq!(status, 200, "{name}: {refusal:?}");
}

impl World {
    /// A JWT that was not asked about yet.
    fn jwt(&mut self) -> String {
        self.every.provider.jwt(json!({"pad": word(&mut self.rng)}))
    }

    /// Follows advice, after which another token, or the same answer, is good.
    async fn mend(&mut self, name: &str, step: &Step, members: &Value) {
        let token = word(&mut self.rng);
        let (server, members) = match step {
            Step::Token(Mend::Fresh | Mend::Shape) => (&self.opaque, json!({})),
            Step::Setting("introspection") => (&self.audience_known, members.clone()),
            Step::Elsewhere => return,
            Step::Scopes(_)
            | Step::DataActions(_)
            | Step::Declare
            | Step::Token(_)
            | Step::Setting(_) => panic!("{name}: {step:?}"),
        };
        let mut answer = server.provider.good();
        merge(&mut answer, &members);
        server.provider.says(&token, answer);
        is_let_in(server, name, &token).await;
    }
}
