//! Separators and backslashes in values (R4, Search, "Escaping Search Parameters").

/// Splits at those separators that no backslash precedes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    let separates = |character: char| {
        let separates = !escaped && character == separator;
        escaped = !escaped && character == '\\';
        separates
    };
    text.split(separates).collect()
}

/// Takes the backslashes away before `,`, `|`, `$` and `\`, as R4 escapes search parameters.
pub(super) fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let meant = match character {
            '\\' => characters.next().filter(|next| r",|$\".contains(*next)),
            other => Some(other),
        };
        plain.push(meant.ok_or_else(|| format!("`{text}` has a backslash that escapes nothing"))?);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(unescaped(r"a\,b\|c\$d\\e").unwrap(), r"a,b|c$d\e");
        assert!(unescaped(r"\").is_err() && unescaped(r"\n").is_err());
    }
}
