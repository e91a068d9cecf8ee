//! The original request, built from what the proxy names and nothing else.

use std::str::FromStr;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Request, Uri, Version};
use tower_fhir_auth::authentication::PeerAddress;

/// The longest address that an `http::Uri` can be; the layer judges none that is longer either.
const MAX_ADDRESS: usize = 65_534;

/// The way in which a proxy names the original request: `--for`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProxyKind {
    Nginx,
    Forward,
    Envoy,
}

/// A sub-request that names no original request. It is the proxy that has to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not there, or not once.
    NotOnce(&'static str),
    /// Not a method.
    Method(&'static str),
    /// Not the path and query of a request: an absolute URL, a fragment, white space, other bytes.
    Address,
    /// Longer than any that is judged.
    TooLong,
}

impl FromStr for ProxyKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nginx" => Ok(Self::Nginx),
            "forward" => Ok(Self::Forward),
            "envoy" => Ok(Self::Envoy),
            _ => {
                Err("--for: expected nginx, forward (Caddy, Traefik, HAProxy) or envoy".to_owned())
            }
        }
    }
}

impl ProxyKind {
    /// The headers with the original method and address, where those of the sub-request are not it.
    fn headers(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Envoy => None,
            Self::Nginx => Some(["x-original-method", "x-original-uri"]),
            Self::Forward => Some(["x-forwarded-method", "x-forwarded-uri"]),
        }
    }

    /// Makes the original request of a sub-request: method and address as named, and the headers that came
    /// along. Bodies are never judged, so that no header of one counts.
    pub(super) fn original(self, asked: &Parts) -> Result<Request<()>, Fault> {
        let (method, address) = match self.headers() {
            Some([method, address]) => {
                let named = once(&asked.headers, method)?.parse();
                let named = named.map_err(|_| Fault::Method(method))?;
                (named, path_and_query(once(&asked.headers, address)?)?)
            }
            None => (asked.method.clone(), own_address(asked)?),
        };
        let mut original = Request::new(());
        *original.method_mut() = method;
        *original.uri_mut() = Uri::from(address);
        *original.headers_mut() = asked.headers.clone();
        // Who the proxy is decides about its header of certificates. The certificate of its own
        // connection is nobody's proof.
        if let Some(peer) = asked.extensions.get::<PeerAddress>() {
            original.extensions_mut().insert(*peer);
        }
        let headers = original.headers_mut();
        // A refusal of gRPC is a 200, by which a proxy would let the request pass.
        for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        for name in self.headers().into_iter().flatten() {
            headers.remove(HeaderName::from_static(name));
        }
        Ok(original)
    }
}

/// Returns the value of a header that stands there once.
fn once<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<&'h str, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Fault::NotOnce(name)),
        _ => Err(Fault::NotOnce(name)),
    }
}

/// Returns the address of the sub-request itself. HTTP/2 has scheme and authority apart from the path; in
/// HTTP/1 they would make it an absolute URL, of which proxies and servers do not read alike.
fn own_address(asked: &Parts) -> Result<PathAndQuery, Fault> {
    let is_absolute = asked.uri.authority().is_some() && asked.version <= Version::HTTP_11;
    match asked.uri.path_and_query() {
        Some(address) if !is_absolute => path_and_query(address.as_str()),
        Some(_) | None => Err(Fault::Address),
    }
}

fn path_and_query(text: &str) -> Result<PathAndQuery, Fault> {
    if text.len() > MAX_ADDRESS {
        return Err(Fault::TooLong);
    }
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let is_path = text.starts_with('/');
    let address = (is_plain && is_path).then(|| text.parse::<PathAndQuery>().ok()).flatten();
    // What was read is what was written.
    address.filter(|address| address.as_str() == text).ok_or(Fault::Address)
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotOnce(name) => {
                write!(f, "the proxy must send `{name}` exactly once, to name the original request")
            }
            Self::Method(name) => write!(f, "`{name}` is not an HTTP method"),
            Self::TooLong => f.write_str("the address is too long to be judged"),
            Self::Address => f.write_str(
                "the original address is no path with a query: an absolute URL, a fragment and bytes outside \
                 visible ASCII may be read in two ways",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Parts {
        let mut request = Request::post("/own?path").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request.into_parts().0
    }

    fn read(proxy: ProxyKind, headers: &[(&'static str, &str)]) -> Result<String, Fault> {
        proxy.original(&asked(headers)).map(|read| format!("{} {}", read.method(), read.uri()))
    }

    const OTHERS: [(&str, &str); 8] = [
        ("x-forwarded-host", "elsewhere"),
        ("x-forwarded-path", "/r4/metadata"),
        ("x-original-url", "/r4/metadata"),
        ("x-rewrite-url", "/r4/metadata"),
        ("x-http-method-override", "HEAD"),
        ("x-envoy-original-path", "/r4/metadata"),
        ("forwarded", "path=/r4/metadata"),
        ("x-original-path", "/r4/metadata"),
    ];

    #[test]
    fn each_proxy_reads_its_own_names_and_no_others() {
        let nginx = [("x-original-method", "PUT"), ("x-original-uri", "/r4/Patient/1?a=b")];
        let forward = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/r4/Patient/2")];
        let all: Vec<_> = nginx.into_iter().chain(forward).chain(OTHERS).collect();
        assert_eq!(read(ProxyKind::Nginx, &all).unwrap(), "PUT /r4/Patient/1?a=b");
        assert_eq!(read(ProxyKind::Forward, &all).unwrap(), "GET /r4/Patient/2");
        assert_eq!(read(ProxyKind::Envoy, &all).unwrap(), "POST /own?path");
        assert_eq!(read(ProxyKind::Nginx, &forward), Err(Fault::NotOnce("x-original-method")));
        assert_eq!(read(ProxyKind::Forward, &nginx), Err(Fault::NotOnce("x-forwarded-method")));
        assert_eq!(read(ProxyKind::Nginx, &OTHERS), Err(Fault::NotOnce("x-original-method")));
        assert_eq!(read(ProxyKind::Nginx, &nginx[..1]), Err(Fault::NotOnce("x-original-uri")));
    }

    #[test]
    fn what_is_named_twice_is_not_named() {
        for name in ["x-original-method", "x-original-uri"] {
            let mut twice = vec![("x-original-method", "GET"), ("x-original-uri", "/r4/Patient/1")];
            let again = twice.iter().find(|(own, _)| *own == name).copied().unwrap();
            twice.push(again);
            assert_eq!(read(ProxyKind::Nginx, &twice), Err(Fault::NotOnce(name)));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_address() {
        for address in [
            "",
            "*",
            "r4/Patient/1",
            "https://fhir.example.org/r4/Patient/1",
            "http:///r4/Patient/1",
            "fhir.example.org:443",
            "/r4/Patient/1#x",
            "/r4/Patient/1?a=b#c",
            "#/r4/Patient/1",
            "/r4/Patient/1 HTTP/1.1",
            "/r4/Patient/\t1",
            "?a=b",
        ] {
            let headers = [("x-forwarded-method", "GET"), ("x-forwarded-uri", address)];
            assert_eq!(read(ProxyKind::Forward, &headers), Err(Fault::Address), "{address}");
        }
        let mut bytes = asked(&[("x-original-method", "GET")]);
        let value = http::HeaderValue::from_bytes(b"/r4/Patient/\xe9").unwrap();
        bytes.headers.insert("x-original-uri", value);
        assert!(ProxyKind::Nginx.original(&bytes).is_err());
        let bad = [("x-original-method", "GET /x"), ("x-original-uri", "/r4")];
        assert_eq!(read(ProxyKind::Nginx, &bad), Err(Fault::Method("x-original-method")));
        let absolute = Request::get("http://elsewhere/r4/Patient/1").body(()).unwrap();
        assert!(ProxyKind::Envoy.original(&absolute.into_parts().0).is_err());
        let http2 = Request::get("http://decide/r4/Patient/1").version(Version::HTTP_2).body(());
        let original = ProxyKind::Envoy.original(&http2.unwrap().into_parts().0).unwrap();
        assert_eq!(*original.uri(), "/r4/Patient/1");
    }

    #[test]
    fn headers_of_a_body_do_not_count() {
        let headers = [
            ("x-original-method", "POST"),
            ("x-original-uri", "/r4/Patient"),
            ("content-type", "application/grpc"),
            ("content-length", "7"),
            ("if-none-exist", "identifier=x"),
        ];
        let original = ProxyKind::Nginx.original(&asked(&headers)).unwrap();
        let names: Vec<&str> = original.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["if-none-exist"]);
    }
}
