//! The base of the upstream server, written as the base that clients know, and the other way round: in JSON, as it
//! streams by.
//!
//! Only the values of members that hold addresses are looked at. Of answers these are `fullUrl`, `response.location`,
//! `Reference.reference`, and `url` of attachments, of entries' requests, of the files of a manifest, and of
//! `Bundle.link`: a link that leads elsewhere is left out. Of requests they are `Reference.reference` and
//! `request.url`, in which the base of the upstream server is written as a foreign one. All else goes on byte by byte,
//! decimals with their digits. A document may end anywhere in a part of the body, also within an escape.

mod compared;
mod link;
mod members;
mod output;
mod state;
#[cfg(test)]
mod tests;
mod unchanged;

use bytes::Bytes;

use self::compared::{Compared, Escape, hex};
use self::link::{Link, PublicLink};
use self::members::{Address, Direction, Kind, LONGEST_NAME, address, kind, unescaped};
use self::output::Output;
use self::state::{LexerState, Transition};
use super::base::Bases;

/// The base that is written in requests for that of the upstream server. By RFC 2606 there is none.
const FOREIGN: &[u8] = b"https://foreign.invalid";

/// The most objects and arrays within one another. What is deeper is no FHIR, and is left as it is.
const MAX_DEPTH: usize = 4096;

/// Rewrites one body, part by part.
#[derive(Debug)]
pub(super) struct Rewriter {
    bases: Bases,
    direction: Direction,
    /// The objects and arrays that are open.
    open: Vec<Open>,
    state: LexerState,
    expects_name: bool,
    name: Vec<u8>,
    /// The kind of the objects that the member has whose name was read last.
    member: Kind,
    /// The address that this member holds, as soon as its value begins.
    address: Option<Address>,
    compared: Compared,
    /// The end of the parts before, held back because it may be a base.
    held: Vec<u8>,
    link: Option<Link>,
    /// True if a link of the present array goes on.
    has_link: bool,
    /// True after a comma between links, which is written with the link that it precedes.
    has_comma: bool,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    is_object: bool,
    kind: Kind,
}

impl Rewriter {
    /// Rewrites an answer.
    pub(super) fn of_answer(bases: Bases) -> Self {
        Self::new(bases, Direction::ToClient { judges_links: true })
    }

    /// Rewrites a request.
    pub(super) fn of_request(bases: Bases) -> Self {
        Self::new(bases, Direction::ToServer)
    }

    /// Rewrites a part of an answer, whose links are no links of a bundle.
    fn of_part(bases: Bases) -> Self {
        Self::new(bases, Direction::ToClient { judges_links: false })
    }

    fn new(bases: Bases, direction: Direction) -> Self {
        let compared =
            Compared { address: Address::Absolute, value: Vec::new(), character: Vec::new() };
        Self {
            bases,
            direction,
            open: Vec::new(),
            state: LexerState::Between,
            expects_name: false,
            name: Vec::new(),
            member: Kind::Other,
            address: None,
            compared,
            held: Vec::new(),
            link: None,
            has_link: false,
            has_comma: false,
        }
    }

    /// Takes a body that is there as a whole.
    pub(super) fn whole(&mut self, body: Bytes) -> Bytes {
        let is_answer = self.direction == Direction::ToClient { judges_links: true };
        let is_begun = !self.open.is_empty() || self.state != LexerState::Between;
        match is_answer && !is_begun && unchanged::is_unchanged(&body, &self.bases) {
            true => body,
            false => self.push(&body),
        }
    }

    /// Takes a part of the body, and returns what goes on now. Without an address of the other side in it that
    /// is the part itself.
    pub(super) fn push(&mut self, part: &Bytes) -> Bytes {
        let mut out = Output { part, written: Vec::new(), from: 0, is_changed: false };
        let (mut at, mut start) = (0, 0);
        loop {
            if self.link.is_some() {
                match self.take_link(&mut out, at) {
                    Some(end) => at = end,
                    None => return out.done(0),
                }
            }
            at = self.skipped(part, at);
            let Some(byte) = part.get(at) else { break };
            match self.step(*byte) {
                Transition::On => {}
                Transition::Begins => start = at + 1,
                // What was held back comes before anything of this part.
                Transition::IsOther if self.held.is_empty() => {}
                Transition::IsOther => {
                    out.written.append(&mut self.held);
                    out.is_changed = true;
                }
                Transition::IsBase => {
                    out.up_to(start);
                    out.written.extend_from_slice(self.replacement());
                    out.written.append(&mut self.compared.character);
                    self.held.clear();
                    (out.from, start) = (at + 1, 0);
                }
                Transition::Link => {
                    out.up_to(at);
                    self.link = Some(Link::default());
                    continue;
                }
                Transition::Comma => {
                    out.up_to(at);
                    out.from = at + 1;
                }
                Transition::AmongLinks => {
                    out.up_to(at);
                    out.written.push(b',');
                    continue;
                }
            }
            at += 1;
        }
        let end = match self.state {
            LexerState::Compared(_) => {
                let start = start.max(out.from);
                self.held.extend_from_slice(part.get(start..).unwrap_or_default());
                start
            }
            LexerState::Between
            | LexerState::Name { .. }
            | LexerState::Text { .. }
            | LexerState::Beyond => part.len(),
        };
        out.done(end)
    }

    /// Returns what is held back, at the end of a body that was cut off.
    pub(super) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.held).into()
    }

    /// Returns the next position in a part that means something. A name that is in it as a whole, without an escape,
    /// is read where it stands.
    fn skipped(&mut self, part: &Bytes, at: usize) -> usize {
        let rest = part.get(at..).unwrap_or_default();
        match self.state {
            LexerState::Name { escaped: false } if self.name.is_empty() => {
                let end = memchr::memchr2(b'"', b'\\', rest);
                match end.and_then(|end| rest.split_at_checked(end)) {
                    Some((name, [b'"', ..])) => {
                        self.named(name);
                        at + name.len() + 1
                    }
                    _ => at,
                }
            }
            LexerState::Text { escaped: false } => {
                memchr::memchr2(b'"', b'\\', rest).map_or(part.len(), |next| at + next)
            }
            LexerState::Beyond => part.len(),
            LexerState::Text { .. }
            | LexerState::Between
            | LexerState::Name { .. }
            | LexerState::Compared(_) => at,
        }
    }

    /// Takes more of a link; the position after its end, if that is in this part.
    fn take_link(&mut self, out: &mut Output<'_>, at: usize) -> Option<usize> {
        let taken = self.link.as_mut()?.take(out.part.get(at..).unwrap_or_default());
        out.is_changed = true;
        out.from = out.part.len();
        let end = at + taken?;
        out.from = end;
        let is_among = self.open.last().is_some_and(|open| !open.is_object);
        self.has_comma = false;
        let link = match self.link.take()?.public(&self.bases) {
            PublicLink::Link(link) => link,
            PublicLink::References(written) => {
                let mut inner = Self::of_part(self.bases.clone());
                [inner.push(&written.into()), inner.finish()].concat()
            }
            PublicLink::Nothing if is_among => return Some(end),
            PublicLink::Nothing => b"{}".to_vec(),
        };
        if is_among && std::mem::replace(&mut self.has_link, true) {
            out.written.push(b',');
        }
        out.written.extend_from_slice(&link);
        Some(end)
    }

    /// Returns what takes the place of a base.
    fn replacement(&self) -> &[u8] {
        match (self.direction, self.compared.address) {
            (Direction::ToClient { .. }, _) => self.bases.of_clients().in_json(),
            (Direction::ToServer, _) if self.compared.is_foreign(&self.bases) => FOREIGN,
            (Direction::ToServer, _) => b"",
        }
    }

    fn step(&mut self, byte: u8) -> Transition {
        match self.state {
            LexerState::Between => return self.between(byte),
            LexerState::Name { escaped } => self.name(byte, escaped),
            LexerState::Text { escaped: true } => self.state = LexerState::Text { escaped: false },
            LexerState::Text { .. } if byte == b'\\' => {
                self.state = LexerState::Text { escaped: true }
            }
            LexerState::Text { .. } if byte == b'"' => self.state = LexerState::Between,
            LexerState::Compared(escape) => return self.compared(byte, escape),
            LexerState::Text { .. } | LexerState::Beyond => {}
        }
        Transition::On
    }

    fn between(&mut self, byte: u8) -> Transition {
        if byte.is_ascii_whitespace() || byte == b':' {
            return Transition::On;
        }
        let around = self.open.last().copied();
        let kind = match around {
            Some(Open { is_object: false, kind }) => kind,
            Some(_) => self.member,
            None => Kind::Other,
        };
        let judges = self.direction == Direction::ToClient { judges_links: true };
        if judges && kind == Kind::Link {
            let is_among = around.is_some_and(|open| !open.is_object);
            match byte {
                b'{' => return Transition::Link,
                b',' if is_among => {
                    self.has_comma = true;
                    return Transition::Comma;
                }
                b']' if is_among => {}
                _ if is_among => {
                    self.has_link = true;
                    if std::mem::take(&mut self.has_comma) {
                        return Transition::AmongLinks;
                    }
                }
                _ => {}
            }
        }
        self.begins(byte, kind, around)
    }

    /// Looks at the first byte of a value or a name, or at what is between them.
    fn begins(&mut self, byte: u8, kind: Kind, around: Option<Open>) -> Transition {
        let address = self.address.take();
        match byte {
            b'{' | b'[' => {
                let is_object = byte == b'{';
                let is_nested = !is_object && around.is_some_and(|open| !open.is_object);
                let kind = if is_nested { Kind::Other } else { kind };
                self.open.push(Open { is_object, kind });
                self.expects_name = is_object;
                (self.has_link, self.has_comma) = (false, false);
                if self.open.len() > MAX_DEPTH {
                    self.state = LexerState::Beyond;
                }
            }
            b'}' | b']' => {
                self.open.pop();
                self.expects_name = false;
                self.member = Kind::Other;
            }
            b',' => {
                self.expects_name = around.is_some_and(|open| open.is_object);
                self.member = Kind::Other;
            }
            b'"' if self.expects_name => {
                self.name.clear();
                self.state = LexerState::Name { escaped: false };
            }
            b'"' => match address {
                Some(address) => {
                    self.compared.address = address;
                    self.compared.value.clear();
                    self.compared.character.clear();
                    self.state = LexerState::Compared(Escape::None);
                    return Transition::Begins;
                }
                None => self.state = LexerState::Text { escaped: false },
            },
            // Numbers and words.
            _ => {}
        }
        Transition::On
    }

    fn name(&mut self, byte: u8, escaped: bool) {
        if byte == b'"' && !escaped {
            let name = std::mem::take(&mut self.name);
            self.named(&name);
            self.name = name;
            return;
        }
        if self.name.len() <= LONGEST_NAME {
            self.name.push(byte);
        }
        self.state = LexerState::Name { escaped: byte == b'\\' && !escaped };
    }

    /// Takes the name of the member whose value follows, as it is written.
    fn named(&mut self, written: &[u8]) {
        let inside = self.open.last().map_or(Kind::Other, |open| open.kind);
        let name = unescaped(written);
        self.address = address(self.direction, name.as_bytes(), inside);
        self.member = kind(&name);
        self.expects_name = false;
        self.state = LexerState::Between;
    }

    fn compared(&mut self, byte: u8, escape: Escape) -> Transition {
        if escape == Escape::None {
            self.compared.character.clear();
        }
        self.compared.character.push(byte);
        let (escape, read) = match (escape, byte) {
            (Escape::None, b'"') => {
                self.state = LexerState::Between;
                return if self.compared.is_base(self.direction, &self.bases, None) {
                    Transition::IsBase
                } else {
                    Transition::IsOther
                };
            }
            (Escape::None, b'\\') => (Escape::Backslash, None),
            (Escape::None, _) => (Escape::None, Some(byte)),
            (Escape::Backslash, b'u') => (Escape::Hex(0, 0), None),
            // Of the other escapes only a slash may be in an address.
            (Escape::Backslash, b'/') => (Escape::None, Some(byte)),
            (Escape::Backslash, _) => (Escape::None, Some(0)),
            (Escape::Hex(digits, value), _) => hex(digits, value, byte),
        };
        self.state = LexerState::Compared(escape);
        let Some(read) = read else { return Transition::On };
        if self.compared.is_base(self.direction, &self.bases, Some(read)) {
            self.state = LexerState::Text { escaped: false };
            return Transition::IsBase;
        }
        self.compared.value.push(read);
        if self.compared.may_be_base(self.direction, &self.bases) {
            return Transition::On;
        }
        self.state = LexerState::Text { escaped: false };
        Transition::IsOther
    }
}
