//! Strict JSON (RFC 8259) that borrows from its input.
//!
//! What tokens need and a general reader does not give: a member that stands twice in one object
//! is refused at any depth (RFC 7515 section 4, RFC 7519 section 4), and so is nesting deeper than
//! [`MAX_DEPTH`]. Numbers are read as `f64`, which holds every `NumericDate`.
//!
//! ```text
//! {"sub":"amal","aud":["a","b"]}   ── reader ──►   object  "sub"  "amal"  "aud"  array  "a"  "b"
//! ```
//!
//! A text becomes one row of nodes in one piece of memory, names and values in the order in
//! which they stand, and what is asked for is looked at there. Every token that was not seen before
//! goes through here, so nothing is allocated for a value by itself, and no text is copied.

mod members;
mod nodes;
mod reader;

use self::members::Members;
use self::nodes::Nodes;
pub(crate) use self::nodes::{Json, Row};
use crate::span::Span;

/// How deep objects and arrays may stand in one another.
pub(crate) const MAX_DEPTH: u8 = 32;

/// A JSON object that is a whole text.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    nodes: Nodes<'a>,
    members: Members,
}

/// Why a text was refused as JSON. Says where, never what stood there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    #[error("has a member twice in one object")]
    Duplicate,
    #[error("has too many names and values")]
    TooMany,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("is not a JSON object")]
    NotAnObject,
}

/// A member is there, but it is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

/// A document without the byte order mark that some servers put before it (RFC 8259 section 8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// A text in UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.valid_up_to() + 1))
}

impl<'a> Document<'a> {
    /// Reads a whole text that must be one JSON object, without a byte order mark.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        reader::read(text)
    }

    /// The value of a member, `null` included.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Json<'_>> {
        let place = self.place_of_name(name)?;
        self.nodes.value(place + 1)
    }

    /// Whether a member stands here, whatever its value.
    #[inline]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.place_of_name(name).is_some()
    }

    /// The names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.members().names()
    }

    /// The text of a member: `None` when it is absent, `Err` when it is anything but text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(NotText),
        }
    }

    /// Where a text of the document stands, or a part of it: in what it was read from with what
    /// was [unescaped](Self::sources) behind it.
    pub(crate) fn span_of(&self, part: &str) -> Option<Span> {
        self.nodes.span_of(part)
    }

    /// What stands there.
    #[inline]
    pub(crate) fn text_at(&self, span: Span) -> &str {
        self.nodes.text_at(span)
    }

    /// What it was read from, and the texts of it that have escapes, without these.
    pub(crate) fn sources(&self) -> (&str, &str) {
        self.nodes.sources()
    }

    #[inline]
    fn place_of_name(&self, name: &str) -> Option<usize> {
        self.nodes.name_in_chain(name.as_bytes(), self.members.chain_of(name)?)
    }
}

#[cfg(test)]
mod tests;
