//! Allocations and memory, which are counted in a process of their own: the counting would be
//! measured, too.

use std::process::Command;

use super::report::Report;

pub(crate) fn measure(report: &mut Report) {
    if !report.wants("allocations") && !report.wants("memory") {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--quiet", "-p", "tower-fhir-auth-tests"])
        .args(["--test", "allocations", "--", "--nocapture"])
        .output()
        .expect("cargo runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut rows = 0;
    // A line is `what | figure | bound`, see tests/allocations.rs.
    for line in printed.lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        if let [what, figure, bound] = parts.as_slice() {
            let number = |text: &str| text.trim().parse().expect("a number");
            report.at_most(what, number(figure), number(bound));
            rows += 1;
        }
    }
    assert!(output.status.success() && rows > 0, "the test of allocations has failed: {printed}");
}
