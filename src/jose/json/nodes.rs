//! The names and values of a document in one row, and the look-ups in it.

use std::num::NonZeroU16;

use crate::span::Span;

/// A name or a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    /// A span of the source text or, past its end, of the unescape buffer.
    String(Span),
    /// A member's name, whose value follows, and the index of the previous name of the same bucket
    /// (see [`members`](super::members)).
    Name {
        name: Span,
        before: Option<NonZeroU16>,
    },
    /// An array, whose items follow up to this index.
    Array(usize),
    /// An object, whose members follow up to this index, a name and a value each.
    Object(usize),
}

/// One JSON value of a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Json<'d> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'d str),
    Array(Row<'d>),
    Object(Row<'d>),
}

/// The items of an array, or the members of an object: each name, and its value after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'d> {
    nodes: &'d Nodes<'d>,
    at: usize,
    end: usize,
}

/// All names and values of a document.
#[derive(Clone, Debug)]
pub(super) struct Nodes<'a> {
    /// The source text.
    pub(super) text: &'a str,
    /// The strings that contain escapes, unescaped, one after the other.
    pub(super) unescaped: String,
    pub(super) row: Vec<Node>,
}

impl Nodes<'_> {
    /// Returns the members of the document's own object.
    pub(super) fn members(&self) -> Row<'_> {
        Row { nodes: self, at: 1, end: self.row.len() }
    }

    /// Returns the span of `part` in the source text followed by the [unescape
    /// buffer](Self::sources).
    pub(super) fn span_of(&self, part: &str) -> Option<Span> {
        let beyond = || Span::of(part, &self.unescaped)?.later_by(self.text.len());
        Span::of(part, self.text).or_else(beyond)
    }

    /// Returns the string at a span of [`span_of`](Self::span_of).
    #[inline]
    pub(super) fn string_at(&self, span: Span) -> &str {
        match span.within(self.text) {
            Some(string) => string,
            None => self.unescaped_at(span),
        }
    }

    #[inline]
    pub(super) fn bytes_at(&self, span: Span) -> &[u8] {
        match span.within_bytes(self.text.as_bytes()) {
            Some(bytes) => bytes,
            None => self.unescaped_at(span).as_bytes(),
        }
    }

    #[cold]
    fn unescaped_at(&self, span: Span) -> &str {
        let span = span.earlier_by(self.text.len());
        span.and_then(|span| span.within(&self.unescaped)).unwrap_or_default()
    }

    /// Returns the source text, and the buffer of unescaped strings.
    pub(super) fn sources(&self) -> (&str, &str) {
        (self.text, &self.unescaped)
    }

    /// Returns the index of a name, if it is in the bucket whose newest name is given.
    pub(super) fn name_in_bucket(&self, name: &[u8], newest: NonZeroU16) -> Option<usize> {
        let mut next = Some(newest);
        while let Some(index) = next {
            let index = usize::from(index.get());
            let Some(Node::Name { name: other, before }) = self.row.get(index) else {
                return None;
            };
            if self.bytes_at(*other) == name {
                return Some(index);
            }
            next = *before;
        }
        None
    }

    /// Returns the index after a value, past all that is nested in it.
    fn index_after(&self, index: usize) -> usize {
        match self.row.get(index) {
            Some(Node::Array(end) | Node::Object(end)) => *end,
            Some(_) => index + 1,
            None => self.row.len(),
        }
    }

    pub(super) fn value(&self, index: usize) -> Option<Json<'_>> {
        let row = |end: usize| Row { nodes: self, at: index + 1, end };
        Some(match *self.row.get(index)? {
            Node::Null => Json::Null,
            Node::Bool(is) => Json::Bool(is),
            Node::Number(number) => Json::Number(number),
            Node::String(span) | Node::Name { name: span, .. } => {
                Json::String(self.string_at(span))
            }
            Node::Array(end) => Json::Array(row(end)),
            Node::Object(end) => Json::Object(row(end)),
        })
    }
}

impl<'d> Json<'d> {
    /// Returns the string, if the value is one.
    pub(crate) fn as_str(&self) -> Option<&'d str> {
        if let Self::String(string) = self { Some(string) } else { None }
    }

    /// Returns the number, if the value is one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// Returns the items, if the value is an array.
    pub(crate) fn as_array(&self) -> Option<Row<'d>> {
        if let Self::Array(items) = self { Some(*items) } else { None }
    }

    /// Returns the members, if the value is an object.
    pub(crate) fn as_object(&self) -> Option<Row<'d>> {
        if let Self::Object(members) = self { Some(*members) } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'d> Row<'d> {
    /// Returns the next string; other values are skipped.
    pub(crate) fn next_str(&mut self) -> Option<&'d str> {
        while self.at < self.end {
            let index = self.at;
            self.at = self.nodes.index_after(index);
            if let Some(Node::String(span)) = self.nodes.row.get(index) {
                return Some(self.nodes.string_at(*span));
            }
        }
        None
    }

    /// Returns the names of the members, if this is an object's row.
    pub(super) fn names(self) -> impl Iterator<Item = &'d str> {
        self.step_by(2).filter_map(|name| name.as_str())
    }

    /// Returns the value of a member, if this is an object's row.
    pub(crate) fn member(mut self, name: &str) -> Option<Json<'d>> {
        while let Some(found) = self.next() {
            let value = self.next()?;
            if found.as_str() == Some(name) {
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
        let value = self.nodes.value(self.at)?;
        self.at = self.nodes.index_after(self.at);
        Some(value)
    }
}
