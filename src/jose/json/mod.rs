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
//! A text becomes one row of [`Node`]s in one piece of memory, names and values in the order in
//! which they stand, and what is asked for is looked at there. Every token that was not seen before
//! goes through here, so nothing is allocated for a value by itself, and no text is copied.

mod members;
mod reader;

use std::num::NonZeroU16;

use self::members::Members;
use crate::span::Span;
use crate::text::are_same;

/// How deep objects and arrays may stand in one another.
pub(crate) const MAX_DEPTH: u8 = 32;

/// A JSON object that is a whole text.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    text: &'a str,
    /// Texts that have escapes in them, without these, one after the other.
    unescaped: String,
    nodes: Vec<Node>,
    members: Members,
}

/// A name or a value.
#[derive(Clone, Copy, Debug)]
enum Node {
    Null,
    Bool(bool),
    Number(f64),
    /// Where it stands in the document's text, or, counted on from its end, in what was unescaped.
    Text(Span),
    /// The name of a member, whose value follows, and the place of another one of the same hash.
    Name {
        name: Span,
        before: Option<NonZeroU16>,
    },
    /// The items follow, up to this place.
    Array(usize),
    /// The members follow up to this place, a name and a value each.
    Object(usize),
}

/// One JSON value of a document.
#[derive(Clone, Debug)]
pub(crate) enum Json<'d> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'d str),
    Array(Row<'d>),
    Object(Row<'d>),
}

/// What stands in an array, or the members of an object that stands in another.
#[derive(Clone, Debug)]
pub(crate) struct Row<'d> {
    document: &'d Document<'d>,
    at: usize,
    end: usize,
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
    std::str::from_utf8(bytes).map_err(|error| not_utf_8(&error))
}

pub(crate) fn not_utf_8(error: &std::str::Utf8Error) -> JsonError {
    JsonError::Syntax(error.valid_up_to() + 1)
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
        self.value(place + 1)
    }

    /// Whether a member stands here, whatever its value.
    #[inline]
    pub(crate) fn has(&self, name: &str) -> bool {
        self.place_of_name(name).is_some()
    }

    /// The names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        Row { document: self, at: 1, end: self.nodes.len() }.names()
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
    /// was [unescaped](Self::texts) behind it.
    pub(crate) fn span_of(&self, part: &str) -> Option<Span> {
        let beyond = || Span::of(part, &self.unescaped)?.later_by(self.text.len());
        Span::of(part, self.text).or_else(beyond)
    }

    /// What stands there.
    #[inline]
    pub(crate) fn text_at(&self, span: Span) -> &str {
        match span.within(self.text) {
            Some(text) => text,
            None => self.unescaped_at(span),
        }
    }

    #[inline]
    fn bytes_at(&self, span: Span) -> &[u8] {
        match span.within_bytes(self.text.as_bytes()) {
            Some(text) => text,
            None => self.unescaped_at(span).as_bytes(),
        }
    }

    #[cold]
    fn unescaped_at(&self, span: Span) -> &str {
        let place = span.earlier_by(self.text.len());
        place.and_then(|place| place.within(&self.unescaped)).unwrap_or_default()
    }

    /// What it was read from, and the texts of it that have escapes, without these.
    pub(crate) fn texts(&self) -> (&str, &str) {
        (self.text, &self.unescaped)
    }

    #[inline]
    fn place_of_name(&self, name: &str) -> Option<usize> {
        self.name_in_chain(name.as_bytes(), self.members.chain_of(name)?)
    }

    /// Where a name stands, if it is in the chain that ends at a place.
    fn name_in_chain(&self, name: &[u8], last: NonZeroU16) -> Option<usize> {
        let mut last = Some(last);
        while let Some(place) = last {
            let place = usize::from(place.get());
            let Some(Node::Name { name: other, before }) = self.nodes.get(place) else {
                return None;
            };
            if other.len() == name.len() && are_same(self.bytes_at(*other), name) {
                return Some(place);
            }
            last = *before;
        }
        None
    }

    /// Where the next value stands, which is not in the one that stands here.
    fn place_behind(&self, place: usize) -> usize {
        match self.nodes.get(place) {
            Some(Node::Array(end) | Node::Object(end)) => *end,
            Some(Node::Null | Node::Bool(_) | Node::Number(_)) => place + 1,
            Some(Node::Text(_) | Node::Name { .. }) => place + 1,
            None => self.nodes.len(),
        }
    }

    fn value(&self, place: usize) -> Option<Json<'_>> {
        let row = |end: usize| Row { document: self, at: place + 1, end };
        Some(match *self.nodes.get(place)? {
            Node::Null => Json::Null,
            Node::Bool(is) => Json::Bool(is),
            Node::Number(number) => Json::Number(number),
            Node::Text(span) | Node::Name { name: span, .. } => Json::String(self.text_at(span)),
            Node::Array(end) => Json::Array(row(end)),
            Node::Object(end) => Json::Object(row(end)),
        })
    }
}

impl<'d> Json<'d> {
    /// The text, if this is text.
    pub(crate) fn into_text(self) -> Option<&'d str> {
        match self {
            Self::String(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Array(_) | Self::Object(_) => None,
        }
    }
}

impl<'d> Row<'d> {
    /// The next text; what is none is left out.
    pub(crate) fn next_text(&mut self) -> Option<&'d str> {
        while self.at < self.end {
            let place = self.at;
            self.at = self.document.place_behind(place);
            if let Some(Node::Text(span)) = self.document.nodes.get(place) {
                return Some(self.document.text_at(*span));
            }
        }
        None
    }

    /// The names of the members, if this is an object's.
    fn names(self) -> impl Iterator<Item = &'d str> {
        self.step_by(2).filter_map(Json::into_text)
    }

    /// The value of a member, if this is an object's.
    pub(crate) fn member(mut self, name: &str) -> Option<Json<'d>> {
        while let Some(found) = self.next() {
            let value = self.next()?;
            if found.into_text() == Some(name) {
                return Some(value);
            }
        }
        None
    }
}

impl<'d> Iterator for Row<'d> {
    type Item = Json<'d>;

    fn next(&mut self) -> Option<Json<'d>> {
        if self.at >= self.end {
            return None;
        }
        let value = self.document.value(self.at)?;
        self.at = self.document.place_behind(self.at);
        Some(value)
    }
}

#[cfg(test)]
mod tests;
