//! Paths where a token is not needed, spelled so that somebody else reads another path.

use http::Request;

use crate::kit::{Attack, Pair, Refused};
use crate::support::Server;

const NONE: Refused = Refused::Credentials("no bearer token in the `Authorization` header");

pub(crate) fn attacks() -> Vec<Attack> {
    let optional = [
        "/r4/docs/../Patient/1",
        "/r4/docs/a/../../Patient/1",
        "/r4/docs/./a",
        "/r4/docs//a",
        "/r4/docs/%2e%2e/Patient/1",
        "/r4/docs/.%2E/Patient/1",
        "/r4/docs/a%2f..%2f..%2fPatient%2f1",
        "/r4/docs/a%5C..%5CPatient",
        "/r4/docs/..;/Patient/1",
        "/r4/docs/a;b",
        "/r4/docs",
        "/r4/Docs/a",
        "/r4//docs/a",
        "/docs/a",
        "/r4/r4/docs/a",
        "/r4/docsx",
    ];
    let outside = [
        "/healthz/",
        "/healthZ",
        "//healthz",
        "/r4/healthz",
        "/healthz/../r4/Patient/1",
        "/healthz;x",
    ];
    let reference = "tried by hand: dots, encodings, matrix";
    let attack = |twin: &'static str, path: &'static str| {
        let name = format!("{path} for {twin}");
        Attack::new(name, reference, move || async move {
            let server =
                Server::layered(|layer| layer.optional(["/docs/"]).public_outside(["/healthz"]));
            let server = server.await;
            let twin = server.send(Request::get(twin)).await;
            Pair::public(twin, server.send(Request::get(path)).await, NONE)
        })
    };
    let mut attacks = Vec::from(optional.map(|path| attack("/r4/docs/a", path)));
    attacks.extend(outside.map(|path| attack("/healthz", path)));
    attacks.push(Attack::new(
        "a bad token where none is needed",
        "axum-keycloak-auth: Pass mode lets invalid tokens pass",
        || async {
            let server = Server::layered(|layer| layer.optional(["/docs/"])).await;
            let twin = server.send(Request::get("/r4/docs/a")).await;
            let bad = server.token().claim("aud", "other").sign().unwrap();
            let request = Request::get("/r4/docs/a");
            let request = request.header("authorization", format!("Bearer {bad}"));
            let words = "`aud` does not name this server";
            let check = tower_fhir_auth::explanation::Check::Audience;
            Pair::public(twin, server.send(request).await, Refused::Token(check, words))
        },
    ));
    attacks
}
