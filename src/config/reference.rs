//! Holds the page of all keys in the manual to what the reader asks for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::reader::Problems;
use super::{Config, Table};
use crate::authentication::DEFAULT_TOKENS;

const PAGE: &str = include_str!("../manual/configuration.md");
const BASE: &str = "https://fhir.example.org/r4";
const ISSUER: &str = "https://idp.example.org/realms/fhir";

/// A row of the page.
struct ReferenceRow {
    /// The table that it is in: empty at the top, `issuers[0].`, `keys.`
    section: String,
    key: String,
    default: String,
    example: String,
}

fn rows() -> Vec<ReferenceRow> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            let title = title.trim_matches('`');
            section = match title.strip_prefix("[[").and_then(|title| title.strip_suffix("]]")) {
                Some(name) => format!("{name}[0]."),
                None => title
                    .strip_prefix('[')
                    .map_or_else(String::new, |name| format!("{}.", name.trim_end_matches(']'))),
            };
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", key, _type, default, example, _meaning, ""] = cells.as_slice()
            && let Some(key) = key.strip_prefix('`')
        {
            rows.push(ReferenceRow {
                section: section.clone(),
                key: key.trim_matches('`').to_owned(),
                default: default.trim_matches('`').to_owned(),
                example: example.trim_matches('`').to_owned(),
            });
        }
    }
    rows
}

/// Returns a file that has these values in a section, and else the least that a file must have.
fn file_with(section: &str, values: &Table) -> Table {
    // Inline: as tables with a header they would be those of the whole file.
    let lines = values.iter().map(|(key, value)| format!("{key} = {value}\n"));
    let lines = String::from_iter(lines);
    let has = |key: &str| values.contains_key(key);
    let base = if has("base_url") { String::new() } else { format!("base_url = \"{BASE}\"\n") };
    let is_named = has("entra") || has("issuer");
    let issuer = if is_named { String::new() } else { format!("issuer = \"{ISSUER}\"\n") };
    let text = match section.strip_suffix('.') {
        None => format!("{base}{lines}[[issuers]]\n{issuer}"),
        Some("issuers[0]") => format!("{base}[[issuers]]\n{issuer}{lines}"),
        // A condition is about a role that is defined.
        Some("roles.when[0]") => format!(
            "{base}[[issuers]]\n{issuer}[roles]\ndefinitions = \"builtin:microsoft\"\n[[roles.when]]\n{lines}"
        ),
        Some(name) => {
            let header = match name.strip_suffix("[0]") {
                Some(array) => format!("[[{array}]]"),
                None => format!("[{name}]"),
            };
            format!("{base}[[issuers]]\n{issuer}{header}\n{lines}")
        }
    };
    text.parse().unwrap()
}

/// Reads an example: one key, and behind semicolons those that it needs beside it.
fn table(example: &str) -> Table {
    example.replace("; ", "\n").parse().unwrap()
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a folder with the files that examples name.
fn folder() -> Folder {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("fhir-auth-reference-{}-{number}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    std::fs::create_dir(folder.path()).unwrap();
    let keys = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    std::fs::write(folder.path().join("keys.json"), keys).unwrap();
    let key = r#"{"kty": "OKP", "crv": "Ed25519", "kid": "one",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    std::fs::write(folder.path().join("key.jwk"), key).unwrap();
    let sealing = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    std::fs::write(folder.path().join("seal.key"), sealing).unwrap();
    folder
}

/// Reads a file, and returns the keys that the reader asked for.
fn asked(file: Table, folder: &Path) -> (Result<Config, String>, BTreeSet<String>) {
    let problems = Problems::default();
    let secret = |_: &str| Some("c2VjcmV0".to_owned());
    let config = Config::read(file, folder, &secret, &problems);
    let asked = problems.asked.take();
    let found: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
    match config {
        Some(config) if found.is_empty() => (Ok(config), asked),
        _ => (Err(found.join("; ")), asked),
    }
}

#[test]
fn every_key_of_the_file_has_a_row_and_every_row_is_a_key() {
    let folder = folder();
    let mut known = BTreeSet::new();
    let mut written = BTreeSet::new();
    for ReferenceRow { section, key, example, .. } in rows() {
        let (_, asked) = asked(file_with(&section, &table(&example)), folder.path());
        known.extend(asked);
        assert!(written.insert(format!("{section}{key}")), "`{key}` has two rows");
    }
    assert!(written.len() > 50, "the page was not understood: {written:?}");
    // A table by itself is no key where each of its members has a row.
    let is_around = |table: &str, key: &str| {
        key.strip_prefix(table).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    known.retain(|table| {
        !written.iter().any(|key| is_around(table, key))
            && PAGE.find(&format!("# `[{table}]`")).is_none()
    });
    assert_eq!(known, written);
}

#[test]
fn every_example_is_accepted() {
    let folder = folder();
    for ReferenceRow { section, key, example, .. } in rows() {
        let (read, _) = asked(file_with(&section, &table(&example)), folder.path());
        assert!(example.starts_with(key.split('.').next().unwrap()), "{key}: {example}");
        assert_eq!(read.err(), None, "[{section}] {example}");
    }
}

#[test]
fn every_default_is_what_a_file_without_the_key_has() {
    let folder = folder();
    let mut compared = 0;
    for ReferenceRow { section, key, default, example } in rows() {
        if default.is_empty() || default == "none" {
            continue;
        }
        // Members of an inline table stand beside those that the example needs.
        let mut values = table(&example);
        let mut without = values.clone();
        let default: Table = format!("default = {default}").parse().unwrap();
        let default = default["default"].clone();
        match key.split_once('.') {
            Some((table, member)) => {
                let within = |values: &Table| values[table].as_table().unwrap().clone();
                let (mut with, mut rest) = (within(&values), within(&without));
                with.insert(member.to_owned(), default);
                rest.remove(member);
                values.insert(table.to_owned(), with.into());
                without.insert(table.to_owned(), rest.into());
            }
            None => {
                values.insert(key.clone(), default);
                without.remove(&key);
            }
        }
        let effect = |values: &Table| {
            let (config, _) = asked(file_with(&section, values), folder.path());
            effect_of(config.unwrap())
        };
        assert_eq!(effect(&values), effect(&without), "[{section}] {key}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} defaults were compared");
}

/// Describes all that a configuration sets, in the form it takes effect.
fn effect_of(config: Config) -> String {
    let fixed = format!(
        "{:?}",
        (
            &config.base_url,
            config.access,
            config.disclosure,
            &config.compartment,
            &config.keys,
            &config.roles,
            &config.smart,
            &config.plain_http,
            &config.gateway,
            (&config.dpop, &config.mutual_tls, &config.step_up),
        )
    );
    let paths = crate::middleware::paths::DEFAULT_PUBLIC.map(str::to_owned).to_vec();
    let open = format!(
        "{:?} {:?} {:?}",
        config.paths.public.unwrap_or(paths),
        config.paths.optional,
        config.paths.public_outside
    );
    let tokens = config.token_cache_capacity.unwrap_or(DEFAULT_TOKENS);
    let issuers = config.issuers.into_iter().map(|one| one.trusted(&config.base_url).unwrap());
    let issuers = format!("{:?}", Vec::from_iter(issuers));
    [fixed, open, tokens.to_string(), issuers].join("\n")
}
