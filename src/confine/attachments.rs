//! The attachments of resources that decide who sees a Binary: DocumentReference, DiagnosticReport and Media.
//!
//! Who sees one of these may read the Binary that it has as an attachment: its address is sealed for them on the
//! way out, and opened again when it comes back in a change. A plain address in a change would be sealed when the
//! resource is read again, and is refused: else everybody could have every Binary shown.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;

use super::attachment::Attachment;
use super::bounded::TooLong;
use super::caller::CallerDigest;
use super::link;
use super::refusal::Refusal;
use crate::authentication::UnixTime;
use crate::fhir::BaseUrl;
use crate::fhir::compartment::resource_of;
use crate::seal::SealKey;
use crate::span::Span;

/// The opener and sealer of attachments, for one caller.
#[derive(Debug)]
pub(super) struct Attachments<'a> {
    /// `None` for a token without a subject, for which nothing is sealed.
    pub(super) caller: Option<CallerDigest>,
    pub(super) keys: &'a [SealKey],
    /// The servers that it seals for.
    pub(super) context: String,
    pub(super) base: &'a BaseUrl,
    pub(super) upstream_base: &'a str,
    pub(super) now: UnixTime,
    pub(super) expires: UnixTime,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(borrow, rename = "resourceType")]
    resource_type: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow, rename = "presentedForm")]
    presented_form: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    attachment: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(borrow)]
    url: Option<&'a RawValue>,
}

impl Attachments<'_> {
    /// The types of resources that decide by their attachments who sees a Binary.
    pub(super) const TYPES: [&'static str; 3] = ["DocumentReference", "DiagnosticReport", "Media"];

    /// Seals the address of each Binary that a resource of the upstream server has as an attachment, with who sees it,
    /// in no more than so many bytes. `None` where it has none.
    pub(super) fn sealed(&self, resource: &str, room: usize) -> Result<Option<String>, TooLong> {
        rewritten(resource, room, |url| {
            let caller = self.caller.clone()?;
            let attachment = Attachment::new(self.binary(url)?, caller, self.expires);
            let sealed = attachment.seal(self.keys.first()?, &self.context)?;
            Some(format!("{}/_pages/{sealed}", self.base()))
        })
    }

    /// Opens the attachments of a resource that a client sends, `None` where there are none. A Binary whose
    /// address was not sealed for this caller is one only if the resource has it already.
    pub(super) fn opened(
        &self,
        before: Option<&str>,
        sent: &str,
        room: usize,
    ) -> Result<Option<String>, Refusal> {
        check_form(sent)?;
        let mut known: Option<HashSet<String>> = None;
        let mut is_known = |link: &String| {
            let read = || before.map(|text| self.binaries(text)).unwrap_or_default();
            known.get_or_insert_with(read).contains(link)
        };
        let mut is_refused = false;
        let opened = rewritten(sent, room, |url| {
            let (link, is_sealed) = match self.sealed_part(url) {
                Some(sealed) => {
                    let open = |caller| Attachment::open(sealed, self.keys, &self.context, caller);
                    let opened = self.caller.as_ref().and_then(open);
                    let serves = opened.as_ref().is_some_and(|opened| opened.serves(self.now));
                    (opened.map(|opened| opened.link), serves)
                }
                None => (Some(self.binary(url)?), false),
            };
            let link = link.filter(|link| is_sealed || is_known(link));
            is_refused |= link.is_none();
            link.map(|link| link.trim_start_matches('/').to_owned())
        });
        match is_refused {
            true => {
                let text = "an attachment is a Binary that was not shown to this caller: send the \
                            address as it was read, or the data itself";
                Err(Refusal::bad_request(text))
            }
            false => opened.map_err(|_| Refusal::changes_too_long(room)),
        }
    }

    /// The Binaries that a resource of the upstream server has as attachments.
    fn binaries(&self, resource: &str) -> HashSet<String> {
        let urls = urls(resource).unwrap_or_default();
        let read = urls.into_iter().filter_map(|url| serde_json::from_str(url.get()).ok());
        read.filter_map(|url: Cow<'_, str>| self.binary(&url)).collect()
    }

    /// Returns what an address names below the base, if that is a Binary of this server.
    fn binary(&self, url: &str) -> Option<String> {
        let below = link::below(self.base.as_str(), url);
        let below = below.or_else(|| link::below(self.upstream_base, url))?;
        let named = resource_of(below.strip_prefix('/')?, self.base)?;
        (named.resource_type == "Binary").then_some(below)
    }

    /// Returns what is sealed of an address that this layer has written, or could have.
    fn sealed_part<'u>(&self, url: &'u str) -> Option<&'u str> {
        let relative =
            url.strip_prefix(self.base()).map_or(url, |rest| rest.trim_start_matches('/'));
        relative.strip_prefix("_pages/")
    }

    fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }
}

/// Returns the addresses of the attachments of a resource, as they are written; an error where it has some in
/// another form than that of FHIR.
fn urls(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    let resource: Resource<'_> = serde_json::from_str(text)?;
    let member = match &*resource.resource_type {
        "DocumentReference" | "Media" => resource.content,
        "DiagnosticReport" => resource.presented_form,
        _ => None,
    };
    let Some(member) = member else { return Ok(Vec::new()) };
    let elements: Vec<&RawValue> = match &*resource.resource_type {
        "DocumentReference" => {
            let all: Vec<&RawValue> = serde_json::from_str(member.get())?;
            let all: Vec<Content<'_>> = all.into_iter().map(object).collect::<Result<_, _>>()?;
            all.into_iter().filter_map(|one| one.attachment).collect()
        }
        "Media" => vec![member],
        _ => serde_json::from_str(member.get())?,
    };
    let elements: Vec<Element<'_>> = elements.into_iter().map(object).collect::<Result<_, _>>()?;
    Ok(elements.into_iter().filter_map(|one| one.url).collect())
}

/// Reads an object. A structure could be read from a list as well.
fn object<'a, T: Deserialize<'a>>(value: &'a RawValue) -> serde_json::Result<T> {
    match value.get().starts_with('{') {
        true => serde_json::from_str(value.get()),
        false => Err(serde_json::Error::custom("it is not an object")),
    }
}

/// Checks that no server finds an attachment where this layer finds none.
fn check_form(sent: &str) -> Result<(), Refusal> {
    let is_text = |url: &&RawValue| serde_json::from_str::<Cow<'_, str>>(url.get()).is_ok();
    match urls(sent).is_ok_and(|urls| urls.iter().all(is_text)) {
        true => Ok(()),
        false => Err(Refusal::bad_request(
            "the attachments of the resource do not have the form of FHIR: each must be an object whose `url` is a string",
        )),
    }
}

/// Writes other addresses for attachments, and all else byte by byte as it was, in no more than so many bytes.
/// `None` where nothing changes.
fn rewritten(
    text: &str,
    room: usize,
    mut other: impl FnMut(&str) -> Option<String>,
) -> Result<Option<String>, TooLong> {
    let mut written = String::new();
    let mut from = 0;
    for url in urls(text).unwrap_or_default() {
        let Ok(value) = serde_json::from_str::<Cow<'_, str>>(url.get()) else { continue };
        let Some(value) = other(&value) else { continue };
        let Some(span) = Span::of(url.get(), text).map(Span::range) else { return Ok(None) };
        written.push_str(text.get(from..span.start).unwrap_or_default());
        written.push_str(&serde_json::to_string(&value).unwrap_or_default());
        from = span.end;
        if written.len() > room {
            return Err(TooLong);
        }
    }
    if from == 0 {
        return Ok(None);
    }
    written.push_str(text.get(from..).unwrap_or_default());
    if written.len() > room { Err(TooLong) } else { Ok(Some(written)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::caller::Caller;

    const BASE: &str = "https://fhir.example.org/r4";

    const UPSTREAM: &str = "http://127.0.0.1:8081/fhir";

    /// Runs with the attachments of a caller, so many seconds after the start.
    fn with<T>(subject: &str, seconds: i64, run: impl FnOnce(&Attachments<'_>) -> T) -> T {
        let base: BaseUrl = BASE.parse().unwrap();
        let keys = [SealKey::new(&[7; 32]).unwrap()];
        let now = UnixTime::from_secs(seconds);
        run(&Attachments {
            caller: Some(Caller::named(subject))
                .filter(|_| !subject.is_empty())
                .and_then(|caller| caller.mark()),
            keys: &keys,
            context: "here".to_owned(),
            base: &base,
            upstream_base: UPSTREAM,
            now,
            expires: now.saturating_add(std::time::Duration::from_secs(100)),
        })
    }

    fn sealed_of(all: &Attachments<'_>, text: &str) -> Option<String> {
        all.sealed(text, 100_000).unwrap()
    }

    fn opened_of(
        all: &Attachments<'_>,
        before: Option<&str>,
        sent: &str,
    ) -> Result<Option<String>, Refusal> {
        all.opened(before, sent, 100_000)
    }

    fn report(url: &str) -> String {
        format!(
            r#"{{"resourceType":"DiagnosticReport", "presentedForm":[{{"url":"{url}"}}],"x":1.50}}"#
        )
    }

    #[test]
    fn binaries_of_this_server_are_sealed_where_these_types_have_them_and_opened_for_the_caller() {
        let absolute = format!("{BASE}/Binary/b");
        let behind = format!("{UPSTREAM}/Binary/b/_history/2");
        for (url, opened) in [
            ("Binary/b", "Binary/b"),
            (&*absolute, "Binary/b"),
            (&*behind, "Binary/b/_history/2"),
            (r"Binary\/b", "Binary/b"),
        ] {
            for text in [
                report(url),
                format!(r#"{{"resourceType":"Media","content":{{"url" : "{url}"}}}}"#),
                format!(
                    r#"{{"content":[{{}},{{"attachment":{{"url":"{url}"}},"format":2.0}},{{"attachment":{{}}}}],
                    "resourceType":"DocumentReference"}}"#
                ),
            ] {
                let sealed = with("amara", 0, |all| sealed_of(all, &text)).unwrap();
                assert!(
                    sealed.contains(&format!("\"{BASE}/_pages/")) && !sealed.contains("Binary")
                );
                let back = with("amara", 99, |all| opened_of(all, None, &sealed));
                assert_eq!(back.unwrap(), Some(text.replace(url, opened)), "{text}");
                for (subject, seconds) in [("bela", 0), ("amara", 100), ("", 0)] {
                    let refused = with(subject, seconds, |all| opened_of(all, None, &sealed));
                    assert!(refused.is_err(), "{subject} {seconds}: {refused:?}");
                }
                // One that the resource has already may stay.
                let late = with("amara", 100, |all| opened_of(all, Some(&text), &sealed));
                assert!(late.is_ok_and(|opened| opened.is_some()));
                assert_eq!(with("", 0, |all| sealed_of(all, &text)), None, "for nobody");
            }
        }
    }

    #[test]
    fn what_is_no_binary_of_this_server_stays_as_it_is() {
        for text in [
            report("https://elsewhere.example.org/Binary/b"),
            report("Patient/1"),
            report("Binary/b?x=y"),
            report("Binary/../Patient/1"),
            report("#b"),
            report(""),
            r#"{"resourceType":"Patient","photo":[{"url":"Binary/b"}]}"#.to_owned(),
            r#"{"resourceType":"Media","presentedForm":[{"url":"Binary/b"}]}"#.to_owned(),
            r#"{"resourceType":"Media","content":null}"#.to_owned(),
        ] {
            assert_eq!(with("amara", 0, |all| sealed_of(all, &text)), None, "{text}");
            let opened = with("amara", 0, |all| opened_of(all, None, &text));
            assert_eq!(opened, Ok(None), "{text}");
        }
    }

    #[test]
    fn what_has_another_form_than_that_of_fhir_is_not_sealed_and_not_stored() {
        for text in [
            r#"{"resourceType":"Media","content":[{"url":"Binary/b"}]}"#,
            r#"{"resourceType":"DiagnosticReport","presentedForm":[{"url":7}]}"#,
            r#"{"resourceType":"DiagnosticReport","presentedForm":{"url":"Binary/b"}}"#,
            r#"{"resourceType":"DocumentReference","content":[{"attachment":{"url":["Binary/b"]}}]}"#,
            r#"{"resourceType":"DocumentReference","content":[{"attachment":"Binary/b"}]}"#,
            r#"{"resourceType":"DocumentReference","content":[[{"attachment":{"url":"Binary/b"}}]]}"#,
            r#"{"resourceType":"DocumentReference","content":[{"attachment":[{"url":"Binary/b"}]}]}"#,
            "no JSON",
        ] {
            assert_eq!(with("amara", 0, |all| sealed_of(all, text)), None, "{text}");
            let opened = with("amara", 0, |all| opened_of(all, None, text));
            assert!(opened.is_err(), "{text}");
        }
    }

    #[test]
    fn a_binary_that_was_not_shown_to_the_caller_is_no_attachment() {
        let sealed = format!("{BASE}/_pages/AAAA");
        let absolute = format!("{BASE}/Binary/b");
        let behind = format!("{UPSTREAM}/Binary/b");
        for url in ["Binary/b", &absolute, &behind, &sealed, "_pages/AAAA"] {
            let refused = with("amara", 0, |all| opened_of(all, None, &report(url)));
            assert!(refused.is_err(), "{url}");
            let other =
                with("amara", 0, |all| opened_of(all, Some(&report("Binary/c")), &report(url)));
            assert!(other.is_err(), "{url}");
        }
        for url in ["Binary/b", &absolute] {
            let kept = with("amara", 0, |all| opened_of(all, Some(&report(&behind)), &report(url)));
            assert_eq!(kept, Ok(Some(report("Binary/b"))), "{url}");
        }
    }

    #[test]
    fn what_is_written_with_other_addresses_takes_no_more_than_there_is_room_for() {
        let text = report("Binary/b");
        with("amara", 0, |all| {
            let length = sealed_of(all, &text).unwrap().len();
            assert!(all.sealed(&text, length).is_ok_and(|sealed| sealed.is_some()));
            // What follows the last address counts, too.
            assert_eq!(all.sealed(&text, length - 1), Err(TooLong));
        });
    }
}
