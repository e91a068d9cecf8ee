//! Roles as a refusal names them.

/// Names roles in words, so that nobody takes one for a scope: `the role a`, `the roles a and b`, `the role a or b`.
pub(super) fn role_names(roles: &[impl AsRef<str>], are_all: bool) -> String {
    let plural = if are_all && roles.len() > 1 { "s" } else { "" };
    let between = if are_all { " and " } else { " or " };
    let names: Vec<&str> = roles.iter().map(AsRef::as_ref).collect();
    let listed = match names.as_slice() {
        [earlier @ .., last] if !earlier.is_empty() => {
            [&*earlier.join(", "), between, *last].concat()
        }
        names => names.concat(),
    };
    format!("the role{plural} {listed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named_in_words() {
        assert_eq!(role_names(&["a"], true), "the role a");
        assert_eq!(role_names(&["a"], false), "the role a");
        assert_eq!(role_names(&["a", "b"], true), "the roles a and b");
        assert_eq!(role_names(&["a", "b", "c"], false), "the role a, b or c");
    }
}
