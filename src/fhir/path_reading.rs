//! Paths as servers, proxies and routers may read them: decoded once, twice or not at all, with dots followed or not.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Reports whether everybody reads a path alike, who decodes it once as who decodes it often or follows dots: no
/// segment of it is empty but the last one, or dots, and none has an encoded slash or dot, a parameter (`;`), or an
/// escape that is encoded again. Where two servers decide about one request, any other path could be two.
///
/// ```
/// use tower_fhir_auth::fhir::is_unambiguous_path;
///
/// assert!(is_unambiguous_path("/Patient/1") && is_unambiguous_path("/docs/a%20b/"));
/// for path in ["/docs/../admin", "/docs/%2e%2e/admin", "/docs%2fadmin", "//admin", "/docs;v=1"] {
///     assert!(!is_unambiguous_path(path), "{path}");
/// }
/// ```
#[must_use]
pub fn is_unambiguous_path(path: &str) -> bool {
    is_plain(path) || is_read_alike(path)
}

/// Reports whether a path has nothing in it that could be read otherwise: names of letters, digits, `-`, `_` and `$`.
/// Most paths are like that: to decode them took 1,600 of the 66,000 instructions of the gateway (`.ci/world gateway`).
fn is_plain(path: &str) -> bool {
    let mut before = None;
    let is_plain = path.bytes().all(|byte| {
        let is_name = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$');
        let begins_name = byte == b'/' && before != Some(b'/');
        before = Some(byte);
        is_name || begins_name
    });
    is_plain && path.starts_with('/')
}

fn is_read_alike(path: &str) -> bool {
    let read: Vec<u8> = percent_decode_str(path).collect();
    // A `%` that is left is read as another path by who decodes again.
    let is_odd =
        |byte: &u8| matches!(byte, b'%' | b'\\' | b';' | b'?' | b'#') || byte.is_ascii_control();
    let marks = |bytes: &[u8]| bytes.iter().filter(|byte| matches!(byte, b'/' | b'.')).count();
    if read.iter().any(is_odd) || marks(&read) != marks(path.as_bytes()) {
        return false;
    }
    let read = String::from_utf8_lossy(&read);
    let Some(segments) = read.strip_prefix('/') else { return read.is_empty() };
    let whole = segments.strip_suffix('/').unwrap_or(segments);
    // Blanks and dots at the end of a name are nothing to some.
    let is_name = |segment: &str| !segment.trim_matches([' ', '.']).is_empty();
    segments.is_empty() || whole.split('/').all(is_name)
}

/// Returns a path in its plainest reading: decoded until nothing is left to decode, `\` as `/`, without parameters of
/// segments, without empty segments, and with dots followed.
///
/// Where no reading has a step upwards ([`has_step_up`]), this one tells of all in which base they are: to decode less
/// hides the segments of a base, and cannot make them.
pub(crate) fn plainest(path: &str) -> Cow<'_, str> {
    if !path.contains(['%', ';', '\\']) && !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let decoded = decoded(path);
    let mut segments: Vec<&str> = Vec::new();
    for segment in names(&decoded) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            plain => segments.push(plain),
        }
    }
    let mut plainest = String::with_capacity(decoded.len());
    for segment in segments {
        plainest.push('/');
        plainest.push_str(segment);
    }
    Cow::Owned(plainest)
}

/// Reports whether a path has a segment `..` in some reading.
pub(crate) fn has_step_up(path: &str) -> bool {
    (path.contains("..") || path.contains('%')) && names(&decoded(path)).any(|name| name == "..")
}

/// Reports whether the rest of a path, behind that of a base, could lead out of it in some reading: by more steps up
/// than there are names to step out of, or by any where a segment could be more or less than one name.
pub(crate) fn may_lead_out(rest: &str) -> bool {
    let mut depth = 0_usize;
    for segment in rest.split('/') {
        let read = decoded(segment);
        match &*read {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            odd if odd.contains(['/', '\\', ';']) => return has_step_up(rest),
            _ => depth += 1,
        }
    }
    false
}

/// Splits a decoded path at its slashes of either kind, and leaves parameters out.
fn names(decoded: &str) -> impl Iterator<Item = &str> {
    decoded.split(['/', '\\']).map(|segment| segment.split(';').next().unwrap_or_default())
}

/// Decodes until nothing is left to decode. What it takes grows with the path alone: each escape that is decoded makes
/// it shorter, and is looked for at the end of what is read so far.
fn decoded(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut read: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path.bytes() {
        read.push(byte);
        while let [before @ .., b'%', high, low] = read.as_slice()
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            let length = before.len();
            read.truncate(length);
            read.push(high << 4 | low);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&read).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_read_alike() {
        let often = format!("/t/%{}61mber/fhir", "25".repeat(1000));
        for path in [
            "/t/amber/fhir",
            "/t/%61mber/fhir",
            "/t/%2561mber/fhir",
            "/t/%25%32%35%36%31mber/fhir",
            &often,
            "//t//amber/fhir",
            "/t/x/../amber/fhir",
            "/t/x/%2e%2e/amber/fhir",
            "/t/x/%2525252e%252525252e/amber/fhir",
            "/t;v=1/amber/fhir;w",
            "/t\\amber%5cfhir",
            "/t%2Famber/./fhir/",
        ] {
            assert_eq!(plainest(path), "/t/amber/fhir", "{path}");
        }
        assert_eq!(plainest("/../.."), "");
        assert!(matches!(plainest("/t/amber/fhir/Patient/1"), Cow::Borrowed(_)));
    }

    #[test]
    fn an_escape_that_digits_of_others_complete_is_decoded_too() {
        for (path, expected) in [
            ("%2%35%36%31", "a"),
            ("%%36%31", "a"),
            ("%zz%4", "%zz%4"),
            ("100%25", "100%"),
            ("%25zz", "%zz"),
            ("%c3%a9", "\u{e9}"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decoded(path), expected, "{path}");
        }
    }

    #[test]
    fn a_long_path_is_decoded_in_the_time_of_its_length() {
        let once = |path: &str| {
            let start = std::time::Instant::now();
            assert_eq!(decoded(path), "/.");
            start.elapsed()
        };
        // The least of several: whatever else the machine does only makes it longer.
        let time = |length: usize| {
            let path = format!("/%{}2e", "25".repeat(length));
            (0..20).map(|_| once(&path)).min().unwrap()
        };
        let (short, long) = (time(10_000), time(100_000));
        assert!(long < short * 60, "{short:?} {long:?}");
    }

    #[test]
    fn a_path_that_could_be_read_as_another_is_ambiguous() {
        for odd in [
            "//",
            "//admin",
            "/a//b",
            "/docs//",
            "/..",
            "/../admin",
            "/.",
            "/a/./b",
            "/%2e%2e/admin",
            "/%2E./x",
            "/a%2fb",
            "/a%2Eb",
            "/a%5Cb",
            "/a\\b",
            "/a;b",
            "/a%3bb",
            "/a%252fb",
            "/a%2541",
            "/a%2%35b",
            "/100%25",
            "/%",
            "/%zz",
            "/a%00b",
            "/a%3fb",
            "/a%23b",
            "/...",
            "/..%20/a",
            "a",
            "*",
        ] {
            assert!(!is_unambiguous_path(odd), "{odd}");
        }
        for plain in [
            "",
            "/",
            "/Patient/1",
            "/Patient/1/$everything",
            "/Patient/1/%24everything",
            "/docs/",
            "/docs/a%20b",
            "/Patient/a.b",
            "/Patient/.a",
            "/Patient/..a",
            "/.well-known/smart-configuration",
            "/na%C3%AFve",
        ] {
            assert!(is_unambiguous_path(plain), "{plain}");
        }
    }

    #[test]
    fn a_path_that_is_plain_at_a_look_is_read_alike() {
        let mut paths = vec![String::new()];
        for _ in 0..5 {
            let mut longer = Vec::new();
            for path in &paths {
                longer.extend("/a$.%2;\u{e9}".chars().map(|next| format!("{path}{next}")));
            }
            for path in &longer {
                assert!(!is_plain(path) || is_read_alike(path), "{path}");
            }
            paths = longer;
        }
        assert!(is_plain("/Patient/1/$everything") && is_plain("/a/") && is_plain("/"));
    }

    #[test]
    fn what_steps_out_in_some_reading_may_lead_out() {
        for (rest, expected) in [
            ("", false),
            ("/Patient/1", false),
            ("/x/../Patient/1", false),
            ("/x/%252e%252e/Patient/1", false),
            ("/a%2fb;c", false),
            ("/..", true),
            ("/x/../../y", true),
            ("/%252e%252e", true),
            // Who follows dots before they decode steps out of one name, and others of two.
            ("/a%252fb/%2e%2e/%252e%252e/x", true),
            ("/a;b/../x", true),
            ("/x/../a%5cb", true),
        ] {
            assert_eq!(may_lead_out(rest), expected, "{rest}");
        }
    }
}
