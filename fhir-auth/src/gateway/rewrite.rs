//! Addresses in JSON, as it streams by: in answers the base of the server behind is written as the base that
//! clients know, in requests those below the latter are written relative, and those of the server behind as
//! foreign ones.
//!
//! Only the values of members that hold addresses are looked at: `Bundle.link.url` and attachments (`url`),
//! `fullUrl`, `response.location`, `Reference.reference`; of requests `Reference.reference` and `request.url`. All else goes on byte by byte, decimals with their
//! digits. A document may end anywhere in a part of the body, also within an escape.

use bytes::Bytes;

use super::base::Bases;

/// The members whose values are addresses.
const ADDRESSES: [&[u8]; 4] = [b"fullUrl", b"location", b"reference", b"url"];

/// The base that is written in requests for that of the server behind. By RFC 2606 there is none.
const FOREIGN: &[u8] = b"https://foreign.invalid";

/// The longest name of a member that has to be remembered.
const LONGEST_NAME: usize = 9;

/// The most objects and arrays within one another. What is deeper is no FHIR, and is left as it is.
const MAX_DEPTH: usize = 4096;

/// Rewrites one body, part by part.
#[derive(Debug)]
pub(super) struct Rewriter {
    bases: Bases,
    way: Way,
    /// True after the name of the member `request`.
    is_request: bool,
    /// The number of objects and arrays that are open within such a member.
    request: Option<usize>,
    /// The base of the address that was read, as it is written.
    written: &'static [u8],
    /// The objects (`true`) and arrays that are open.
    open: Vec<bool>,
    place: Place,
    expects_name: bool,
    name: Vec<u8>,
    /// True after the name of a member that holds an address.
    is_address: bool,
    /// The value that is compared, without its escapes.
    value: Vec<u8>,
    /// The character of it that is read, as it was written.
    character: Vec<u8>,
    /// The end of the parts before, held back because it may be the base.
    held: Vec<u8>,
}

/// The way that a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToClient,
    ToServer,
}

/// The place of the next byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Outside of texts.
    Between,
    Name {
        escaped: bool,
    },
    /// A text that goes on as it is.
    Text {
        escaped: bool,
    },
    /// A text that may begin with the base.
    Compared(Escape),
    /// Nothing is looked at any more.
    Beyond,
}

/// The part of an escape that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    Backslash,
    /// `\u`, digits, and their value.
    Hex(u8, u32),
}

/// The step that a byte has brought.
enum Step {
    On,
    /// The next byte is the first of a text that may begin with the base.
    Begins,
    /// The text does not begin with it.
    IsOther,
    /// The text has begun with it, and goes on or ends with [`Rewriter::character`].
    IsBase,
}

impl Rewriter {
    /// Of an answer.
    pub(super) fn new(bases: Bases) -> Self {
        Self::on(Way::ToClient, bases)
    }

    /// Of a request.
    pub(super) fn of_request(bases: Bases) -> Self {
        Self::on(Way::ToServer, bases)
    }

    fn on(way: Way, bases: Bases) -> Self {
        Self {
            bases,
            way,
            is_request: false,
            request: None,
            written: b"",
            open: Vec::new(),
            place: Place::Between,
            expects_name: false,
            name: Vec::new(),
            is_address: false,
            value: Vec::new(),
            character: Vec::new(),
            held: Vec::new(),
        }
    }

    /// Takes a part of the body, and returns what goes on now. Without an address of the server behind in it
    /// that is the part itself.
    pub(super) fn push(&mut self, part: &Bytes) -> Bytes {
        let mut written: Vec<u8> = Vec::new();
        let (mut from, mut start) = (0, 0);
        for (at, byte) in part.iter().enumerate() {
            match self.step(*byte) {
                Step::On => {}
                Step::Begins => start = at + 1,
                // What was held back comes before anything of this part.
                Step::IsOther => written.append(&mut self.held),
                Step::IsBase => {
                    written.extend_from_slice(part.get(from..start).unwrap_or_default());
                    written.extend_from_slice(match self.way {
                        Way::ToClient => self.bases.public_in_json(),
                        Way::ToServer => self.written,
                    });
                    written.append(&mut self.character);
                    self.held.clear();
                    (from, start) = (at + 1, 0);
                }
            }
        }
        let end = match self.place {
            Place::Compared(_) => {
                let start = start.max(from);
                self.held.extend_from_slice(part.get(start..).unwrap_or_default());
                start
            }
            Place::Between | Place::Name { .. } | Place::Text { .. } | Place::Beyond => part.len(),
        };
        if written.is_empty() && from == 0 {
            return part.slice(..end);
        }
        written.extend_from_slice(part.get(from..end).unwrap_or_default());
        written.into()
    }

    /// Returns what is held back, at the end of a body that was cut off.
    pub(super) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    fn step(&mut self, byte: u8) -> Step {
        match self.place {
            Place::Between => return self.between(byte),
            Place::Name { escaped } => self.name(byte, escaped),
            Place::Text { escaped: true } => self.place = Place::Text { escaped: false },
            Place::Text { .. } if byte == b'\\' => self.place = Place::Text { escaped: true },
            Place::Text { .. } if byte == b'"' => self.place = Place::Between,
            Place::Compared(escape) => return self.compared(byte, escape),
            Place::Text { .. } | Place::Beyond => {}
        }
        Step::On
    }

    fn between(&mut self, byte: u8) -> Step {
        let is_address = std::mem::take(&mut self.is_address);
        let is_request = std::mem::take(&mut self.is_request);
        match byte {
            b'{' | b'[' => {
                self.open.push(byte == b'{');
                if is_request && byte == b'{' {
                    self.request = Some(self.open.len());
                }
                self.expects_name = byte == b'{';
                if self.open.len() > MAX_DEPTH {
                    self.place = Place::Beyond;
                }
            }
            b'}' | b']' => {
                self.open.pop();
                self.expects_name = false;
                self.request = self.request.filter(|open| *open <= self.open.len());
            }
            b',' => self.expects_name = self.open.last() == Some(&true),
            b'"' if self.expects_name => {
                self.name.clear();
                self.place = Place::Name { escaped: false };
            }
            b'"' if is_address => {
                self.value.clear();
                self.character.clear();
                self.place = Place::Compared(Escape::None);
                return Step::Begins;
            }
            b'"' => self.place = Place::Text { escaped: false },
            // White space, the colon, numbers and words.
            _ => (self.is_address, self.is_request) = (is_address, is_request),
        }
        Step::On
    }

    fn name(&mut self, byte: u8, escaped: bool) {
        if byte == b'"' && !escaped {
            // A name with escapes is none of these: what it holds stays foreign.
            self.is_address = match (self.way, &*self.name) {
                (Way::ToClient, name) => ADDRESSES.contains(&name),
                (Way::ToServer, b"reference") => true,
                (Way::ToServer, b"url") => self.request == Some(self.open.len()),
                (Way::ToServer, _) => false,
            };
            self.is_request = *self.name == *b"request";
            self.expects_name = false;
            self.place = Place::Between;
            return;
        }
        if self.name.len() <= LONGEST_NAME {
            self.name.push(byte);
        }
        self.place = Place::Name { escaped: byte == b'\\' && !escaped };
    }

    fn compared(&mut self, byte: u8, escape: Escape) -> Step {
        if escape == Escape::None {
            self.character.clear();
        }
        self.character.push(byte);
        let (escape, read) = match (escape, byte) {
            (Escape::None, b'"') => return self.ended(),
            (Escape::None, b'\\') => (Escape::Backslash, None),
            (Escape::None, _) => (Escape::None, Some(byte)),
            (Escape::Backslash, b'u') => (Escape::Hex(0, 0), None),
            // Of the other escapes only a slash may be in an address.
            (Escape::Backslash, b'/') => (Escape::None, Some(byte)),
            (Escape::Backslash, _) => (Escape::None, Some(0)),
            (Escape::Hex(digits, value), _) => hex(digits, value, byte),
        };
        self.place = Place::Compared(escape);
        match read {
            None => Step::On,
            Some(read @ (b'/' | b'?' | b'#')) if self.is_written(read) => {
                self.place = Place::Text { escaped: false };
                Step::IsBase
            }
            Some(read) => {
                self.value.push(read);
                let is_public =
                    || self.way == Way::ToServer && self.bases.may_be_public(&self.value);
                if self.bases.may_be_base(&self.value) || is_public() {
                    return Step::On;
                }
                self.place = Place::Text { escaped: false };
                Step::IsOther
            }
        }
    }

    /// Judges a text that has ended.
    fn ended(&mut self) -> Step {
        self.place = Place::Between;
        if self.is_written(b'"') { Step::IsBase } else { Step::IsOther }
    }

    /// Reports whether what has been read is a base that is written otherwise, where this character follows.
    fn is_written(&mut self, next: u8) -> bool {
        if self.way == Way::ToServer && self.bases.is_public(&self.value) {
            self.written = b"";
            // The slash after the base goes along; the base alone has no relative form.
            if next == b'/' {
                self.character.clear();
            }
            return next == b'/';
        }
        self.written = FOREIGN;
        self.bases.is_base(&self.value)
    }
}

/// Reads a digit of an escape: what is read then of it, and the character after the last one. Another
/// character than one of ASCII is in no address, and reads as 0.
fn hex(digits: u8, value: u32, byte: u8) -> (Escape, Option<u8>) {
    let Some(digit) = char::from(byte).to_digit(16) else { return (Escape::None, Some(0)) };
    let value = value * 16 + digit;
    match digits {
        3 => (Escape::None, Some(u8::try_from(value).unwrap_or(0))),
        _ => (Escape::Hex(digits + 1, value), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: &str = "https://fhir.example.org/r4";

    fn rewriter() -> Rewriter {
        let bases =
            Bases::new(&PUBLIC.parse().unwrap(), &"http://localhost:80/fhir/".parse().unwrap());
        Rewriter::new(bases)
    }

    /// Rewrites a text that comes in two parts, and in parts of one byte, wherever it is split.
    fn rewritten(text: &str) -> String {
        let whole = in_parts(&[text.as_bytes()]);
        for place in 0..=text.len() {
            let (one, other) = text.as_bytes().split_at(place);
            assert_eq!(in_parts(&[one, other]), whole, "split at {place}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(in_parts(&bytes), whole, "byte by byte");
        whole
    }

    fn in_parts(parts: &[&[u8]]) -> String {
        let mut rewriter = rewriter();
        let mut all = Vec::new();
        for part in parts {
            all.extend_from_slice(&rewriter.push(&Bytes::copy_from_slice(part)));
        }
        all.extend_from_slice(&rewriter.finish());
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn addresses_of_the_server_behind_are_written_as_those_that_clients_know() {
        for (value, expected) in [
            ("http://localhost/fhir/Patient/1", "https://fhir.example.org/r4/Patient/1"),
            ("http://localhost:80/fhir/Patient/1", "https://fhir.example.org/r4/Patient/1"),
            ("HTTP://LocalHost/fhir?_page=2", "https://fhir.example.org/r4?_page=2"),
            ("http://localhost/fhir", "https://fhir.example.org/r4"),
            ("http://localhost/fhir/", "https://fhir.example.org/r4/"),
            ("http://localhost/fhir#x", "https://fhir.example.org/r4#x"),
            (r"http:\/\/localhost\/fhir\/Patient\/1", r"https://fhir.example.org/r4\/Patient\/1"),
            (
                r"\u0068ttp://localhost/fhir\u002FPatient/1",
                r"https://fhir.example.org/r4\u002FPatient/1",
            ),
            // Others.
            ("http://localhost/fhirs/Patient/1", "http://localhost/fhirs/Patient/1"),
            ("http://localhost/FHIR/Patient/1", "http://localhost/FHIR/Patient/1"),
            ("http://localhost:8080/fhir/Patient/1", "http://localhost:8080/fhir/Patient/1"),
            ("http://localhost/fhi", "http://localhost/fhi"),
            (r"http://localhost/fhir\n/Patient", r"http://localhost/fhir\n/Patient"),
            (r"http://localhost/fhir\u012f/x", r"http://localhost/fhir\u012f/x"),
            (r"http://localhost\u00zz/fhir/", r"http://localhost\u00zz/fhir/"),
            (
                "Patient/1?of=http://localhost/fhir/Patient/1",
                "Patient/1?of=http://localhost/fhir/Patient/1",
            ),
            ("urn:uuid:0", "urn:uuid:0"),
            ("", ""),
            ("é", "é"),
        ] {
            let text = format!(r#"{{"reference":"{value}","value":5.40}}"#);
            let expected = format!(r#"{{"reference":"{expected}","value":5.40}}"#);
            assert_eq!(rewritten(&text), expected, "{value}");
        }
    }

    #[test]
    fn only_the_values_of_members_that_hold_addresses_are_looked_at() {
        let here = "http://localhost/fhir/Patient/1";
        for text in [
            format!(r#"{{"{here}":1,"display":"{here}"}}"#),
            format!(r#"{{"div":"<a href=\"{here}\">","a\"url":"{here}","urls":"{here}"}}"#),
            format!(r#"["url","{here}"]"#),
            format!(
                r#"{{"url":["{here}"],"fullUrl":{{"a":"{here}"}},"reference":1,"x":"{here}"}}"#
            ),
            format!(r#"{{"reference":null,"x":"{here}"}}"#),
            format!(r#"{{"a":"reference","x":"{here}"}}"#),
            format!(r#""{here}""#),
            r#"{"valueDecimal":1.0e-10,"other":-0.00,"long":123456789012345678901234567890}"#
                .to_owned(),
            "{\"reference\":\"http://localhost/fh".to_owned(),
            "no JSON \"reference\": \\".to_owned(),
        ] {
            assert_eq!(rewritten(&text), text);
        }
        let text = format!(
            "{{ \"link\" : [ {{\"relation\":\"self\",\"url\" :\n \"{here}\"}} ],\"entry\":[{{\"fullUrl\":\"{here}\",\
             \"resource\":{{\"id\":\"1\",\"subject\":{{\"reference\":\"{here}\"}}}},\"response\":{{\"location\":\"{here}\"}}}}]}}\n\
             {{\"content\":{{\"url\":\"{here}\"}}}}"
        );
        let expected = text.replace("http://localhost/fhir", PUBLIC);
        assert_eq!(rewritten(&text), expected);
    }

    #[test]
    fn in_requests_addresses_of_this_server_are_relative_and_those_of_the_server_behind_are_foreign()
     {
        let sent = |text: &str| {
            for size in 1..=text.len() {
                let bases = Bases::new(
                    &PUBLIC.parse().unwrap(),
                    &"http://localhost:80/fhir/".parse().unwrap(),
                );
                let mut rewriter = Rewriter::of_request(bases);
                let mut all = Vec::new();
                for part in text.as_bytes().chunks(size) {
                    all.extend_from_slice(&rewriter.push(&Bytes::copy_from_slice(part)));
                }
                all.extend_from_slice(&rewriter.finish());
                if size == text.len() {
                    return String::from_utf8(all).unwrap();
                }
            }
            String::new()
        };
        for (value, expected) in [
            ("https://fhir.example.org/r4/Patient/1", "Patient/1"),
            ("HTTPS://fhir.example.org:443/r4/Patient/1", "Patient/1"),
            (r"https:\/\/fhir.example.org\/r4\/Patient\/1", r"Patient\/1"),
            ("http://localhost/fhir/Patient/1", "https://foreign.invalid/Patient/1"),
            ("http://localhost:80/fhir", "https://foreign.invalid"),
            ("https://fhir.example.org/r4", "https://fhir.example.org/r4"),
            ("https://fhir.example.org/r4?x", "https://fhir.example.org/r4?x"),
            ("https://fhir.example.org/r4x/Patient/1", "https://fhir.example.org/r4x/Patient/1"),
            ("Patient/1", "Patient/1"),
            ("urn:uuid:0", "urn:uuid:0"),
        ] {
            for place in [
                r#"{"subject":{"reference":"@"},"x":1.50}"#,
                r#"[{"request":{"method":"GET","url" : "@"}}]"#,
            ] {
                let (text, expected) = (place.replace('@', value), place.replace('@', expected));
                assert_eq!(sent(&text), expected, "{text}");
            }
            for other in [
                r#"{"resource":{"url":"@"},"fullUrl":"@","request":"@"}"#,
                r#"{"request":{"a":{"url":"@"}},"url":"@"}"#,
                r#"{"request":{"a":1},"b":{"url":"@"}}"#,
            ] {
                let text = other.replace('@', value);
                assert_eq!(sent(&text), text);
            }
        }
    }

    #[test]
    fn what_is_nested_without_an_end_is_left_as_it_is() {
        let text = format!("{}\"url\":\"http://localhost/fhir/x\"", "{".repeat(MAX_DEPTH + 1));
        assert_eq!(in_parts(&[text.as_bytes()]), text);
        let mut rewriter = rewriter();
        let part = Bytes::from_static(b"{\"reference\":\"Patient/1\"}");
        assert_eq!(rewriter.push(&part).as_ptr(), part.as_ptr(), "not copied");
    }
}
