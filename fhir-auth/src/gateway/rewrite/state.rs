//! States of the lexer, and the transitions from one to the next.

use super::compared::Escape;

/// The state in which the next byte is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LexerState {
    /// Outside of texts.
    Between,
    Name {
        escaped: bool,
    },
    /// A text that goes on as it is.
    Text {
        escaped: bool,
    },
    /// A text that may begin with a base.
    Compared(Escape),
    /// Nothing is looked at any more.
    Beyond,
}

/// The transition that a byte has brought.
pub(super) enum Transition {
    On,
    /// The next byte is the first of a text that may begin with a base.
    Begins,
    /// The text does not begin with it.
    IsOther,
    /// The text has begun with it, and goes on or ends with [`Compared::character`].
    IsBase,
    /// The byte is the first one of a link.
    Link,
    /// The byte is a comma between links.
    Comma,
    /// The byte begins another value among links.
    AmongLinks,
}
