//! A reader of tables, key by key, that collects all errors, so that one run reports everything.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "one kind of value is expected, and whatever else comes is told by its kind"
)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::{Table, Value};

use super::error::Problem;

/// A lookup of environment variables by name.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Problems {
    found: RefCell<Vec<Problem>>,
    /// The keys that were asked for, with the tables around them.
    #[cfg(test)]
    pub(super) asked: RefCell<std::collections::BTreeSet<String>>,
}

impl Problems {
    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.found.into_inner()
    }
}

/// A table. Every getter takes its key out; [`finish`](Self::finish) reports the rest.
pub(crate) struct SectionReader<'a> {
    table: Table,
    /// Written before each key of the table: nothing, or `issuers[0].`
    prefix: String,
    directory: &'a Path,
    environment: Environment<'a>,
    problems: &'a Problems,
    known: Vec<&'static str>,
}

impl<'a> SectionReader<'a> {
    pub(crate) fn root(
        table: Table,
        directory: &'a Path,
        environment: Environment<'a>,
        problems: &'a Problems,
    ) -> Self {
        Self { table, prefix: String::new(), directory, environment, problems, known: Vec::new() }
    }

    /// Reports that the value of a key is not what was expected.
    pub(crate) fn reject(&self, key: &str, message: impl Into<String>) {
        let problem = Problem::new(format!("{}{key}", self.prefix), message);
        self.problems.found.borrow_mut().push(problem);
    }

    /// Reports an error as [`reject`](Self::reject) does, and returns `None`.
    pub(crate) fn fail<T>(&self, key: &str, message: impl Into<String>) -> Option<T> {
        self.reject(key, message);
        None
    }

    /// Reports whether a key is present, without taking it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.know(key);
        self.table.remove(key)
    }

    fn know(&mut self, key: &'static str) {
        self.known.push(key);
        #[cfg(test)]
        self.problems.asked.borrow_mut().insert(format!("{}{key}", self.prefix));
    }

    /// Takes a string, with `${NAME}` replaced by environment variables.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => self.expanded(key, &text),
            other => self.fail(key, format!("expected a string, found {}", kind(&other))),
        }
    }

    /// Takes a string that must be present.
    pub(crate) fn required(&mut self, key: &'static str, expected: &str) -> Option<String> {
        if !self.has(key) {
            self.know(key);
            return self.fail(key, format!("is required: expected {expected}"));
        }
        self.string(key)
    }

    /// Takes an array of strings.
    pub(crate) fn strings(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Value::Array(items) = self.take(key)? else {
            return self.fail(key, "expected an array of strings");
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{key}[{index}]");
            let text = match item {
                Value::String(text) => self.expanded(&path, text),
                other => self.fail(&path, format!("expected a string, found {}", kind(other))),
            };
            texts.push(text);
        }
        texts.into_iter().collect()
    }

    /// Takes an array of at least one string, none of them empty.
    pub(crate) fn non_empty_strings(&mut self, key: &'static str) -> Option<Vec<String>> {
        let texts = self.strings(key)?;
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            return self.fail(key, "expected at least one string, and no empty one");
        }
        Some(texts)
    }

    /// Takes a duration such as `"30s"`.
    pub(crate) fn duration(&mut self, key: &'static str) -> Option<Duration> {
        const EXPECTED: &str = "expected a duration such as \"30s\", \"5m\" or \"24h\"";
        match self.take(key)? {
            Value::String(text) => {
                let text = self.expanded(key, &text)?;
                match humantime::parse_duration(&text) {
                    Ok(duration) => Some(duration),
                    Err(_) => self.fail(key, format!("{EXPECTED}, found \"{text}\"")),
                }
            }
            other => self.fail(key, format!("{EXPECTED}, found {}", kind(&other))),
        }
    }

    /// Takes a whole number that is not negative.
    pub(crate) fn count(&mut self, key: &'static str) -> Option<usize> {
        match self.take(key)? {
            Value::Integer(number) => match usize::try_from(number) {
                Ok(number) => Some(number),
                Err(_) => self.fail(key, format!("expected 0 or more, found {number}")),
            },
            other => self.fail(key, format!("expected a whole number, found {}", kind(&other))),
        }
    }

    /// Takes a number of bytes such as `"16MiB"`.
    pub(crate) fn size(&mut self, key: &'static str) -> Option<usize> {
        const EXPECTED: &str = "expected a number of bytes such as \"64KiB\" or \"16MiB\"";
        if self.table.get(key).is_some_and(Value::is_integer) {
            return self.count(key);
        }
        let text = self.string(key)?;
        let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let unit = match text.strip_prefix(digits).map(str::trim_start) {
            Some("B") => Some(1),
            Some("KiB") => Some(1 << 10),
            Some("MiB") => Some(1 << 20),
            Some("GiB") => Some(1 << 30),
            Some(_) | None => None,
        };
        let bytes = digits.parse::<usize>().ok().zip(unit);
        match bytes.and_then(|(number, unit)| number.checked_mul(unit)) {
            Some(bytes) => Some(bytes),
            None => self.fail(key, format!("{EXPECTED}, found \"{text}\"")),
        }
    }

    /// Takes a Boolean.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        match self.take(key)? {
            Value::Boolean(flag) => Some(flag),
            other => self.fail(key, format!("expected true or false, found {}", kind(&other))),
        }
    }

    /// Takes one of several words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.string(key)?;
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Some(*value),
            None => {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                let words = words.join(", ");
                self.fail(key, format!("expected one of {words}; found \"{text}\""))
            }
        }
    }

    /// Takes a path, relative to the file.
    pub(crate) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let text = self.string(key)?;
        Some(self.relative(&text))
    }

    /// Returns a path that is relative to the file.
    pub(crate) fn relative(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Reports whether the value of a key is an array, without taking it.
    pub(crate) fn is_array(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(Value::is_array)
    }

    /// Reports whether the value of a key is this string, without taking it.
    #[cfg(feature = "client")]
    pub(crate) fn is_string(&self, key: &str, text: &str) -> bool {
        self.table.get(key).and_then(Value::as_str) == Some(text)
    }

    /// Takes a table inside this one.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Self> {
        match self.take(key)? {
            Value::Table(table) => Some(self.inside(key, table)),
            other => self.fail(key, format!("expected a table, found {}", kind(&other))),
        }
    }

    /// Takes an array of tables.
    pub(crate) fn tables(&mut self, key: &'static str) -> Option<Vec<Self>> {
        let Value::Array(items) = self.take(key)? else {
            return self.fail(key, format!("expected tables, each headed [[{key}]]"));
        };
        let mut readers = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("{key}[{index}]");
            match item {
                Value::Table(table) => readers.push(self.inside(&path, table)),
                other => self.fail(&path, format!("expected a table, found {}", kind(&other)))?,
            }
        }
        Some(readers)
    }

    /// Takes all that is left of this table, whatever its keys.
    pub(crate) fn rest(&mut self) -> Table {
        let table = std::mem::take(&mut self.table);
        let expanded = table
            .into_iter()
            .filter_map(|(key, value)| Some((key.clone(), self.all_expanded(&key, value)?)));
        expanded.collect()
    }

    /// Takes all that is left of this table, as JSON.
    pub(crate) fn json(&mut self) -> serde_json::Map<String, serde_json::Value> {
        let each = self.rest().into_iter().filter_map(|(key, value)| {
            if !is_json(&value) {
                return self.fail(
                    &key,
                    "expected a value that JSON can express: no date, infinity or NaN",
                );
            }
            serde_json::to_value(value).ok().map(|json| (key, json))
        });
        each.collect()
    }

    /// Returns a value with environment variables replaced in all its strings.
    fn all_expanded(&self, key: &str, value: Value) -> Option<Value> {
        Some(match value {
            Value::String(text) => Value::String(self.expanded(key, &text)?),
            Value::Array(items) => {
                let items = items.into_iter().map(|item| self.all_expanded(key, item));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Value::Table(table) => {
                let table = table
                    .into_iter()
                    .map(|(name, value)| Some((name, self.all_expanded(key, value)?)));
                Value::Table(table.collect::<Option<_>>()?)
            }
            other => other,
        })
    }

    /// Reports every key that was not taken, naming the nearest known one.
    pub(crate) fn finish(self) {
        for key in self.table.keys() {
            let nearest = nearest(key, self.known.iter().copied());
            let hint = nearest.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
            self.reject(key, format!("unknown key{hint}"));
        }
    }

    fn inside(&self, key: &str, table: Table) -> Self {
        SectionReader {
            table,
            prefix: format!("{}{key}.", self.prefix),
            directory: self.directory,
            environment: self.environment,
            problems: self.problems,
            known: Vec::new(),
        }
    }

    fn expanded(&self, key: &str, text: &str) -> Option<String> {
        let mut expanded = Some(String::with_capacity(text.len()));
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else {
                return self.fail(key, "expected `}` after `${`");
            };
            let value = (self.environment)(name).or_else(|| {
                self.fail(key, format!("expected the environment variable `{name}` to be set"))
            });
            expanded = expanded.zip(value).map(|(expanded, value)| expanded + before + &value);
            rest = after;
        }
        expanded.map(|expanded| expanded + rest)
    }
}

/// Returns the known name that is most like another one.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|known| strsim::damerau_levenshtein(known, name))
}

/// Reports whether JSON can express a value.
fn is_json(value: &Value) -> bool {
    match value {
        Value::Datetime(_) => false,
        Value::Float(number) => number.is_finite(),
        Value::Array(items) => items.iter().all(is_json),
        Value::Table(table) => table.values().all(is_json),
        Value::String(_) | Value::Integer(_) | Value::Boolean(_) => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "an array",
        Value::Table(_) => "a table",
    }
}
