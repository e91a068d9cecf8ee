//! A certificate in a header, as a proxy that ends TLS passes it on.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::peer::{PeerAddress, network};
use crate::error::BuildError;
use crate::explanation::CertificateReason;
use crate::jose::{Thumbprint, base64url};

/// The format in which a proxy writes the certificate of a client.
///
/// ```
/// use tower_fhir_auth::authentication::CertificateFormat;
///
/// let format = CertificateFormat::of_header("Client-Cert");
/// assert_eq!(format, Some(CertificateFormat::ClientCert));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFormat {
    /// `Client-Cert` (RFC 9440): DER as a byte sequence of structured fields, between colons.
    ClientCert,
    /// `X-Forwarded-Client-Cert` of Envoy: `Cert`, or `Hash` alone.
    Xfcc,
    /// PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    Pem,
}

impl CertificateFormat {
    /// Returns the format of a header that has one by its name.
    #[must_use]
    pub fn of_header(name: &str) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name {
            _ if is("client-cert") => Some(Self::ClientCert),
            _ if is("x-forwarded-client-cert") => Some(Self::Xfcc),
            _ => None,
        }
    }
}

/// A header in which trusted proxies pass the certificate of the client on. It counts where the peer
/// of the connection ([`PeerAddress`]) is one of them; from elsewhere it is removed.
///
/// ```
/// use tower_fhir_auth::authentication::{CertificateFormat, CertificateHeader, MutualTls};
///
/// // nginx on this host sets it from `$ssl_client_escaped_cert`.
/// let header =
///     CertificateHeader::new("x-client-cert", CertificateFormat::Pem, ["127.0.0.1/32"])?;
/// let mutual_tls = MutualTls::of_connections().header(header);
/// # Ok::<(), tower_fhir_auth::BuildError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct CertificateHeader {
    name: HeaderName,
    format: CertificateFormat,
    proxies: Vec<IpNet>,
}

impl CertificateHeader {
    /// Names the header, its format, and the networks of the proxies, such as `127.0.0.1/32`.
    ///
    /// # Errors
    ///
    /// When the name is that of no header, or of one with a meaning of its own here; when no network
    /// is given, or what is none.
    pub fn new<N: AsRef<str>>(
        name: &str,
        format: CertificateFormat,
        proxies: impl IntoIterator<Item = N>,
    ) -> Result<Self, BuildError> {
        let fault = |setting, expected| BuildError::Setting { setting, expected };
        let name = name
            .parse::<HeaderName>()
            .ok()
            .filter(|name| !["authorization", "dpop", "host", "cookie"].contains(&name.as_str()))
            .ok_or_else(|| fault("mtls.header", "the name of a header for certificates"))?;
        let proxies: Option<Vec<IpNet>> =
            proxies.into_iter().map(|proxy| network(proxy.as_ref())).collect();
        let proxies = proxies.filter(|proxies| !proxies.is_empty()).ok_or_else(|| {
            fault("mtls.proxies", "at least one network, such as \"127.0.0.1/32\"")
        })?;
        Ok(Self { name, format, proxies })
    }

    /// Reports whether a request comes from a trusted proxy.
    pub(super) fn comes_from(&self, extensions: &Extensions) -> bool {
        extensions.get::<PeerAddress>().is_some_and(|peer| peer.is_in(&self.proxies))
    }

    /// Removes the header from a request that no trusted proxy has sent, and from any what others would take for it,
    /// who read `_` as `-`: a proxy writes the one, and may pass the other on.
    pub(super) fn strip(&self, headers: &mut HeaderMap, extensions: &Extensions) {
        if !self.comes_from(extensions) {
            headers.remove(&self.name);
        }
        let is_alike = |other: &HeaderName| {
            let read = |name: &HeaderName| name.as_str().replace('_', "-");
            *other != self.name && read(other) == read(&self.name)
        };
        let alike: Vec<HeaderName> =
            headers.keys().filter(|name| is_alike(name)).cloned().collect();
        alike.iter().for_each(|other| {
            headers.remove(other);
        });
    }

    /// Reads the certificate of the client: the one that there is.
    pub(super) fn read(&self, headers: &HeaderMap) -> Result<Thumbprint, CertificateReason> {
        let mut values = headers.get_all(&self.name).iter();
        let value = values.next().ok_or(CertificateReason::Missing)?;
        if values.next().is_some() {
            return Err(CertificateReason::Unusable("the proxy has sent two headers with one"));
        }
        let unreadable =
            CertificateReason::Unusable("the header of the proxy does not hold exactly one");
        let text = HeaderValue::to_str(value).map_err(|_| unreadable)?.trim();
        // As a proxy writes it where the client has shown none.
        if text.is_empty() {
            return Err(CertificateReason::Missing);
        }
        let read = match self.format {
            CertificateFormat::ClientCert => client_cert(text),
            CertificateFormat::Xfcc => forwarded(text),
            CertificateFormat::Pem => pem(text),
        };
        read.ok_or(unreadable)
    }
}

/// Reads a byte sequence of structured fields (RFC 9440 section 2.1, RFC 9651 section 3.3.5).
fn client_cert(text: &str) -> Option<Thumbprint> {
    let encoded = text.strip_prefix(':')?.strip_suffix(':')?;
    of_der(&base64url::decode_either_alphabet(encoded)?)
}

/// Reads one element of Envoy's header. `Hash` is the SHA-256 of the certificate in hexadecimal.
fn forwarded(text: &str) -> Option<Thumbprint> {
    let (mut hash, mut certificate) = (None, None);
    for pair in unquoted(text, ';')? {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim_matches('"');
        let found = match name.trim() {
            name if name.eq_ignore_ascii_case("hash") => &mut hash,
            name if name.eq_ignore_ascii_case("cert") => &mut certificate,
            _ => continue,
        };
        let read = if name.trim().eq_ignore_ascii_case("cert") { pem(value) } else { hex(value) };
        if found.replace(read?).is_some() {
            return None;
        }
    }
    match (hash, certificate) {
        (Some(hash), Some(certificate)) => (hash == certificate).then_some(hash),
        (one, other) => one.or(other),
    }
}

/// Splits outside quotes. `None` where a comma begins another element there, and where quotes are not
/// around the whole of a value: a quote in the wrong place would hide such a comma.
fn unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    let mut before = separator;
    for (index, character) in text.char_indices() {
        let last = std::mem::replace(&mut before, character);
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '\\' => return None,
            '"' if quoted => {
                let rest = text.get(index + 1..)?;
                if !rest.is_empty() && !rest.starts_with([separator, ',']) {
                    return None;
                }
                quoted = false;
            }
            '"' if last == '=' => quoted = true,
            '"' => return None,
            ',' if !quoted => return None,
            _ if character == separator && !quoted => {
                parts.push(text.get(start..index)?);
                start = index + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then_some(parts)
}

fn hex(text: &str) -> Option<Thumbprint> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let bytes: Vec<u8> = pairs.filter_map(|pair| Some(pair.first()? << 4 | pair.last()?)).collect();
    Thumbprint::from_bytes(&bytes)
}

/// Reads the one certificate of a PEM text (RFC 7468).
fn pem(encoded: &str) -> Option<Thumbprint> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let text = percent_decode_str(encoded).decode_utf8().ok()?;
    let (body, rest) = text.trim().strip_prefix(BEGIN)?.split_once(END)?;
    // Anything behind the first one makes a chain.
    if !rest.trim().is_empty() {
        return None;
    }
    let body: String = body.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    of_der(&base64url::decode_either_alphabet(&body)?)
}

/// Takes a certificate, which is one DER value that ends where the bytes end: its first octets say
/// so (X.690 section 8.1).
fn of_der(der: &[u8]) -> Option<Thumbprint> {
    const SEQUENCE: u8 = 0x30;
    let [SEQUENCE, first, rest @ ..] = der else { return None };
    let (length, content) = match usize::from(*first) {
        short @ 0..0x80 => (short, rest),
        long => {
            let (octets, content) = rest.split_at_checked(long - 0x80)?;
            let octets: &[u8] = Some(octets).filter(|octets| (1..=4).contains(&octets.len()))?;
            let length = octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet));
            (length, content)
        }
    };
    (content.len() == length).then(|| Thumbprint::of(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sequence of three bytes: enough to be one DER value.
    const DER: [u8; 5] = [0x30, 3, 2, 1, 7];

    fn read(format: CertificateFormat, values: &[&str]) -> Result<Thumbprint, CertificateReason> {
        let header = CertificateHeader::new("x-cert", format, ["127.0.0.1"]).unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-cert", value.parse().unwrap());
        }
        header.read(&headers)
    }

    #[test]
    fn one_certificate_is_read_in_each_format() {
        let expected = Ok(Thumbprint::of(&DER));
        let hash = "f3".repeat(32);
        assert!(hex(&hash).is_some());
        let pem = "-----BEGIN%20CERTIFICATE-----%0AMAMC%0AAQc%3D%0A-----END%20CERTIFICATE-----%0A";
        for (format, value) in [
            (CertificateFormat::ClientCert, ":MAMCAQc=:".to_owned()),
            (CertificateFormat::Pem, pem.to_owned()),
            (CertificateFormat::Xfcc, format!("By=spiffe://a,b;Cert=\"{pem}\"").replace(",b", "")),
            (CertificateFormat::Xfcc, format!("Subject=\"CN=a,O=b;c\";Cert=\"{pem}\";URI=x")),
        ] {
            assert_eq!(read(format, &[&value]), expected, "{value}");
        }
        let of_hash = read(CertificateFormat::Xfcc, &[&format!("By=x;Hash={hash};URI=")]);
        assert_eq!(of_hash.ok(), hex(&hash));
    }

    #[test]
    fn two_headers_have_one_format_whatever_their_case() {
        let of = CertificateFormat::of_header;
        assert_eq!(of("Client-Cert"), Some(CertificateFormat::ClientCert));
        assert_eq!(of("X-Forwarded-Client-Cert"), Some(CertificateFormat::Xfcc));
        assert_eq!(of("x-client-cert"), None);
    }

    #[test]
    fn two_a_chain_and_what_is_none_count_as_no_certificate() {
        let pem = "-----BEGIN CERTIFICATE-----MAMCAQc=-----END CERTIFICATE-----";
        let hash = "f3".repeat(32);
        use CertificateFormat as F;
        for (format, values) in [
            (F::ClientCert, vec![":MAMCAQc=:", ":MAMCAQc=:"]),
            (F::ClientCert, vec![":MAMCAQc=:, :MAMCAQc=:"]),
            (F::ClientCert, vec!["MAMCAQc="]),
            (F::ClientCert, vec![":MAMCAQcwAwIBBw==:"]),
            (F::ClientCert, vec![":AAAA:"]),
            (F::ClientCert, vec!["::"]),
            (F::Pem, vec![&*format!("{pem}{pem}")]),
            (F::Pem, vec!["MAMCAQc="]),
            (F::Xfcc, vec![&*format!("Hash={hash},Hash={hash}")]),
            (F::Xfcc, vec![&*format!("Hash={hash};Hash={hash}")]),
            (F::Xfcc, vec![&*format!("Hash={hash};Cert=\"{pem}\"")]),
            (F::Xfcc, vec![&*format!("Hash={hash};Subject=\"CN=x")]),
            (F::Xfcc, vec!["Hash=f3"]),
            (F::Xfcc, vec![&*format!("By=x,By=y;Hash={hash}")]),
            (F::Xfcc, vec![&*format!("Hash={hash}f")]),
        ] {
            let values: Vec<&str> = values;
            let found = read(format, &values);
            assert!(matches!(found, Err(CertificateReason::Unusable(_))), "{values:?}: {found:?}");
        }
        for (format, values) in [(F::Pem, vec![]), (F::Pem, vec![""])] {
            assert_eq!(read(format, &values), Err(CertificateReason::Missing));
        }
        assert_eq!(read(F::Xfcc, &["By=spiffe://a"]).ok(), None);
    }

    /// X.690 section 8.1.3: a length of 128 octets and more stands in octets of its own.
    #[test]
    fn a_certificate_ends_where_its_length_says() {
        for (length, content, is_one) in [
            (&[127_u8][..], 127, true),
            (&[0x81, 128], 128, true),
            (&[0x82, 1, 0], 256, true),
            (&[0x83, 0, 1, 0], 256, true),
            (&[0x84, 0, 0, 1, 0], 256, true),
            (&[0x85, 0, 0, 0, 1, 0], 256, false),
            (&[127], 128, false),
            (&[0x81, 128], 127, false),
            (&[0x81, 128], 129, false),
            (&[0x82, 1, 0], 1, false),
            // Of no length of its own, and with fewer octets than it says.
            (&[0x80], 0, false),
            (&[0x84, 0, 0], 0, false),
        ] {
            let mut der = vec![0x30];
            der.extend_from_slice(length);
            der.resize(der.len() + content, 0);
            assert_eq!(of_der(&der).is_some(), is_one, "{length:?} {content}");
        }
    }

    #[test]
    fn a_quote_in_the_wrong_place_hides_no_second_element() {
        let (own, other) = ("f3".repeat(32), "a1".repeat(32));
        for value in [
            format!("Hash={own};X=\",By=x;Hash={other};Subject=\"CN=a\\\"b\""),
            format!("Hash={own};X=a\"b,Hash={other}\""),
            format!("Hash={own};X=\"a\"b\",Hash={other};Y=\"\""),
            format!("Hash={own};X=\"a\"b=\",Hash={other};Y=c\""),
            format!("Hash={own};X=\"a\"b=\",Hash={other}\""),
            format!("Hash={own};X=\\\""),
        ] {
            assert!(read(CertificateFormat::Xfcc, &[&value]).is_err(), "{value}");
        }
        let quoted = format!("Hash={own};Subject=\"CN=a\\\"b,c;d\";By=x");
        assert_eq!(read(CertificateFormat::Xfcc, &[&quoted]).ok(), hex(&own));
    }
}
