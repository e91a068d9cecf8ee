//! Fetches one document over HTTPS, within bounds: no redirects, no decompression, no proxy from
//! the environment unless asked for, a declared JSON type, and a largest size.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response};
use url::{Host, Url};

use super::error::KeyError;
use super::public_address::{DialPolicy, PolicyResolver, is_internal};
use super::schedule;
use super::settings::KeySettings;
use crate::display_safe::sanitize;
use crate::error::{BuildError, ErrorCause};
use crate::watched_file;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The most characters of an address in an error. What is shown of an error is bounded, and the
/// status comes after the address.
const MAX_ADDRESS: usize = 128;

/// The most characters of a content type in an error.
const MAX_TYPE: usize = 64;

/// A client that fetches documents.
#[derive(Debug)]
pub(crate) struct HttpsClient {
    /// Dials addresses that the operator wrote.
    trusted: Client,
    /// Dials addresses that a document of an internal provider named.
    inside: Client,
    /// Dials addresses that a document of a public provider named; never an internal one.
    outside: Client,
    max_bytes: usize,
    /// `true` when a proxy may be in between, so that the peer is not the provider.
    proxied: bool,
}

/// A kind of document, by which a provider is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DocumentKind {
    Discovery,
    KeySet,
}

/// The author of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NamedBy {
    /// The operator.
    Operator,
    /// A document of a provider that is internal itself.
    InternalDocument,
    /// A document of a provider on the public internet.
    Document,
}

/// A document as it was received.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The peer that answered; `None` where it may have been a proxy.
    pub(crate) peer: Option<SocketAddr>,
    /// `None` when the document with the `ETag` that was sent is still current.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) etag: Option<HeaderValue>,
    pub(crate) max_age: Option<Duration>,
    /// The address that was asked, as it may be told.
    address: String,
    content_type: Option<String>,
}

impl DocumentKind {
    /// Returns the media types to ask for, the best first. The last range is for providers that
    /// answer 406 to what they do not know; the answer has to be JSON all the same.
    fn accept(self) -> &'static str {
        match self {
            Self::Discovery => "application/json, */*;q=0.1",
            // RFC 7517 section 8.5.2.
            Self::KeySet => "application/jwk-set+json, application/json, */*;q=0.1",
        }
    }
}

impl HttpsClient {
    pub(crate) fn new(settings: &KeySettings) -> Result<Self, BuildError> {
        let authorities = authorities(&settings.ca_files)?;
        let client = || {
            // A redirect would lead to an address that neither the operator nor the issuer named.
            let client = Client::builder()
                .user_agent(USER_AGENT)
                .redirect(Policy::none())
                .referer(false)
                .connect_timeout(settings.timeout)
                .read_timeout(settings.timeout)
                .timeout(settings.timeout)
                .tls_certs_merge(authorities.iter().cloned());
            if settings.environment_proxy { client } else { client.no_proxy() }
        };
        let build = |builder: ClientBuilder| {
            let built = builder.build();
            built.map_err(|error| BuildError::HttpClient(ErrorCause::new(error.without_url())))
        };
        Ok(Self {
            trusted: build(client())?,
            inside: build(client().dns_resolver(Arc::new(PolicyResolver(DialPolicy::Network))))?,
            outside: build(client().dns_resolver(Arc::new(PolicyResolver(DialPolicy::Public))))?,
            max_bytes: settings.max_bytes,
            proxied: settings.environment_proxy,
        })
    }

    /// Fetches a document, unless the one with `etag` is still current (RFC 9110 section 13.1.2).
    pub(crate) async fn get(
        &self,
        kind: DocumentKind,
        url: &Url,
        named_by: NamedBy,
        etag: Option<&HeaderValue>,
    ) -> Result<Fetched, KeyError> {
        let address = || without_secrets(url);
        let mut request = self.client(url, named_by)?.get(url.clone());
        request = request.header(ACCEPT, kind.accept());
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = request.send().await.map_err(|error| broken(url, error))?;
        let (declared, content_type) = content_type(&response);
        let is_json = declared.is_some_and(is_json);
        let mut fetched = Fetched {
            peer: response.remote_addr().filter(|_| !self.proxied),
            body: None,
            etag: response.headers().get(ETAG).cloned(),
            max_age: header(&response, &CACHE_CONTROL).and_then(schedule::max_age),
            address: address(),
            content_type: content_type.clone(),
        };
        match response.status() {
            StatusCode::OK => {}
            // Without `If-None-Match` a 304 answers nothing that was asked.
            StatusCode::NOT_MODIFIED if etag.is_some() => return Ok(fetched),
            status => {
                let status = status.as_u16();
                return Err(KeyError::Status { address: address(), status, content_type });
            }
        }
        if !is_json {
            return Err(KeyError::ContentType { address: address(), content_type });
        }
        fetched.body = Some(self.body(url, response).await?);
        Ok(fetched)
    }

    /// Reads the body of an answer, up to the largest size.
    pub(super) async fn body(
        &self,
        url: &Url,
        mut response: Response,
    ) -> Result<Vec<u8>, KeyError> {
        let mut body = Vec::new();
        // Counted while reading: `Content-Length` may be absent.
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, error))? {
            if body.len() + chunk.len() > self.max_bytes {
                let address = without_secrets(url);
                return Err(KeyError::TooLarge { address, limit: self.max_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn client(&self, url: &Url, named_by: NamedBy) -> Result<&Client, KeyError> {
        let (client, reach) = match named_by {
            NamedBy::Operator => return Ok(&self.trusted),
            NamedBy::InternalDocument => (&self.inside, DialPolicy::Network),
            NamedBy::Document => (&self.outside, DialPolicy::Public),
        };
        // An address given as a number is dialled without asking the resolver.
        let fault = match url.host() {
            Some(Host::Ipv4(address)) => reach.fault(address.into()),
            Some(Host::Ipv6(address)) => reach.fault(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        match fault {
            Some(reason) => Err(KeyError::Address { address: without_secrets(url), reason }),
            None => Ok(client),
        }
    }
}

impl Fetched {
    /// Adds what the answer was, though never its content, to the fault of a document.
    pub(crate) fn fault(self, fault: KeyError) -> KeyError {
        if !matches!(fault, KeyError::Discovery(_) | KeyError::NotASet(_)) {
            return fault;
        }
        let Self { address, content_type, .. } = self;
        KeyError::Document { address, content_type, source: Box::new(fault) }
    }

    /// Returns the author of the addresses in the document. They may be internal only if it came
    /// from an internal address: from the peer that answered, not from what its name resolves to
    /// when asked again.
    pub(crate) fn addresses_named_by(&self) -> NamedBy {
        match self.peer {
            Some(peer) if is_internal(peer.ip()) => NamedBy::InternalDocument,
            Some(_) | None => NamedBy::Document,
        }
    }
}

/// Reads the certificate authorities of files.
fn authorities(files: &[PathBuf]) -> Result<Vec<Certificate>, BuildError> {
    let mut all = Vec::new();
    for path in files {
        let found = certificates(path)
            .map_err(|source| BuildError::CertificateFile { path: path.clone(), source })?;
        all.extend(found);
    }
    Ok(all)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ErrorCause> {
    let pem = watched_file::read(path).map_err(ErrorCause::new)?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(ErrorCause::new)?;
    if certificates.is_empty() {
        return Err(ErrorCause::new("expected at least one certificate in PEM"));
    }
    // PEM is only an envelope: a client that trusts nothing else finds what is no certificate.
    let trial = Client::builder().tls_certs_only(certificates.iter().cloned()).build();
    trial.map(|_| certificates).map_err(ErrorCause::new)
}

/// Tells that a provider could not be reached, or broke off.
pub(super) fn broken(url: &Url, error: reqwest::Error) -> KeyError {
    let source = ErrorCause::new(error.without_url());
    KeyError::Transport { address: without_secrets(url), source }
}

/// Returns the content type of an answer, and the same as an error tells it.
pub(super) fn content_type(response: &Response) -> (Option<&str>, Option<String>) {
    let found = header(response, &CONTENT_TYPE);
    (found, found.map(|found| shortened(sanitize(found), MAX_TYPE)))
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Returns a media type without its parameters, in lower case.
pub(super) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reports whether a type is `application/json`, or has the suffix `+json` (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    essence == "application/json" || (essence.contains('/') && essence.ends_with("+json"))
}

/// Cuts a text.
fn shortened(text: String, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text;
    }
    text.chars().take(most).chain("...".chars()).collect()
}

/// Returns an address as it may be logged: without credentials and query, and not too long.
pub(super) fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    shortened(url.into(), MAX_ADDRESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::{Answer, TestIssuer};

    #[test]
    fn json_is_declared_as_json() {
        for good in
            ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/html", "application/jsonp", "text/plain; x=application/json", "+json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn what_a_document_names_is_not_dialled_where_it_is_internal() {
        let client = HttpsClient::new(&KeySettings::default()).unwrap();
        for internal in ["https://127.0.0.1/k", "https://10.0.0.1/k", "https://[fd00::1]/k"] {
            let url = Url::parse(internal).unwrap();
            let error = client.client(&url, NamedBy::Document).unwrap_err();
            assert!(matches!(error, KeyError::Address { .. }), "{internal}: {error}");
            for author in [NamedBy::Operator, NamedBy::InternalDocument] {
                assert!(client.client(&url, author).is_ok(), "{internal}: {author:?}");
            }
        }
        for metadata in
            ["https://169.254.169.254/k", "https://[fe80::1]/", "http://[fd00:ec2::254]/"]
        {
            let url = Url::parse(metadata).unwrap();
            for author in [NamedBy::InternalDocument, NamedBy::Document] {
                let error = client.client(&url, author).unwrap_err();
                assert!(matches!(error, KeyError::Address { .. }), "{metadata}: {error}");
            }
            assert!(client.client(&url, NamedBy::Operator).is_ok(), "{metadata}");
        }
        let answered = |peer: &str| {
            let peer = Some(peer.parse().unwrap());
            let (address, content_type) = (String::new(), None);
            Fetched { peer, body: None, etag: None, max_age: None, address, content_type }
                .addresses_named_by()
        };
        assert!(matches!(answered("127.0.0.1:443"), NamedBy::InternalDocument));
        assert!(matches!(answered("93.184.216.34:443"), NamedBy::Document));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_internal_address_is_not_dialled_either() {
        let client = HttpsClient::new(&KeySettings::default()).unwrap();
        let url = Url::parse("https://localhost:9/k").unwrap();
        let error = client
            .get(DocumentKind::KeySet, &url, NamedBy::Document, None)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("resolves to an internal address"), "{error}");
        let error = client
            .get(DocumentKind::KeySet, &url, NamedBy::Operator, None)
            .await
            .unwrap_err()
            .to_string();
        assert!(!error.contains("internal address"), "{error}");
    }

    #[tokio::test]
    async fn what_is_not_declared_as_json_is_not_taken_whatever_it_is() {
        let issuer = TestIssuer::start().await.unwrap();
        let url = Url::parse(&issuer.jwks_uri()).unwrap();
        let client = HttpsClient::new(&KeySettings::default()).unwrap();
        for (content_type, is_taken) in [("application/json", true), ("text/html", false)] {
            let declared = HeaderValue::from_static(content_type);
            issuer.answer("/jwks", Answer::json(&issuer.jwks()).header(CONTENT_TYPE, declared));
            let kind = DocumentKind::KeySet;
            let fetched = client.get(kind, &url, NamedBy::Operator, None).await;
            let is_refused = matches!(fetched, Err(KeyError::ContentType { .. }));
            assert_eq!((fetched.is_ok(), is_refused), (is_taken, !is_taken), "{fetched:?}");
        }
    }

    #[test]
    fn a_fault_is_told_with_its_document_unless_it_tells_of_more() {
        let fetched = || Fetched {
            peer: None,
            body: None,
            etag: None,
            max_age: None,
            address: "https://h/d".to_owned(),
            content_type: None,
        };
        let message = fetched().fault(KeyError::Discovery("no object")).to_string();
        let expected = "`https://h/d` answered with status 200 and no content type: \
                        discovery document: no object";
        assert_eq!(message, expected);
        let (expected, found) = ("https://a".to_owned(), "https://b".to_owned());
        let other = KeyError::Issuer { expected, found };
        assert_eq!(fetched().fault(other.clone()), other);
    }

    #[test]
    fn the_proxy_of_the_environment_is_asked_only_where_that_is_set() {
        for is_set in [false, true] {
            let settings = KeySettings::default().proxy_from_environment(is_set);
            let HttpsClient { trusted, inside, outside, .. } = HttpsClient::new(&settings).unwrap();
            for client in [trusted, inside, outside] {
                // It tells of proxies where it has any, or looks for them.
                assert_eq!(format!("{client:?}").contains("proxies"), is_set, "{client:?}");
            }
        }
    }
}
