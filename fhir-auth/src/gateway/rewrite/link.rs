//! One link of a bundle, which is held until it is known where it leads.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::base::Bases;

/// The longest link. An address that is longer is none that could be asked.
const LONGEST: usize = 64 * 1024;

/// The part of a link that goes on.
pub(super) enum PublicLink {
    /// These bytes.
    Link(Vec<u8>),
    /// It has no address, but may have references: it is one between patients.
    References(Vec<u8>),
    /// Nothing: it leads elsewhere, or cannot be read.
    Nothing,
}

/// A link as it comes in.
#[derive(Debug, Default)]
pub(super) struct Link {
    bytes: Vec<u8>,
    depth: usize,
    is_text: bool,
    is_escaped: bool,
}

impl Link {
    /// Takes bytes up to the end of the link, and returns their number, if the end is among them.
    pub(super) fn take(&mut self, part: &[u8]) -> Option<usize> {
        let end = part.iter().position(|byte| self.ends_with(*byte)).map(|last| last + 1);
        let taken = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
        let room = (LONGEST + 1).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(taken.get(..room).unwrap_or(taken));
        end
    }

    fn ends_with(&mut self, byte: u8) -> bool {
        match (self.is_text, byte) {
            (true, _) if std::mem::take(&mut self.is_escaped) => {}
            (true, b'\\') => self.is_escaped = true,
            (_, b'"') => self.is_text = !self.is_text,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => {
                self.depth = self.depth.saturating_sub(1);
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }

    /// Returns the link as clients may follow it.
    pub(super) fn public(self, bases: &Bases) -> PublicLink {
        #[derive(Deserialize)]
        struct Read<'a> {
            #[serde(borrow)]
            url: Option<&'a RawValue>,
        }
        let text = std::str::from_utf8(&self.bytes).ok().filter(|text| text.len() <= LONGEST);
        let read =
            text.and_then(|text| serde_json::from_str::<Read<'_>>(text).ok().zip(Some(text)));
        match read {
            Some((Read { url: Some(url) }, text)) => {
                local(text, url.get(), bases).map_or(PublicLink::Nothing, PublicLink::Link)
            }
            Some((Read { url: None }, _)) => PublicLink::References(self.bytes),
            None => PublicLink::Nothing,
        }
    }
}

/// Writes the address of a link as clients know it. All around it keeps its bytes.
fn local(text: &str, url: &str, bases: &Bases) -> Option<Vec<u8>> {
    let address: String = serde_json::from_str(url).ok()?;
    let public = serde_json::to_string(&bases.public(&address)?).ok()?;
    let start = url.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (before, rest) = text.split_at_checked(start)?;
    let after = rest.get(url.len()..)?;
    Some([before, &public, after].concat().into_bytes())
}
