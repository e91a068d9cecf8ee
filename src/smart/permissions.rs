//! The permissions of SMART scopes: create, read, update, delete, search (SMART App Launch 2.2,
//! "Scopes for requesting FHIR resources").

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// A set of the permissions `c`, `r`, `u`, `d` and `s`. `Display` writes them as in a scope:
    /// `rs`, `cruds`.
    ///
    /// ```
    /// use tower_fhir_auth::smart::Permissions;
    ///
    /// let held = Permissions::parse("rs").ok_or("no permissions")?;
    /// assert!(held.contains(Permissions::READ) && !held.intersects(Permissions::UPDATE));
    /// assert_eq!((held | Permissions::CREATE).to_string(), "crs");
    /// # Ok::<(), &str>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Permissions: u8 {
        /// `c`: create.
        const CREATE = 1;
        /// `r`: read, vread, instance history.
        const READ = 1 << 1;
        /// `u`: update and patch.
        const UPDATE = 1 << 2;
        /// `d`: delete.
        const DELETE = 1 << 3;
        /// `s`: search, type and system history.
        const SEARCH = 1 << 4;
    }
}

impl Permissions {
    /// `cruds`: all of them.
    pub const ALL: Self = Self::all();

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
        let mut permissions = Self::empty();
        let mut rest = text;
        for (letter, permission) in Self::LETTERS {
            if let Some(after) = rest.strip_prefix(letter) {
                permissions |= permission;
                rest = after;
            }
        }
        (rest.is_empty() && !permissions.is_empty()).then_some(permissions)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Self::LETTERS.iter().filter(|(_, permission)| self.contains(*permission));
        held.map(|(letter, _)| letter).collect::<String>().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_in_order_and_once() {
        for text in ["c", "r", "u", "d", "s", "cr", "rs", "cud", "cruds", "cds"] {
            let permissions = Permissions::parse(text).unwrap();
            assert_eq!(permissions.to_string(), text);
            assert_eq!(permissions.iter().map(|one| one.to_string()).collect::<String>(), text);
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
