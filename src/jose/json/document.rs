//! A document, whose members are found by name.

use super::error::{JsonError, NotAString};
use super::members::Members;
use super::nodes::{Json, Nodes};
use super::reader;
use crate::span::Span;

/// A JSON object that is a whole document.
#[derive(Clone, Debug)]
pub(crate) struct Document<'a> {
    pub(super) nodes: Nodes<'a>,
    members: Members,
}

impl<'a> Document<'a> {
    /// Reads a whole document, which must be one JSON object without a byte order mark.
    pub(crate) fn parse(text: &'a str) -> Result<Self, JsonError> {
        let (nodes, members) = reader::read(text)?;
        Ok(Self { nodes, members })
    }

    /// Returns the value of a member, `null` included.
    #[inline]
    pub(crate) fn get(&self, name: &str) -> Option<Json<'_>> {
        self.nodes.value(self.index_of_name(name)? + 1)
    }

    /// Returns the object that the document is.
    #[cfg(feature = "confine")]
    pub(crate) fn whole(&self) -> Option<Json<'_>> {
        self.nodes.value(0)
    }

    /// Returns the number of its names and values.
    #[cfg(feature = "confine")]
    pub(crate) fn len(&self) -> usize {
        self.nodes.row.len()
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
