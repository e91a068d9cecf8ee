//! TLS of the server itself: `[listen] tls`.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tower_fhir_auth::config::TlsFiles;

use crate::failure::Failure;

/// Makes what accepts connections, HTTP/2 before HTTP/1.1.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let chain: Vec<_> =
        chain.map_err(|error| unusable("certificate", &files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|error| unusable("key", &files.key, &error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = files
        .client_ca
        .as_ref()
        .map(|authorities| verifier(authorities, Arc::clone(&provider)))
        .transpose()?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            match verifier {
                None => builder.with_no_client_auth(),
                Some(verifier) => builder.with_client_cert_verifier(verifier),
            }
            .with_single_cert(chain, key)
        });
    let mut config = config.map_err(|error| unusable("certificate", &files.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Makes what asks clients for certificates of these authorities. Who has none is served all the same:
/// whether one is needed, the token says.
fn verifier(
    authorities: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Failure> {
    let unusable = |error: &dyn std::error::Error| {
        let expected = "expected a PEM file of certificate authorities";
        Failure::new(format!(
            "listen.tls.client_ca: {}: {expected}: {error}",
            authorities.display()
        ))
    };
    let certificates = CertificateDer::pem_file_iter(authorities).and_then(Iterator::collect);
    let certificates: Vec<_> = certificates.map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.allow_unauthenticated().build().map_err(|error| unusable(&error))
}

fn unusable(key: &str, file: &Path, error: &dyn std::error::Error) -> Failure {
    let expected = "expected a PEM file of a certificate and its key";
    Failure::new(format!("listen.tls.{key}: {}: {expected}: {error}", file.display()))
}
