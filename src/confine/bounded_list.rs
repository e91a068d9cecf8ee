//! Lists that keep only a bounded number of items.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// The first `N` items of a list. A parsed list takes many times the memory of its text.
#[derive(Debug)]
pub(super) struct BoundedList<T, const N: usize> {
    pub(super) items: Vec<T>,
    /// True if there are more.
    pub(super) has_more: bool,
}

impl<T, const N: usize> Default for BoundedList<T, N> {
    fn default() -> Self {
        Self { items: Vec::new(), has_more: false }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for BoundedList<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedListVisitor(PhantomData))
    }
}

struct BoundedListVisitor<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for BoundedListVisitor<T, N> {
    type Value = BoundedList<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<BoundedList<T, N>, A::Error> {
        let mut items = Vec::new();
        while items.len() < N {
            let Some(item) = list.next_element()? else {
                return Ok(BoundedList { items, has_more: false });
            };
            items.push(item);
        }
        let mut has_more = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            has_more = true;
        }
        Ok(BoundedList { items, has_more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_items_are_kept_and_it_is_told_that_there_are_more() {
        for (text, items, has_more) in
            [("[]", &[][..], false), ("[1,2]", &[1, 2], false), ("[1,2,3,{}]", &[1, 2], true)]
        {
            let list: BoundedList<u8, 2> = serde_json::from_str(text).unwrap();
            assert_eq!((&*list.items, list.has_more), (items, has_more), "{text}");
        }
        for broken in ["[1,2,3,]", "[1,2,3", "{}", "7"] {
            assert!(serde_json::from_str::<BoundedList<u8, 2>>(broken).is_err(), "{broken}");
        }
    }
}
