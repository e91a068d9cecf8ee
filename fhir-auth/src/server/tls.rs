//! TLS of the server itself: `[listen] tls`.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower_fhir_auth::config::TlsFiles;

use crate::failure::Failure;

/// Makes what accepts connections, HTTP/2 before HTTP/1.1.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Failure> {
    if files.client_ca.is_some() {
        return Err(Failure::new("listen.tls.client_ca: is not supported yet"));
    }
    let chain = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let chain: Vec<_> =
        chain.map_err(|error| unusable("certificate", &files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(|error| unusable("key", &files.key, &error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| unusable("certificate", &files.certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(key: &str, file: &Path, error: &dyn std::error::Error) -> Failure {
    let expected = "expected a PEM file of a certificate and its key";
    Failure::new(format!("listen.tls.{key}: {}: {expected}: {error}", file.display()))
}
