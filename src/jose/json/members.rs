//! The members of an object by their names: a hash table whose chains run through the nodes.

use std::num::NonZeroU16;

use super::JsonError;
use super::nodes::{Node, Nodes};
use crate::span::Span;

/// Bucket heads: the newest name per hash value. Index 0 is the document's own object, so it serves
/// as "none".
#[derive(Clone, Debug)]
pub(super) struct Members {
    last: [Option<NonZeroU16>; VALUES],
    number: usize,
}

const VALUES: usize = 128;

/// Up to this many members, each is compared with those of its hash as it is added. Above,
/// duplicates are found by sorting once, so that long chains are not walked again and again.
const FEW: usize = 64;

impl Members {
    pub(super) fn none() -> Self {
        Self { last: [None; VALUES], number: 0 }
    }

    /// Adds a name behind the other nodes, unless the object already has it.
    pub(super) fn add(&mut self, name: Span, nodes: &mut Nodes<'_>) -> Result<(), JsonError> {
        let text = nodes.bytes_at(name);
        // 65,535 is ten times the nodes that the largest token has room for.
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

    /// Reports whether there are too many members for all of them to have been compared.
    pub(super) fn are_many(&self) -> bool {
        self.number > FEW
    }

    /// Returns the end of the chain that would contain a name.
    #[inline]
    pub(super) fn chain_of(&self, name: &str) -> Option<NonZeroU16> {
        self.last.get(hash_of(name.as_bytes())).copied().flatten()
    }
}

/// Hashes a name by length, first and last byte. With these factors hardly two claims of a token of
/// Entra, Keycloak or a SMART server share a hash.
#[inline]
fn hash_of(name: &[u8]) -> usize {
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
    let (first, last) = (letter(name.first()), letter(name.last()));
    (name.len() * 3 + first * 53 + last * 61) % VALUES
}
