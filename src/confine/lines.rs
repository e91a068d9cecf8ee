//! The lines of an exported file (NDJSON) that are of types which were granted, as they stream by.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::bounded_list::BoundedList;
use crate::telemetry::log;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Marks a request, by an extension, whose answer is read line by line: of it one line is held, of up to
/// [`max_body`](super::ConfineSettings::max_body) bytes, and for a moment what is left of a bundle of deletions. A service that counts what its answers hold looks for it.
///
/// ```
/// use tower_fhir_auth::confine::ReadByLine;
///
/// fn held(request: &http::Request<()>, longest_line: usize, body: usize) -> usize {
///     match request.extensions().get::<ReadByLine>() {
///         Some(_) => longest_line,
///         None => body,
///     }
/// }
/// assert_eq!(held(&http::Request::new(()), 100, 5_000), 5_000);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ReadByLine;

pin_project! {
    /// A file of an export, line by line. A line that cannot be judged ends the file with an error: a file with lines
    /// silently left out would look complete.
    #[derive(Debug)]
    pub(super) struct Lines<R> {
        #[pin]
        inner: R,
        types: Vec<String>,
        are_deletions: bool,
        // The line that has begun.
        line: Vec<u8>,
        limit: usize,
        is_over: bool,
    }
}

/// The most entries of a Bundle in one line. What a list takes in memory is many times what it takes as text.
const MAX_ENTRIES: usize = 65_535;

/// The parts of a line that are judged.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    entry: Option<&'a RawValue>,
}

/// A bundle of the deletions that were granted.
#[derive(Serialize)]
struct Part<'a> {
    #[serde(rename = "resourceType")]
    resource_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a RawValue>,
    entry: &'a [&'a RawValue],
}

/// An entry of a bundle of deletions (Bulk Data Access, `deleted`).
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    request: Option<EntryRequest<'a>>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct EntryRequest<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

impl<R> Lines<R> {
    /// Keeps the resources of these types, in lines of up to `limit` bytes.
    pub(super) fn of_types(inner: R, types: Vec<String>, limit: usize) -> Self {
        Self { inner, types, are_deletions: false, line: Vec::new(), limit, is_over: false }
    }

    /// Keeps what tells of deleted resources of these types: a bundle of deletions is judged by what it names,
    /// also where `Bundle` is one of the types.
    pub(super) fn of_deletions(inner: R, types: Vec<String>, limit: usize) -> Self {
        Self { are_deletions: true, ..Self::of_types(inner, types, limit) }
    }
}

impl<R> Body for Lines<R>
where
    R: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Data = R::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, BoxError>>> {
        let mut this = self.project();
        while !*this.is_over {
            let frame = ready!(this.inner.as_mut().poll_frame(context));
            let data = match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(mut data))) => Some(data.copy_to_bytes(data.remaining())),
                Some(Ok(Err(_))) => continue,
                Some(Err(error)) => {
                    *this.is_over = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => None,
            };
            *this.is_over = data.is_none();
            let keep = |line: &[u8]| FilteredLine::of(line, this.types, *this.are_deletions);
            match keep_lines(data, this.line, keep, *this.limit) {
                Ok(kept) if kept.is_empty() => {}
                Ok(kept) => return Poll::Ready(Some(Ok(Frame::data(Bytes::from(kept).into())))),
                Err(error) => {
                    *this.is_over = true;
                    log::warn!(reason = error, "an export file was cut off");
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
        }
        Poll::Ready(None)
    }
}

/// Takes a part of the file, `None` for its end, and returns the lines that are kept and whole.
fn keep_lines(
    part: Option<Bytes>,
    line: &mut Vec<u8>,
    keep: impl Fn(&[u8]) -> Result<FilteredLine, &'static str>,
    limit: usize,
) -> Result<Vec<u8>, &'static str> {
    let mut all = Vec::new();
    let is_end = part.is_none();
    let part = part.unwrap_or_default();
    let mut pieces = part.split(|byte| *byte == b'\n').peekable();
    while let Some(piece) = pieces.next() {
        if line.len() + piece.len() > limit {
            return Err("a line of it is too long to be judged");
        }
        line.extend_from_slice(piece);
        if pieces.peek().is_none() && !is_end {
            break;
        }
        // Its room goes with it: a long line is not held twice, unless deletions are taken out of it.
        let mut whole = std::mem::take(line);
        match keep(&whole)? {
            FilteredLine::Nothing => continue,
            FilteredLine::Whole => {}
            FilteredLine::Part(part) => whole = part,
        }
        whole.push(b'\n');
        if all.is_empty() {
            all = whole;
        } else {
            all.append(&mut whole);
        }
    }
    Ok(all)
}

/// The part of a line that is kept.
enum FilteredLine {
    Nothing,
    Whole,
    /// The line with the deletions that were granted.
    Part(Vec<u8>),
}

impl FilteredLine {
    fn of(line: &[u8], types: &[String], are_deletions: bool) -> Result<Self, &'static str> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        let unreadable = "a line of it is not FHIR JSON";
        let read: Line<'_> = serde_json::from_slice(line).map_err(|_| unreadable)?;
        if !are_deletions || read.resource_type != "Bundle" {
            let is_granted = types.iter().any(|one| *one == read.resource_type);
            return Ok(if is_granted { Self::Whole } else { Self::Nothing });
        }
        let Some(entries) = read.entry else { return Ok(Self::Nothing) };
        let entries: BoundedList<&RawValue, MAX_ENTRIES> =
            serde_json::from_str(entries.get()).map_err(|_| unreadable)?;
        if entries.has_more {
            return Err("a line of it has more entries than are looked into");
        }
        let mut granted = Vec::new();
        for entry in entries.items.iter().copied() {
            let read: Entry<'_> = serde_json::from_str(entry.get()).map_err(|_| unreadable)?;
            if read.deletes_one_of(types) {
                granted.push(entry);
            }
        }
        if granted.len() == entries.items.len() {
            return Ok(Self::Whole);
        }
        if granted.is_empty() {
            return Ok(Self::Nothing);
        }
        // A total, links or a signature would be about what is left out, too.
        let Line { id, kind, timestamp, .. } = read;
        let part = Part { resource_type: "Bundle", id, kind, timestamp, entry: &granted };
        serde_json::to_vec(&part).map(Self::Part).map_err(|_| unreadable)
    }
}

impl Entry<'_> {
    fn deletes_one_of(&self, types: &[String]) -> bool {
        let deleted = self.request.as_ref().filter(|asked| asked.method == "DELETE");
        let of = deleted.and_then(|asked| asked.url.split_once('/'));
        self.resource.is_none() && of.is_some_and(|(name, _)| types.iter().any(|one| one == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    /// A body that comes in parts.
    struct Parts<'a>(std::slice::Chunks<'a, u8>);

    impl Body for Parts<'_> {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let part = self.0.next().map(Bytes::copy_from_slice);
            Poll::Ready(part.map(Frame::data).map(Ok))
        }
    }

    /// A body of these frames.
    struct Frames(std::vec::IntoIter<Result<Frame<Bytes>, &'static str>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            Poll::Ready(self.0.next())
        }
    }

    fn types(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Reads a file in parts of so many bytes.
    async fn read(text: &str, size: usize, limit: usize) -> Result<String, String> {
        let body = Parts(text.as_bytes().chunks(size));
        let types = types(&["Observation", "Patient"]);
        whole(Lines::of_deletions(body, types, limit)).await
    }

    async fn whole(lines: Lines<Parts<'_>>) -> Result<String, String> {
        let lines = lines.collect().await;
        let bytes = lines.map_err(|error| error.to_string())?.to_bytes();
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    const KEPT: &str = "{\"resourceType\":\"Observation\",\"valueDecimal\":1.50}\n";

    #[tokio::test]
    async fn lines_of_granted_types_stay_byte_by_byte_however_they_come() {
        let deleted = r#"{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"Patient/1"}}]}"#;
        let text = format!(
            "{KEPT}{{\"resourceType\":\"Condition\",\"id\":\"x\"}}\n\n \n{deleted}\r\n\
             {{\"entry\":1,\"resourceType\":\"Patient\"}}"
        );
        let expected = format!("{KEPT}{deleted}\r\n{{\"entry\":1,\"resourceType\":\"Patient\"}}\n");
        for size in 1..text.len() {
            assert_eq!(read(&text, size, 1000).await.as_deref(), Ok(&*expected), "{size}");
        }
        assert_eq!(read("", 1, 10).await.as_deref(), Ok(""));
    }

    #[tokio::test]
    async fn a_file_goes_on_without_trailers_and_ends_where_the_one_behind_breaks_off() {
        let data = || Ok(Frame::data(Bytes::from_static(KEPT.as_bytes())));
        for (between, expected) in [
            (Ok(Frame::trailers(http::HeaderMap::new())), Ok(KEPT.repeat(2))),
            (Err("broken off"), Err("broken off".to_owned())),
        ] {
            let frames = Frames(vec![data(), between, data()].into_iter());
            let lines = Lines::of_types(frames, types(&["Observation"]), 1000).collect().await;
            let read = lines.map(|read| String::from_utf8(read.to_bytes().to_vec()).unwrap());
            assert_eq!(read.map_err(|error| error.to_string()), expected);
        }
    }

    #[tokio::test]
    async fn deletions_of_other_types_and_bundles_of_resources_are_dropped() {
        for line in [
            r#"{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"Condition/1"}}]}"#,
            r#"{"resourceType":"Bundle","entry":[{"request":{"method":"PUT","url":"Patient/1"}}]}"#,
            r#"{"resourceType":"Bundle","entry":[{"resource":{},"request":{"method":"DELETE","url":"Patient/1"}}]}"#,
            r#"{"resourceType":"Bundle","entry":[{}]}"#,
            r#"{"resourceType":"Bundle"}"#,
        ] {
            assert_eq!(read(line, 100, 1000).await.as_deref(), Ok(""), "{line}");
        }
    }

    #[tokio::test]
    async fn of_deletions_in_one_bundle_those_of_granted_types_stay() {
        let entry =
            |url: &str| format!(r#"{{"request":{{"method":"DELETE","url":"{url}"}},"n":1.50}}"#);
        let line = |entries: &[String]| {
            let entries = entries.join(",");
            format!(
                r#"{{"resourceType":"Bundle","id":"b","type":"transaction","entry":[{entries}]}}"#
            )
        };
        let [own, other, last] = ["Patient/1", "Condition/2", "Patient/3"].map(entry);
        let all = line(&[own.clone(), other, last.clone()]);
        let text = format!("{KEPT}{}", all.replace(r#""id""#, r#""total":3,"signature":{},"id""#));
        let expected = format!("{KEPT}{}\n", line(&[own, last]));
        for size in [1, 7, 1000] {
            assert_eq!(read(&text, size, 1000).await.as_deref(), Ok(&*expected), "{size}");
        }
    }

    #[tokio::test]
    async fn a_bundle_of_deletions_is_no_resource_of_the_type_bundle() {
        let deleted = |name: &str| {
            format!(
                r#"{{"resourceType":"Bundle","entry":[{{"request":{{"method":"DELETE","url":"{name}/1"}}}}]}}"#
            )
        };
        let text = format!("{}\n{}\n", deleted("Condition"), deleted("Bundle"));
        let of = |names: &[&str]| (Parts(text.as_bytes().chunks(9)), types(names), 1000);
        let (body, granted, limit) = of(&["Bundle"]);
        let kept = whole(Lines::of_deletions(body, granted, limit)).await;
        assert_eq!(kept, Ok(format!("{}\n", deleted("Bundle"))));
        let (body, granted, limit) = of(&["Bundle"]);
        assert_eq!(whole(Lines::of_types(body, granted, limit)).await, Ok(text.clone()));
        let (body, granted, limit) = of(&["Condition"]);
        assert_eq!(whole(Lines::of_types(body, granted, limit)).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_judged_ends_the_file_with_an_error() {
        for line in [
            "no JSON",
            "{}",
            r#"{"resourceType":"Patient","resourceType":"Condition"}"#,
            r#"{"resourceType":"Bundle","entry":3}"#,
            &format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", "x".repeat(200)),
        ] {
            let read = read(&format!("{KEPT}{line}\n{KEPT}"), 7, 100).await;
            assert!(read.is_err(), "{line}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_bundle_with_more_deletions_than_are_looked_into_ends_the_file() {
        let deleted = r#"{"request":{"method":"DELETE","url":"Patient/1"}}"#;
        for (number, is_kept) in [(MAX_ENTRIES, true), (MAX_ENTRIES + 1, false)] {
            let entries = vec![deleted; number].join(",");
            let line = format!(r#"{{"resourceType":"Bundle","entry":[{entries}]}}"#);
            let kept = read(&line, line.len(), line.len()).await;
            assert_eq!(kept.is_ok_and(|kept| !kept.is_empty()), is_kept, "{number}");
        }
    }
}
