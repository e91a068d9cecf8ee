//! Examples in the documentation: each public type, trait and free function has its own.

use std::fs;
use std::path::Path;

/// The openings of blocks that are compiled, and with the exception of the second run.
const COMPILED: [&str; 3] = ["```", "```no_run", "```compile_fail"];

/// A public item, and its documentation line by line.
struct Item {
    name: String,
    line: usize,
    docs: Vec<String>,
    is_for_fuzzing: bool,
}

impl Item {
    fn has_example(&self) -> bool {
        let fences = self.docs.iter().filter(|line| line.starts_with("```"));
        fences.step_by(2).any(|opening| COMPILED.contains(&&**opening))
    }
}

/// Returns the name that a line declares in public. Types may stand in a macro, and so be indented; a function
/// that is indented is a method, whose example may be that of its type.
fn declared(line: &str) -> Option<&str> {
    let is_indented = line.starts_with(' ');
    let rest = line.trim_start().strip_prefix("pub ")?;
    let types = ["struct ", "enum ", "trait "];
    let functions = ["fn ", "const fn ", "async fn "];
    let rest = types
        .iter()
        .chain(functions.iter().filter(|_| !is_indented))
        .find_map(|kind| rest.strip_prefix(*kind))?;
    rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
}

fn items(text: &str) -> Vec<Item> {
    let (mut items, mut docs, mut is_for_fuzzing) = (Vec::new(), Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        if let Some(doc) = trimmed.strip_prefix("///") {
            docs.push(doc.trim_start().to_owned());
        } else if let Some(name) = declared(line) {
            let docs = std::mem::take(&mut docs);
            items.push(Item { name: name.to_owned(), line: number + 1, docs, is_for_fuzzing });
            is_for_fuzzing = false;
        } else if trimmed.is_empty() || trimmed.ends_with(['{', '}', ';']) {
            // Something else, whose documentation it was.
            docs.clear();
            is_for_fuzzing = false;
        } else if trimmed == "#[cfg(fuzzing)]" {
            is_for_fuzzing = true;
        }
    }
    items
}

/// Returns the public items of a file that have no example, and how many it has in all.
pub(crate) fn lacking(file: &Path) -> (Vec<String>, usize) {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let items = items(text);
    let shown = |item: &Item| format!("{}:{}: `{}`", file.display(), item.line, item.name);
    let lacking = items.iter().filter(|item| !item.has_example() && !item.is_for_fuzzing);
    (lacking.map(shown).collect(), items.len())
}

/// The most characters of a line of code that rustdoc's column shows without a scroll bar.
const COLUMN: usize = 95;

/// Returns the lines of examples and pictures that are wider than rustdoc's column: those of a page of the manual, or
/// of the documentation of items.
pub(crate) fn too_wide(file: &Path) -> Vec<String> {
    let is_page = file.extension().is_some_and(|extension| extension == "md");
    let is_root = file.ends_with("lib.rs");
    let (mut wide, mut language) = (Vec::new(), None);
    for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
        let rest = line.trim_start();
        let root = rest.strip_prefix("//! ").filter(|_| is_root);
        let page = Some(line).filter(|_| is_page);
        let Some(shown) = page.or(root).or_else(|| rest.strip_prefix("/// ")) else { continue };
        if let Some(fence) = shown.strip_prefix("```") {
            language = if language.is_some() { None } else { Some(fence.to_owned()) };
        } else if matches!(language.as_deref(), Some("" | "no_run" | "text"))
            && !shown.starts_with("# ")
            && shown.chars().count() > COLUMN
        {
            wide.push(format!("{}:{}", file.display(), number + 1));
        }
    }
    wide
}
