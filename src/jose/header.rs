//! The JOSE header of an access token (RFC 7515 section 4).

use super::algorithm::is_none_or_symmetric;
use super::json::Document;

/// The parameters of a header that the checks use. `jku`, `jwk`, `x5u`, `x5c` and `x5t` are not
/// among them: nothing in a token about its own keys can be used to choose one (RFC 8725 section
/// 3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JoseHeader<'a> {
    /// The signature algorithm (section 4.1.1).
    pub(crate) alg: &'a str,
    /// The id of the key (section 4.1.4).
    pub(crate) kid: Option<&'a str>,
    /// The media type of the token (section 4.1.9).
    pub(crate) typ: Option<&'a str>,
    /// `true` when there is a `nonce`, as in Microsoft Graph's tokens: the header that was signed
    /// has the SHA-256 of that nonce, so nobody but Graph can verify them.
    pub(crate) has_nonce: bool,
}

/// The reason why a header is rejected for every issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("`{0}` in the header is not supported")]
    Unsupported(&'static str),
    #[error("`cty` says that the token wraps another token")]
    Nested,
    #[error("`{0}` in the header is not a string")]
    NotAString(&'static str),
    #[error("the header has no `alg`")]
    NoAlgorithm,
    #[error("`alg` is not an asymmetric signature algorithm")]
    Unsigned(String),
}

/// Header parameters that change what is signed or how it is read: critical extensions (RFC 7515
/// section 4.1.11), an unencoded payload (RFC 7797 section 7), compression (RFC 7516 section
/// 4.1.3). None is supported, so a token that carries one is rejected.
const UNSUPPORTED: [&str; 3] = ["crit", "b64", "zip"];

impl<'a> JoseHeader<'a> {
    /// Reads a header, rejecting what no issuer may send.
    pub(crate) fn read(header: &'a Document<'_>) -> Result<Self, HeaderError> {
        if let Some(name) = UNSUPPORTED.into_iter().find(|name| header.has(name)) {
            return Err(HeaderError::Unsupported(name));
        }
        let string = |name| header.string(name).map_err(|_| HeaderError::NotAString(name));
        // RFC 7519 section 5.2: the payload is a JWT itself, whose claims these are not.
        if string("cty")?.is_some_and(|cty| media_type(cty).eq_ignore_ascii_case("jwt")) {
            return Err(HeaderError::Nested);
        }
        let alg = string("alg")?.ok_or(HeaderError::NoAlgorithm)?;
        if is_none_or_symmetric(alg) {
            return Err(HeaderError::Unsigned(alg.to_owned()));
        }
        Ok(Self { alg, kid: string("kid")?, typ: string("typ")?, has_nonce: header.has("nonce") })
    }
}

/// Returns a media type without the `application/` that RFC 7515 section 4.1.9 lets senders omit.
pub(crate) fn media_type(name: &str) -> &str {
    match name.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<String, HeaderError> {
        let members = Document::parse(header).unwrap();
        JoseHeader::read(&members).map(|header| header.alg.to_owned())
    }

    #[test]
    fn what_changes_the_meaning_of_a_token_is_refused() {
        for (text, name) in [
            (r#"{"alg":"RS256","crit":["exp"]}"#, "crit"),
            (r#"{"alg":"RS256","crit":[]}"#, "crit"),
            (r#"{"alg":"RS256","crit":null}"#, "crit"),
            (r#"{"alg":"RS256","b64":true}"#, "b64"),
            (r#"{"alg":"none","zip":"DEF"}"#, "zip"),
        ] {
            assert_eq!(read(text), Err(HeaderError::Unsupported(name)), "{text}");
        }
        for cty in ["JWT", "jwt", "application/jwt"] {
            let text = format!(r#"{{"alg":"RS256","cty":"{cty}"}}"#);
            assert_eq!(read(&text), Err(HeaderError::Nested));
        }
    }

    #[test]
    fn unknown_parameters_of_any_type_are_ignored() {
        let text = r#"{"alg":"ES256","foo":1,"jwk":{"kty":"X"},"jku":5,"x5c":null}"#;
        assert_eq!(read(text), Ok("ES256".to_owned()));
    }

    #[test]
    fn alg_is_a_string_and_names_a_signature() {
        assert_eq!(read("{}"), Err(HeaderError::NoAlgorithm));
        assert_eq!(read(r#"{"alg":256}"#), Err(HeaderError::NotAString("alg")));
        assert_eq!(read(r#"{"alg":["RS256"]}"#), Err(HeaderError::NotAString("alg")));
        let none = HeaderError::Unsigned("nOnE".to_owned());
        assert_eq!(read(r#"{"alg":"nOnE"}"#), Err(none));
    }
}
