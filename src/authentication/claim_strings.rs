//! The strings of a principal: not copied, but stored as spans of the payload, which it keeps.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::OnceLock;

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::claims::Claims;
use crate::span::Span;

/// The payload of a token, and lists of strings in it.
///
/// A principal lives as long as the request or the cache entry; one copy of the payload takes less
/// than a `String` for each claim that is read.
#[derive(Default)]
pub(super) struct ClaimStrings {
    /// The payload, followed by the buffer of unescaped strings.
    all: String,
    payload: usize,
    /// The strings of all lists, one list after the other.
    listed: SmallVec<[Span; 16]>,
    /// The indices of these strings by their hashes, made when a list of many is first asked for a string.
    indices: OnceLock<Indices>,
}

/// Indices in the row of listed strings.
struct Indices {
    by_hash: HashTable<usize>,
    hashes: RandomState,
}

/// A list of strings: a range of the spans.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    start: usize,
    end: usize,
}

/// Up to this many strings, a new one is compared with each that is listed. Above, a set is used: a
/// stranger chooses how many there are, and comparing each with each grows with their square.
const FEW: usize = 8;

/// A list that is being built: each string once, in the order of its first occurrence.
pub(super) struct ListBuilder<'t, 'c> {
    listed: &'t mut SmallVec<[Span; 16]>,
    claims: &'c Claims<'c>,
    start: usize,
    many: Option<HashSet<&'c str>>,
}

impl<'c> ListBuilder<'_, 'c> {
    pub(super) fn add(&mut self, item: &'c str) {
        let is_new = match &mut self.many {
            Some(many) => many.insert(item),
            None => !self.strings().any(|other| other == item),
        };
        let Some(span) = self.claims.span_of(item).filter(|_| is_new) else { return };
        self.listed.push(span);
        if self.many.is_none() && self.listed.len() - self.start > FEW {
            self.many = Some(self.strings().collect());
        }
    }

    fn strings(&self) -> impl Iterator<Item = &'c str> {
        let claims = self.claims;
        let listed = self.listed.get(self.start..).unwrap_or_default();
        listed.iter().map(|span| claims.string_at(*span))
    }
}

impl ClaimStrings {
    /// Lists strings of the claims, each once.
    pub(super) fn list<'c>(
        &mut self,
        claims: &'c Claims<'c>,
        fill: impl FnOnce(&mut ListBuilder<'_, 'c>),
    ) -> List {
        let start = self.listed.len();
        fill(&mut ListBuilder { listed: &mut self.listed, claims, start, many: None });
        List { start, end: self.listed.len() }
    }

    /// Keeps a copy of the sources, which all spans refer to.
    pub(super) fn keep(&mut self, claims: &Claims<'_>) {
        let (payload, unescaped) = claims.sources();
        self.all = [payload, unescaped].concat();
        self.payload = payload.len();
    }

    pub(super) fn payload(&self) -> &str {
        self.all.get(..self.payload).unwrap_or_default()
    }

    pub(super) fn get(&self, span: Span) -> Option<&str> {
        span.within(&self.all)
    }

    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = &str> {
        self.spans(list).filter_map(|span| self.get(span))
    }

    /// Reports whether a list has a string. One of many is looked up: a stranger chooses how many there are, and
    /// another how often it is asked.
    pub(super) fn contains(&self, list: List, item: &str) -> bool {
        if list.len() <= FEW {
            return self.iter(list).any(|held| held == item);
        }
        let Indices { by_hash, hashes } = self.indices.get_or_init(|| self.indices());
        let is_it = |index: &usize| {
            Range::from(list).contains(index) && self.listed_at(*index) == Some(item)
        };
        by_hash.find(hashes.hash_one(item), is_it).is_some()
    }

    fn indices(&self) -> Indices {
        let (mut by_hash, hashes) =
            (HashTable::with_capacity(self.listed.len()), RandomState::new());
        let hash_of = |index: &usize| hashes.hash_one(self.listed_at(*index).unwrap_or_default());
        for index in 0..self.listed.len() {
            by_hash.insert_unique(hash_of(&index), index, hash_of);
        }
        Indices { by_hash, hashes }
    }

    fn listed_at(&self, index: usize) -> Option<&str> {
        self.get(*self.listed.get(index)?)
    }

    pub(super) fn spans(&self, list: List) -> impl Iterator<Item = Span> {
        self.listed.get(Range::from(list)).unwrap_or_default().iter().copied()
    }

    /// Returns the size of its allocations, in bytes, with room for the indices.
    pub(super) fn size(&self) -> usize {
        let listed = if self.listed.spilled() { self.listed.capacity() } else { 0 };
        self.all.capacity() + listed * (size_of::<Span>() + 2 * size_of::<usize>() + 2)
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
    fn a_list_has_each_string_once_in_the_order_of_its_first_mention() {
        for many in [3, FEW, FEW + 1, 40] {
            let items: Vec<String> = (0..many).map(|n| format!("item \\ {n}")).collect();
            let others: Vec<String> = (0..20).map(|n| format!("other {n}")).collect();
            let twice: Vec<_> = items.iter().flat_map(|item| [item, &items[0], item]).collect();
            let payload =
                serde_json::json!({"sub": "alone", "roles": twice, "others": others.clone()})
                    .to_string();
            // Without escapes, the strings are spans of the payload itself.
            for payload in [payload.replace("\\\\", "-"), payload] {
                let claims = Claims::new(Document::parse(&payload).unwrap());
                let mut strings = ClaimStrings::default();
                let list = strings.list(&claims, |list| {
                    claims.list("roles").for_each(|role| list.add(role));
                });
                // What one list has says nothing of the next.
                let again = strings.list(&claims, |list| {
                    claims.list("roles").skip(1).for_each(|role| list.add(role));
                });
                let others = strings.list(&claims, |list| {
                    claims.list("others").for_each(|other| list.add(other));
                });
                let span = claims.span_of(claims.string_or_none("sub").unwrap()).unwrap();
                strings.keep(&claims);
                let expected = if payload.contains('\\') { "\\" } else { "-" };
                let expected: Vec<_> =
                    items.iter().map(|item| item.replace('\\', expected)).collect();
                assert_eq!(strings.iter(list).collect::<Vec<_>>(), expected);
                assert_eq!(list.len(), many);
                let held = |list, item: &str| strings.contains(list, item);
                assert!(expected.iter().all(|item| held(list, item)));
                assert!(!held(list, "item") && !held(list, "alone"));
                // Of so many some share the part of a hash that a table looks at first.
                assert!((0..2000).all(|n| !held(list, &format!("absent {n}"))));
                // What another list has is not in this one.
                assert!(held(others, "other 3") && !held(list, "other 3"));
                assert!(!held(others, &expected[0]));
                assert!(strings.iter(again).eq(strings.iter(list)));
                assert_eq!((strings.get(span), strings.payload()), (Some("alone"), &*payload));
            }
        }
    }
}
