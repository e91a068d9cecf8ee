//! A buffer that is used only while a token is checked, one per thread and reused.
//!
//! A decoded token is larger than what allocators have at hand, and a rejected one needs nothing
//! afterwards. What a principal keeps is copied out; the buffer is then overwritten.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// The largest buffer that a thread keeps. The largest accepted token has this many bytes and takes
/// fewer when decoded.
const MOST: usize = 16 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that starts empty; a nested use falls back to a fresh allocation.
#[derive(Debug)]
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(SPARE.try_with(Cell::take).unwrap_or_default())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut spare = std::mem::take(&mut self.0);
        if spare.capacity() <= MOST {
            spare.fill(0);
            spare.clear();
            // A thread that ends keeps nothing.
            let _ = SPARE.try_with(|place| place.set(spare));
        }
    }
}

impl Deref for Scratch {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_without_what_stood_in_it() {
        let mut first = Scratch::new();
        first.extend_from_slice(b"of a token");
        let place = first.as_ptr();
        let meanwhile = Scratch::new();
        assert_ne!(meanwhile.as_ptr(), place);
        drop((meanwhile, first));
        let again = Scratch::new();
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn what_is_very_large_is_given_back() {
        let mut large = Scratch::new();
        large.reserve(MOST + 1);
        drop(large);
        assert_eq!(Scratch::new().capacity(), 0);
    }
}
