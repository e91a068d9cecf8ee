//! Tokens that look like one that is remembered.

use std::sync::Arc;

use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::SigningKey;

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{Reply, Server};

/// A server that remembers a token.
struct Warm {
    server: Server,
    token: String,
}

/// Makes a token of the one that is remembered.
type Make = fn(&Warm) -> String;

async fn start() -> Warm {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    for _ in 0..3 {
        server.bearer(&token).await.is_let_in();
    }
    Warm { server, token }
}

async fn ask(warm: &Warm, make: Make) -> Reply {
    warm.server.bearer(&make(warm)).await
}

pub(crate) fn attacks() -> Vec<Attack> {
    const INVALID: Refused = Refused::Token(Check::Signature, "the signature does not verify");
    let same: Make = |warm| warm.token.clone();
    let against =
        |name, attack: Make| -> Row<Make> { row(name, "CVE-2026-35039", same, attack, INVALID) };
    let rows = [
        against("other claims under the signature of a remembered token", |warm| {
            let other = warm.server.token().claim("sub", "mallory").sign().unwrap();
            let (_, signature) = warm.token.rsplit_once('.').unwrap();
            format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
        }),
        against("a remembered token with another's signature", |warm| {
            let other = warm.server.token().claim("sub", "mallory").sign().unwrap();
            let (input, _) = warm.token.rsplit_once('.').unwrap();
            format!("{input}.{}", other.rsplit_once('.').unwrap().1)
        }),
        against("a remembered token without its signature", |warm| {
            format!("{}.", warm.token.rsplit_once('.').unwrap().0)
        }),
        against("a remembered token and a byte more", |warm| format!("{}A", warm.token)),
        against("a remembered token by another key", |warm| {
            let key = SigningKey::generate("key-1", Algorithm::Es256).unwrap();
            let other = warm.server.token().signed_by(Arc::new(key)).sign().unwrap();
            let (input, _) = warm.token.rsplit_once('.').unwrap();
            format!("{input}.{}", other.rsplit_once('.').unwrap().1)
        }),
    ];
    table(rows, start, ask)
}
