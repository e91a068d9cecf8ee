//! The texts of a principal in one piece of memory: a token has dozens, and one is made of each.

use std::collections::HashSet;
use std::ops::Range;

use smallvec::SmallVec;

use crate::span::Span;

/// Texts, one after the other, and lists of them.
pub(super) struct Texts {
    all: String,
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
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { all: String::with_capacity(bytes), listed: SmallVec::new() }
    }

    /// Keeps a text.
    pub(super) fn keep(&mut self, text: &str) -> Option<Span> {
        Span::written(text, &mut self.all)
    }

    /// Keeps a list of texts, each once.
    pub(super) fn list<'a>(&mut self, items: impl Iterator<Item = &'a str>) -> List {
        let start = self.listed.len();
        let mut seen = HashSet::new();
        for item in items {
            let so_far = List { start, end: self.listed.len() };
            let is_new = match so_far.len() {
                0..FEW => self.of(so_far).all(|earlier| earlier != item),
                FEW => {
                    seen.extend(self.of(so_far).map(str::to_owned));
                    seen.insert(item.to_owned())
                }
                _ => seen.insert(item.to_owned()),
            };
            if is_new {
                let kept = self.keep(item);
                self.listed.extend(kept);
            }
        }
        List { start, end: self.listed.len() }
    }

    pub(super) fn get(&self, span: Span) -> Option<&str> {
        span.within(&self.all)
    }

    pub(super) fn of(&self, list: List) -> impl Iterator<Item = &str> {
        let items = self.listed.get(Range::from(list)).unwrap_or_default();
        items.iter().filter_map(|span| self.get(*span))
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

    #[test]
    fn a_list_has_each_text_once_in_the_order_of_its_first_mention() {
        let mut texts = Texts::with_capacity(0);
        let span = texts.keep("alone").unwrap();
        for many in [3, FEW, FEW + 1, 40] {
            let items: Vec<String> = (0..many).map(|n| format!("item {n}")).collect();
            let twice = items.iter().flat_map(|item| [item, &items[0], item]).map(String::as_str);
            let list = texts.list(twice);
            assert_eq!(texts.of(list).collect::<Vec<_>>(), items);
            assert_eq!(list.len(), many);
        }
        assert_eq!(texts.get(span), Some("alone"));
    }
}
