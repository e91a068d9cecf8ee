//! The page of the demo in a browser that people have: the system's Chromium, without a screen.
//!
//! Not part of a plain `cargo test`, because it needs Node 20 or later and Chromium:
//!
//! ```text
//! apt-get install chromium && npm ci --prefix tests/browser && cargo test --test browser
//! ```
//!
//! `SCREENSHOTS` names a folder for pictures of the page.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

#[expect(dead_code, reason = "the tests of the examples use all of it")]
#[path = "../examples/programs.rs"]
mod programs;

use std::path::Path;
use std::process::Command;

use programs::{Example, command};

/// Runs one case of `page.mjs` against a demo of its own.
fn at_the_demo(case: &str) {
    let server = Example::start(command("fhir_server", &["--listen", "127.0.0.1:0"]));
    let origin = server.base.strip_suffix("/fhir").unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    let is_installed = folder.join("node_modules").is_dir();
    assert!(is_installed, "not installed: run `npm ci --prefix tests/browser` first");
    let mut node = Command::new("node");
    node.arg(folder.join("page.mjs")).args([case, &format!("{origin}/")]);
    node.args(std::env::var_os("SCREENSHOTS"));
    let run = node.output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn from_the_first_visit_to_the_first_reason_it_is_one_click() {
    at_the_demo("first");
}

#[test]
fn each_sample_gets_what_it_promises_and_says_why() {
    at_the_demo("samples");
}

#[test]
fn somebody_signs_in_and_sees_what_falls_away_with_a_scope() {
    at_the_demo("sign-in");
}

#[test]
fn a_pasted_token_is_understood_and_never_shown() {
    at_the_demo("pasted");
}

#[test]
fn a_token_that_expires_while_the_page_is_open_is_refused_as_such_and_renewed() {
    at_the_demo("expiry");
}

#[test]
fn keys_rotate_while_the_page_is_open() {
    at_the_demo("rotation");
}

#[test]
fn the_keyboard_is_enough() {
    at_the_demo("keyboard");
}

#[test]
fn axe_finds_nothing_in_light_and_dark_wide_and_narrow() {
    at_the_demo("accessible");
}
