//! The crypto library of those rivals that leave it to the application.

use peer::Error;

/// Installs a library for both versions of `jsonwebtoken` that ask; the other rivals bring theirs.
pub(crate) fn install(backend: &str) -> Result<(), Error> {
    let (version_10, version_11) = match backend {
        "aws-lc-rs" => (
            &jsonwebtoken_10::crypto::aws_lc::DEFAULT_PROVIDER,
            &jsonwebtoken_11::crypto::aws_lc::DEFAULT_PROVIDER,
        ),
        "RustCrypto" => (
            &jsonwebtoken_10::crypto::rust_crypto::DEFAULT_PROVIDER,
            &jsonwebtoken_11::crypto::rust_crypto::DEFAULT_PROVIDER,
        ),
        _ => return Ok(()),
    };
    version_10.install_default().map_err(|_| "jsonwebtoken 10 has a backend already")?;
    version_11.install_default().map_err(|_| "jsonwebtoken 11 has a backend already")?;
    Ok(())
}
