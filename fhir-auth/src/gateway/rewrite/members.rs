//! Members, by their names: which hold addresses, and which have objects that do.

use std::borrow::Cow;

/// The longest name of a member that has to be remembered, each character of it escaped.
pub(super) const LONGEST_NAME: usize = 6 * 24;

/// The side that a body goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToClient { judges_links: bool },
    ToServer,
}

/// The kind of an object, by the name of the member that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Link,
    Request,
    /// `url` is an address of a file.
    File,
    Other,
}

/// The form in which an address goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Below the base of the other side.
    Absolute,
    /// Without any.
    Relative,
}

/// Returns the address that a member holds.
pub(super) fn address(direction: Direction, name: &[u8], inside: Kind) -> Option<Address> {
    match (direction, name) {
        (Direction::ToClient { .. }, b"fullUrl" | b"location" | b"reference") => {
            Some(Address::Absolute)
        }
        (Direction::ToClient { .. }, b"url") if matches!(inside, Kind::File | Kind::Request) => {
            Some(Address::Absolute)
        }
        (Direction::ToServer, b"reference") => Some(Address::Relative),
        // A file by another name of the upstream server would be one of this server when it comes back.
        (Direction::ToServer, b"url") if matches!(inside, Kind::File | Kind::Request) => {
            Some(Address::Relative)
        }
        _ => None,
    }
}

/// Returns the kind of the objects in a member: those of type Attachment, by the names that R4 has for them,
/// and the files of an export's manifest.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "link" => Kind::Link,
        "request" => Kind::Request,
        "attachment" | "content" | "document" | "form" | "image" | "photo" => Kind::File,
        "deleted" | "error" | "output" | "presentedForm" => Kind::File,
        name if name.ends_with("Attachment") => Kind::File,
        _ => Kind::Other,
    }
}

/// Returns a name without its escapes; one that is too long or broken is none.
pub(super) fn unescaped(name: &[u8]) -> Cow<'_, str> {
    let short = Some(name).filter(|name| name.len() <= LONGEST_NAME);
    match short.and_then(|name| std::str::from_utf8(name).ok()) {
        Some(text) if text.contains('\\') => {
            let text: String = serde_json::from_str(&format!("\"{text}\"")).unwrap_or_default();
            Cow::Owned(text)
        }
        Some(text) => Cow::Borrowed(text),
        None => Cow::Borrowed(""),
    }
}
