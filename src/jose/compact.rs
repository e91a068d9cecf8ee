//! The compact serialization of a JWS (RFC 7515 section 7.1), strictly.

use memchr::{memchr, memchr_iter, memrchr};
use smallvec::SmallVec;

use super::base64url;
use super::json::{self, Document, JsonError};

/// The largest token that is read, in bytes. Entra's largest, with its groups, stay below.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;

/// Memory to decode a token into. Only larger tokens than usual are allocated for: a rejected one
/// needs no memory afterwards, and a principal keeps a copy of its payload. An allocation would be
/// 1,000 of the 28,000 instructions of a refusal.
pub(crate) type Buffer = SmallVec<[u8; 4096]>;

/// A token whose three segments were found, decoded and read. Nothing in it is verified.
#[derive(Debug)]
pub(crate) struct CompactJws<'a> {
    /// The bytes that the signature covers (RFC 7515 section 5.2): the first two segments as they
    /// were sent, with the dot between them.
    pub(crate) signing_input: &'a [u8],
    pub(crate) header: Document<'a>,
    pub(crate) payload: Document<'a>,
    pub(crate) signature: &'a [u8],
}

/// The reason why a string is not a compact JWS (RFC 7515 section 7.1), or its header or payload not a JSON object. Its
/// `Display` follows the name of what is read.
///
/// ```
/// use tower_fhir_auth::explanation::Reason;
/// use tower_fhir_auth::jose::CompactJwsError;
///
/// fn is_encrypted(reason: &Reason) -> bool {
///     matches!(reason, Reason::MalformedToken(CompactJwsError::Encrypted))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompactJwsError {
    /// It has so many bytes, more than the largest that is read.
    #[error("has {0} bytes, more than {MAX_TOKEN}")]
    TooLarge(usize),
    /// It has so many segments.
    #[error("has {0} {segments} instead of three", segments = if *.0 == 1 { "segment" } else { "segments" })]
    Segments(usize),
    /// It is a JWE (RFC 7516 section 7.1).
    #[error("is encrypted (five segments): only signed tokens are accepted")]
    Encrypted,
    /// The segment of this name is not base64url without padding.
    #[error("has a {0} that is not base64url without padding")]
    Base64(&'static str),
    /// A segment is not a JSON object.
    #[error("has a {segment} that {error}")]
    #[non_exhaustive]
    Json {
        /// The name of the segment.
        segment: &'static str,
        /// The fault of it.
        error: JsonError,
    },
}

impl<'a> CompactJws<'a> {
    /// Parses a decoded token: its first two segments are JSON objects (RFC 7515 section 5.2, RFC
    /// 7519 section 7.2).
    pub(crate) fn parse(segments: Segments<'a>) -> Result<Self, CompactJwsError> {
        let Segments { signing_input, header, payload, signature } = segments;
        let (header, payload) = (object("header", header)?, object("payload", payload)?);
        Ok(Self { signing_input, header, payload, signature })
    }
}

/// Reads a decoded segment as a JSON object.
fn object<'a>(segment: &'static str, decoded: &'a [u8]) -> Result<Document<'a>, CompactJwsError> {
    let object = json::string(decoded).and_then(Document::parse);
    object.map_err(|error| CompactJwsError::Json { segment, error })
}

/// The decoded segments of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments<'a> {
    pub(crate) signing_input: &'a [u8],
    pub(crate) header: &'a [u8],
    payload: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Segments<'a> {
    /// Splits and decodes a token: exactly three segments, base64url without padding, white
    /// space or stray trailing bits (RFC 4648 section 3.5).
    pub(crate) fn decode(token: &'a [u8], buffer: &'a mut Buffer) -> Result<Self, CompactJwsError> {
        if token.len() > MAX_TOKEN {
            return Err(CompactJwsError::TooLarge(token.len()));
        }
        Self::decode_or_none(token, buffer).ok_or_else(|| diagnose(token))
    }

    /// Splits and decodes a JWS that is no access token, and has a bound of its own.
    #[cfg(feature = "client")]
    pub(crate) fn decode_any(
        jws: &'a [u8],
        buffer: &'a mut Buffer,
    ) -> Result<Self, CompactJwsError> {
        Self::decode_or_none(jws, buffer).ok_or_else(|| diagnose(jws))
    }

    /// Reads the payload alone, below a header that was read before.
    pub(crate) fn read_payload(&self) -> Result<Document<'a>, CompactJwsError> {
        object("payload", self.payload)
    }

    fn decode_or_none(token: &'a [u8], buffer: &'a mut Buffer) -> Option<Self> {
        // From both ends, where the first and the last segment are short. A further dot in the
        // middle then fails as base64url.
        let (signing_input, signature) = split_at_dot(token, memrchr(b'.', token)?)?;
        let (header, payload) = split_at_dot(signing_input, memchr(b'.', signing_input)?)?;
        // Three bytes are decoded from four.
        buffer.resize(token.len(), 0);
        let (header, rest) = base64url::decode(header, buffer)?;
        let (payload, rest) = base64url::decode(payload, rest)?;
        let (signature, _) = base64url::decode(signature, rest)?;
        Some(Self { signing_input, header, payload, signature })
    }
}

/// Splits at a dot: the bytes before it and after it.
fn split_at_dot(token: &[u8], dot: usize) -> Option<(&[u8], &[u8])> {
    Some((token.get(..dot)?, token.get(dot + 1..)?))
}

/// Diagnoses why a token could not be decoded: the first thing that is wrong with it.
fn diagnose(token: &[u8]) -> CompactJwsError {
    match memchr_iter(b'.', token).take(6).count() + 1 {
        3 => {}
        // A JWE in compact serialization (RFC 7516 section 7.1).
        5 => return CompactJwsError::Encrypted,
        count => return CompactJwsError::Segments(count),
    }
    let segments = token.split(|byte| *byte == b'.');
    let named = segments.zip(["header", "payload", "signature"]);
    let mut buffer = vec![0; token.len()];
    let mut bad = named.filter(|(segment, _)| base64url::decode(segment, &mut buffer).is_none());
    CompactJwsError::Base64(bad.next().map_or("signature", |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(token: &[u8]) -> Option<CompactJwsError> {
        Segments::decode(token, &mut Buffer::new()).and_then(CompactJws::parse).err()
    }

    #[test]
    fn a_token_has_exactly_three_segments() {
        let mut buffer = Buffer::new();
        let jws = Segments::decode(b"e30.e30.AA", &mut buffer).unwrap();
        assert_eq!(jws.signing_input, b"e30.e30");
        assert_eq!(jws.signature, [0]);
        assert_eq!(error(b"e30"), Some(CompactJwsError::Segments(1)));
        assert_eq!(error(b"a.b.c.d"), Some(CompactJwsError::Segments(4)));
        assert_eq!(error(b"a.b.c.d.e"), Some(CompactJwsError::Encrypted));
        let dots = ".".repeat(MAX_TOKEN);
        assert_eq!(error(dots.as_bytes()), Some(CompactJwsError::Segments(7)));
        let more = dots + ".";
        assert_eq!(error(more.as_bytes()), Some(CompactJwsError::TooLarge(MAX_TOKEN + 1)));
    }

    #[test]
    fn the_number_of_segments_is_told() {
        for (token, expected) in [
            (&b"e30"[..], "has 1 segment instead of three"),
            (b"e30.e30", "has 2 segments instead of three"),
        ] {
            assert_eq!(error(token).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn each_segment_is_the_one_that_it_was_sent_as() {
        let mut buffer = Buffer::new();
        let segments = Segments::decode(b"eyJhIjoxfQ.eyJiIjoyfQ.AQID", &mut buffer).unwrap();
        let jws = CompactJws::parse(segments).unwrap();
        assert!(jws.header.has("a") && jws.payload.has("b"));
        assert_eq!(jws.signature, [1, 2, 3]);
        let payload = CompactJwsError::Json { segment: "payload", error: JsonError::Syntax(1) };
        assert_eq!(error(b"e30.AA.AA"), Some(payload));
    }

    #[test]
    fn base64url_has_one_spelling() {
        for signature in ["AA==", "AB", "A", "A A", "A\n", "+/", "AA\u{e9}"] {
            let token = format!("e30.e30.{signature}");
            let expected = Some(CompactJwsError::Base64("signature"));
            assert_eq!(error(token.as_bytes()), expected, "{signature:?}");
        }
    }
}
