//! RFC 6750 section 2.1 and RFC 9449 section 7.1, and what is malformed about a request (section 3.1).

/// What a request presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing, or credentials of another kind: 401 without an error.
    Nothing,
    /// A malformed request: 400.
    Malformed,
    Token(&'a [u8]),
    /// A token that has to come with a proof (RFC 9449 section 7.1).
    DpopToken(&'a [u8]),
}

/// The largest token that is read: up to 64 KiB the choice is the crate's, and this is it.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Reads the values of `Authorization` and the query of a request.
pub fn presented<'a>(values: &[&'a [u8]], query: Option<&str>) -> Presented<'a> {
    if query.is_some_and(names_access_token) {
        return Presented::Malformed;
    }
    let value = match values {
        [] => return Presented::Nothing,
        [value] => *value,
        _ => return Presented::Malformed,
    };
    let Some((is_dpop, mut token)) = behind_scheme(value) else {
        // Another scheme, or none; but a list with a bearer token in it was joined from two headers.
        let scheme =
            value.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(value.len());
        let joined = value[scheme..].split(|byte| *byte == b',').skip(1);
        let mut joined = joined.map(|part| part.trim_ascii_start());
        let is_blank = value.trim_ascii().is_empty();
        return match !is_blank && joined.any(|part| behind_scheme(part).is_some()) {
            true => Presented::Malformed,
            false => Presented::Nothing,
        };
    };
    while let [b' ', rest @ ..] = token {
        token = rest;
    }
    match !token.is_empty() && (token.len() > MAX_TOKEN || is_b64token(token)) {
        true if is_dpop => Presented::DpopToken(token),
        true => Presented::Token(token),
        false => Presented::Malformed,
    }
}

/// One of both schemes in any case, and nothing that makes it another word: whether it is that of DPoP,
/// and what follows.
fn behind_scheme(value: &[u8]) -> Option<(bool, &[u8])> {
    [(false, &b"bearer"[..]), (true, &b"dpop"[..])].into_iter().find_map(|(is_dpop, scheme)| {
        let (word, rest) = value.split_at_checked(scheme.len())?;
        let ends = matches!(rest.first(), None | Some(b' ' | b'\t'));
        (word.eq_ignore_ascii_case(scheme) && ends).then_some((is_dpop, rest))
    })
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &[u8]) -> bool {
    let Some(last) = token.iter().rposition(|byte| *byte != b'=') else { return false };
    token[..=last].iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

/// Reports whether a query has the parameter `access_token`, decoded as forms are.
fn names_access_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        decoded(name.as_bytes()) == b"access_token"
    })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (first, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = tail;
            }
        }
    }
    bytes
}
