//! Bodies that are rewritten as they stream by.

use super::*;

const PUBLIC: &str = "https://fhir.example.org/r4";

fn rewriter() -> Rewriter {
    let bases = Bases::new(&PUBLIC.parse().unwrap(), &"http://localhost:80/fhir/".parse().unwrap());
    Rewriter::of_answer(bases)
}

/// Rewrites a text that comes at once, in two parts, and in parts of one byte, wherever it is split.
fn rewritten(text: &str) -> String {
    let whole = in_parts(&[text.as_bytes()]);
    let mut rewriter = rewriter();
    let at_once = rewriter.whole(Bytes::copy_from_slice(text.as_bytes()));
    assert_eq!([at_once, rewriter.finish()].concat(), whole.as_bytes(), "at once");
    for index in 0..=text.len() {
        let (one, other) = text.as_bytes().split_at(index);
        assert_eq!(in_parts(&[one, other]), whole, "split at {index}");
    }
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(in_parts(&bytes), whole, "byte by byte");
    whole
}

fn in_parts(parts: &[&[u8]]) -> String {
    let mut rewriter = rewriter();
    let mut all = Vec::new();
    for part in parts {
        all.extend_from_slice(&rewriter.push(&Bytes::copy_from_slice(part)));
    }
    all.extend_from_slice(&rewriter.finish());
    String::from_utf8(all).unwrap()
}

#[test]
fn addresses_of_the_server_behind_are_written_as_those_that_clients_know() {
    for (value, expected) in [
        ("http://localhost/fhir/Patient/1", "https://fhir.example.org/r4/Patient/1"),
        ("http://localhost:80/fhir/Patient/1", "https://fhir.example.org/r4/Patient/1"),
        ("HTTP://LocalHost/fhir?_page=2", "https://fhir.example.org/r4?_page=2"),
        ("http://localhost/fhir", "https://fhir.example.org/r4"),
        ("http://localhost/fhir/", "https://fhir.example.org/r4/"),
        ("http://localhost/fhir#x", "https://fhir.example.org/r4#x"),
        (r"http:\/\/localhost\/fhir\/Patient\/1", r"https://fhir.example.org/r4\/Patient\/1"),
        (
            r"\u0068ttp://localhost/fhir\u002FPatient/1",
            r"https://fhir.example.org/r4\u002FPatient/1",
        ),
        // Others.
        ("http://localhost/fhirs/Patient/1", "http://localhost/fhirs/Patient/1"),
        ("http://localhost/FHIR/Patient/1", "http://localhost/FHIR/Patient/1"),
        ("http://localhost:8080/fhir/Patient/1", "http://localhost:8080/fhir/Patient/1"),
        ("http://localhost/fhi", "http://localhost/fhi"),
        (r"http://localhost/fhir\n/Patient", r"http://localhost/fhir\n/Patient"),
        (r"http://localhost/fhir\u012f/x", r"http://localhost/fhir\u012f/x"),
        (r"http://localhost\u00zz/fhir/", r"http://localhost\u00zz/fhir/"),
        (
            "Patient/1?of=http://localhost/fhir/Patient/1",
            "Patient/1?of=http://localhost/fhir/Patient/1",
        ),
        ("urn:uuid:0", "urn:uuid:0"),
        ("", ""),
        ("é", "é"),
    ] {
        let text = format!(r#"{{"reference":"{value}","value":5.40}}"#);
        let expected = format!(r#"{{"reference":"{expected}","value":5.40}}"#);
        assert_eq!(rewritten(&text), expected, "{value}");
    }
}

#[test]
fn only_the_values_of_members_that_hold_addresses_are_looked_at() {
    let here = "http://localhost/fhir/Patient/1";
    for text in [
        format!(r#"{{"{here}":1,"display":"{here}"}}"#),
        format!(r#"{{"div":"<a href=\"{here}\">","a\"url":"{here}","urls":"{here}"}}"#),
        format!(r#"["url","{here}"]"#),
        format!(r#"{{"url":["{here}"],"fullUrl":{{"a":"{here}"}},"reference":1,"x":"{here}"}}"#),
        format!(r#"{{"reference":null,"x":"{here}"}}"#),
        format!(r#"{{"a":"reference","x":"{here}"}}"#),
        format!(r#""{here}""#),
        r#"{"valueDecimal":1.0e-10,"other":-0.00,"long":123456789012345678901234567890}"#
            .to_owned(),
        "{\"reference\":\"http://localhost/fh".to_owned(),
        "no JSON \"reference\": \\".to_owned(),
    ] {
        assert_eq!(rewritten(&text), text);
    }
    let text = format!(
        "{{ \"link\" : [ {{\"relation\":\"self\",\"url\" :\n \"{here}\"}} ],\"entry\":[{{\"fullUrl\":\"{here}\",\
         \"resource\":{{\"id\":\"1\",\"subject\":{{\"reference\":\"{here}\"}}}},\"response\":{{\"location\":\"{here}\"}}}}]}}\n\
         {{\"content\":{{\"url\":\"{here}\"}}}}"
    );
    let expected = text.replace("http://localhost/fhir", PUBLIC);
    assert_eq!(rewritten(&text), expected);
}

#[test]
fn what_is_nested_without_an_end_is_left_as_it_is() {
    let text = format!("{}\"url\":\"http://localhost/fhir/x\"", "{".repeat(MAX_DEPTH + 1));
    assert_eq!(in_parts(&[text.as_bytes()]), text);
    let mut rewriter = rewriter();
    let part = Bytes::from_static(b"{\"reference\":\"Patient/1\"}");
    assert_eq!(rewriter.push(&part).as_ptr(), part.as_ptr(), "not copied");
}

#[test]
fn a_body_that_is_there_as_a_whole_is_read_only_where_something_may_change() {
    let bases = Bases::new(&PUBLIC.parse().unwrap(), &"http://localhost:80/fhir/".parse().unwrap());
    for (text, is_unchanged) in [
        (r#"{"reference":"Patient/1"}"#, true),
        (r#"{"div":"<a href=\"http://hl7.org/fhir\">\n","system":"http://localhost/fhi"}"#, true),
        (r#"{"reference":"https://localhost/fhir/Patient/1"}"#, true),
        ("://localhost/fhir", true),
        (r#"{"reference":"http://localhost/fhir/Patient/1"}"#, false),
        (r#"{"reference":"HTTP://127.0.0.1:80/fhir"}"#, false),
        (r#"{"display":"at http://localhost/fhir"}"#, false),
        (r#"{"reference":"http:\/\/localhost/fhir"}"#, false),
        (r#"{"reference":"http:\u002f/localhost/fhir"}"#, false),
        (r#"{"link":[]}"#, false),
        ("\\", false),
    ] {
        assert_eq!(unchanged::is_unchanged(text.as_bytes(), &bases), is_unchanged, "{text}");
    }
    // What has begun is read on.
    let mut rewriter = rewriter();
    let start = rewriter.push(&Bytes::from_static(br#"{"reference":"http://localho"#));
    let rest = rewriter.whole(Bytes::from_static(br#"st/fhir/Patient/1"}"#));
    assert_eq!([start, rest].concat(), br#"{"reference":"https://fhir.example.org/r4/Patient/1"}"#);
}

#[test]
fn a_link_that_leads_elsewhere_is_left_out_wherever_the_bundle_is() {
    let here = "http://localhost/fhir?_page=2";
    let local = r#"{"relation":"self","url":"https://fhir.example.org/r4?_page=2"}"#;
    let own = format!(r#"{{"relation":"self","url":"{here}"}}"#);
    let foreign = r#"{"relation":"next","url":"https://elsewhere.example.org/fhir?_page=2"}"#;
    for (links, expected) in [
        (format!("[{own}]"), format!("[{local}]")),
        (format!("[{foreign}]"), "[]".to_owned()),
        (format!("[{foreign},{own}]"), format!("[{local}]")),
        (format!("[{own},{foreign}]"), format!("[{local}]")),
        (format!("[{own},{foreign},{own}]"), format!("[{local},{local}]")),
        (format!("[{foreign},{own},{foreign},{foreign}]"), format!("[{local}]")),
        (foreign.to_owned(), "{}".to_owned()),
        (own.clone(), local.to_owned()),
        (r#"[{"relation":"next","url":"//elsewhere.example.org"}]"#.to_owned(), "[]".to_owned()),
        (r#"[{"url":"\/\/elsewhere.example.org"}]"#.to_owned(), "[]".to_owned()),
        (r#"[{"\u0075rl":"https://elsewhere.example.org"}]"#.to_owned(), "[]".to_owned()),
        (r#"[{"url":"Patient","url":"https://elsewhere.example.org"}]"#.to_owned(), "[]".to_owned()),
        (r#"[{"url":["https://elsewhere.example.org"]}]"#.to_owned(), "[]".to_owned()),
        (r#"[{"url":"/fhir/Patient"}]"#.to_owned(), r#"[{"url":"https://fhir.example.org/r4/Patient"}]"#.to_owned()),
        (r#"[{"url":"Patient?_page=2"}]"#.to_owned(), r#"[{"url":"Patient?_page=2"}]"#.to_owned()),
        (r#"[{"a":"}]","b":"\"}"},1,"x",{"relation":"r"}]"#.to_owned(), r#"[{"a":"}]","b":"\"}"},1,"x",{"relation":"r"}]"#.to_owned()),
        ("[]".to_owned(), "[]".to_owned()),
        (
            format!(r#"[{{"other":{{"reference":"{here}"}},"type":"seealso","x":1.50}}]"#),
            r#"[{"other":{"reference":"https://fhir.example.org/r4?_page=2"},"type":"seealso","x":1.50}]"#.to_owned(),
        ),
        (
            format!(r#"[{{"url":"x","y":"{}"}},{own}]"#, "y".repeat(64 * 1024)),
            format!("[{local}]"),
        ),
    ] {
        let text = format!(r#"{{"resourceType":"Bundle","link":{links},"total":1.0}}"#);
        let expected = format!(r#"{{"resourceType":"Bundle","link":{expected},"total":1.0}}"#);
        let found = if text.len() < 1000 { rewritten(&text) } else { in_parts(&[text.as_bytes()]) };
        assert_eq!(found, expected, "{links}");
        let inner = format!(r#"{{"entry":[{{"resource":{text}}}]}}"#);
        let found = in_parts(&inner.as_bytes().chunks(7).collect::<Vec<_>>());
        assert_eq!(found, format!(r#"{{"entry":[{{"resource":{expected}}}]}}"#), "{links}");
    }
}

#[test]
fn what_names_something_by_an_address_of_the_server_keeps_its_name() {
    let here = "http://localhost/fhir/StructureDefinition/1";
    for text in [
        format!(r#"{{"resourceType":"StructureDefinition","url":"{here}"}}"#),
        format!(r#"{{"extension":[{{"url":"{here}","valueString":"x"}}]}}"#),
        format!(r#"{{"meta":{{"profile":["{here}"]}}}}"#),
    ] {
        assert_eq!(rewritten(&text), text);
    }
    for name in
        ["photo", "content", "attachment", "valueAttachment", "presentedForm", "form", "output"]
    {
        let text = format!(r#"{{"{name}":[{{"contentType":"a/b","url":"{here}"}}]}}"#);
        assert_eq!(rewritten(&text), text.replace("http://localhost/fhir", PUBLIC), "{name}");
    }
    let escaped = format!(r#"{{"ph\u006fto":{{"u\u0072l":"{here}"}}}}"#);
    assert_eq!(rewritten(&escaped), escaped.replace("http://localhost/fhir", PUBLIC));
}

/// Rewrites a request that comes in parts of one byte, and in two parts.
fn sent(text: &str) -> String {
    let bases = Bases::new(&PUBLIC.parse().unwrap(), &"http://localhost:80/fhir/".parse().unwrap());
    let in_parts = |parts: &[&[u8]]| {
        let mut rewriter = Rewriter::of_request(bases.clone());
        let parts = parts.iter().map(|part| rewriter.push(&Bytes::copy_from_slice(part)));
        let mut all: Vec<u8> = parts.collect::<Vec<_>>().concat();
        all.extend_from_slice(&rewriter.finish());
        String::from_utf8(all).unwrap()
    };
    let whole = in_parts(&[text.as_bytes()]);
    for index in 0..=text.len() {
        let (one, other) = text.as_bytes().split_at(index);
        assert_eq!(in_parts(&[one, other]), whole, "split at {index}");
    }
    whole
}

#[test]
fn addresses_that_clients_know_mean_resources_of_the_server_behind() {
    for (value, expected) in [
        ("https://fhir.example.org/r4/Patient/1", "Patient/1"),
        ("HTTPS://FHIR.example.org:443/r4/Patient/1", "Patient/1"),
        (r"https:\/\/fhir.example.org\/r4\/Patient\/1", r"Patient\/1"),
        (r"https://fhir.example.org/r4/\u0050atient/1", r"\u0050atient/1"),
        ("https://fhir.example.org/r4?x", "https://fhir.example.org/r4?x"),
        ("https://fhir.example.org/r4/$everything", "$everything"),
        ("https://fhir.example.org/r4", "https://fhir.example.org/r4"),
        ("https://fhir.example.org/r4/", "https://fhir.example.org/r4/"),
        ("https://fhir.example.org/r4//admin", "https://fhir.example.org/r4//admin"),
        ("https://fhir.example.org/r4/../admin", "https://fhir.example.org/r4/../admin"),
        ("https://fhir.example.org/r4x/Patient/1", "https://fhir.example.org/r4x/Patient/1"),
        ("http://localhost/fhir/Patient/1", "https://foreign.invalid/Patient/1"),
        ("http://localhost:80/fhir", "https://foreign.invalid"),
        ("Patient/1", "Patient/1"),
        ("urn:uuid:1", "urn:uuid:1"),
        ("", ""),
    ] {
        for (before, after) in [
            (r#"{"subject":{"reference":""#, r#""},"valueDecimal":5.40}"#),
            (r#"{"entry":[{"request":{"method":"GET","url":""#, r#""}}]}"#),
            (r#"{"content":[{"attachment":{"contentType":"a/b","url":""#, r#""}}]}"#),
            (r#"{"content":{"url":""#, r#""}}"#),
        ] {
            let text = format!("{before}{value}{after}");
            assert_eq!(sent(&text), format!("{before}{expected}{after}"), "{value}");
        }
        for (before, after) in [
            (r#"{"url":""#, r#""}"#),
            (r#"{"fullUrl":""#, r#""}"#),
            (r#"{"request":""#, r#""}"#),
            (r#"{"extension":[{"url":""#, r#""}]}"#),
            (r#"{"link":[{"relation":"self","url":""#, r#""}]}"#),
        ] {
            let text = format!("{before}{value}{after}");
            assert_eq!(sent(&text), text);
        }
    }
}
