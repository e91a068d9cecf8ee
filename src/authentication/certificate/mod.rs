//! Certificates of clients (RFC 8705): of the connection, or as a proxy that ends TLS passes them on.

mod header;
mod peer;

use std::fmt;

use http::{Extensions, HeaderMap};

pub use self::header::{CertificateFormat, CertificateHeader};
pub use self::peer::PeerAddress;
use crate::explanation::{CertificateReason, Check, Checked, Evidence, Reason};
use crate::jose::Thumbprint;

/// The certificate that a client has shown on its connection (TLS client authentication). Whoever
/// ends TLS puts it into the extensions of each request of that connection, having verified that the
/// client has its key, as every TLS library does.
///
/// With `tokio-rustls` (and `axum-server`, whose acceptors hand out the same stream) it is the first
/// of the peer's certificates:
///
/// ```ignore
/// let (_, session) = tls_stream.get_ref();
/// if let Some([first, ..]) = session.peer_certificates() {
///     request.extensions_mut().insert(ClientCertificate::from_der(first));
/// }
/// ```
///
/// Nothing of it is kept but its SHA-256.
///
/// ```
/// use http::Request;
/// use tower_fhir_auth::authentication::ClientCertificate;
///
/// let mut request = Request::new(());
/// # let der = [0x30, 0];
/// request.extensions_mut().insert(ClientCertificate::from_der(der));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate(Thumbprint);

/// The settings for certificates of clients: makes the layer say that it takes tokens that are bound
/// to one, and where else than from the connection a certificate may come.
///
/// ```
/// use tower_fhir_auth::FhirAuthLayer;
/// use tower_fhir_auth::authentication::MutualTls;
///
/// let builder =
///     FhirAuthLayer::builder("https://fhir.example.org/r4")
///         .mutual_tls(MutualTls::of_connections());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MutualTls {
    header: Option<CertificateHeader>,
}

impl ClientCertificate {
    /// Takes a certificate in DER.
    #[must_use]
    pub fn from_der(der: impl AsRef<[u8]>) -> Self {
        Self(Thumbprint::of(der.as_ref()))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate(..)")
    }
}

impl MutualTls {
    /// Takes certificates of connections alone.
    pub fn of_connections() -> Self {
        Self { header: None }
    }

    /// Takes certificates from a header, too, where a trusted proxy is the peer.
    pub fn header(mut self, header: CertificateHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// Removes the header of certificates from a request that no trusted proxy has sent.
    // One of five whose calls are 1.5 % of the instructions for a token seen before.
    #[inline]
    pub(crate) fn strip(&self, headers: &mut HeaderMap, extensions: &Extensions) {
        if let Some(header) = &self.header {
            header.strip(headers, extensions);
        }
    }

    /// Finds the certificate of the client. On a connection of a proxy it is that of the header and
    /// of nothing else: the proxy's own is nobody's proof.
    fn find(
        &self,
        headers: &HeaderMap,
        extensions: Option<&Extensions>,
    ) -> Result<Thumbprint, CertificateReason> {
        let extensions = extensions.ok_or(CertificateReason::Missing)?;
        if let Some(header) = &self.header
            && header.comes_from(extensions)
        {
            return header.read(headers);
        }
        let connection = extensions.get::<ClientCertificate>();
        connection.map(|certificate| certificate.0).ok_or(CertificateReason::Missing)
    }

    /// Checks that the client has shown the certificate that its token is bound to.
    pub(super) fn check(
        &self,
        bound_to: &Thumbprint,
        headers: &HeaderMap,
        extensions: Option<&Extensions>,
    ) -> Checked<(), impl FnOnce() -> Evidence + use<>> {
        let result = match self.find(headers, extensions) {
            Ok(shown) if shown.is(bound_to) => Ok(()),
            Ok(_) => Err(Reason::Certificate(CertificateReason::Other)),
            Err(reason) => Err(Reason::Certificate(reason)),
        };
        Checked::new(Check::Certificate, result, Evidence::none)
    }
}
