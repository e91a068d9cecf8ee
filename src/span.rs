//! A part of a text, kept as where it stands.

/// Where a part begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Writes a part at the end of a text. `None` where the text has become absurdly long.
    pub(crate) fn written(part: &str, whole: &mut String) -> Option<Self> {
        let start = whole.len();
        whole.push_str(part);
        Some(Self { start: start.try_into().ok()?, end: whole.len().try_into().ok()? })
    }

    /// The place of a part that was cut out of a text. `None` for what is no part of it.
    pub(crate) fn of(part: &str, whole: &str) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len()).filter(|end| *end <= whole.len())?;
        Some(Self { start: start.try_into().ok()?, end: end.try_into().ok()? })
    }

    /// The part that stands there.
    pub(crate) fn within(self, whole: &str) -> Option<&str> {
        whole.get(usize::try_from(self.start).ok()?..usize::try_from(self.end).ok()?)
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
        let mut texts = String::from("x");
        let span = Span::written("Patient", &mut texts).unwrap();
        assert_eq!((span.within(&texts), span.within("")), (Some("Patient"), None));
    }
}
