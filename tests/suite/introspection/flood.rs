//! Ten thousand unknown tokens, as fast as they can be sent, while the provider is well, down, slow, lying
//! or flapping.

use std::time::{Duration, Instant};

use super::keeping::join_all;
use super::kit::{Guarded, Manner, OPAQUE};

/// The unknown tokens of one flood.
const TOKENS: usize = 10_000;

/// How many of them come together.
const TOGETHER: usize = 2_000;

/// The questions that may be put at once, of one lane.
const AT_ONCE: usize = 64;

/// What came of a flood.
struct Flood {
    refused: usize,
    unavailable: usize,
    elapsed: Duration,
}

/// Sends unknown tokens, and beside each lot of them one that is known, which is always served.
async fn flood(server: &Guarded, mut at_each_lot: impl FnMut(usize)) -> Flood {
    let begun = Instant::now();
    let (mut refused, mut unavailable) = (0, 0);
    for lot in 0..TOKENS / TOGETHER {
        at_each_lot(lot);
        let tokens: Vec<String> = (0..TOGETHER).map(|index| format!("{lot}-{index}")).collect();
        let unknown = join_all(tokens.iter().map(|token| server.bearer(token)));
        let (replies, known) = tokio::join!(unknown, server.bearer(OPAQUE));
        known.is_let_in();
        for reply in replies {
            match reply.status.as_u16() {
                401 => refused += 1,
                503 => {
                    reply.is_unavailable();
                    unavailable += 1;
                }
                status => panic!("{status}"),
            }
        }
    }
    Flood { refused, unavailable, elapsed: begun.elapsed() }
}

async fn with_a_known_token() -> Guarded {
    let server = Guarded::with(|settings| settings.max_age(Duration::from_secs(600))).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    server
}

/// What the provider may have been asked in this time: a thousand together, and 500 a second.
fn most(elapsed: Duration) -> usize {
    usize::try_from(1000 + elapsed.as_millis() / 2 + 50).unwrap()
}

fn tell(mood: &str, server: &Guarded, flood: &Flood) {
    let Flood { refused, unavailable, elapsed } = flood;
    let rate = u128::try_from(TOKENS).unwrap() * 1000 / elapsed.as_millis();
    println!(
        "flood, provider {mood}: {TOKENS} unknown at {rate} a second: {refused} 401, {unavailable} \
         503; asked {} times, {} at once",
        server.provider.times() - 1,
        server.provider.most_at_once(),
    );
}

#[tokio::test]
async fn a_provider_that_is_well_is_asked_no_more_than_the_bound_says() {
    let server = with_a_known_token().await;
    let flood = flood(&server, |_| {}).await;
    tell("well", &server, &flood);
    assert_eq!(flood.refused + flood.unavailable, TOKENS);
    assert!(flood.refused > 0 && server.provider.times() <= most(flood.elapsed));
    assert!(server.provider.most_at_once() <= AT_ONCE);
}

#[tokio::test]
async fn a_provider_that_is_down_is_given_pauses_in_a_flood() {
    let server = with_a_known_token().await;
    server.provider.behave(Manner::Raw(500, "", String::new()));
    let flood = flood(&server, |_| {}).await;
    tell("down", &server, &flood);
    assert_eq!(flood.unavailable, TOKENS);
    // Those that were put before the first one had failed, then one question after each pause.
    let trials = usize::try_from(flood.elapsed.as_millis() / 250).unwrap();
    let asked = server.provider.times() - 1;
    assert!(asked <= 2 * AT_ONCE + 5 + trials, "asked {asked} times in {:?}", flood.elapsed);
}

#[tokio::test]
async fn a_provider_that_is_slow_is_asked_few_at_once_and_nobody_waits_longer_than_the_time_out() {
    let server = with_a_known_token().await;
    server.provider.delay(Duration::from_secs(1));
    let flood = flood(&server, |_| {}).await;
    tell("slow", &server, &flood);
    assert_eq!(flood.refused + flood.unavailable, TOKENS);
    assert!(server.provider.times() <= most(flood.elapsed));
    assert!(server.provider.most_at_once() <= AT_ONCE, "{}", server.provider.most_at_once());
}

#[tokio::test]
async fn a_provider_that_lies_lets_nobody_in() {
    let server = with_a_known_token().await;
    let lie = server.provider.good().to_string().replace("\"active\":true", "\"active\":\"true\"");
    server.provider.behave(Manner::Raw(200, "application/json", lie));
    let flood = flood(&server, |_| {}).await;
    tell("lying", &server, &flood);
    assert_eq!(flood.refused + flood.unavailable, TOKENS);
    assert!(server.provider.times() <= most(flood.elapsed));
}

#[tokio::test]
async fn a_provider_that_flaps_is_asked_no_more_than_one_that_is_well() {
    let server = with_a_known_token().await;
    let provider = server.provider.clone();
    let flood = flood(&server, |lot| {
        provider.behave(match lot % 2 {
            0 => Manner::Json,
            _ => Manner::Raw(502, "text/html", "<p>bad gateway".to_owned()),
        });
    });
    let flood = flood.await;
    tell("flapping", &server, &flood);
    assert_eq!(flood.refused + flood.unavailable, TOKENS);
    assert!(server.provider.times() <= most(flood.elapsed));
}
