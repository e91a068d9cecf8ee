//! Compares the public items of a crate with the committed list of them, and the crates whose types they
//! name with those that are meant to be seen: `public_api RUSTDOC_JSON LIST`, with `--write` to write it.

use std::collections::BTreeSet;
use std::process::ExitCode;

/// Crates whose types are part of the API on purpose: a new major version of one is a new one of ours.
const SEEN: [&str; 15] = [
    "alloc",
    "axum_core",
    // Sets of flags have its methods and traits, as Rust's API guidelines ask (C-BITFLAG).
    "bitflags",
    "bytes",
    "core",
    "http",
    "http_body",
    "jsonwebtoken",
    "serde_core",
    "serde_json",
    "std",
    "tower_fhir_auth",
    "tower_layer",
    "tower_service",
    // The span of a request, for `TraceLayer::make_span_with`.
    "tracing",
];

fn main() -> ExitCode {
    let mut paths = Vec::new();
    let mut write = false;
    for argument in std::env::args().skip(1) {
        if argument == "--write" {
            write = true;
        } else {
            paths.push(argument);
        }
    }
    let [json, list] = paths.as_slice() else {
        eprintln!("public_api RUSTDOC_JSON LIST [--write]");
        return ExitCode::from(2);
    };
    match compare(json, list, write) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn compare(json: &str, list: &str, write: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    let items: Vec<String> = api.items().map(ToString::to_string).collect();
    let strangers: BTreeSet<&str> =
        items.iter().flat_map(|item| roots(item)).filter(|root| !SEEN.contains(root)).collect();
    for stranger in &strangers {
        println!(
            "the API names `{stranger}`, which is not among the crates that are meant to be seen"
        );
    }
    let now = items.join("\n") + "\n";
    if write {
        std::fs::write(list, &now)?;
    }
    let before = std::fs::read_to_string(list)?;
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (before.lines().collect(), now.lines().collect());
    for gone in old.difference(&new) {
        println!("- {gone}");
    }
    for added in new.difference(&old) {
        println!("+ {added}");
    }
    println!(
        "public API: {} items, {} gone, {} new",
        new.len(),
        old.difference(&new).count(),
        new.difference(&old).count()
    );
    Ok(strangers.is_empty() && old == new)
}

/// Returns the first segment of each path in the text of an item. A module `__private` is that of a macro, whose
/// types nobody can name.
fn roots(item: &str) -> Vec<&str> {
    item.match_indices("::")
        .filter_map(|(at, _)| {
            let before = &item[..at];
            let start =
                before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |end| end + 1);
            let is_first = !before[..start].ends_with("::");
            let root = &before[start..];
            let is_macros = item[at..].starts_with("::__private::");
            (is_first && !is_macros && root.starts_with(|c: char| c.is_lowercase())).then_some(root)
        })
        .collect()
}
