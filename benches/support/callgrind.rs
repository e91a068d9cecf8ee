//! Counts the instructions of a scenario of this program with valgrind (callgrind).

use std::env;
use std::error::Error;
use std::process::{Command, Stdio};

/// The instructions that a scenario takes for a number of turns, by the function `measured_turns`,
/// which this program runs by `--scenario`.
pub(crate) fn instructions(scenario: &str, turns: usize) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=*measured_turns*"])
        .arg(env::current_exe()?)
        .args(["--scenario", scenario, &turns.to_string()])
        .stdout(Stdio::null())
        .output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let collected = report.lines().find_map(|line| line.split_once("Collected :"));
    let (_, figure) = collected.ok_or_else(|| format!("valgrind has counted nothing: {report}"))?;
    Ok(figure.trim().parse()?)
}
