//! The judge, judged: it must not be content with an attack that proves nothing.

use libtest_mimic::{Failed, Trial};
use tower_fhir_auth::explanation::Check;

use crate::kit::{Answer, Pair, Refused};
use crate::support::Server;

const AUDIENCE: Refused = Refused::Token(Check::Audience, "`aud` does not name this server");

pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, judge: fn() -> Result<(), Failed>| {
        Trial::test(format!("self-check: {name}"), judge)
    };
    vec![
        trial("the judge tells a sound pair from others", tells_apart),
        trial("every kind of refusal is another", kinds_differ),
    ]
}

fn let_in() -> Answer {
    Answer { status: 200, principal: Some("alice".to_owned()), ..Answer::default() }
}

fn tells_apart() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (good, other) = runtime.block_on(async {
        let server = Server::start().await;
        let good = || server.get(server.token());
        let other = || server.get(server.token().claim("aud", "other"));
        assert!(Pair::new(good().await, other().await, AUDIENCE).fault_of_attack().is_none());
        assert!(Pair::new(good().await, other().await, AUDIENCE).fault_of_twin().is_none());
        (good().await, other().await)
    });
    let is_wrong = |pair: &Pair| pair.fault_of_twin().is_some() || pair.fault_of_attack().is_some();
    let (good, other) = (Answer::from(good), Answer::from(other));
    assert!(!is_wrong(&Pair::new(let_in(), other, AUDIENCE)));
    // An attack that is none, and a twin that is none.
    assert!(Pair::new(let_in(), good, AUDIENCE).fault_of_attack().is_some());
    assert!(Pair::new(Answer::default(), let_in(), AUDIENCE).fault_of_twin().is_some());
    let nobody = Answer { status: 200, ..Answer::default() };
    assert!(Pair::new(nobody, let_in(), AUDIENCE).fault_of_twin().is_some());
    // Refused for another cause.
    for cause in [
        Refused::Token(Check::Issuer, ""),
        Refused::Token(Check::Audience, "`aud` is missing"),
        Refused::Expired,
        Refused::Request(""),
        Refused::Credentials(""),
        Refused::Access(""),
    ] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let other = runtime.block_on(async {
            let server = Server::start().await;
            server.get(server.token().claim("aud", "other")).await
        });
        let pair = Pair::new(let_in(), other, cause);
        assert!(pair.fault_of_attack().is_some(), "{pair:?}");
    }
    Ok(())
}

fn kinds_differ() -> Result<(), Failed> {
    let unreached = Answer { status: 400, ..Answer::default() };
    let pair = Pair::new(let_in(), unreached, Refused::Request(""));
    assert!(pair.fault_of_attack().is_some(), "the layer has not said so");
    let pair = Pair { refused: Refused::Unreached(400), ..pair };
    assert_eq!(pair.fault_of_attack(), None);
    let pair = Pair { refused: Refused::Unreached(431), ..pair };
    assert!(pair.fault_of_attack().is_some());
    Ok(())
}
