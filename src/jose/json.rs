//! Strict JSON (RFC 8259) that borrows from its input.
//!
//! What tokens need and a general reader does not give: a member that stands twice in one object
//! is refused at any depth (RFC 7515 section 4, RFC 7519 section 4), and so is nesting deeper than
//! [`MAX_DEPTH`]. Numbers are read as `f64`, which holds every `NumericDate`. Only the structure is
//! read here: texts with escapes are the library's.
//!
//! It stands on the way of every token that was not seen before, where it takes half of what a
//! reader takes that has to hand over each value to another one (`benches/instructions`).

use std::borrow::Cow;

use smallvec::SmallVec;

/// How deep objects and arrays may stand in one another.
pub(crate) const MAX_DEPTH: u8 = 32;

/// Up to how many members duplicates are found by comparing each with each.
const FEW_MEMBERS: usize = 64;

/// One JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    Number(f64),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    /// Rare in tokens, and large: boxed, so that the other values stay small.
    Object(Box<Object<'a>>),
}

/// The members of one JSON object, in the order of the text, each name once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    /// A byte of each name, by which it is looked for: a hundred names are asked for of each token.
    tags: SmallVec<[u8; 32]>,
    /// The bits that the tags set. Most names that are asked for are not there, and set another.
    tagged: u128,
}

/// Why a text was refused as JSON. Says where, never what stood there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    #[error("has a member twice in one object")]
    Duplicate,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("is not a JSON object")]
    NotAnObject,
}

/// A document without the byte order mark that some servers put before it (RFC 8259 section 8.1).
pub(crate) fn without_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

impl<'a> Object<'a> {
    /// Parses a whole text that must be one JSON object in UTF-8, without a byte order mark.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(text)
            .map_err(|error| JsonError::Syntax(error.valid_up_to().saturating_add(1)))?;
        let mut reader = Reader { text, at: 0 };
        let object = match reader.next() {
            Some(b'{') => Ok(reader.object(0)?),
            Some(_) | None => reader.value(0).and(Err(JsonError::NotAnObject)),
        };
        if reader.next().is_some() { Err(reader.fault()) } else { object }
    }

    /// The value of a member, `null` included.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let tag = tag_of(name);
        if self.tagged & bit_of(tag) == 0 {
            return None;
        }
        let tagged = self.tags.iter().enumerate().filter(|(_, other)| **other == tag);
        let mut members = tagged.filter_map(|(place, _)| self.members.get(place));
        members.find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The names of the members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }

    /// Whether a member stands here, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of a member: `None` when it is absent, `Err` when it is anything but text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, NotText> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(NotText),
        }
    }

    fn push(&mut self, name: Cow<'a, str>, value: Json<'a>) {
        let tag = tag_of(&name);
        self.tags.push(tag);
        self.tagged |= bit_of(tag);
        self.members.push((name, value));
    }

    /// Whether one of very many names stands twice.
    fn repeats_a_name(&self) -> bool {
        let mut names: Vec<&str> = self.names().collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

/// One byte of what tells the names of claims apart: length, first and last letter.
fn tag_of(name: &str) -> u8 {
    let letter = |byte: Option<&u8>| byte.copied().unwrap_or_default();
    let (first, last) = (letter(name.as_bytes().first()), letter(name.as_bytes().last()));
    let length = name.len().to_le_bytes().first().copied().unwrap_or_default();
    length.wrapping_mul(37).wrapping_add(first.wrapping_mul(5)).wrapping_add(last.wrapping_mul(11))
}

fn bit_of(tag: u8) -> u128 {
    1 << (tag % 128)
}

/// A member is there, but it is not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

impl Json<'_> {
    /// The text, if this is text.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }
}

/// How many bytes stand before the next quote, backslash or control character: eight are looked at
/// at once, each in a byte of a word whose high bit says so.
fn length_of_plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        // A carry can only spoil what stands behind the first find.
        let found = is(b'"') | is(b'\\') | below(word, 0x20);
        if found != 0 {
            let byte = usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
            return place * 8 + byte;
        }
    }
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..b' ');
    words.len() * 8 + rest.iter().position(special).unwrap_or(rest.len())
}

/// A text, and how far it was read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads a value that stands in a number of objects and arrays.
    fn value(&mut self, depth: u8) -> Result<Json<'a>, JsonError> {
        match self.next() {
            Some(b'"') => self.string().map(Json::String),
            Some(b'{') => self.object(depth).map(|object| Json::Object(Box::new(object))),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number().map(Json::Number),
            Some(b't') => self.word("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Json::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Json::Null),
            Some(_) | None => Err(self.fault()),
        }
    }

    fn object(&mut self, depth: u8) -> Result<Object<'a>, JsonError> {
        let depth = self.enter(depth)?;
        let mut object = Object::default();
        // About as many as there mostly are in so much text.
        let expected = if depth == 1 { self.text.len() / 40 + 2 } else { 2 };
        object.members.reserve(expected.min(FEW_MEMBERS));
        let mut follows = !self.ends(b'}');
        while follows {
            self.next();
            let name = self.string()?;
            if object.members.len() < FEW_MEMBERS && object.has(&name) {
                return Err(JsonError::Duplicate);
            }
            self.next();
            self.take(b':')?;
            let value = self.value(depth)?;
            object.push(name, value);
            follows = self.goes_on(b'}')?;
        }
        if object.members.len() > FEW_MEMBERS && object.repeats_a_name() {
            return Err(JsonError::Duplicate);
        }
        Ok(object)
    }

    fn array(&mut self, depth: u8) -> Result<Json<'a>, JsonError> {
        let depth = self.enter(depth)?;
        let mut items = Vec::new();
        let mut follows = !self.ends(b']');
        while follows {
            items.push(self.value(depth)?);
            follows = self.goes_on(b']')?;
        }
        Ok(Json::Array(items))
    }

    /// A text, borrowed where it has no escapes.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let quote = self.at;
        self.take(b'"')?;
        let start = self.at;
        self.at += length_of_plain(self.rest());
        if self.peek() == Some(b'"') {
            let plain = self.text.get(start..self.at).unwrap_or_default();
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        while self.peek() != Some(b'"') {
            if self.peek() != Some(b'\\') {
                // A control character, or the end.
                return Err(self.fault());
            }
            self.at += 2;
            self.at += length_of_plain(self.rest());
        }
        self.at += 1;
        let quoted = self.text.get(quote..self.at).unwrap_or_default();
        serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| JsonError::Syntax(start))
    }

    fn number(&mut self) -> Result<f64, JsonError> {
        let start = self.at;
        let _ = self.take(b'-');
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.take(b'.').is_ok() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            let _ = self.take(b'+').or_else(|_| self.take(b'-'));
            self.digits()?;
        }
        let number = self.text.get(start..self.at).and_then(|digits| digits.parse().ok());
        number.filter(|number: &f64| number.is_finite()).ok_or(JsonError::Syntax(start + 1))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.fault()) } else { Ok(()) }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.fault());
        }
        self.at += word.len();
        Ok(())
    }

    fn enter(&mut self, depth: u8) -> Result<u8, JsonError> {
        if depth >= MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        self.at += 1;
        Ok(depth + 1)
    }

    /// Whether an object or array ends here.
    fn ends(&mut self, end: u8) -> bool {
        let ends = self.next() == Some(end);
        self.at += usize::from(ends);
        ends
    }

    /// Whether another member or item follows, or the end.
    fn goes_on(&mut self, end: u8) -> Result<bool, JsonError> {
        match self.next() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => self.take(b',').map(|()| true),
        }
    }

    fn take(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    /// The next byte that is no white space, which is read.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self) -> JsonError {
        JsonError::Syntax(self.at + 1)
    }
}

#[cfg(test)]
mod tests;
