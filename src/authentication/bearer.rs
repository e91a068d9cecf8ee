//! The token of a request, by one of two schemes: `Bearer` (RFC 6750 section 2.1) and `DPoP` (RFC 9449
//! section 7.1).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};

use crate::explanation::{Check, Checked, Evidence, InvalidRequest, OtherCredentials, Reason};
use crate::jose::compact::{Buffer, CompactJwsError, MAX_TOKEN, Segments};

/// The scheme that a token comes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scheme {
    #[default]
    Bearer,
    Dpop,
}

/// The token that a request presents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) scheme: Scheme,
    pub(crate) token: &'a [u8],
}

impl Scheme {
    /// Returns the scheme of a request's credentials; `Bearer` where they have another scheme or are missing.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        value.and_then(behind_scheme).map_or(Self::Bearer, |(scheme, _)| scheme)
    }
}

/// Finds the one token of a request, without looking into it.
///
/// The scheme is compared without regard to case (RFC 9110 section 11.1) and may be followed by
/// several spaces, as the grammar `1*SP` has it. The methods of RFC 6750 sections 2.2 and 2.3,
/// body and query, are not supported; a token in the query is refused, not ignored.
pub(crate) fn find<'a>(headers: &'a HeaderMap, uri: &Uri) -> Result<Presented<'a>, Reason> {
    let invalid = |fault| Err(Reason::MalformedRequest(fault));
    // RFC 6750 section 5.3: URLs end up in logs and histories.
    if has_token_in_query(uri) {
        return invalid(InvalidRequest::TokenInQuery);
    }
    // RFC 9110 section 11.6.2 allows one value. Of two, a proxy might check one and we the other.
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(Reason::MissingCredentials);
    };
    // Mostly no header has two values, and which of them has need not be looked for.
    let are_repeated = headers.len() > headers.keys_len();
    if are_repeated && headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return invalid(InvalidRequest::RepeatedHeader);
    }
    let value = value.as_bytes();
    let Some((scheme, rest)) = behind_scheme(value) else {
        return Err(other_credentials(value));
    };
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let (_, token) = rest.split_at(spaces);
    if token.is_empty() {
        return invalid(InvalidRequest::EmptyToken);
    }
    Ok(Presented { scheme, token })
}

/// Reports whether a request presents a token, or tries to, by what [`find`] has found: where none
/// is there, a token may still be required.
pub(crate) fn presents_token(found: &Result<Presented<'_>, Reason>) -> bool {
    !matches!(found, Err(Reason::MissingCredentials | Reason::OtherCredentials(_)))
}

/// Returns the string after the scheme, if that is one for tokens.
// One of five whose calls are 1.5 % of the instructions for a token seen before.
#[inline]
fn behind_scheme(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let behind = |name: &[u8], known| {
        let (scheme, rest) = value.split_at_checked(name.len())?;
        // A tab ends the name as well, so that the tab is told as the fault, not an unknown scheme.
        let ends = rest.first().is_none_or(is_blank);
        (ends && scheme.eq_ignore_ascii_case(name)).then_some((known, rest))
    };
    behind(b"bearer", Scheme::Bearer).or_else(|| behind(b"dpop", Scheme::Dpop))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Says what a value is that has no bearer token.
#[cold]
fn other_credentials(value: &[u8]) -> Reason {
    if value.trim_ascii().is_empty() {
        return Reason::MissingCredentials;
    }
    let end = value.iter().position(is_blank).unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    if rest.split(|byte| *byte == b',').skip(1).any(begins_with_scheme) {
        return Reason::MalformedRequest(InvalidRequest::JoinedCredentials);
    }
    Reason::OtherCredentials(match Segments::decode(scheme, &mut Buffer::new()) {
        Ok(_) => OtherCredentials::NoScheme,
        Err(_) => OtherCredentials::of_scheme(scheme),
    })
}

/// Reports whether a member of a list begins as a token does.
fn begins_with_scheme(member: &[u8]) -> bool {
    behind_scheme(member.trim_ascii_start()).is_some()
}

/// Decodes a token, and checks that it is a `b64token` (RFC 6750 section 2.1). It need not be a JWS
/// for that. One that is too large is not read: [`check_size`] rejects it.
pub(crate) fn decode<'a>(
    token: &'a [u8],
    buffer: &'a mut Buffer,
) -> Result<(&'a [u8], Result<Segments<'a>, CompactJwsError>), Reason> {
    let segments = Segments::decode(token, buffer);
    // Base64url and dots are within the alphabet, so a token that decodes needs no scan of its own.
    // It would take 4,000 of the 28,000 instructions of a token that is rejected for its issuer.
    match segments.is_ok() || token.len() > MAX_TOKEN || is_b64token(token) {
        true => Ok((token, segments)),
        false => Err(Reason::MalformedRequest(fault_of(token))),
    }
}

/// Reports whether a token is
/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let (token, _) = token.split_at(token.len() - padding);
    // No early exit, so that the loop vectorises.
    !token.is_empty() && token.iter().fold(true, |all, byte| all & is_allowed(*byte))
}

/// Reports whether a byte may stand before the padding of a `b64token`.
fn is_allowed(byte: u8) -> bool {
    // `-`, `.`, `/` and the digits follow each other; with the bit of small letters, so do all letters.
    // Each range less is an instruction less for each sixteen bytes.
    (byte | 0x20).is_ascii_lowercase()
        | matches!(byte, b'-'..=b'9')
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'+')
}

/// Says what keeps a token from being a `b64token`, and repeats nothing of one.
#[cold]
fn fault_of(token: &[u8]) -> InvalidRequest {
    let is_quote = |text: &[u8]| QUOTES.into_iter().any(|quote| text.starts_with(quote.as_bytes()));
    if behind_scheme(token).is_some() {
        return InvalidRequest::SchemeTwice;
    }
    if token.split(|byte| *byte == b',').skip(1).any(begins_with_scheme) {
        return InvalidRequest::JoinedCredentials;
    }
    if is_quote(token) {
        return InvalidRequest::Quoted;
    }
    let index = token.iter().position(|byte| !is_allowed(*byte)).unwrap_or_default();
    let (before, rest) = token.split_at(index);
    let position = before.len() + 1;
    if rest.starts_with(b"=") {
        // Padding is followed by what it should not be, unless there is nothing else.
        let behind = rest.iter().position(|byte| *byte != b'=').and_then(|end| rest.get(end..));
        if behind.is_none_or(|behind| behind.first().is_some_and(|byte| is_allowed(*byte))) {
            return InvalidRequest::Padding(position);
        }
        let padded = rest.len() - behind.unwrap_or_default().len();
        return foreign(behind.unwrap_or_default(), position + padded);
    }
    foreign(rest, position)
}

/// The marks that people put around a token.
const QUOTES: [&str; 6] = ["\"", "'", "`", "\u{201C}", "\u{2018}", "\u{AB}"];

/// Names the character at the beginning of what is left of a token.
fn foreign(rest: &[u8], position: usize) -> InvalidRequest {
    let character = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    InvalidRequest::Character { character, position }
}

/// Checks the size of a token.
pub(crate) fn check_size(token: &[u8]) -> Checked<(), impl FnOnce() -> Evidence> {
    let result = if token.len() <= MAX_TOKEN { Ok(()) } else { Err(Reason::TokenTooLarge) };
    let size = token.len();
    Checked::new(Check::Size, result, move || {
        let found = Evidence::found(format!("{size} bytes"));
        found.expected(format!("at most {MAX_TOKEN} bytes"))
    })
}

fn has_token_in_query(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| {
        form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "access_token")
    })
}
