//! Growth with the sizes of things, on one core.

use plotters::chart::SeriesLabelPosition;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::jose::Algorithm;

use super::curve;
use super::plot::Curve;
use super::support::grown;
use super::support::meter::{Case, Figures, measure};
use super::support::world::{self, Key, Requests, call, guarded};

/// Each step with tokens that are never remembered, and with one that is.
fn grow<const N: usize>(
    steps: [usize; N],
    make: impl Fn(usize, usize) -> (FhirAuthLayer, String),
) -> Vec<(f64, [f64; 2])> {
    let figures = [0, 16].map(|remembered| in_turns(steps.map(|step| make(step, remembered))));
    let micros = |place: usize| figures.each_ref().map(|figures| figures.seconds(place) * 1e6);
    steps.iter().enumerate().map(|(place, step)| (*step as f64, micros(place))).collect()
}

fn in_turns<const N: usize>(of: [(FhirAuthLayer, String); N]) -> Figures {
    measure(of.map(|(layer, token)| {
        let (mut service, requests) = (guarded(&layer), Requests::with(&token));
        Case::with(move || requests.next(), move |request| call(&mut service, request, 200))
    }))
}

/// What a server may have very many of.
pub(crate) fn grown() -> impl Iterator<Item = Curve> {
    let key = Key::new(Algorithm::Rs256);
    let token = key.token().sign().expect("a token");
    grown::KINDS.into_iter().map(move |(name, grown)| {
        let points = grow([1, 100, 400, 1000], |number, remembered| {
            (grown(&key, number, remembered), token.clone())
        });
        curve(name, name, &points)
    })
}

pub(crate) fn scopes() -> Curve {
    let key = Key::new(Algorithm::Rs256);
    let points = grow([1, 50, 100, 200], |scopes, remembered| {
        let token = key.token().without("roles").claim("scp", world::scopes(scopes));
        let layer = world::layer(key.set()).token_cache_capacity(remembered);
        (layer.build().expect("a layer"), token.sign().expect("a token"))
    });
    curve("scopes", "scopes of the token", &points)
}

pub(crate) fn token_size() -> Curve {
    let key = Key::new(Algorithm::Rs256);
    let bytes =
        |padding| key.token().claim("padding", "x".repeat(padding)).sign().expect("a token");
    let mut points = grow([0, 2000, 5000, 10_000], |padding, remembered| {
        let layer = world::layer(key.set()).token_cache_capacity(remembered);
        (layer.build().expect("a layer"), bytes(padding))
    });
    for (x, _) in &mut points {
        *x = bytes(*x as usize).len() as f64;
    }
    curve("token-size", "bytes of the token", &points)
}

/// Of a hundred requests so many bring a token that is remembered.
pub(crate) fn hit_rate() -> Curve {
    let key = Key::new(Algorithm::Rs256);
    let fresh: Vec<String> =
        (0..400).map(|n| key.token().claim("rh", n).sign().expect("a token")).collect();
    let known = key.token().sign().expect("a token");
    let rates = [0, 25, 50, 75, 90, 100];
    let figures = measure(rates.map(|rate| {
        let layer = world::layer(key.set()).token_cache_capacity(1).build().expect("a layer");
        let other = world::layer(key.set()).build().expect("a layer");
        let (mut forgetful, mut remembering) = (guarded(&layer), guarded(&other));
        let (mut fresh, mut turn) = (fresh.iter().cycle(), 0);
        let known = known.clone();
        // A hundred turns, of which `rate` are hits, evenly spread.
        let next = move || {
            turn = (turn + rate) % 100;
            let hit = turn < rate;
            let token = if hit { &known } else { fresh.next().expect("there is always a next") };
            (hit, Requests::with(token).next())
        };
        Case::with(next, move |(hit, request)| {
            let service = if hit { &mut remembering } else { &mut forgetful };
            call(service, request, 200);
        })
    }));
    let points = rates.iter().enumerate();
    let points = points.map(|(place, rate)| (*rate as f64, figures.seconds(place) * 1e6));
    Curve {
        file: "hit-rate",
        axis: "requests of a hundred whose token is remembered",
        unit: "us of processor time",
        lines: vec![("a request", points.collect())],
        legend: SeriesLabelPosition::UpperRight,
    }
}
