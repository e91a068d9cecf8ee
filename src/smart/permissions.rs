//! The permissions of SMART scopes: create, read, update, delete, search (SMART App Launch 2.2,
//! "Scopes for requesting FHIR resources").

use std::fmt;
use std::ops::BitOr;

/// A set of the permissions `c`, `r`, `u`, `d` and `s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// `c`: create.
    pub const CREATE: Self = Self(1);
    /// `r`: read, vread, instance history.
    pub const READ: Self = Self(2);
    /// `u`: update and patch.
    pub const UPDATE: Self = Self(4);
    /// `d`: delete.
    pub const DELETE: Self = Self(8);
    /// `s`: search, type and system history.
    pub const SEARCH: Self = Self(16);
    /// `cruds`: all of them.
    pub const ALL: Self = Self(31);

    const LETTERS: [(char, Self); 5] = [
        ('c', Self::CREATE),
        ('r', Self::READ),
        ('u', Self::UPDATE),
        ('d', Self::DELETE),
        ('s', Self::SEARCH),
    ];

    /// Reads permissions of v2, in order and each once, or a word of v1: `read` is `rs`, `write` is
    /// `cud`, `*` (or `all`, as Entra has to spell it) is `cruds`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => return Some(Self::READ | Self::SEARCH),
            "write" => return Some(Self::CREATE | Self::UPDATE | Self::DELETE),
            "*" | "all" => return Some(Self::ALL),
            _ => {}
        }
        let mut permissions = Self::default();
        let mut rest = text;
        for (letter, permission) in Self::LETTERS {
            if let Some(after) = rest.strip_prefix(letter) {
                permissions = permissions | permission;
                rest = after;
            }
        }
        (rest.is_empty() && permissions != Self::default()).then_some(permissions)
    }

    /// Returns each permission by itself.
    pub(crate) fn letters(self) -> impl Iterator<Item = Self> {
        let letters = Self::LETTERS.into_iter().map(|(_, permission)| permission);
        letters.filter(move |permission| self.contain(*permission))
    }

    /// Reports whether all permissions of `other` are among these.
    #[must_use]
    pub fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Self::LETTERS.iter().filter(|(_, permission)| self.contain(*permission));
        held.map(|(letter, _)| letter).collect::<String>().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_in_order_and_once() {
        for text in ["c", "r", "u", "d", "s", "cr", "rs", "cud", "cruds", "cds"] {
            assert_eq!(Permissions::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "rr", "sr", "dus", "dc", "cruds*", "x", "R", "rS", "reads", "Read", "r s"] {
            assert_eq!(Permissions::parse(bad), None, "{bad}");
        }
        for (word, letters) in [("read", "rs"), ("write", "cud"), ("*", "cruds"), ("all", "cruds")]
        {
            assert_eq!(Permissions::parse(word).unwrap().to_string(), letters);
        }
    }
}
