//! A substring, stored as its byte range.

/// The byte range of a substring, packed into one `u64`: it is read right after it was written, and
/// two narrow stores followed by one wide load would stall store forwarding, a quarter of the time of
/// the reader of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(u64);

const HALF: u32 = u32::BITS;

impl Span {
    /// Makes the span from `start` to `end`. `None` when a string is too long for 32 bits.
    pub(crate) fn between(start: usize, end: usize) -> Option<Self> {
        let (start, end) = (u32::try_from(start).ok()?, u32::try_from(end).ok()?);
        Some(Self(u64::from(start) | u64::from(end) << HALF))
    }

    /// Appends `part` to a string and returns its span there.
    pub(crate) fn written(part: &str, whole: &mut String) -> Option<Self> {
        let start = whole.len();
        whole.push_str(part);
        Self::between(start, whole.len())
    }

    /// Returns the span of a slice of `whole`. `None` when `part` is not a slice of it.
    pub(crate) fn of(part: &str, whole: &str) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
        Self::between(start, end)
    }

    /// Returns the span after `bytes` were put before the string.
    pub(crate) fn later_by(self, bytes: usize) -> Option<Self> {
        Self::between(self.start().checked_add(bytes)?, self.end().checked_add(bytes)?)
    }

    /// Returns the span after `bytes` were taken away before it.
    pub(crate) fn earlier_by(self, bytes: usize) -> Option<Self> {
        Self::between(self.start().checked_sub(bytes)?, self.end().checked_sub(bytes)?)
    }

    /// Returns the substring of `whole`, if the span lies within it.
    pub(crate) fn within(self, whole: &str) -> Option<&str> {
        whole.get(self.start()..self.end())
    }

    /// Returns the bytes of the substring, if the span lies within `whole`.
    pub(crate) fn within_bytes(self, whole: &[u8]) -> Option<&[u8]> {
        whole.get(self.start()..self.end())
    }

    /// Returns the range of the bytes.
    #[cfg(feature = "confine")]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start()..self.end()
    }

    fn start(self) -> usize {
        usize::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(usize::MAX)
    }

    fn end(self) -> usize {
        usize::try_from(self.0 >> HALF).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_gives_back_the_part_that_it_was_made_of() {
        let whole = "/r4/Patient/1";
        for part in whole.split('/') {
            assert_eq!(Span::of(part, whole).and_then(|span| span.within(whole)), Some(part));
        }
        assert_eq!(Span::of(&String::from("Patient"), whole), None);
        assert_eq!(Span::of(whole, "r4/Patient/1"), None);
        let mut written = String::from("x");
        let span = Span::written("Patient", &mut written).unwrap();
        assert_eq!((span.within(&written), span.within("")), (Some("Patient"), None));
    }
}
