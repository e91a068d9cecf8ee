//! Lists of which no more than a number of items is kept, however long they are.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

/// The first items of a list, `N` at most. What a list takes in memory is many times what it takes as text.
#[derive(Debug)]
pub(super) struct AtMost<T, const N: usize> {
    pub(super) items: Vec<T>,
    /// True if there are more.
    pub(super) are_more: bool,
}

impl<T, const N: usize> Default for AtMost<T, N> {
    fn default() -> Self {
        Self { items: Vec::new(), are_more: false }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(First(PhantomData))
    }
}

struct First<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for First<T, N> {
    type Value = AtMost<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AtMost<T, N>, A::Error> {
        let mut items = Vec::new();
        while items.len() < N {
            let Some(item) = list.next_element()? else {
                return Ok(AtMost { items, are_more: false });
            };
            items.push(item);
        }
        let mut are_more = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            are_more = true;
        }
        Ok(AtMost { items, are_more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_items_are_kept_and_it_is_told_that_there_are_more() {
        for (text, items, are_more) in
            [("[]", &[][..], false), ("[1,2]", &[1, 2], false), ("[1,2,3,{}]", &[1, 2], true)]
        {
            let list: AtMost<u8, 2> = serde_json::from_str(text).unwrap();
            assert_eq!((&*list.items, list.are_more), (items, are_more), "{text}");
        }
        for broken in ["[1,2,3,]", "[1,2,3", "{}", "7"] {
            assert!(serde_json::from_str::<AtMost<u8, 2>>(broken).is_err(), "{broken}");
        }
    }
}
