//! The output of a part of a body.

use bytes::Bytes;

/// The bytes that go on of a part.
pub(super) struct Output<'a> {
    pub(super) part: &'a Bytes,
    pub(super) written: Vec<u8>,
    /// The first byte of the part that has not been dealt with.
    pub(super) from: usize,
    pub(super) is_changed: bool,
}

impl Output<'_> {
    /// Writes all up to a position, from which on nothing has been dealt with.
    pub(super) fn up_to(&mut self, at: usize) {
        self.written.extend_from_slice(self.part.get(self.from..at).unwrap_or_default());
        self.from = at;
        self.is_changed = true;
    }

    pub(super) fn done(mut self, end: usize) -> Bytes {
        if !self.is_changed {
            return self.part.slice(..end);
        }
        if self.from < end {
            self.up_to(end);
        }
        self.written.into()
    }
}
