//! The most that a stranger can hold: bytes, seconds, lines of the log and fetches, each against the number that
//! the manual has for it (`src/manual/strangers.md`).
//!
//! ```text
//! cargo test --test bounds              all of them
//! cargo test --test bounds -- waiting   one part
//! ```
//!
//! The page is the one place where a bound is written. A bound of the page that nothing here measures,
//! and a measurement without a bound on the page, fail as well.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, clippy::as_conversions, reason = "figures of tests are small")]

mod flood;
mod log_lines;
mod page;
mod requests;
mod waiting;

use std::process::ExitCode;

use page::Page;

type Part = (&'static str, fn(&mut Page));

const PARTS: [Part; 3] =
    [("requests", requests::hold), ("waiting", waiting::hold), ("flood", flood::hold)];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut page = Page::read();
    println!("what | measured | bound");
    for (name, hold) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            page.begin(name);
            hold(&mut page);
        }
    }
    page.verdict()
}
