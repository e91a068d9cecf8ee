//! Files that prove that a sender has what its token is bound to.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Uri};
use serde_json::Value;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tower_fhir_auth::authentication::ClientCertificate;

use crate::failure::Failure;

/// A proof of DPoP. Nothing of it is verified here.
pub(crate) struct Proof {
    text: String,
    claims: Value,
}

impl Proof {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the method that it says it is for.
    pub(crate) fn method(&self) -> Option<Method> {
        self.claims.get("htm")?.as_str()?.parse().ok()
    }

    /// Returns the path that it says it is for.
    pub(crate) fn path(&self) -> Option<String> {
        let address: Uri = self.claims.get("htu")?.as_str()?.parse().ok()?;
        Some(address.path().to_owned())
    }
}

/// Reads `--dpop FILE`: the proof, or its whole header line.
pub(crate) fn dpop(file: &Path) -> Result<Proof, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("--dpop: {}: {error}", file.display())))?;
    let text = text.trim();
    let text = match text.split_once(':') {
        Some((name, rest)) if name.trim().eq_ignore_ascii_case("dpop") => rest.trim(),
        _ => text,
    };
    let payload = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
    Ok(Proof { text: text.to_owned(), claims: claims.unwrap_or_default() })
}

/// Reads `--certificate FILE`: PEM, or DER.
pub(crate) fn certificate(file: &Path) -> Result<ClientCertificate, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::new(format!("--certificate: {}: {error}", file.display()))
    };
    let bytes = fs::read(file).map_err(|error| unusable(&error))?;
    if bytes.starts_with(&[0x30]) {
        return Ok(ClientCertificate::from_der(bytes));
    }
    let certificate = CertificateDer::from_pem_slice(&bytes).map_err(|error| unusable(&error))?;
    Ok(ClientCertificate::from_der(certificate))
}
