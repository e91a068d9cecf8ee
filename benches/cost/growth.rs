//! Growth with the number of keys, issuers, role definitions and scopes: nothing, but for the
//! reading of the scopes themselves.

use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::jose::Algorithm;

use super::report::Report;
use super::support::grown;
use super::support::meter::{Case, Figures, measure as measure_in_turns};
use super::support::world::{self, Key, Requests, call, guarded};

const FLAT: f64 = 1.1;

pub(crate) fn measure(report: &mut Report) {
    let key = Key::new(Algorithm::Rs256);
    let token = key.token().sign().expect("a token");
    for (of, grown) in grown::KINDS {
        if report.wants(of) {
            flat(report, of, &token, |number, remembered| grown(&key, number, remembered));
        }
    }
    if report.wants("scopes") {
        scopes(report, &key);
    }
}

fn flat(report: &mut Report, of: &str, token: &str, layer: impl Fn(usize, usize) -> FhirAuthLayer) {
    for (path, remember) in [("first sight", 0), ("seen before", 100)] {
        let figures = in_turns([(layer(1, remember), token), (layer(1000, remember), token)]);
        let what = format!("{path}, {of}: 1,000 / 1");
        report.ratio_at_most(&what, figures.ratio(1, 0), FLAT);
    }
}

/// A token of each layer, in turns.
fn in_turns<const N: usize>(of: [(FhirAuthLayer, &str); N]) -> Figures {
    measure_in_turns(of.map(|(layer, token)| {
        let (mut service, requests) = (guarded(&layer), Requests::with(token));
        Case::with(move || requests.next(), move |request| call(&mut service, request, 200))
    }))
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
        |remember| world::layer(key.set()).token_cache_capacity(remember).build().expect("a layer");
    let figures = in_turns([(layer(0), one), (layer(0), hundred), (layer(0), most)]);
    let added = |of: usize| figures.seconds(of) - figures.seconds(0);
    report.at_most(
        "first sight, scopes: (200 - 1) / (100 - 1) / 2",
        added(2) / added(1) / 2.0,
        1.25,
    );
    report.tell("  first sight, us for a scope", &format!("{:.3}", added(2) / 199.0 * 1e6));
    let figures = in_turns([(layer(9), one), (layer(9), most)]);
    report.ratio_at_most("seen before, scopes: 200 / 1", figures.ratio(1, 0), FLAT);
}
