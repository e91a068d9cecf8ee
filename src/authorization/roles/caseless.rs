//! Names that are compared without regard to ASCII case, looked up without a copy.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

/// A name in lower case, as a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CaselessName(Box<str>);

/// A name in any case, to be looked up.
pub(crate) struct Caseless<'a>(pub(crate) &'a str);

impl CaselessName {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }
}

impl Hash for CaselessName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Caseless(&self.0).hash(state);
    }
}

impl Hash for Caseless<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In pieces: a hasher takes eight bytes at about the price of one.
        for piece in self.0.as_bytes().chunks(8) {
            let mut lower = [0; 8];
            lower.iter_mut().zip(piece).for_each(|(to, byte)| *to = byte.to_ascii_lowercase());
            state.write_u64(u64::from_le_bytes(lower));
        }
    }
}

impl Equivalent<CaselessName> for Caseless<'_> {
    fn equivalent(&self, name: &CaselessName) -> bool {
        self.0.eq_ignore_ascii_case(&name.0)
    }
}

#[cfg(test)]
mod tests {
    use hashbrown::HashMap;

    use super::*;

    #[test]
    fn a_name_is_found_in_any_case() {
        let names: HashMap<CaselessName, u8> =
            [(CaselessName::new("globalReader"), 1), (CaselessName::new("a"), 2)].into();
        for (name, expected) in [
            ("globalReader", Some(1)),
            ("GLOBALREADER", Some(1)),
            ("globalReade", None),
            ("globalReader\0", None),
            ("A", Some(2)),
            ("", None),
        ] {
            assert_eq!(names.get(&Caseless(name)).copied(), expected, "{name:?}");
        }
    }
}
