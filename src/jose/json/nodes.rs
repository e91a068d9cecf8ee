//! The names and values of a document, one row of them, and how one finds the way through it.

use std::num::NonZeroU16;

use crate::span::Span;
use crate::text::are_same;

/// A name or a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
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
#[derive(Clone, Copy, Debug)]
pub(crate) enum Json<'d> {
    Null,
    Bool(bool),
    Number(f64),
    String(&'d str),
    Array(Row<'d>),
    Object(Row<'d>),
}

/// What stands in an array, or the members of an object that stands in another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'d> {
    nodes: &'d Nodes<'d>,
    at: usize,
    end: usize,
}

/// All names and values of a text.
#[derive(Clone, Debug)]
pub(super) struct Nodes<'a> {
    pub(super) text: &'a str,
    /// Texts that have escapes in them, without these, one after the other.
    pub(super) unescaped: String,
    pub(super) row: Vec<Node>,
}

impl Nodes<'_> {
    /// The members of the object that the whole text is.
    pub(super) fn members(&self) -> Row<'_> {
        Row { nodes: self, at: 1, end: self.row.len() }
    }

    /// Where a text of the document stands, or a part of it: in what it was read from with what
    /// was [unescaped](Self::sources) behind it.
    pub(super) fn span_of(&self, part: &str) -> Option<Span> {
        let beyond = || Span::of(part, &self.unescaped)?.later_by(self.text.len());
        Span::of(part, self.text).or_else(beyond)
    }

    /// What stands there.
    #[inline]
    pub(super) fn text_at(&self, span: Span) -> &str {
        match span.within(self.text) {
            Some(text) => text,
            None => self.unescaped_at(span),
        }
    }

    #[inline]
    pub(super) fn bytes_at(&self, span: Span) -> &[u8] {
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
    pub(super) fn sources(&self) -> (&str, &str) {
        (self.text, &self.unescaped)
    }

    /// Where a name stands, if it is in the chain that ends at a place.
    pub(super) fn name_in_chain(&self, name: &[u8], last: NonZeroU16) -> Option<usize> {
        let mut last = Some(last);
        while let Some(place) = last {
            let place = usize::from(place.get());
            let Some(Node::Name { name: other, before }) = self.row.get(place) else {
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
        match self.row.get(place) {
            Some(Node::Array(end) | Node::Object(end)) => *end,
            Some(Node::Null | Node::Bool(_) | Node::Number(_)) => place + 1,
            Some(Node::Text(_) | Node::Name { .. }) => place + 1,
            None => self.row.len(),
        }
    }

    pub(super) fn value(&self, place: usize) -> Option<Json<'_>> {
        let row = |end: usize| Row { nodes: self, at: place + 1, end };
        Some(match *self.row.get(place)? {
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
            self.at = self.nodes.place_behind(place);
            if let Some(Node::Text(span)) = self.nodes.row.get(place) {
                return Some(self.nodes.text_at(*span));
            }
        }
        None
    }

    /// The names of the members, if this is an object's.
    pub(super) fn names(self) -> impl Iterator<Item = &'d str> {
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
        let value = self.nodes.value(self.at)?;
        self.at = self.nodes.place_behind(self.at);
        Some(value)
    }
}
