//! The compact serialization of a JWS (RFC 7515 section 7.1), strictly.

use base64_simd::URL_SAFE_NO_PAD;

use super::json::{JsonError, Object};

/// A token whose three segments were found and decoded. Nothing in it is verified.
#[derive(Debug)]
pub(crate) struct CompactJws<'a> {
    /// What the signature covers: the first two segments with the dot between them.
    pub(crate) signing_input: &'a str,
    /// Payload, header and signature, one after the other: the payload is what is kept.
    decoded: Vec<u8>,
    header_at: usize,
    signature_at: usize,
}

/// A token with its two JSON objects.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) jws: &'a CompactJws<'a>,
    pub(crate) header: Object<'a>,
    pub(crate) payload: Object<'a>,
}

/// Why a text is no compact JWS, or its header or payload no JSON object.
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
    pub(crate) fn parse(token: &'a str) -> Result<Self, ShapeError> {
        Self::decode(token).ok_or_else(|| fault(token))
    }

    /// The same from both ends, where the first and the last segment are short. What stands between
    /// them is no base64url when it has a dot.
    fn decode(token: &'a str) -> Option<Self> {
        let (signing_input, signature) = token.rsplit_once('.')?;
        let (header, payload) = signing_input.split_once('.')?;
        let mut decoded = Vec::with_capacity(token.len() / 4 * 3 + 3);
        decode(payload, &mut decoded)?;
        let header_at = decoded.len();
        decode(header, &mut decoded)?;
        let signature_at = decoded.len();
        decode(signature, &mut decoded)?;
        Some(Self { signing_input, decoded, header_at, signature_at })
    }

    pub(crate) fn header(&self) -> &[u8] {
        self.decoded.get(self.header_at..self.signature_at).unwrap_or_default()
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.decoded.get(..self.header_at).unwrap_or_default()
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.decoded.get(self.signature_at..).unwrap_or_default()
    }

    /// The payload alone, without a copy.
    pub(crate) fn into_payload(mut self) -> Vec<u8> {
        self.decoded.truncate(self.header_at);
        self.decoded
    }

    /// Header and payload as JSON objects (RFC 7515 section 5.2, RFC 7519 section 7.2).
    pub(crate) fn parts(&self) -> Result<Parts<'_>, ShapeError> {
        Ok(Parts {
            jws: self,
            header: object(self.header(), "header")?,
            payload: object(self.payload(), "payload")?,
        })
    }
}

fn decode(segment: &str, to: &mut Vec<u8>) -> Option<()> {
    URL_SAFE_NO_PAD.decode_append(segment, to).ok()
}

/// Why a token could not be decoded: the first thing that is wrong with it.
fn fault(token: &str) -> ShapeError {
    match token.split('.').take(7).count() {
        3 => {}
        5 => return ShapeError::Encrypted,
        count => return ShapeError::Segments(count),
    }
    let named = token.split('.').zip(["header", "payload", "signature"]);
    let mut bad = named.filter(|(segment, _)| decode(segment, &mut Vec::new()).is_none());
    ShapeError::Base64(bad.next().map_or("signature", |(_, name)| name))
}

fn object<'a>(bytes: &'a [u8], segment: &'static str) -> Result<Object<'a>, ShapeError> {
    Object::parse(bytes).map_err(|error| ShapeError::Json { segment, error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_exactly_three_segments() {
        let jws = CompactJws::parse("e30.e30.AA").unwrap();
        assert_eq!(jws.signing_input, "e30.e30");
        assert_eq!(jws.signature(), [0]);
        assert_eq!(CompactJws::parse("e30").err(), Some(ShapeError::Segments(1)));
        assert_eq!(CompactJws::parse("a.b.c.d").err(), Some(ShapeError::Segments(4)));
        assert_eq!(CompactJws::parse("a.b.c.d.e").err(), Some(ShapeError::Encrypted));
        let dots = ".".repeat(1_000_000);
        assert_eq!(CompactJws::parse(&dots).err(), Some(ShapeError::Segments(7)));
    }

    #[test]
    fn base64url_has_one_spelling() {
        for signature in ["AA==", "AB", "A", "A A", "A\n", "+/", "AA\u{e9}"] {
            let token = format!("e30.e30.{signature}");
            assert_eq!(
                CompactJws::parse(&token).err(),
                Some(ShapeError::Base64("signature")),
                "{signature:?}"
            );
        }
    }
}
