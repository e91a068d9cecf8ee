//! The parser from a document to its nodes.
//!
//! Recursive descent: each step takes the position where it begins and returns the position after
//! what it has read. Only the structure is read here: `serde_json` decodes strings with escapes.
//!
//! ```text
//! object = "{" [ string ":" value *( "," string ":" value ) ] "}"
//! array  = "[" [ value *( "," value ) ] "]"
//! value  = string / object / array / number / "true" / "false" / "null"
//! ```

use super::error::{JsonError, MAX_DEPTH, MAX_NODES};
use super::members::Members;
use super::nodes::{Node, Nodes};
use crate::span::Span;

struct Reader<'a> {
    bytes: &'a [u8],
    /// `true` when the document has no backslash and no control character, as most tokens: then
    /// each string ends at the next quote, which is searched for without a look at the rest. With
    /// the search below, this takes a quarter of the reader's time less than byte by byte.
    is_plain: bool,
    nodes: Nodes<'a>,
}

type Read<T> = Result<T, JsonError>;

/// The bytes of a token per node, roughly.
const BYTES_PER_NODE: usize = 12;

/// The initial capacity in nodes. A larger block comes from a slower path of the allocator: 4 % of the
/// instructions for a token of an unknown issuer.
const USUAL_NODES: usize = 64;

pub(super) fn read(text: &str) -> Result<(Nodes<'_>, Members), JsonError> {
    let row = Vec::with_capacity(USUAL_NODES.min(text.len() / BYTES_PER_NODE + 2));
    let is_plain = text.bytes().fold(true, |all, byte| all & !is_control(byte) & (byte != b'\\'));
    let nodes = Nodes { text, unescaped: String::new(), row };
    let mut reader = Reader { bytes: text.as_bytes(), is_plain, nodes };
    let mut members = Members::none();
    reader.document(&mut members)?;
    Ok((reader.nodes, members))
}

fn is_control(byte: u8) -> bool {
    byte < b' '
}

/// Returns the number of bytes before the next quote. Eight bytes at a time (SWAR): a match sets
/// the byte's high bit.
fn length_of_plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'"'));
        // A borrow can only set bits of bytes after the first match.
        let found = word.wrapping_sub(ONES) & !word & HIGH;
        if found != 0 {
            let byte = usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
            return index * 8 + byte;
        }
    }
    words.len() * 8 + rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len())
}

impl Reader<'_> {
    /// Reads the whole document, with the members of its object.
    fn document(&mut self, members: &mut Members) -> Read<()> {
        let start = self.next(0);
        let is_object = self.byte(start) == b'{';
        let end = if is_object { self.object(start, 0, members)? } else { self.value(start, 0)? };
        match self.next(end) {
            end if end < self.bytes.len() => fault(end),
            _ if is_object => Ok(()),
            _ => Err(JsonError::NotAnObject),
        }
    }

    /// Reads a value at a nesting depth.
    #[inline]
    fn value(&mut self, at: usize, depth: u8) -> Read<usize> {
        if self.byte(at) != b'"' {
            return self.other_value(at, depth);
        }
        let (string, end) = self.string(at)?;
        self.nodes.row.push(Node::String(string));
        Ok(end)
    }

    fn other_value(&mut self, at: usize, depth: u8) -> Read<usize> {
        let (node, end) = match self.byte(at) {
            b'{' => return self.object(at, depth, &mut Members::none()),
            b'[' => return self.array(at, depth),
            b'-' | b'0'..=b'9' => {
                let (number, end) = self.number(at)?;
                (Node::Number(number), end)
            }
            b't' => (Node::Bool(true), self.word(at, "true")?),
            b'f' => (Node::Bool(false), self.word(at, "false")?),
            b'n' => (Node::Null, self.word(at, "null")?),
            _ => return fault(at),
        };
        self.nodes.row.push(node);
        Ok(end)
    }

    fn object(&mut self, at: usize, depth: u8, members: &mut Members) -> Read<usize> {
        let own = self.open(depth)?;
        let mut at = self.next(at + 1);
        if self.byte(at) != b'}' {
            loop {
                let (name, end) = self.string(at)?;
                members.add(name, &mut self.nodes)?;
                let value = self.take(b':', self.next(end))?;
                at = self.value(self.next(value), depth + 1)?;
                at = self.next(at);
                if self.byte(at) == b'}' {
                    break;
                }
                at = self.next(self.take(b',', at)?);
            }
        }
        // Before the search for duplicates, which walks the object: until now that is a placeholder.
        self.close(own, Node::Object);
        members.close(own, &self.nodes)?;
        Ok(at + 1)
    }

    fn array(&mut self, at: usize, depth: u8) -> Read<usize> {
        let own = self.open(depth)?;
        let mut at = self.next(at + 1);
        if self.byte(at) != b']' {
            loop {
                // Values of members are counted by their names.
                if self.nodes.row.len() >= MAX_NODES {
                    return Err(JsonError::TooMany);
                }
                at = self.value(at, depth + 1)?;
                at = self.next(at);
                if self.byte(at) == b']' {
                    break;
                }
                at = self.next(self.take(b',', at)?);
            }
        }
        self.close(own, Node::Array);
        Ok(at + 1)
    }

    /// Reads a string; its span is in the source text, or in the unescape buffer.
    #[inline]
    fn string(&mut self, at: usize) -> Read<(Span, usize)> {
        let start = self.take(b'"', at)?;
        if !self.is_plain {
            return self.string_with_escapes(start);
        }
        let rest = self.bytes.get(start..).unwrap_or_default();
        let end = start + length_of_plain(rest);
        match Span::between(start, end) {
            Some(string) if end < self.bytes.len() => Ok((string, end + 1)),
            _ => fault(end),
        }
    }

    /// Reads a string of a document with escapes.
    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Read<(Span, usize)> {
        let mut end = start;
        let mut has_escapes = false;
        loop {
            match self.byte(end) {
                b'"' => break,
                // The next character may be a quote, which then does not end the string.
                b'\\' => {
                    has_escapes = true;
                    end += 2;
                }
                byte if is_control(byte) => return fault(end),
                _ => end += 1,
            }
        }
        let Nodes { text, unescaped, .. } = &mut self.nodes;
        let span = if has_escapes {
            let quoted = text.get(start - 1..=end).unwrap_or_default();
            let string = serde_json::from_str::<String>(quoted).ok();
            string.and_then(|string| Span::written(&string, unescaped)?.later_by(text.len()))
        } else {
            Span::between(start, end)
        };
        match span {
            Some(span) => Ok((span, end + 1)),
            None => Err(JsonError::Syntax(start)),
        }
    }

    fn number(&self, at: usize) -> Read<(f64, usize)> {
        match self.small_number(at) {
            Some((number, end)) if !matches!(self.byte(end), b'.' | b'e' | b'E') => {
                Ok((f64::from(number), end))
            }
            _ => self.any_number(at),
        }
    }

    /// Reads an unsigned integer of up to 32 bits without fraction or exponent, as a date is: saves 1.4 % of the
    /// instructions for a token of an unknown issuer.
    fn small_number(&self, at: usize) -> Option<(u32, usize)> {
        let (mut number, mut end) = (0_u32, at);
        while let digit @ b'0'..=b'9' = self.byte(end) {
            number = number.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
            end += 1;
        }
        let is_plain = end == at + 1 || (end > at && self.byte(at) != b'0');
        is_plain.then_some((number, end))
    }

    /// Reads a number (RFC 8259 section 6), which must be finite as an `f64`.
    fn any_number(&self, at: usize) -> Read<(f64, usize)> {
        let mut end = at + usize::from(self.byte(at) == b'-');
        // No leading zeros.
        end = if self.byte(end) == b'0' { end + 1 } else { self.digits(end)? };
        if self.byte(end) == b'.' {
            end = self.digits(end + 1)?;
        }
        if matches!(self.byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            end = self.digits(end + 1 + sign)?;
        }
        match self.nodes.text.get(at..end).map(str::parse::<f64>) {
            // Rust parses `1e999` as infinity; `serde_json` rejects it, unless `arbitrary_precision` is on.
            Some(Ok(number)) if number.is_finite() => Ok((number, end)),
            _ => Err(JsonError::Syntax(at + 1)),
        }
    }

    fn digits(&self, at: usize) -> Read<usize> {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
            0 => fault(at),
            digits => Ok(at + digits),
        }
    }

    fn word(&self, at: usize, word: &str) -> Read<usize> {
        match self.bytes.get(at..at + word.len()) {
            Some(found) if found == word.as_bytes() => Ok(at + word.len()),
            _ => fault(at),
        }
    }

    /// Adds a placeholder for an object or array, whose end is not known yet. The depth is bounded
    /// because each level is a call within a call.
    fn open(&mut self, depth: u8) -> Read<usize> {
        if depth >= MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        let own = self.nodes.row.len();
        self.nodes.row.push(Node::Null);
        Ok(own)
    }

    fn close(&mut self, own: usize, node: fn(usize) -> Node) {
        let end = self.nodes.row.len();
        if let Some(open) = self.nodes.row.get_mut(own) {
            *open = node(end);
        }
    }

    /// Returns the position after a byte that must be at `at`.
    fn take(&self, byte: u8, at: usize) -> Read<usize> {
        if self.byte(at) == byte { Ok(at + 1) } else { fault(at) }
    }

    /// Returns the position of the next byte that is not white space.
    fn next(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        at
    }

    /// Returns the byte at `at`, or NUL past the end, which is valid nowhere in JSON.
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }
}

fn fault<T>(at: usize) -> Read<T> {
    Err(JsonError::Syntax(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_quote_is_found_wherever_it_stands() {
        for length in 0..20 {
            for filling in [b'a', b' ', b'!', b'#', 0xa2, 0x80, 0xff] {
                let mut bytes = vec![filling; length];
                assert_eq!(length_of_plain(&bytes), length);
                bytes.push(b'"');
                bytes.extend([filling; 9]);
                assert_eq!(length_of_plain(&bytes), length, "{bytes:?}");
            }
        }
    }
}
