//! Counts with valgrind (callgrind): many things in one run of this program, a dump after each.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

/// How many runs there are at once.
const RUNS: usize = 2;

/// The name of the function whose instructions are counted.
const COUNTED: &str = concat!(module_path!(), "::counted");

/// Goes through what is to be counted, in a function that valgrind can tell by its name.
#[inline(never)]
pub(crate) fn counted(work: &mut dyn FnMut()) {
    std::hint::black_box(work)();
}

/// The instructions of each work of each scenario, of which there are so many. This program goes
/// through the scenarios that follow `--count` and how often each is read.
pub(crate) fn count(
    scenarios: &[&str],
    readings: usize,
    works: usize,
) -> Result<Vec<Vec<u64>>, Box<dyn Error>> {
    let share = scenarios.len().div_ceil(RUNS).max(1);
    let counted: Vec<Result<Vec<u64>, String>> = thread::scope(|scope| {
        let shares = scenarios.chunks(share).enumerate();
        let running: Vec<_> = shares
            .map(|(number, share)| {
                scope.spawn(move || {
                    let expected = share.len() * works;
                    one_run(number, share, readings, expected).map_err(|error| error.to_string())
                })
            })
            .collect();
        running.into_iter().map(|run| run.join().expect("no panic")).collect()
    });
    let mut all = Vec::new();
    for run in counted {
        all.extend(run?);
    }
    Ok(all.chunks(works).map(<[u64]>::to_vec).collect())
}

fn one_run(
    number: usize,
    scenarios: &[&str],
    readings: usize,
    expected: usize,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("growth-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("counted");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--dump-after={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(env::current_exe()?)
        .arg("--count")
        .arg(readings.to_string())
        .args(scenarios)
        .stdout(Stdio::null())
        .output()?;
    let figures = (1..=expected).map(|part| total(&dump(&file, part)));
    let figures: Result<Vec<u64>, Box<dyn Error>> = figures.collect();
    fs::remove_dir_all(&folder)?;
    match (output.status.success(), figures) {
        (true, Ok(figures)) => Ok(figures),
        (_, figures) => {
            let report = String::from_utf8_lossy(&output.stderr);
            let last = report.lines().filter(|line| !line.starts_with("=="));
            let last = last.collect::<Vec<_>>();
            let last = last.iter().rev().take(40).rev().copied().collect::<Vec<_>>().join("\n");
            Err(format!("not everything was counted ({:?}):\n{last}", figures.err()).into())
        }
    }
}

fn dump(file: &Path, part: usize) -> PathBuf {
    PathBuf::from(format!("{}.{part}", file.display()))
}

fn total(dump: &Path) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(dump)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(total.ok_or("a dump without a total")?.trim().parse()?)
}
