//! The base64url encoding of tokens and keys (RFC 4648 section 5), decoded with SIMD where the
//! processor has it.

use std::sync::LazyLock;

use base64::Engine as _;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::alphabet;
use base64::engine::general_purpose::{NO_PAD, STANDARD, STANDARD_NO_PAD};

/// Processors without a SIMD engine use the scalar one, which is as strict.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Engine = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Engine = base64::engine::GeneralPurpose;

static URL_SAFE: LazyLock<Engine> = LazyLock::new(engine);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn engine() -> Engine {
    Engine::url_safe(NO_PAD)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn engine() -> Engine {
    Engine::new(&alphabet::URL_SAFE, NO_PAD)
}

/// Decodes a segment of a token to the start of `buffer`; returns its bytes, and the rest of the
/// buffer. Only the canonical encoding is accepted: no padding, no white space, no stray trailing
/// bits (RFC 4648 section 3.5). The buffer must be no shorter than the segment, up to full groups of
/// four.
pub(crate) fn decode<'b>(segment: &[u8], buffer: &'b mut [u8]) -> Option<(&'b [u8], &'b mut [u8])> {
    let length = URL_SAFE.decode_slice(segment, buffer).ok()?;
    let (decoded, rest) = buffer.split_at_mut_checked(length)?;
    Some((decoded, rest))
}

/// Encodes in the standard alphabet, without padding, as values of binary headers of gRPC are.
pub(crate) fn to_standard(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// Encodes in the standard alphabet, with padding.
pub(crate) fn to_padded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes in the alphabet base64url, without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Decodes a string of its own length, as [`decode`] does into a buffer.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).ok()
}

/// Decodes the content of a resource (R4 datatype `base64Binary`), which may have white space in it.
#[cfg(feature = "confine")]
pub(crate) fn decode_with_white_space(encoded: &str) -> Option<Vec<u8>> {
    let read = || {
        let plain: String = encoded.split_ascii_whitespace().collect();
        STANDARD.decode(plain).ok()
    };
    STANDARD.decode(encoded).ok().or_else(read)
}

/// Decodes a key or a member of one. Some write it in the standard alphabet of base64, which means the
/// same bytes; a key is not compared by its encoding, as a token is.
pub(crate) fn decode_either_alphabet(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(encoded).or_else(|_| STANDARD.decode(encoded)).ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn read(encoded: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; encoded.len() + 2];
        let (bytes, rest) = decode(encoded, &mut buffer)?;
        assert!(rest.iter().all(|byte| *byte == 0), "the rest is as it was");
        Some(bytes.to_vec())
    }

    /// The SIMD engine decodes long strings in blocks and the rest byte by byte.
    #[test]
    fn strings_of_every_length_are_decoded_alike() {
        let bytes: Vec<u8> = (0..=255).cycle().take(600).collect();
        for length in 0..300 {
            for start in [0, 1, 250] {
                let bytes = bytes.get(start..start + length).unwrap();
                let text = URL_SAFE_NO_PAD.encode(bytes);
                assert_eq!(read(text.as_bytes()).as_deref(), Some(bytes), "{length}");
            }
        }
    }

    #[test]
    fn long_strings_have_one_spelling_too() {
        let bytes: Vec<u8> = (0..=255).collect();
        for length in [64, 65, 66, 96, 97, 98, 200] {
            let good = URL_SAFE_NO_PAD.encode(bytes.get(..length).unwrap());
            let padding = "=".repeat((3 - length % 3) % 3);
            for bad in [
                format!("{good}="),
                format!("{good}{padding}="),
                format!("{good}\n"),
                format!(" {good}"),
                format!("{good}A").replace("AA", "A="),
                good.replacen('-', "+", 1).replacen('_', "/", 1),
            ] {
                let is_same = bad == good;
                assert!(is_same || read(bad.as_bytes()).is_none(), "{length}: {bad}");
            }
            if !padding.is_empty() {
                assert_eq!(read(format!("{good}{padding}").as_bytes()), None, "{length}");
                // Bits behind the last byte that are not 0 (RFC 4648 section 3.5).
                let (rest, last) = good.split_at(good.len() - 1);
                let letters = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']);
                let accepted =
                    letters.filter(|letter| read(format!("{rest}{letter}").as_bytes()).is_some());
                let spellings = if padding.len() == 2 { 4 } else { 16 };
                assert_eq!(accepted.count(), spellings, "{length} {last}");
            }
        }
    }

    #[test]
    fn every_other_byte_is_refused_at_every_place() {
        let good = URL_SAFE_NO_PAD.encode([0x5a; 120]);
        for index in 0..good.len() {
            for byte in 0..=255_u8 {
                let mut text = good.clone().into_bytes();
                if let Some(one) = text.get_mut(index) {
                    *one = byte;
                }
                let in_alphabet = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                assert_eq!(read(&text).is_some(), in_alphabet, "{byte} at {index}");
            }
        }
    }

    #[test]
    fn keys_are_read_in_either_alphabet() {
        for text in ["-_8", "+/8="] {
            assert_eq!(decode_either_alphabet(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(decode_either_alphabet("-/8"), None);
    }
}
