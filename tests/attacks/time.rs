//! Clocks that are moved both ways, with tokens that are remembered and without.

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::authenticated;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TokenBuilder;

use crate::kit::{Attack, Pair, Refused};
use crate::support::{NOW, Server};

const FUTURE_NBF: Refused = Refused::Token(Check::NotBefore, "`nbf` is in the future");
const FUTURE_IAT: Refused = Refused::Token(Check::IssuedAt, "`iat` is in the future");
const TOO_OLD: Refused = Refused::Token(Check::IssuedAt, "`iat` is too long ago");

/// A token, how far the clock moves before the twin, how far from there before the attack.
struct Moved {
    name: &'static str,
    token: fn(TokenBuilder) -> TokenBuilder,
    first: i64,
    then: i64,
    refused: Refused,
}

fn rows() -> Vec<Moved> {
    let moved = |name, token: fn(TokenBuilder) -> TokenBuilder, first, then, refused| Moved {
        name,
        token,
        first,
        then,
        refused,
    };
    let lasts: fn(TokenBuilder) -> TokenBuilder = |t| t.claim("exp", NOW + 100);
    let begins: fn(TokenBuilder) -> TokenBuilder = |t| t.claim("nbf", NOW);
    vec![
        moved("a second past exp and leeway", lasts, 159, 1, Refused::Expired),
        moved("an hour past exp", lasts, 0, 3600, Refused::Expired),
        moved("a century past exp", lasts, 0, 100 * 365 * 86400, Refused::Expired),
        moved("back before nbf", begins, 0, -61, FUTURE_NBF),
        moved("back by a century", begins, 0, -100 * 365 * 86400, FUTURE_NBF),
        moved("back before iat", |t| t, 0, -61, FUTURE_IAT),
        moved(
            "to the year 0",
            |t| t.without("iat").claim("nbf", NOW),
            0,
            -62_000_000_000,
            FUTURE_NBF,
        ),
        moved("past the largest age", |t| t.claim("exp", NOW + 100_000), 3660, 1, TOO_OLD),
        moved(
            "a fraction of a second past exp",
            |t| t.claim("exp", json!(1_800_000_100.5)),
            160,
            1,
            Refused::Expired,
        ),
        moved("to the end of time", lasts, 0, i64::MAX - NOW, Refused::Expired),
    ]
}

pub(crate) fn attacks() -> Vec<Attack> {
    let with = |tokens: usize| {
        rows().into_iter().map(move |row| {
            let told = if tokens == 0 { "not remembered" } else { "remembered" };
            let name = format!("{}, {told}", row.name);
            Attack::new(name, "tried by hand: the clock moves", move || judge(row, tokens))
        })
    };
    let mut attacks: Vec<Attack> = with(0).chain(with(100)).collect();
    attacks.push(Attack::new(
        "a token that was valid, and is again",
        "tried by hand: the clock moves and comes back",
        there_and_back,
    ));
    attacks.push(Attack::new(
        "a leeway that is longer than the time",
        "jsonwebtoken: leeway > now underflows",
        near_the_epoch,
    ));
    attacks
}

async fn server(tokens: usize) -> Server {
    let rules =
        |issuer: tower_fhir_auth::TrustedIssuer| issuer.max_token_age(Duration::from_secs(3600));
    let settings = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        layer.authorizer(authenticated()).token_cache_capacity(tokens)
    };
    let es256 = tower_fhir_auth::jose::Algorithm::Es256;
    Server::build(es256, rules, settings).await
}

async fn judge(row: Moved, tokens: usize) -> Pair {
    // The largest age asks for `iat`, and comes before `exp`.
    let ages = matches!(row.refused, Refused::Token(_, words) if words.contains("long ago"));
    let server = if ages { server(tokens).await } else { plain(tokens).await };
    let token = (row.token)(server.token()).sign().unwrap();
    server.clock.advance(row.first);
    for _ in 0..2 {
        server.bearer(&token).await.is_let_in();
    }
    let twin = server.bearer(&token).await;
    server.clock.advance(row.then);
    Pair::new(twin, server.bearer(&token).await, row.refused)
}

async fn plain(tokens: usize) -> Server {
    Server::layered(|layer| layer.token_cache_capacity(tokens)).await
}

async fn there_and_back() -> Pair {
    let server = plain(100).await;
    let token = server.token().claim("exp", NOW + 100).claim("nbf", NOW).sign().unwrap();
    server.bearer(&token).await.is_let_in();
    server.clock.advance(1000);
    let attack = server.bearer(&token).await;
    server.clock.advance(-2000);
    server.bearer(&token).await.is_refused_by(Check::NotBefore, "`nbf`");
    server.clock.advance(1000);
    Pair::new(server.bearer(&token).await, attack, Refused::Expired)
}

async fn near_the_epoch() -> Pair {
    let server = plain(100).await;
    server.clock.advance(-NOW + 10);
    let of = |expires: i64| server.token().without("iat").claim("exp", expires);
    let twin = server.get(of(20)).await;
    Pair::new(twin, server.get(of(-51)).await, Refused::Expired)
}
