//! What grows with the number of keys, issuers, role definitions and scopes: nothing, but for the
//! reading of the scopes themselves.

use serde_json::json;
use tower_fhir_auth::{Algorithm, FhirAuthLayer, RoleDefinitions, TrustedIssuer};

use super::report::Report;
use super::support::meter::{Case, Figures, measure as measure_in_turns};
use super::support::world::{self, ISSUER, Key, Requests, call, guarded};

const FLAT: f64 = 1.1;

pub(crate) fn measure(report: &mut Report) {
    let key = Key::new(Algorithm::Rs256);
    let token = key.token().sign().expect("a token");
    if report.wants("keys") {
        let layer =
            |keys, remember| world::layer(world::many_names(&key, keys)).remember_tokens(remember);
        flat(report, "keys", &token, |keys, remember| {
            layer(keys, remember).build().expect("a layer")
        });
    }
    if report.wants("issuers") {
        flat(report, "issuers", &token, |issuers, remember| {
            let others =
                (1..issuers).map(|n| TrustedIssuer::with_keys(format!("{ISSUER}/{n}"), key.set()));
            world::layer(key.set())
                .issuers(others)
                .remember_tokens(remember)
                .build()
                .expect("a layer")
        });
    }
    if report.wants("role definitions") {
        flat(report, "role definitions", &token, |roles, remember| {
            let policy = world::policy(role_definitions(roles));
            world::layer(key.set())
                .authorizer(policy)
                .remember_tokens(remember)
                .build()
                .expect("a layer")
        });
    }
    if report.wants("scopes") {
        scopes(report, &key);
    }
}

fn flat(report: &mut Report, of: &str, token: &str, layer: impl Fn(usize, usize) -> FhirAuthLayer) {
    for (path, remember) in [("first sight", 0), ("seen before", 100)] {
        let figures = in_turns([(layer(1, remember), token), (layer(1000, remember), token)]);
        let what = format!("{path}, {of}: 1,000 / 1");
        report.at_most(&what, figures.ratio(1, 0), FLAT);
    }
}

/// A token of each layer, in turns.
fn in_turns<const N: usize>(of: [(FhirAuthLayer, &str); N]) -> Figures {
    measure_in_turns(of.map(|(layer, token)| {
        let (mut service, requests) = (guarded(&layer), Requests::with(token));
        Case::with(move || requests.next(), move |request| call(&mut service, request, 200))
    }))
}

/// Definitions of which the last one is the token's.
fn role_definitions(number: usize) -> RoleDefinitions {
    let role = |name: String| json!({"name": name, "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]});
    let letters = |n: usize| -> String {
        let digit = |place: u32| {
            char::from(b'a' + u8::try_from(n / 10_usize.pow(place) % 10).expect("a digit"))
        };
        [3, 2, 1, 0].map(digit).iter().collect()
    };
    let others = (1..number).map(|n| role(format!("role-{}", letters(n))));
    let roles: Vec<_> = others.chain([role("globalReader".to_owned())]).collect();
    RoleDefinitions::parse(json!({"roles": roles}).to_string().as_bytes()).expect("definitions")
}

/// Linear where they are read, flat where the token was seen before. The padding makes both tokens
/// as long as the longest, so that it is the scopes that are compared.
fn scopes(report: &mut Report, key: &Key) {
    let longest = world::scopes(200).len();
    let token = |number| {
        let scopes = world::scopes(number);
        let padding = "x".repeat(longest - scopes.len());
        let token = key.token().without("roles").claim("scp", scopes).claim("padding", padding);
        token.sign().expect("a token")
    };
    let tokens = [token(1), token(100), token(200)];
    let [one, hundred, most] = &tokens;
    let layer =
        |remember| world::layer(key.set()).remember_tokens(remember).build().expect("a layer");
    let figures = in_turns([(layer(0), one), (layer(0), hundred), (layer(0), most)]);
    let added = |of: usize| figures.seconds(of) - figures.seconds(0);
    report.at_most(
        "first sight, scopes: (200 - 1) / (100 - 1) / 2",
        added(2) / added(1) / 2.0,
        1.25,
    );
    report.tell("  first sight, us for a scope", &format!("{:.3}", added(2) / 199.0 * 1e6));
    let figures = in_turns([(layer(9), one), (layer(9), most)]);
    report.at_most("seen before, scopes: 200 / 1", figures.ratio(1, 0), FLAT);
}
