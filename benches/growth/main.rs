//! Growth of everything that reads what others send: the instructions of one reading at n, 2n, 4n
//! and 8n bytes of it.
//!
//! `cargo bench --bench growth` counts them with valgrind (callgrind), so that the figures are the
//! same on a busy machine as on an idle one; it fails when a doubling of the bytes more than doubles
//! the instructions, with 10 % of slack. Where two things grow that are chosen apart, such as scopes
//! and parameters, both double at once: the bytes double, and so may the instructions; their product
//! would be four times as much.
//!
//! `-- NAME` measures the shapes whose names contain it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::needless_pass_by_value,
    reason = "a bench that cannot go on ends"
)]

mod callgrind;
mod shapes;
#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "../support/widest.rs"]
mod widest;
#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "../support/world.rs"]
mod world;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use shapes::Shape;

/// The sizes, in bytes of what is sent.
const SIZES: [usize; 4] = [1_000, 2_000, 4_000, 8_000];

/// The readings at each size, of which the cheaper one counts: now and then the allocator tidies up in the middle
/// of one.
const READINGS: usize = 2;

/// The readings of a shape that seems to grow too fast, of which the lower quartile counts: seeds of hash tables are
/// random, which is a twentieth of some figures, and no growth. What grows too fast does so in every reading.
pub(crate) const READINGS_IN_DOUBT: usize = 15;

/// By what a doubling may multiply a figure: twice, and a tenth of slack.
const BOUND: f64 = 2.2;

/// By what one doubling may in a second reading, as long as all of them together are within the bound: a hash table that
/// grows in it, with a seed of its own, is a step and no growth.
const BOUND_OF_ONE: f64 = 2.3;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        // Without valgrind, to see whether all shapes are what they are meant to be.
        ["--count"] => {
            shapes::all().for_each(|shape| count(shape.name, READINGS));
            Ok(ExitCode::SUCCESS)
        }
        ["--count", readings, names @ ..] => {
            let readings = readings.parse()?;
            names.iter().for_each(|name| count(name, readings));
            Ok(ExitCode::SUCCESS)
        }
        arguments => judge(arguments.iter().find(|argument| !argument.starts_with("--")).copied()),
    }
}

/// Goes through a shape at each size, under valgrind.
fn count(name: &str, readings: usize) {
    let shape = shapes::all().find(|shape| shape.name == name).expect("a shape of this name");
    for size in SIZES {
        // Told where something goes wrong.
        eprintln!("{name} at {size}");
        let shapes::Reading { mut read, mut apart } = (shape.make)(size);
        // The first one fills caches.
        read();
        for _ in 0..readings {
            callgrind::counted(&mut *read);
        }
        callgrind::counted(&mut *apart);
    }
}

/// Returns the instructions of one reading, out of several and what does not count of each.
fn of_one(counted: &[u64]) -> u64 {
    let (apart, readings) = counted.split_last().expect("figures of a size");
    let mut readings = readings.to_vec();
    readings.sort_unstable();
    readings[(readings.len() - 1) / 4].saturating_sub(*apart)
}

/// The instructions of one reading at each size.
struct Figures(Vec<u64>);

impl Figures {
    /// Reports whether a second reading grows too fast, too.
    fn are_missed(&self) -> bool {
        let ends = self.0.first().zip(self.0.last());
        let all = ends.map_or(f64::MAX, |(first, last)| *last as f64 / *first as f64);
        let doublings = (self.0.len() - 1) as f64;
        all.powf(doublings.recip()) > BOUND || self.worst() > BOUND_OF_ONE
    }

    /// The most by which a doubling of the bytes multiplies them.
    fn worst(&self) -> f64 {
        self.0.windows(2).map(|pair| pair[1] as f64 / pair[0] as f64).fold(0.0, f64::max)
    }
}

/// Measures shapes, each size as often as said.
fn measured(names: &[&str], readings: usize) -> Result<Vec<Figures>, Box<dyn Error>> {
    let counted = callgrind::count(names, readings, (readings + 1) * SIZES.len())?;
    let figures = |counted: Vec<u64>| Figures(counted.chunks(readings + 1).map(of_one).collect());
    Ok(counted.into_iter().map(figures).collect())
}

fn judge(wanted: Option<&str>) -> Result<ExitCode, Box<dyn Error>> {
    let is_wanted = |shape: &Shape| wanted.is_none_or(|wanted| shape.name.contains(wanted));
    let names: Vec<&str> = shapes::all().filter(is_wanted).map(|shape| shape.name).collect();
    println!("{:<56} {:>44} {:>7}", "one reading", "instructions at n, 2n, 4n, 8n", "worst");
    let (mut worst, mut worst_name, mut is_missed) = (0.0, "none", false);
    for (name, mut figures) in names.iter().copied().zip(measured(&names, READINGS)?) {
        let mut remark = "";
        if figures.worst() > BOUND {
            figures = measured(&[name], READINGS_IN_DOUBT)?.pop().expect("figures of a shape");
            is_missed |= figures.are_missed();
            remark = if figures.are_missed() { "MISSED" } else { "read again" };
        }
        let ratio = figures.worst();
        if ratio > worst {
            (worst, worst_name) = (ratio, name);
        }
        let shown: Vec<String> = figures.0.iter().map(u64::to_string).collect();
        println!("{name:<56} {:>44} {ratio:>7.2} {remark}", shown.join(", "));
    }
    println!("growth: {} shapes, worst {worst:.2} ({worst_name}), bound {BOUND}", names.len());
    Ok(if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
