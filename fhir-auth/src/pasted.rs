//! The token in what people paste: a header line, quotes, a wrapped line, a token response.

use serde_json::{Map, Value};

/// The members of a token response that hold a token that is meant for somebody else (RFC 6749
/// section 5.1, OpenID Connect Core section 3.1.3.3).
const OTHER_TOKENS: [&str; 2] = ["id_token", "refresh_token"];

/// A token, with what was taken away from around it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pasted {
    token: String,
    /// The scheme that was pasted, the outermost one.
    scheme: Option<String>,
    taken_away: Vec<String>,
    /// True for JSON that is no token response, such as the answer to a request that failed.
    lacks_token: bool,
}

impl Pasted {
    /// Understands an input. One that holds no token is left as it is, to be refused for what it is.
    pub(crate) fn read(input: &str) -> Self {
        let mut pasted = Self { token: input.trim().to_owned(), ..Self::default() };
        // Each step may uncover another; every one makes the rest shorter.
        while pasted.step() {}
        pasted.unwrap_lines();
        pasted
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Names what was taken away, in the order from outside to inside.
    pub(crate) fn taken_away(&self) -> &[String] {
        &self.taken_away
    }

    /// Says why an input that is JSON holds no token.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        self.lacks_token
            .then_some("the input is JSON without `access_token`: what did its `error` say?")
    }

    /// Returns the value of the `Authorization` header, with this scheme where none was pasted; without
    /// a token there is none.
    pub(crate) fn credentials_by(&self, scheme: &str) -> Option<String> {
        let scheme = self.scheme.as_deref().unwrap_or(scheme);
        (!self.token.is_empty()).then(|| format!("{scheme} {}", self.token))
    }

    /// Takes one layer away.
    fn step(&mut self) -> bool {
        self.option()
            || self.header_name()
            || self.comma()
            || self.quotes()
            || self.scheme()
            || self.response()
    }

    fn take(&mut self, rest: &str, what: impl Into<String>) -> bool {
        self.token = rest.trim().to_owned();
        self.taken_away.push(what.into());
        true
    }

    /// The bytes that follow a member of JSON, or end a statement.
    fn comma(&mut self) -> bool {
        match self.token.strip_suffix([',', ';']).map(str::to_owned) {
            Some(rest) => self.take(&rest, "a comma"),
            None => false,
        }
    }

    /// Quotes around it, or one of them.
    fn quotes(&mut self) -> bool {
        const QUOTES: [char; 3] = ['"', '\'', '`'];
        let inner = match self.token.strip_prefix(QUOTES) {
            Some(inner) => Some(inner.strip_suffix(QUOTES).unwrap_or(inner)),
            None => self.token.strip_suffix(QUOTES),
        };
        match inner.map(str::to_owned) {
            Some(inner) => self.take(&inner, "quotes"),
            None => false,
        }
    }

    /// `-H "Authorization: …"`, as of a command line of curl.
    fn option(&mut self) -> bool {
        let rest = self.token.strip_prefix("-H").or_else(|| self.token.strip_prefix("--header"));
        match rest.filter(|rest| rest.starts_with([' ', '=', '"', '\''])).map(str::to_owned) {
            Some(rest) => self.take(rest.trim_start_matches('='), "the option `-H`"),
            None => false,
        }
    }

    fn header_name(&mut self) -> bool {
        let Some((name, rest)) = self.token.split_once(':') else { return false };
        let is_name = name.trim().eq_ignore_ascii_case("authorization");
        let rest = rest.to_owned();
        is_name && self.take(&rest, "the name of the header")
    }

    /// The first word, where something follows it that can be a token.
    fn scheme(&mut self) -> bool {
        let Some((scheme, rest)) = self.token.split_once(char::is_whitespace) else { return false };
        let (scheme, rest) = (scheme.to_owned(), rest.to_owned());
        if scheme.eq_ignore_ascii_case("bearer") {
            self.scheme.get_or_insert_with(|| "Bearer".to_owned());
            return self.take(&rest, "the scheme `Bearer`");
        }
        let others = ["basic", "digest", "dpop", "negotiate"];
        if self.scheme.is_none() && others.contains(&&*scheme.to_ascii_lowercase()) {
            self.token = rest.trim().to_owned();
            self.scheme = Some(scheme);
        }
        false
    }

    /// A token response (RFC 6749 section 5.1).
    fn response(&mut self) -> bool {
        let Ok(response) = serde_json::from_str::<Map<String, Value>>(&self.token) else {
            return false;
        };
        let Some(token) = response.get("access_token").and_then(Value::as_str) else {
            self.lacks_token = true;
            return false;
        };
        let others = OTHER_TOKENS.into_iter().filter(|name| response.contains_key(*name));
        let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
        let token = token.to_owned();
        let what = match others.is_empty() {
            true => "the token response around `access_token`".to_owned(),
            false => format!(
                "the token response around `access_token`, with its {}",
                others.join(" and ")
            ),
        };
        self.take(&token, what)
    }

    /// A token that was wrapped by a terminal or a mail program.
    fn unwrap_lines(&mut self) {
        let is_wrapped = self.token.contains(char::is_whitespace);
        let joined: String = self.token.split_whitespace().collect();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        // Words of prose would be joined to something that nobody sent.
        let has_three_parts = joined.bytes().filter(|byte| *byte == b'.').count() == 2;
        if is_wrapped && has_three_parts && joined.bytes().all(is_token) {
            let broken = if self.token.contains('\n') { "line breaks" } else { "blanks" };
            self.take(&joined, broken);
        }
    }
}

/// Reads bytes as text: UTF-8, or UTF-16 with a byte order mark, as files of PowerShell have.
pub(crate) fn text(input: &[u8]) -> String {
    let wide = |rest: &[u8], number: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).filter_map(|pair| Some(number(pair.try_into().ok()?)));
        String::from_utf16_lossy(&units.collect::<Vec<u16>>())
    };
    match input {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl";

    #[test]
    fn what_people_paste_is_understood_and_said() {
        let response = format!("{{\"token_type\":\"Bearer\",\"access_token\":\"{TOKEN}\"}}");
        let two = format!("{{\"access_token\":\"{TOKEN}\",\"id_token\":\"x\"}}");
        let (one, other) = TOKEN.split_at(20);
        for (input, taken_away) in [
            (TOKEN.to_owned(), &[][..]),
            (format!("\n {TOKEN} \r\n"), &[]),
            (format!("Bearer {TOKEN}"), &["the scheme `Bearer`"]),
            (format!("bearer   {TOKEN}"), &["the scheme `Bearer`"]),
            (
                format!("Authorization: Bearer {TOKEN}"),
                &["the name of the header", "the scheme `Bearer`"],
            ),
            (
                format!("authorization:bearer {TOKEN}"),
                &["the name of the header", "the scheme `Bearer`"],
            ),
            (
                format!("-H \"Authorization: Bearer {TOKEN}\""),
                &["the option `-H`", "quotes", "the name of the header", "the scheme `Bearer`"],
            ),
            (format!("\"{TOKEN}\""), &["quotes"]),
            (format!("'{TOKEN}'"), &["quotes"]),
            (format!("\"{TOKEN}\","), &["a comma", "quotes"]),
            (format!("{TOKEN}\""), &["quotes"]),
            (format!("{one}\n{other}"), &["line breaks"]),
            (format!("{one}\r\n  {other}"), &["line breaks"]),
            (format!("{one} {other}"), &["blanks"]),
            (response, &["the token response around `access_token`"]),
            (two, &["the token response around `access_token`, with its `id_token`"]),
        ] {
            let pasted = Pasted::read(&input);
            assert_eq!(pasted.token(), TOKEN, "{input}");
            assert_eq!(pasted.taken_away(), taken_away, "{input}");
            assert_eq!(pasted.credentials_by("Bearer"), Some(format!("Bearer {TOKEN}")), "{input}");
        }
    }

    #[test]
    fn what_holds_no_token_is_left_as_it_is() {
        for input in ["non sense", "{\"id_token\":\"a.b.c\"}", "{\"error\":\"x\"}", "a.b c d"] {
            let pasted = Pasted::read(input);
            assert_eq!((pasted.token(), pasted.taken_away()), (input, &[][..]));
            assert_eq!(pasted.hint().is_some(), input.starts_with('{'), "{input}");
        }
        assert_eq!(Pasted::read(" \n").credentials_by("Bearer"), None);
        let bearer = Pasted::read("Authorization: bearer a.b.c");
        assert_eq!(bearer.credentials_by("DPoP").as_deref(), Some("Bearer a.b.c"), "as it came");
        let basic = Pasted::read("Authorization: Basic dXNlcg==");
        assert_eq!(basic.credentials_by("Bearer").as_deref(), Some("Basic dXNlcg=="));
    }

    #[test]
    fn files_of_powershell_are_read() {
        let wide = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            let units = TOKEN.encode_utf16().flat_map(bytes);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        assert_eq!(text(&wide([0xff, 0xfe], u16::to_le_bytes)), TOKEN);
        assert_eq!(text(&wide([0xfe, 0xff], u16::to_be_bytes)), TOKEN);
        assert_eq!(text(&[&[0xef, 0xbb, 0xbf], TOKEN.as_bytes()].concat()), TOKEN);
        assert_eq!(text(TOKEN.as_bytes()), TOKEN);
    }

    #[test]
    fn layers_may_be_many() {
        let quotes = "\"".repeat(1000);
        assert_eq!(Pasted::read(&format!("{quotes}{TOKEN}{quotes}")).token(), TOKEN);
    }
}
