//! Versions by lock file.

/// The version of a package, as a lock file has it.
pub fn locked_version(lockfile: &str, package: &str) -> Option<String> {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lockfile.split_once(&entry)?;
    Some(rest.split_once('"')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn versions_come_from_the_lock_file() {
        let lockfile = "[[package]]\nname = \"axum-jose\"\nversion = \"0.2.2\"\nsource = \"…\"\n";
        assert_eq!(locked_version(lockfile, "axum-jose").as_deref(), Some("0.2.2"));
        assert_eq!(locked_version(lockfile, "axum"), None);
    }
}
