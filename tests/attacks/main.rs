//! Attacks by name, each through the layer beside a valid twin that differs in that point alone.
//!
//! ```text
//! cargo test --test attacks                  all of them
//! cargo test --test attacks -- CVE-2026      those with this in their name or reference
//! cargo test --test attacks -- --list        their names and references
//! ```
//!
//! The last line counts them. [`kit`] judges each; a file holds a family.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of an attack is a failure")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod addresses;
mod audiences;
mod bound;
mod bundles;
mod claims;
mod compact;
mod composition;
mod confine;
mod entra;
mod fetching;
mod framing;
mod gateway;
mod header;
mod http2;
mod introspection;
#[path = "../suite/introspection/kit.rs"]
#[expect(dead_code, reason = "the suite uses more of it")]
mod introspection_kit;
mod issuers;
mod jose_header;
mod json;
mod key_entries;
mod key_sets;
mod kit;
mod open_paths;
mod peers;
#[path = "../examples/programs.rs"]
#[expect(dead_code, reason = "the examples use more of it")]
mod programs;
mod records;
mod roles;
mod scopes;
mod self_check;
mod signatures;
#[path = "../suite/support.rs"]
#[expect(dead_code, reason = "the suite uses more of it")]
mod support;
mod swaps;
mod time;
mod token_cache;
mod wire;

use std::collections::HashSet;
use std::process::ExitCode;

use libtest_mimic::Arguments;

use crate::kit::Attack;

/// Makes a list of families, each by the name of its file.
macro_rules! families {
    ($($family:ident),* $(,)?) => { [$((stringify!($family), $family::attacks())),*] };
}

fn families() -> impl IntoIterator<Item = (&'static str, Vec<Attack>)> {
    families![
        audiences,
        token_cache,
        bound,
        scopes,
        open_paths,
        peers,
        http2,
        framing,
        gateway,
        header,
        composition,
        swaps,
        time,
        fetching,
        records,
        roles,
        bundles,
        confine,
        addresses,
        claims,
        compact,
        entra,
        introspection,
        issuers,
        jose_header,
        json,
        key_entries,
        key_sets,
        signatures,
    ]
}

fn main() -> ExitCode {
    let mut trials = self_check::trials();
    let mut names = HashSet::new();
    for (family, attacks) in families() {
        for attack in attacks {
            let name = format!("{family}: {}", attack.name);
            assert!(!attack.reference.is_empty(), "{name} refers to nothing");
            assert!(names.insert(name.clone()), "{name} is there twice");
            trials.push(attack.trial(family));
        }
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        println!("{}", kit::sum());
    }
    conclusion.exit_code()
}
