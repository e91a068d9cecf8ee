//! Paths as servers and routers within may read them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The most times that a path is decoded: some servers decode twice.
const DECODINGS: usize = 3;

/// Returns a path in its plainest reading: percent-decoded, `\` as `/`, without parameters of segments (`;`), without
/// empty segments, and with dots followed. A path that has another base in this reading than as it is written belongs
/// to neither.
pub(super) fn plainest(path: &str) -> Cow<'_, str> {
    let is_plain = !path.contains(['%', ';', '\\']) && !path.contains("//") && !path.contains("/.");
    if is_plain {
        return Cow::Borrowed(path);
    }
    let mut decoded = path.to_owned();
    for _ in 0..DECODINGS {
        let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        if next == decoded {
            break;
        }
        decoded = next;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_read_alike() {
        for path in [
            "/t/amber/fhir",
            "/t/%61mber/fhir",
            "/t/%2561mber/fhir",
            "//t//amber/fhir",
            "/t/x/../amber/fhir",
            "/t/x/%2e%2e/amber/fhir",
            "/t;v=1/amber/fhir;w",
            "/t\\amber%5cfhir",
            "/t%2Famber/./fhir/",
        ] {
            assert_eq!(plainest(path), "/t/amber/fhir", "{path}");
        }
        assert_eq!(plainest("/../.."), "");
        assert!(matches!(plainest("/t/amber/fhir/Patient/1"), Cow::Borrowed(_)));
    }
}
