//! Strict JSON (RFC 8259) that borrows from its input.
//!
//! Unlike a general reader: a duplicate member in an object is rejected at any depth (RFC 7515
//! section 4, RFC 7519 section 4), and so is nesting deeper than [`MAX_DEPTH`](error::MAX_DEPTH). Numbers are read as
//! `f64`, which holds every `NumericDate`.
//!
//! ```text
//! {"sub":"amal","aud":["a","b"]}   ── reader ──►   object  "sub"  "amal"  "aud"  array  "a"  "b"
//! ```
//!
//! A document becomes one row of nodes in one allocation, names and values in document order, and
//! look-ups search that row. Every token that was not seen before goes through here, so nothing is
//! allocated for a single value, and no string is copied.
//!
//! # Why not `serde_json`
//!
//! It did this before, and is what the tests compare this reader with. But a `Visitor` cannot reject
//! a duplicate member with an error of its own, so the reason had to be read out of the message; and
//! `arbitrary_precision`, which crates for FHIR turn on for the whole build, makes every number an
//! object to a visitor. And it is the largest part of what a token costs beside its signature: a tree
//! of values took 10,000 of the 45,000 instructions of a first sight beside its signature. What is inlined here
//! saves 9 % of the instructions for a token of an unknown issuer.

mod document;
mod error;
mod members;
mod nodes;
mod reader;

pub(crate) use self::document::Document;
pub use self::error::JsonError;
pub(crate) use self::nodes::{Json, Row};

/// Removes the byte order mark that some servers put before a document (RFC 8259 section 8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// Reads bytes as UTF-8.
pub(crate) fn string(bytes: &[u8]) -> Result<&str, JsonError> {
    std::str::from_utf8(bytes).map_err(|error| JsonError::Syntax(error.valid_up_to() + 1))
}

#[cfg(test)]
mod tests;
