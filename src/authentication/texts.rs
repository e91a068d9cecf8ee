//! The texts of a principal: not copied, but where they stand in the payload, which it keeps.

use std::collections::HashSet;
use std::ops::Range;

use smallvec::SmallVec;

use super::claims::Claims;
use crate::span::Span;
use crate::text::are_same;

/// The payload of a token, and lists of texts in it.
#[derive(Default)]
pub(super) struct Texts {
    /// The payload, and behind it the texts that have escapes in it, without these.
    all: String,
    payload: usize,
    listed: SmallVec<[Span; 16]>,
}

/// A list of texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    start: usize,
    end: usize,
}

/// Up to how many items of a list are compared each with each.
const FEW: usize = 8;

impl Texts {
    /// Lists texts of the claims, each once.
    pub(super) fn list<'c>(
        &mut self,
        claims: &'c Claims<'_>,
        items: impl Iterator<Item = &'c str>,
    ) -> List {
        let start = self.listed.len();
        let mut few: SmallVec<[&str; FEW]> = SmallVec::new();
        let mut many: Option<HashSet<&str>> = None;
        // Not a loop: what is chained and flattened goes through in one piece this way.
        items.for_each(|item| {
            let is_new = match &mut many {
                Some(many) => many.insert(item),
                None => !few.iter().any(|other| are_same(other.as_bytes(), item.as_bytes())),
            };
            if !is_new {
                return;
            }
            if let Some(place) = claims.span_of(item) {
                self.listed.push(place);
            }
            if many.is_none() {
                few.push(item);
                many = (few.len() == FEW).then(|| few.iter().copied().collect());
            }
        });
        List { start, end: self.listed.len() }
    }

    /// Keeps a copy of that in which everything stands.
    pub(super) fn keep(&mut self, claims: &Claims<'_>) {
        let (payload, unescaped) = claims.texts();
        self.all = [payload, unescaped].concat();
        self.payload = payload.len();
    }

    pub(super) fn payload(&self) -> &str {
        self.all.get(..self.payload).unwrap_or_default()
    }

    pub(super) fn get(&self, span: Span) -> Option<&str> {
        span.within(&self.all)
    }

    pub(super) fn of(&self, list: List) -> impl Iterator<Item = &str> {
        self.spans(list).filter_map(|span| self.get(span))
    }

    pub(super) fn spans(&self, list: List) -> impl Iterator<Item = Span> {
        self.listed.get(Range::from(list)).unwrap_or_default().iter().copied()
    }

    /// How many bytes of memory it takes beside itself.
    pub(super) fn size(&self) -> usize {
        let listed = if self.listed.spilled() { self.listed.capacity() } else { 0 };
        self.all.capacity() + listed * size_of::<Span>()
    }
}

impl List {
    pub(super) fn len(self) -> usize {
        self.end - self.start
    }
}

impl From<List> for Range<usize> {
    fn from(list: List) -> Self {
        list.start..list.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json::Document;

    #[test]
    fn a_list_has_each_text_once_in_the_order_of_its_first_mention() {
        for many in [3, FEW, FEW + 1, 40] {
            let items: Vec<String> = (0..many).map(|n| format!("item \\ {n}")).collect();
            let twice: Vec<_> = items.iter().flat_map(|item| [item, &items[0], item]).collect();
            let payload = serde_json::json!({"sub": "alone", "roles": twice}).to_string();
            // The same with texts that stand in the payload as they are.
            for payload in [payload.replace("\\\\", "-"), payload] {
                let claims = Claims::new(Document::parse(&payload).unwrap());
                let mut texts = Texts::default();
                let list = texts.list(&claims, claims.list("roles"));
                let span = claims.span_of(claims.text_or_none("sub").unwrap()).unwrap();
                texts.keep(&claims);
                let expected = if payload.contains('\\') { "\\" } else { "-" };
                let expected: Vec<_> =
                    items.iter().map(|item| item.replace('\\', expected)).collect();
                assert_eq!(texts.of(list).collect::<Vec<_>>(), expected);
                assert_eq!(list.len(), many);
                assert_eq!((texts.get(span), texts.payload()), (Some("alone"), &*payload));
            }
        }
    }
}
