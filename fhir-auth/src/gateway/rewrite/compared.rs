//! A text that is compared with a base, character by character, through its escapes.

use super::super::base::Bases;
use super::members::{Address, Direction};

/// A text that may begin with a base.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) address: Address,
    /// Its characters so far, without escapes.
    pub(super) value: Vec<u8>,
    /// The character that is read, as it was written.
    pub(super) character: Vec<u8>,
}

impl Compared {
    /// Reports whether the text is the base of the upstream server, where clients know another one.
    pub(super) fn is_foreign(&self, bases: &Bases) -> bool {
        bases.of_server().is(&self.value) && !bases.of_clients().is(&self.value)
    }

    /// Reports whether the text has begun with the base, as far as the next character tells.
    pub(super) fn is_base(&self, direction: Direction, bases: &Bases, next: Option<u8>) -> bool {
        let value = self.value.as_slice();
        match (direction, self.address) {
            (Direction::ToClient { .. }, _) => {
                matches!(next, None | Some(b'/' | b'?' | b'#')) && bases.of_server().is(value)
            }
            (Direction::ToServer, _) if self.is_foreign(bases) => {
                matches!(next, None | Some(b'/' | b'?' | b'#'))
            }
            (Direction::ToServer, _) => match (next, value.strip_suffix(b"/")) {
                // What does not begin with a type would mean another place than below the base.
                (Some(first), Some(base)) => {
                    (first.is_ascii_alphabetic() || first == b'$') && bases.of_clients().is(base)
                }
                (Some(_) | None, _) => false,
            },
        }
    }

    /// Reports whether the text may yet begin with the base.
    pub(super) fn may_be_base(&self, direction: Direction, bases: &Bases) -> bool {
        let value = self.value.as_slice();
        match (direction, self.address) {
            (Direction::ToClient { .. }, _) => bases.of_server().may_be(value),
            (Direction::ToServer, _) => {
                let base = bases.of_clients();
                bases.of_server().may_be(value)
                    || base.may_be(value)
                    || value.strip_suffix(b"/").is_some_and(|value| base.is(value))
            }
        }
    }
}

/// The part of an escape that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    None,
    Backslash,
    /// `\u`, digits, and their value.
    Hex(u8, u32),
}

/// Reads a digit of an escape: what is read then of it, and the character after the last one. Another
/// character than one of ASCII is in no address, and reads as 0.
pub(super) fn hex(digits: u8, value: u32, byte: u8) -> (Escape, Option<u8>) {
    let Some(digit) = char::from(byte).to_digit(16) else { return (Escape::None, Some(0)) };
    let value = value * 16 + digit;
    match digits {
        3 => (Escape::None, Some(u8::try_from(value).unwrap_or(0))),
        _ => (Escape::Hex(digits + 1, value), None),
    }
}
