//! Strict JSON (RFC 8259) that borrows from its input.
//!
//! Beyond a general reader: a duplicate member in an object is rejected at any depth (RFC 7515
//! section 4, RFC 7519 section 4), and so is nesting deeper than [`MAX_DEPTH`]. Numbers are read as
//! `f64`, which holds every `NumericDate`.
//!
//! ```text
//! {"sub":"amal","aud":["a","b"]}   ── reader ──►   object  "sub"  "amal"  "aud"  array  "a"  "b"
//! ```
//!
//! A document becomes one row of nodes in one allocation, names and values in document order, and
//! look-ups search that row. Every token that was not seen before goes through here, so nothing is
//! allocated for a single value, and no string is copied.
//!
//! # Why not `serde_json`
//!
//! It did this before, and is what the tests compare this reader with. But a `Visitor` cannot reject
//! a duplicate member with an error of its own, so the reason had to be read out of the message; and
//! `arbitrary_precision`, which crates for FHIR turn on for the whole build, makes every number an
//! object to a visitor. And it is the largest part of what a token costs beside its signature: a tree
//! of values took 10,000 of the 45,000 instructions of a first sight beside its signature.

mod members;
mod nodes;
mod reader;

use self::members::Members;
use self::nodes::Nodes;
pub(crate) use self::nodes::{Json, Row};
use crate::span::Span;

/// The deepest nesting of objects and arrays.
pub(crate) const MAX_DEPTH: u8 = 32;

/// A JSON object that is a whole document.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    nodes: Nodes<'a>,
    members: Members,
}

/// The reason why a document was rejected. It tells the position, never the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    #[error("has a duplicate member in an object")]
    Duplicate,
    #[error("has too many members and values")]
    TooMany,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("is not a JSON object")]
    NotAnObject,
}

/// A member is present, but is not a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAString;

/// Removes the byte order mark that some servers put before a document (RFC 8259 section 8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// Reads bytes as UTF-8.
pub(crate) fn string(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.valid_up_to() + 1))
}

impl<'a> Document<'a> {
    /// Reads a whole document, which must be one JSON object without a byte order mark.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        reader::read(text)
    }

    /// Returns the value of a member, `null` included.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Json<'_>> {
        self.nodes.value(self.index_of_name(name)? + 1)
    }

    /// Reports whether a member is present, whatever its value.
    #[inline]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.index_of_name(name).is_some()
    }

    /// Returns the names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.members().names()
    }

    /// Returns the string value of a member: `None` when it is absent, `Err` when it is not a
    /// string.
    pub(crate) fn string(&self, name: &str) -> Result<Option<&str>, NotAString> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(NotAString),
        }
    }

    /// Returns the span of `part` in the source text followed by the [unescape
    /// buffer](Self::sources).
    pub(crate) fn span_of(&self, part: &str) -> Option<Span> {
        self.nodes.span_of(part)
    }

    /// Returns the string at a span of [`span_of`](Self::span_of).
    #[inline]
    pub(crate) fn string_at(&self, span: Span) -> &str {
        self.nodes.string_at(span)
    }

    /// Returns the source text, and the buffer of unescaped strings.
    pub(crate) fn sources(&self) -> (&str, &str) {
        self.nodes.sources()
    }

    #[inline]
    fn index_of_name(&self, name: &str) -> Option<usize> {
        self.nodes.name_in_bucket(name.as_bytes(), self.members.newest_beside(name)?)
    }
}

#[cfg(test)]
mod tests;
