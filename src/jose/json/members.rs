//! The members of an object by their names: a hash table whose chains run through the nodes.

use std::num::NonZeroU16;

use super::JsonError;
use super::nodes::{Node, Nodes};
use crate::span::Span;

/// For each of the values that a hash has, the place of the last name that has it. Place 0 is
/// nobody's: there stands the document's object itself.
#[derive(Clone, Debug)]
pub(super) struct Members {
    last: [Option<NonZeroU16>; VALUES],
    number: usize,
}

const VALUES: usize = 128;

/// Up to how many members each one is compared with the others of its hash as it comes: longer
/// chains are not walked again and again, but sorted once.
const FEW: usize = 64;

impl Members {
    pub(super) fn none() -> Self {
        Self { last: [None; VALUES], number: 0 }
    }

    /// Puts a name behind the other nodes, unless it stands there already.
    pub(super) fn add(&mut self, name: Span, nodes: &mut Nodes<'_>) -> Result<(), JsonError> {
        let text = nodes.bytes_at(name);
        // Ten times what the largest token has room for.
        let place = u16::try_from(nodes.row.len()).map_err(|_| JsonError::TooMany)?;
        let mut before = None;
        if let Some(last) = self.last.get_mut(hash_of(text)) {
            before = std::mem::replace(last, NonZeroU16::new(place));
        }
        let is_known = |before| nodes.name_in_chain(text, before).is_some();
        if self.number < FEW && before.is_some_and(is_known) {
            return Err(JsonError::Duplicate);
        }
        nodes.row.push(Node::Name { name, before });
        self.number += 1;
        Ok(())
    }

    /// Whether they are so many that they were not all compared.
    pub(super) fn are_many(&self) -> bool {
        self.number > FEW
    }

    /// The end of the chain in which a name is, if it is here.
    #[inline]
    pub(super) fn chain_of(&self, name: &str) -> Option<NonZeroU16> {
        self.last.get(hash_of(name.as_bytes())).copied().flatten()
    }
}

/// What tells the names of claims apart: length, first and last letter. With these factors hardly
/// two claims of a token of Entra, Keycloak or a SMART server have one hash.
#[inline]
fn hash_of(name: &[u8]) -> usize {
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
    let (first, last) = (letter(name.first()), letter(name.last()));
    (name.len() * 3 + first * 53 + last * 61) % VALUES
}
