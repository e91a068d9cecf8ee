//! Lists in words.

/// Lists items as a sentence does: `a`, `a or b`, `a, b or c`.
pub(crate) fn joined(items: &[impl AsRef<str>], conjunction: &str) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.as_slice() {
        [earlier @ .., last] if !earlier.is_empty() => {
            [&*earlier.join(", "), " ", conjunction, " ", *last].concat()
        }
        items => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_joined_as_in_a_sentence() {
        assert_eq!(joined(&Vec::<String>::new(), "and"), "");
        assert_eq!(joined(&["a"], "and"), "a");
        assert_eq!(joined(&["a", "b"], "and"), "a and b");
        assert_eq!(joined(&["a", "b", "c"], "or"), "a, b or c");
    }
}
