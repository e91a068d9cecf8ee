//! Answers that are forged, stretched or mistaken for one another, and clients that abuse questions.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::Introspection;
use tower_fhir_auth::explanation::Check;

use crate::introspection_kit::{Guarded, Manner, OPAQUE};
use crate::kit::{Attack, Pair, Refused};
use crate::support::{BASE, NOW, Reply};

const INACTIVE: Refused = Refused::Token(Check::Introspection, "not active");

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks: Vec<Attack> = answers().into_iter().map(answered).collect();
    attacks.extend(signed_answers().into_iter().map(signed));
    attacks.extend(contradictions().into_iter().map(contradicted));
    attacks.extend(manners().into_iter().map(mannered));
    attacks.extend([
        Attack::new("a token that was withdrawn", "RFC 7662 section 4", withdrawn),
        Attack::new("an outage revives a token", "RFC 7662 section 4: stale answers", revived),
        Attack::new("an answer outlives exp", "RFC 7662 section 4", outlived),
        Attack::new("the answer to another token", "cache keys that collide", swapped),
        Attack::new("a flood hides a known token", "tried by hand: one bound for all", flooded),
        Attack::new("a client leaves with the question", "huskarl: a frozen refresh", leaves),
        Attack::new("a JWS of nobody is shown to the provider", "RFC 7662 section 4", shown),
    ]);
    attacks
}

type Row = (&'static str, &'static str, Value, Refused);

/// Changes of a good answer about an opaque token.
fn answers() -> Vec<Row> {
    let section = "RFC 7662 section 2.2";
    let other_issuer = Refused::Token(Check::Introspection, "`iss` of the provider's answer");
    let audience = Refused::Token(Check::Audience, "`aud` does not name this server");
    let missing = Refused::Token(Check::Audience, "`aud` is missing from the provider's answer");
    let refresh = Refused::Token(Check::TokenKind, "this is a refresh token");
    let bound = Refused::Token(Check::Confirmation, "`cnf`");
    vec![
        ("active is text", section, json!({"active": "true"}), INACTIVE),
        ("active is a number", section, json!({"active": 1}), INACTIVE),
        ("active is a list", section, json!({"active": [true]}), INACTIVE),
        ("active is missing", section, json!({"active": null}), INACTIVE),
        ("the token of another issuer", "RFC 9700 section 4.4", json!({"iss": "x"}), other_issuer),
        ("a token for another API", "RFC 7662 section 4", json!({"aud": "other"}), audience),
        ("a token for any API", "RFC 7662 section 4", json!({"aud": null}), missing),
        (
            "a refresh token",
            "RFC 7662 section 2.1",
            json!({"token_type": "refresh_token"}),
            refresh,
        ),
        ("a refresh token of Keycloak", "Keycloak", json!({"typ": "Refresh"}), refresh),
        ("a token that is bound", "RFC 9449 section 6.2", json!({"cnf": {"jkt": "x"}}), bound),
        ("a token that has expired", section, json!({"exp": NOW - 61}), Refused::Expired),
        (
            "a token that never expires",
            section,
            json!({"exp": null}),
            Refused::Token(Check::RequiredClaims, "`exp` is required but missing"),
        ),
    ]
}

fn answered((name, reference, changes, refused): Row) -> Attack {
    Attack::new(name, reference, move || async move {
        let server = Guarded::start().await;
        server.provider.says("good", server.provider.good());
        server.provider.says_with(OPAQUE, changes);
        let twin = server.bearer("good").await;
        Pair::new(twin, server.bearer(OPAQUE).await, refused)
    })
}

/// Changes of a signed answer: of its claims, and of its header.
fn signed_answers() -> Vec<(&'static str, &'static str, Value, Value)> {
    let (section, none) = ("RFC 9701 section 5", json!({}));
    vec![
        (
            "an answer signed by nobody",
            "RFC 8725 section 3.2",
            none.clone(),
            json!({"alg": "none"}),
        ),
        ("an answer of another type", section, none.clone(), json!({"typ": "JWT"})),
        ("an access token as an answer", section, none.clone(), json!({"typ": "at+jwt"})),
        ("an answer of another issuer", section, json!({"iss": "x"}), none.clone()),
        ("an answer to another server", section, json!({"aud": "other"}), none.clone()),
        ("an old answer, replayed", section, json!({"iat": NOW - 3600}), none.clone()),
        (
            "an answer beside the answer",
            section,
            json!({"active": true, "token_introspection": "x"}),
            none,
        ),
    ]
}

fn signed((name, reference, claims, header): (&'static str, &'static str, Value, Value)) -> Attack {
    Attack::new(name, reference, move || async move {
        let server = Guarded::start().await;
        server.provider.says("good", server.provider.good());
        server.provider.says(OPAQUE, server.provider.good());
        server.provider.behave(Manner::signed());
        let twin = server.bearer("good").await;
        server.provider.behave(Manner::Signed { claims, header });
        Pair::new(twin, server.bearer(OPAQUE).await, Refused::NoAnswer)
    })
}

/// What an answer says of a JWT, against it.
fn contradictions() -> Vec<(&'static str, Value)> {
    vec![
        ("iss", json!("https://other.example.org")),
        ("sub", json!("eve")),
        ("aud", json!("https://other.example.org")),
        ("client_id", json!("other")),
        ("jti", json!("token-2")),
    ]
}

fn contradicted((name, value): (&'static str, Value)) -> Attack {
    let title = format!("the answer has another {name}");
    Attack::new(title, "tried by hand: answers that are not compared", move || async move {
        let server = Guarded::with(Introspection::of_every_token).await;
        let (one, other) = (server.provider.jwt(json!({})), server.provider.jwt(json!({"a": 1})));
        server.provider.says(&one, json!({"active": true}));
        server.provider.says(&other, json!({"active": true, name: value}));
        let twin = server.bearer(&one).await;
        let words = "of the provider's answer contradicts the token";
        Pair::new(twin, server.bearer(&other).await, Refused::Token(Check::Introspection, words))
    })
}

type Make = fn(&Guarded) -> Manner;

/// Ways of answering that say nothing, with the body of a good answer.
fn manners() -> Vec<(&'static str, &'static str, Make)> {
    vec![
        ("active twice", "RFC 8259 section 4", |server| {
            let good = server.provider.good().to_string();
            let twice = good.replacen('{', "{\"active\":false,", 1);
            Manner::Raw(200, "application/json", twice)
        }),
        ("another status", "RFC 7662 section 2.3", |server| {
            Manner::Raw(203, "application/json", server.provider.good().to_string())
        }),
        ("a page", "RFC 7662 section 2.2", |server| {
            Manner::Raw(200, "text/html", server.provider.good().to_string())
        }),
        ("a redirect", "RFC 9700 section 4.12", |server| {
            Manner::Redirect(format!("{}/elsewhere", server.provider.url))
        }),
        ("an endless answer", "tried by hand: an endless body", |server| {
            let padding = "x".repeat(300_000);
            let good = server.provider.good().to_string();
            Manner::Raw(200, "application/json", format!("{good}{}", padding.replace('x', " ")))
        }),
        ("no answer", "tried by hand: a provider that hangs", |_| Manner::Hang),
    ]
}

fn mannered((name, reference, make): (&'static str, &'static str, Make)) -> Attack {
    Attack::new(format!("an answer with {name}"), reference, move || async move {
        let server = Guarded::start().await;
        server.provider.says("good", server.provider.good());
        server.provider.says(OPAQUE, server.provider.good());
        let twin = server.bearer("good").await;
        server.provider.behave(make(&server));
        Pair::new(twin, server.bearer(OPAQUE).await, Refused::NoAnswer)
    })
}

const BRIEFLY: Duration = Duration::from_millis(300);

async fn brief() -> (Guarded, Reply) {
    let server = Guarded::with(|settings| settings.max_age(BRIEFLY)).await;
    server.provider.says(OPAQUE, server.provider.good());
    let twin = server.bearer(OPAQUE).await;
    (server, twin)
}

async fn withdrawn() -> Pair {
    let (server, twin) = brief().await;
    server.provider.withdraw(OPAQUE);
    tokio::time::sleep(BRIEFLY).await;
    Pair::new(twin, server.bearer(OPAQUE).await, INACTIVE)
}

async fn revived() -> Pair {
    let (server, twin) = brief().await;
    server.provider.behave(Manner::Raw(503, "text/plain", String::new()));
    tokio::time::sleep(BRIEFLY).await;
    Pair::new(twin, server.bearer(OPAQUE).await, Refused::NoAnswer)
}

async fn outlived() -> Pair {
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, json!({"exp": NOW + 1}));
    let twin = server.bearer(OPAQUE).await;
    server.provider.withdraw(OPAQUE);
    server.clock.advance(1);
    Pair::new(twin, server.bearer(OPAQUE).await, INACTIVE)
}

async fn swapped() -> Pair {
    let server = Guarded::start().await;
    let end = "e".repeat(128);
    let (good, other) = (format!("a{end}"), format!("b{end}"));
    server.provider.says(&good, server.provider.good());
    let twin = server.bearer(&good).await;
    Pair::new(twin, server.bearer(&other).await, INACTIVE)
}

/// The twin is the known token in the middle of the flood, the attack the last of the unknown ones.
async fn flooded() -> Pair {
    let (server, known) = brief().await;
    assert_eq!(known.status, StatusCode::OK);
    server.provider.delay(Duration::from_secs(1));
    let waiting: Vec<_> = (0..600)
        .map(|index| {
            let layer = server.layer.clone();
            let token = format!("unknown-{index}");
            tokio::spawn(
                async move { crate::introspection_kit::bearer(&layer, &token).await.status },
            )
        })
        .collect();
    tokio::time::sleep(BRIEFLY).await;
    server.provider.delay(Duration::ZERO);
    let twin = server.bearer(OPAQUE).await;
    let mut last = server.bearer("unknown-last").await;
    if last.status != StatusCode::SERVICE_UNAVAILABLE {
        last = server.bearer("unknown-after").await;
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    Pair::new(twin, last, Refused::NoAnswer)
}

async fn leaves() -> Pair {
    let server = Guarded::start().await;
    server.provider.says("good", server.provider.good());
    server.provider.delay(BRIEFLY);
    for token in ["good", OPAQUE] {
        let request = tokio::time::timeout(Duration::from_millis(30), server.bearer(token));
        assert!(request.await.is_err());
    }
    let twin = server.bearer("good").await;
    let attack = server.bearer(OPAQUE).await;
    assert_eq!(server.provider.times(), 2, "each was asked about once");
    Pair::new(twin, attack, INACTIVE)
}

async fn shown() -> Pair {
    let server = Guarded::start().await;
    let good = server.provider.jwt(json!({"aud": BASE}));
    let foreign = server.provider.jwt(json!({"iss": "https://other.example.org"}));
    server.provider.says(&foreign, server.provider.good());
    let twin = server.bearer(&good).await;
    let attack = server.bearer(&foreign).await;
    assert_eq!(server.provider.times(), 0, "nobody was asked");
    Pair::new(twin, attack, Refused::Token(Check::Issuer, "`iss`"))
}
