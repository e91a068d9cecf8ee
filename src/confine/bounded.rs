//! JSON that is written up to a number of bytes, however much there would be.

use std::io::{self, Write};

use serde::Serialize;

/// The reason for which something is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Writes a value into no more than so many bytes. Room for `expected` of them is made at once: what grows by
/// doubling would hold more than there is.
pub(super) fn to_vec(
    value: &impl Serialize,
    expected: usize,
    limit: usize,
) -> Result<Vec<u8>, TooLong> {
    let mut bounded = Bounded { text: Vec::with_capacity(expected.min(limit)), limit };
    match serde_json::to_writer(&mut bounded, value) {
        Ok(()) => Ok(bounded.text),
        Err(_) => Err(TooLong),
    }
}

struct Bounded {
    text: Vec<u8>,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_is_not_written() {
        let value = ["abc", "d"];
        assert_eq!(to_vec(&value, 100, 11).as_deref(), Ok(&br#"["abc","d"]"#[..]));
        assert_eq!(to_vec(&value, 0, 10), Err(TooLong));
    }
}
