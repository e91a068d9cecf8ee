//! The import order of the rooms: each may use those below it, never those above. A newcomer can
//! trust the picture in `lib.rs` because this test fails when it is wrong.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod examples;
mod functions;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use functions::Function;

/// From the top of the house to its foundation. Rooms on one floor do not use one another,
/// except on the last, which is the ground they all share.
const FLOORS: &[&[&str]] = &[
    &["test_util", "config", "conformance", "manual"],
    &["axum_support"],
    &["confine"],
    &["middleware"],
    &["rejection"],
    &["authorization", "metadata", "danger"],
    &["authentication"],
    &["keys"],
    &["smart"],
    &["explanation", "seal"],
    &["fhir", "jose", "error"],
    &[
        "background_task",
        "display_safe",
        "hot_swap",
        "secure_url",
        "span",
        "telemetry",
        "watched_file",
    ],
    &["time"],
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src")
}

/// The room a file belongs to: the first part of its path below `src`.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix(source_folder()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file, without its unit tests and comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The rooms that a file names as `crate::room`.
fn used_by(file: &Path) -> BTreeSet<String> {
    let code = code(file);
    let names = code.split("crate::").skip(1).map(|rest| {
        rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>()
    });
    names.filter(|name| !name.is_empty()).collect()
}

fn floor(room: &str) -> usize {
    let found = FLOORS.iter().position(|floor| floor.contains(&room));
    found.unwrap_or_else(|| panic!("`{room}` has no place in the house: give it one here"))
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let mut seen = 0;
    for file in sources(&source_folder()) {
        let from = room(&file);
        // `lib` may use everything.
        if from == "lib" {
            continue;
        }
        for to in used_by(&file) {
            seen += 1;
            let below = floor(&from) < floor(&to);
            assert!(from == to || below, "{} uses `{to}`", file.display());
        }
    }
    assert!(seen > 80, "only {seen} imports were found: is the search broken?");
}

/// Files that import each other, directly or round about, can only be understood all at once.
#[test]
fn no_file_imports_one_that_imports_it() {
    let imports = imports::imports(&source_folder());
    let all: usize = imports.values().map(BTreeSet::len).sum();
    assert!(all > 500, "only {all} imports were found: is the search broken?");
    let knows = |file: &str, other: &str| imports[file].contains(other);
    assert!(knows("middleware::builder", "fhir::base_url"), "a re-export is not followed");
    assert!(knows("keys::refresher", "keys::schedule"), "`super` is not followed");
    let circles: BTreeSet<Vec<&str>> = imports.keys().map(|file| circle(&imports, file)).collect();
    let circles: Vec<_> = circles.iter().filter(|files| files.len() > 1).collect();
    let among = |files: &[&str]| {
        let edges = files.iter().map(|file| {
            let imported = imports[*file].iter().filter(|other| files.contains(&other.as_str()));
            format!("{file} imports {:?}", Vec::from_iter(imported))
        });
        edges.collect::<Vec<_>>()
    };
    let circles: Vec<_> = circles.into_iter().map(|files| among(files)).collect();
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The files that a file reaches and that reach it, itself among them.
fn circle<'i>(imports: &'i BTreeMap<String, BTreeSet<String>>, file: &'i str) -> Vec<&'i str> {
    let reached = |from: &'i str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            let new = imports[file].iter().map(String::as_str).filter(|other| seen.insert(*other));
            next.extend(new);
        }
        seen
    };
    let others = reached(file).into_iter().filter(|other| reached(other).contains(file));
    BTreeSet::from_iter(others.chain([file])).into_iter().collect()
}

#[test]
fn no_function_is_longer_than_60_lines() {
    let mut count = 0;
    let is_code = |file: &PathBuf| !file.ends_with("tests.rs") && !file.ends_with("conformance.rs");
    for file in sources(&source_folder()).into_iter().filter(is_code) {
        for Function { name, lines } in functions::of(&file) {
            count += 1;
            assert!(lines <= 60, "{}: `{name}` has {lines} lines", file.display());
        }
    }
    assert!(count > 1200, "only {count} functions were found: is the search broken?");
}

#[test]
fn each_dependency_that_may_change_is_named_in_one_file() {
    let allowed: &[(&str, &[&str])] = &[
        ("arc_swap", &["hot_swap.rs"]),
        (
            "aws_lc_rs",
            &[
                "jose/digest.rs",
                "jose/private_key.rs",
                "jose/signature.rs",
                "jose/thumbprint.rs",
                "seal.rs",
                "test_util/signing.rs",
            ],
        ),
        ("base64", &["jose/base64url.rs", "test_util/signing.rs"]),
        (
            "quick_cache",
            &[
                "authentication/cache.rs",
                "authentication/introspection/answer_cache.rs",
                "authentication/dpop/known_keys.rs",
            ],
        ),
        ("reqwest", &["keys/https.rs", "keys/public_address.rs"]),
        ("metrics", &["telemetry/meter.rs"]),
        ("jsonwebtoken", &["jose/jwk_set.rs"]),
        ("axum_core", &["axum_support/claims.rs", "axum_support/mod.rs", "axum_support/serve.rs"]),
        ("toml", &["config/mod.rs", "config/reader.rs"]),
    ];
    for (dependency, files) in allowed {
        let mut users = BTreeSet::new();
        for file in sources(&source_folder()) {
            if code(&file).contains(&format!("{dependency}::")) {
                let inside = file.strip_prefix(source_folder()).unwrap().to_owned();
                users.insert(inside.to_string_lossy().replace('\\', "/"));
            }
        }
        let expected = files.iter().map(|file| (*file).to_owned()).collect();
        assert_eq!(users, expected, "files that name `{dependency}`");
    }
}

/// Dev-dependencies are built for every example: whoever runs the first one waits for all of them.
#[test]
fn the_root_has_dev_dependencies_for_its_examples_and_its_documentation_alone() {
    let root = source_folder().join("..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, section) = manifest.split_once("[dev-dependencies]\n").unwrap();
    let section = section.split("\n\n").next().unwrap();
    let names = section.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = names.filter_map(|line| Some(line.split_once(" = ")?.0)).collect();
    assert!(names.len() > 4, "only {names:?} were found: is the search broken?");

    let examples = sources(&root.join("examples"));
    let of_their_own = ["examples/fhir_server", "examples/observed", "examples/tonic"]
        .map(|folder| root.join(folder));
    let is_of_the_root = |file: &&PathBuf| !of_their_own.iter().any(|own| file.starts_with(own));
    let examples = examples.iter().filter(is_of_the_root);
    let documented = sources(&source_folder());
    let text = |file: &PathBuf| fs::read_to_string(file).unwrap();
    let code: String = examples.map(|file| code(file)).chain(documented.iter().map(text)).collect();
    // Chosen for what it leaves out of a build, and named nowhere.
    for name in names.into_iter().filter(|name| *name != "idna_adapter") {
        let path = format!("{}::", name.replace('-', "_"));
        assert!(
            code.contains(&path),
            "no example of the root uses `{name}`, nor its documentation"
        );
    }
}

/// A number in the name of a test leads to its clause, and no clause is without its test.
#[test]
fn requirements_of_tests_and_of_the_table_are_the_same() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite");
    let tables = ["requirements/mod.rs", "introspection/mod.rs"]
        .map(|table| fs::read_to_string(suite.join(table)).unwrap());
    let rows = tables.iter().flat_map(|table| table.lines());
    let rows = rows.filter_map(|line| line.strip_prefix("//! | ")?.split(' ').next());
    let is_number = |name: &&str| {
        let digits = name.strip_prefix(|first: char| first.is_ascii_alphabetic());
        digits.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit()))
    };
    let rows: BTreeSet<String> = rows.filter(is_number).map(str::to_lowercase).collect();
    assert!(rows.len() > 40, "only {rows:?} were found: is the search broken?");

    let mut tests = BTreeSet::new();
    for file in sources(&suite) {
        let text = fs::read_to_string(&file).unwrap();
        let names = text.split("fn ").skip(1).filter_map(|rest| rest.split('_').next());
        tests.extend(names.filter(is_number).map(str::to_owned));
    }
    assert_eq!(tests, rows);
}

#[test]
fn files_have_one_subject_and_at_most_450_lines_of_code() {
    for file in sources(&source_folder()) {
        let lines = fs::read_to_string(&file).unwrap();
        let lines = lines.split("#[cfg(test)]\nmod tests").next().unwrap().lines().count();
        assert!(lines <= 450, "{} has {lines} lines", file.display());
    }
}

/// An index of documentation shows the first lines alone, and a reader of the tree those of files: each says by
/// itself what it is about.
#[test]
fn no_summary_opens_with_a_question_word_or_a_reference_back() {
    const OPENINGS: [&str; 12] = [
        "What", "Whatever", "Whether", "How", "Where", "Why", "Which", "Who", "Whoever", "Whom",
        "Whose", "The same",
    ];
    let (mut summaries, mut riddles) = (0, Vec::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = ["src", "fhir-auth/src", "benches", "examples", "tests"];
    let ours = folders.iter().flat_map(|folder| sources(&root.join(folder)));
    let documented = ["src", "fhir-auth/src", "examples"].map(|folder| root.join(folder));
    let of_others = |file: &PathBuf| file.components().any(|part| part.as_os_str() == "target");
    for file in ours.filter(|file| !of_others(file)) {
        let text = fs::read_to_string(&file).unwrap();
        let is_documented = documented.iter().any(|folder| file.starts_with(folder));
        let mut before = "";
        for (number, line) in text.lines().map(str::trim).enumerate() {
            let of_item = line.strip_prefix("/// ").filter(|_| is_documented);
            let of_item = of_item.filter(|_| !before.starts_with("///"));
            let of_file = line.strip_prefix("//! ").filter(|_| number == 0);
            before = line;
            let Some(summary) = of_item.or(of_file) else { continue };
            summaries += 1;
            let opens = |word: &&str| {
                let rest = summary.strip_prefix(*word);
                rest.is_some_and(|rest| rest.starts_with([' ', ',', '.']))
            };
            if OPENINGS.iter().any(opens) {
                riddles.push(format!("{}:{}: {summary}", file.display(), number + 1));
            }
        }
    }
    assert!(riddles.is_empty(), "{riddles:#?}");
    assert!(summaries > 1000, "only {summaries} summaries were found: is the search broken?");
}

/// A reader copies before they read. Methods may share the example of their type.
#[test]
fn each_public_type_trait_and_function_has_an_example_that_compiles() {
    let (mut lacking, mut items) = (Vec::new(), 0);
    for file in sources(&source_folder()) {
        let (here, count) = examples::lacking(&file);
        lacking.extend(here);
        items += count;
    }
    assert!(items > 180, "only {items} public items were found: is the search broken?");
    assert!(lacking.is_empty(), "without an example:\n{}", lacking.join("\n"));
}

/// Wider ones have a scroll bar, which hides the end of a line or of a picture.
#[test]
fn examples_and_pictures_fit_the_column_of_the_documentation() {
    let mut files = sources(&source_folder());
    let manual = fs::read_dir(source_folder().join("manual")).unwrap();
    files.extend(manual.map(|page| page.unwrap().path()).filter(|page| page.is_file()));
    let wide: Vec<String> = files.iter().flat_map(|file| examples::too_wide(file)).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

/// Whoever reads the index of the crate sees the paved path; the rest is in modules.
#[test]
fn at_most_35_names_are_at_the_root_of_the_crate_beside_its_modules() {
    let root = code(&source_folder().join("lib.rs"));
    let exports: Vec<&str> = root.split("pub use ").skip(1).collect();
    let names = exports.iter().flat_map(|export| {
        let (path, _) = export.split_once(';').unwrap();
        let names = path.rsplit("::").next().unwrap();
        names.trim_matches(['{', '}']).split(',').map(str::trim).filter(|name| !name.is_empty())
    });
    let names: BTreeSet<&str> = names.collect();
    assert!(names.contains("FhirAuthLayer") && names.contains("BuildError"), "{names:?}");
    assert!(names.len() <= 35, "{} names: {names:?}", names.len());
    assert!(!root.contains("*;"), "a glob hides what it exports");
}
