//! Roles as a refusal names them.

use crate::explanation::joined;

/// Names roles in words, so that nobody takes one for a scope: `the role a`, `the roles a and b`, `the role a or b`.
pub(super) fn role_names(roles: &[impl AsRef<str>], are_all: bool) -> String {
    let plural = if are_all && roles.len() > 1 { "s" } else { "" };
    let names = joined(roles, if are_all { "and" } else { "or" });
    format!("the role{plural} {names}")
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
