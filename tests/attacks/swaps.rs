//! Keys that are swapped while tokens are judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, replace_keys};

use crate::kit::{Attack, Pair, Refused};
use crate::support::Server;

const SWAPS: usize = 30_000;

pub(crate) fn attacks() -> Vec<Attack> {
    let reference = "tried by hand: 30,000 swaps under load";
    vec![
        Attack::new("30,000 swaps under load", reference, || swapped(10_000)),
        Attack::new("30,000 swaps under load, nothing remembered", reference, || swapped(0)),
    ]
}

fn set(keys: &[&SigningKey]) -> JwkSet {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

/// One key is in every set, another comes and goes, a third has the `kid` of the second and never
/// was in any. Threads send a token of each all the while.
async fn swapped(tokens: usize) -> Pair {
    let server = Arc::new(Server::layered(|layer| layer.token_cache_capacity(tokens)).await);
    let key = |kid: &str| Arc::new(SigningKey::generate(kid, Algorithm::Es256).unwrap());
    let (stays, comes, never) = (key("stays"), key("comes"), key("comes"));
    let with = set(&[&stays, &comes]);
    let without = set(&[&stays]);
    let name = server.issuer.url().to_owned();
    let swap = |set: &JwkSet| assert!(replace_keys(&server.layer, &name, set.clone()));
    swap(&with);
    let token = |key: &Arc<SigningKey>| {
        server.token().header("kid", key.kid()).signed_by(Arc::clone(key)).sign().unwrap()
    };
    let [good, sometimes, forged] = [token(&stays), token(&comes), token(&never)];
    let over = AtomicBool::new(false);
    let judged = AtomicU64::new(0);
    std::thread::scope(|threads| {
        let judge = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                while !over.load(Ordering::SeqCst) {
                    server.bearer(&good).await.is_let_in();
                    assert_eq!(server.bearer(&forged).await.status, 401);
                    let sometimes = server.bearer(&sometimes).await;
                    assert!(matches!(sometimes.status.as_u16(), 200 | 401), "{sometimes:?}");
                    judged.fetch_add(1, Ordering::SeqCst);
                }
            });
        };
        threads.spawn(judge);
        threads.spawn(judge);
        for number in 0..SWAPS {
            swap(if number % 2 == 0 { &without } else { &with });
        }
        while judged.load(Ordering::SeqCst) < 20 {
            std::thread::yield_now();
        }
        over.store(true, Ordering::SeqCst);
    });
    swap(&with);
    let twin = server.bearer(&sometimes).await;
    server.bearer(&good).await.is_let_in();
    let words = "the signature does not verify";
    Pair::new(twin, server.bearer(&forged).await, Refused::Token(Check::Signature, words))
}
