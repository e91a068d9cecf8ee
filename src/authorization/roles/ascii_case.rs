//! Names that are compared without regard to ASCII case, looked up without a copy.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

/// A name as it was defined, as a key.
#[derive(Clone, Debug)]
pub(crate) struct CaseInsensitiveName(Box<str>);

/// A name in any case, to be looked up.
pub(crate) struct CaseInsensitive<'a>(pub(crate) &'a str);

/// The bit that tells small letters from capital ones.
const SMALL: u8 = 0x20;

impl CaseInsensitiveName {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl PartialEq for CaseInsensitiveName {
    fn eq(&self, other: &Self) -> bool {
        CaseInsensitive(&self.0).equivalent(other)
    }
}

impl Eq for CaseInsensitiveName {}

impl Hash for CaseInsensitiveName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        CaseInsensitive(&self.0).hash(state);
    }
}

impl Hash for CaseInsensitive<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The bit is set in letters and whatever else alike: for a hash that will do. In pieces,
        // because a hasher takes eight bytes at the price of one.
        let (pieces, rest) = self.0.as_bytes().as_chunks::<8>();
        for piece in pieces {
            state.write_u64(u64::from_le_bytes(*piece) | u64::from_le_bytes([SMALL; 8]));
        }
        for byte in rest {
            state.write_u8(byte | SMALL);
        }
    }
}

impl Equivalent<CaseInsensitiveName> for CaseInsensitive<'_> {
    #[inline]
    fn equivalent(&self, name: &CaseInsensitiveName) -> bool {
        // Mostly it is spelled as it was defined, and that is seen at once.
        *self.0 == *name.0 || self.0.eq_ignore_ascii_case(&name.0)
    }
}

#[cfg(test)]
mod tests {
    use hashbrown::HashMap;

    use super::*;

    #[test]
    fn a_name_is_found_in_any_case() {
        let names: HashMap<CaseInsensitiveName, u8> =
            [(CaseInsensitiveName::new("globalReader"), 1), (CaseInsensitiveName::new("a"), 2)]
                .into();
        for (name, expected) in [
            ("globalReader", Some(1)),
            ("GLOBALREADER", Some(1)),
            ("globalReade", None),
            ("globalReader\0", None),
            ("GLOBALrEADER", Some(1)),
            ("\u{1}", None),
            ("A", Some(2)),
            ("", None),
        ] {
            assert_eq!(names.get(&CaseInsensitive(name)).copied(), expected, "{name:?}");
        }
    }
}
