//! Bodies that stay as they are: most have no address of the other side, which is seen without reading them.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::super::base::Bases;

static LINK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"link\""));

/// Reports whether an answer has neither an address of the upstream server nor a link, nor an escape that may hide one.
pub(super) fn is_unchanged(answer: &[u8], bases: &Bases) -> bool {
    let is_spelled_out = |at: usize| !matches!(answer.get(at + 1), Some(b'u' | b'/') | None);
    memchr::memchr_iter(b'\\', answer).all(is_spelled_out)
        && LINK.find(answer).is_none()
        && !bases.of_server().is_within(answer)
}
