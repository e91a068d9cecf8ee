//! Answers of the layer, the example server and the gateway before HAPI FHIR's validator.
//!
//! Not part of a plain `cargo test`, because it needs a JDK and Maven: `.ci/world validator` gets and runs it.
//! Every OperationOutcome, CapabilityStatement and Bundle of a run over the demo's records and each kind of
//! refusal is a file; an error of the validator is a failure, and so is a warning that is not [`EXPECTED`].
//!
//! ```text
//! mvn -q -f tests/validator compile && cargo test --test validator
//! cargo test --test validator -- FOLDER      leaves the files in the folder
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod bundles;
mod collected;
#[expect(dead_code, reason = "the tests of the examples use all of it")]
#[path = "../examples/programs.rs"]
mod programs;
mod refusals;
mod servers;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use self::collected::Collected;

/// Warnings by a part of their text, and why they are left at that.
const EXPECTED: [(&str, &str); 6] = [
    (
        "Constraint failed: dom-6:",
        "narrative: programs read refusals, and the demo's records say no more than their data",
    ),
    (
        "can't be validated: https://docs.rs/tower-fhir-auth/refusal-codes",
        "codes of this crate, which its documentation lists",
    ),
    ("can't be validated: http://loinc.org", "the validator has no LOINC in memory"),
    ("can't be validated: http://www.whocc.no/atc", "nor ATC"),
    (
        "all observations should have a performer",
        "a record of the demo on purpose: who has performed it is in a compartment",
    ),
    ("all observations should have an effective[x]", "and so is one without a time"),
];

#[tokio::main]
async fn main() -> ExitCode {
    let kept = tempfile::tempdir().unwrap();
    let folder = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(|| kept.path().to_owned(), Into::into);
    std::fs::create_dir_all(&folder).unwrap();
    let mut collected = Collected::in_folder(&folder);
    refusals::collect(&mut collected).await;
    bundles::collect(&mut collected).await;
    println!("validator: {collected}");
    let Some(said) = validate(&folder) else {
        println!("validator: NOT RUN, it is not built: `mvn -q -f tests/validator compile`");
        return ExitCode::FAILURE;
    };
    judge(&said, collected.len())
}

/// The lines of the validator: file, severity, its name, place and text.
fn validate(folder: &Path) -> Option<String> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("validator/target");
    let classpath = std::fs::read_to_string(target.join("classpath")).ok()?;
    let classes = target.join("classes");
    let mut java = Command::new("java");
    java.args(["-Xmx1500m", "-cp", &format!("{}:{classpath}", classes.display()), "Validate"]);
    let output = java.arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the validator failed: {errors}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn judge(said: &str, files: usize) -> ExitCode {
    assert!(said.ends_with(&format!("validated\t{files}\n")), "not all were validated: {said}");
    let mut severities: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for line in said.lines() {
        let [file, severity, _, place, text] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue;
        };
        *severities.entry(severity).or_default() += 1;
        let is_expected =
            severity == "warning" && EXPECTED.iter().any(|(one, _reason)| text.contains(one));
        if severity != "information" && !is_expected {
            wrong.entry((severity, text)).or_default().extend([file, place]);
        }
    }
    for ((severity, text), places) in &wrong {
        println!(
            "{severity}: {text}\n    {} times, first in {} at {}",
            places.len() / 2,
            places[0],
            places[1]
        );
    }
    println!("validator: {files} files, {severities:?}, {} kinds of faults", wrong.len());
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
