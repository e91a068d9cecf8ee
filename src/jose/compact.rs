//! The compact serialization of a JWS (RFC 7515 section 7.1), strictly.

use std::slice::SliceIndex;

use memchr::{memchr, memchr_iter, memrchr};

use super::base64url;
use super::json::{self, Document, JsonError};
use super::scratch::Scratch;

/// A token whose three segments were found and decoded. Nothing in it is verified.
#[derive(Debug)]
pub(crate) struct CompactJws<'a> {
    /// The bytes that the signature covers: the first two segments with the dot between them.
    pub(crate) signing_input: &'a [u8],
    /// Header, payload and signature, one after the other.
    decoded: Scratch,
    payload_at: usize,
    signature_at: usize,
}

/// A token with its two JSON objects.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) jws: &'a CompactJws<'a>,
    pub(crate) header: Document<'a>,
    pub(crate) payload: Document<'a>,
}

/// The reason why a string is not a compact JWS, or its header or payload not a JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeError {
    #[error("has {0} segments instead of three")]
    Segments(usize),
    #[error("is encrypted (five segments): only signed tokens are accepted")]
    Encrypted,
    #[error("has a {0} that is not base64url without padding")]
    Base64(&'static str),
    #[error("has a {segment} that {error}")]
    Json { segment: &'static str, error: JsonError },
}

impl<'a> CompactJws<'a> {
    /// Splits and decodes a token: exactly three segments, base64url without padding, white
    /// space or stray trailing bits (RFC 4648 section 3.5).
    pub(crate) fn parse(token: &'a [u8]) -> Result<Self, ShapeError> {
        let Segments { signing_input, header, payload, signature } =
            Segments::of(token).ok_or_else(|| diagnose(token))?;
        let mut decoded = Scratch::new();
        let mut read = || {
            decode(header, &mut decoded)?;
            let payload_at = decoded.len();
            decode(payload, &mut decoded)?;
            let signature_at = decoded.len();
            decode(signature, &mut decoded)?;
            Some((payload_at, signature_at))
        };
        let (payload_at, signature_at) = read().ok_or_else(|| diagnose(token))?;
        Ok(Self { signing_input, decoded, payload_at, signature_at })
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.decoded.get(self.signature_at..).unwrap_or_default()
    }

    /// Returns header and payload as JSON objects (RFC 7515 section 5.2, RFC 7519 section 7.2).
    pub(crate) fn parts(&self) -> Result<Parts<'_>, ShapeError> {
        Ok(Parts { jws: self, header: self.parsed_header()?, payload: self.parsed_payload()? })
    }

    /// Returns the header alone.
    pub(crate) fn parsed_header(&self) -> Result<Document<'_>, ShapeError> {
        self.parsed("header", ..self.payload_at)
    }

    fn parsed_payload(&self) -> Result<Document<'_>, ShapeError> {
        self.parsed("payload", self.payload_at..self.signature_at)
    }

    fn parsed(
        &self,
        segment: &'static str,
        place: impl SliceIndex<[u8], Output = [u8]>,
    ) -> Result<Document<'_>, ShapeError> {
        let object = json::text(self.decoded.get(place).unwrap_or_default());
        object.and_then(Document::parse).map_err(|error| ShapeError::Json { segment, error })
    }
}

/// The segments of a token as they were sent.
struct Segments<'a> {
    signing_input: &'a [u8],
    header: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Segments<'a> {
    /// Splits from both ends, where the first and the last segment are short. A further dot in the
    /// middle then fails as base64url.
    fn of(token: &'a [u8]) -> Option<Self> {
        let (signing_input, signature) = split_at_dot(token, memrchr(b'.', token)?)?;
        let (header, payload) = split_at_dot(signing_input, memchr(b'.', signing_input)?)?;
        Some(Self { signing_input, header, payload, signature })
    }
}

/// Splits at a dot: the bytes before it and after it.
fn split_at_dot(text: &[u8], dot: usize) -> Option<(&[u8], &[u8])> {
    Some((text.get(..dot)?, text.get(dot + 1..)?))
}

fn decode(segment: &[u8], to: &mut Vec<u8>) -> Option<()> {
    base64url::append(segment, to)
}

/// Diagnoses why a token could not be decoded: the first thing that is wrong with it.
fn diagnose(token: &[u8]) -> ShapeError {
    match memchr_iter(b'.', token).take(6).count() + 1 {
        3 => {}
        // A JWE in compact serialization (RFC 7516 section 7.1).
        5 => return ShapeError::Encrypted,
        count => return ShapeError::Segments(count),
    }
    let segments = token.split(|byte| *byte == b'.');
    let named = segments.zip(["header", "payload", "signature"]);
    let mut bad = named.filter(|(segment, _)| decode(segment, &mut Vec::new()).is_none());
    ShapeError::Base64(bad.next().map_or("signature", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_exactly_three_segments() {
        let jws = CompactJws::parse(b"e30.e30.AA").unwrap();
        assert_eq!(jws.signing_input, b"e30.e30");
        assert_eq!(jws.signature(), [0]);
        assert_eq!(CompactJws::parse(b"e30").err(), Some(ShapeError::Segments(1)));
        assert_eq!(CompactJws::parse(b"a.b.c.d").err(), Some(ShapeError::Segments(4)));
        assert_eq!(CompactJws::parse(b"a.b.c.d.e").err(), Some(ShapeError::Encrypted));
        let dots = ".".repeat(1_000_000);
        assert_eq!(CompactJws::parse(dots.as_bytes()).err(), Some(ShapeError::Segments(7)));
    }

    #[test]
    fn base64url_has_one_spelling() {
        for signature in ["AA==", "AB", "A", "A A", "A\n", "+/", "AA\u{e9}"] {
            let token = format!("e30.e30.{signature}");
            assert_eq!(
                CompactJws::parse(token.as_bytes()).err(),
                Some(ShapeError::Base64("signature")),
                "{signature:?}"
            );
        }
    }
}
