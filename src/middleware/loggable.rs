//! Strings of strangers as they may be logged: without tokens, and of a bounded length.

use std::borrow::Cow;

use crate::jose::base64url;

/// The replacement of a token.
const TOKEN: &str = "(token)";

/// Returns a string for a log: what looks like a token is replaced, and what would be written in more than
/// `longest` bytes is cut. A path may hold one where a client builds its URLs wrongly, and logs are read by more
/// people than tokens are meant for.
pub(super) fn shorten(text: &str, longest: usize) -> Cow<'_, str> {
    let kept = without_tokens(text);
    // Lines are written with escapes, which are longer than what they stand for.
    let mut written = 0;
    let end = kept.char_indices().find_map(|(at, character)| {
        written += character.escape_debug().map(char::len_utf8).sum::<usize>();
        (written > longest).then_some(at)
    });
    match end.and_then(|end| kept.get(..end)) {
        Some(start) => Cow::Owned(format!("{start}… ({} bytes)", text.len())),
        None => kept,
    }
}

/// Replaces compact JWS: three segments of base64url, of which the first decodes to an object.
/// Their dots may be percent-encoded.
fn without_tokens(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let run = rest.bytes().take_while(|byte| is_base64url(*byte)).count();
        let is_escaped = text.get(..at).is_some_and(|before| before.ends_with('%'));
        let start = rest.get(..run).and_then(|run| start_of_object(run, is_escaped));
        if let Some(start) = start
            && let Some(end) = end_of_token(rest, run)
        {
            kept.push_str(text.get(copied..at + start).unwrap_or_default());
            kept.push_str(TOKEN);
            at += end;
            copied = at;
        } else {
            // Behind the run, and the character that ends it.
            let next = rest.get(run..).and_then(|rest| rest.chars().next());
            at += run + next.map_or(0, char::len_utf8);
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(kept)
}

/// Returns where the header of a token may begin in a run of base64url: where it begins, behind the digits of an
/// escape, or behind letters that a client has put before it.
fn start_of_object(run: &str, is_escaped: bool) -> Option<usize> {
    let mut starts = [0, 2].into_iter().take(if is_escaped { 2 } else { 1 });
    let begins_at = |start: &usize| run.get(*start..).is_some_and(begins_with_an_object);
    // `{"` in base64url.
    starts.find(begins_at).or_else(|| run.find("eyJ"))
}

/// Returns where a token ends whose first segment has this length, if it has two more.
fn end_of_token(text: &str, first: usize) -> Option<usize> {
    let second = first + dot(text.get(first..)?)?;
    let payload = text.get(second..)?.bytes().take_while(|byte| is_base64url(*byte)).count();
    let third = second + payload + dot(text.get(second + payload..)?)?;
    let signature = text.get(third..)?.bytes().take_while(|byte| is_base64url(*byte)).count();
    // An unsecured JWS has no signature (RFC 7515 appendix A.5), and claims like any other.
    (payload > 0).then_some(third + signature)
}

/// Returns the length of the dot that a string begins with.
fn dot(text: &str) -> Option<usize> {
    ["%2e", "%2E", "."].into_iter().find(|dot| text.starts_with(*dot)).map(str::len)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Reports whether a segment decodes to what can be a JSON object: its first byte that is no white
/// space is a brace. A header that nobody can parse may be followed by a payload all the same.
fn begins_with_an_object(segment: &str) -> bool {
    // The beginning of a segment decodes alone, in groups of four characters.
    let whole = segment.len() - segment.len() % 4;
    let start = segment.get(..whole.min(64)).unwrap_or_default();
    let mut buffer = [0; 64];
    base64url::decode(start.as_bytes(), &mut buffer)
        .is_some_and(|(decoded, _)| decoded.trim_ascii_start().starts_with(b"{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWS: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln";

    #[test]
    fn a_token_is_replaced_wherever_it_is() {
        let encoded = JWS.replace('.', "%2e");
        let upper = JWS.replacen('.', "%2E", 1);
        for token in [
            JWS,
            &encoded,
            &upper,
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
            "IHsiYSI6MX0.e30.AA",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJh_-In0.c2-n_w",
        ] {
            for (text, expected) in [
                (format!("/r4/Patient/{token}"), "/r4/Patient/(token)".to_owned()),
                (format!("{token}/x"), "(token)/x".to_owned()),
                (format!("/r4/Bearer%20{token}"), "/r4/Bearer%20(token)".to_owned()),
                (format!("/r4/Patient%2F{token}"), "/r4/Patient%2F(token)".to_owned()),
                (format!("%2f{token}"), "%2f(token)".to_owned()),
                (format!("a=é{token}&b={token}"), "a=é(token)&b=(token)".to_owned()),
            ] {
                assert_eq!(shorten(&text, 512), expected);
            }
        }
    }

    #[test]
    fn letters_before_a_token_do_not_hide_it() {
        assert_eq!(shorten(&format!("/r4/token-{JWS}"), 512), "/r4/token-(token)");
        assert_eq!(shorten(&format!("/r4/é%{JWS}"), 512), "/r4/é%(token)");
        assert_eq!(shorten(&format!("/r4/%e{JWS}"), 512), "/r4/%e(token)");
    }

    #[test]
    fn what_only_resembles_a_token_is_kept() {
        for text in ["/r4/Patient/1", "a.b.c", "1.2.840.113619", "eyJhbGciOiJub25lIn0.e30", "", "é"]
        {
            assert_eq!(shorten(text, 512), text);
        }
    }

    #[test]
    fn a_long_string_is_cut_and_its_length_told() {
        let long = "é".repeat(30_000);
        let cut = shorten(&long, 512);
        assert!(cut.len() < 600 && cut.ends_with("… (60000 bytes)"), "{cut}");
        let escaped = "\u{80}\"\\".repeat(200);
        assert!(format!("{:?}", shorten(&escaped, 512)).len() < 560);
    }
}
