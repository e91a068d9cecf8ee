//! The strict reader compared with `serde_json`, which has the last word on what is JSON.

use super::error::MAX_DEPTH;
use super::*;
use crate::span::Span;

#[test]
fn a_member_that_stands_twice_is_refused_at_any_depth_and_spelling() {
    let many: String = (0..40).map(|n| format!("\"m{n}\":0,")).collect();
    for text in [
        r#"{"a":1,"a":1}"#.to_owned(),
        r#"{"a":1,"\u0061":2}"#.to_owned(),
        r#"{"a":{"b":1,"b":2}}"#.to_owned(),
        r#"{"a":[{"b":1,"b":2}]}"#.to_owned(),
        format!("{{{many}\"m7\":1}}"),
    ] {
        let result = Document::parse(&text);
        assert_eq!(result.err(), Some(JsonError::Duplicate), "{text}");
    }
    assert!(Document::parse(r#"{"a":{"b":1},"c":{"b":1},"A":1}"#).is_ok());
}

#[test]
fn a_member_that_stands_twice_among_many_is_refused_wherever_it_stands() {
    for number in [3, 63, 64, 65, 66, 130] {
        for (first, second) in [(0, number - 1), (0, 1), (number / 2, number - 1)] {
            for escaped in [false, true] {
                let name = |n: usize| if n == second { first } else { n };
                let spelled = |n: usize| match name(n) {
                    0 if escaped && n == second => "\\u006d0".to_owned(),
                    n => format!("m{n}"),
                };
                let members = |name: &dyn Fn(usize) -> String| {
                    let members = (0..number).map(|n| format!("\"{}\":[{{}}]", name(n)));
                    members.collect::<Vec<_>>().join(",")
                };
                let (doubled, single) = (members(&spelled), members(&|n| format!("m{n}")));
                assert!(Document::parse(&format!("{{{single}}}")).is_ok(), "{single}");
                for text in [format!("{{{doubled}}}"), format!("{{\"a\":[{{{doubled}}}]}}")] {
                    let result = Document::parse(&text);
                    assert_eq!(result.err(), Some(JsonError::Duplicate), "{text}");
                }
            }
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let nest = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let deepest = usize::from(MAX_DEPTH) - 1;
    assert!(Document::parse(&nest(deepest)).is_ok());
    let result = Document::parse(&nest(deepest + 1)).err();
    assert_eq!(result, Some(JsonError::Depth));
    let result = Document::parse(&nest(10_000)).err();
    assert_eq!(result, Some(JsonError::Depth));
}

#[test]
fn a_text_has_a_bounded_number_of_members() {
    let members = |number: usize| {
        let members: Vec<String> = (0..number).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    let many = members(32_768);
    let document = Document::parse(&many).unwrap();
    assert!(document.has("0") && document.has("32767") && !document.has("32768"));
    assert_eq!(Document::parse(&members(32_769)).err(), Some(JsonError::TooMany));
}

#[test]
fn the_values_of_lists_count_with_the_members() {
    let list = |number: usize| format!("{{\"a\":[{}]}}", vec!["1"; number].join(","));
    // Beside them there are the object, the name and the list.
    assert!(Document::parse(&list(65_532)).is_ok());
    assert_eq!(Document::parse(&list(65_533)).err(), Some(JsonError::TooMany));
    assert_eq!(Document::parse(&list(1_000_000)).err(), Some(JsonError::TooMany));
}

#[test]
fn the_place_where_a_text_is_no_json_is_told() {
    for (text, column) in [
        (r#"{"a":"x"#, 8),
        (r#"{"a":"\\"#, 9),
        (r#"{"a"#, 4),
        (r#"{"a":nulx}"#, 6),
        (r#"{"a":1]"#, 7),
        (r#"{"a":1} x"#, 9),
    ] {
        let expected = Some(JsonError::Syntax(column));
        assert_eq!(Document::parse(text).err(), expected, "{text}");
    }
}

#[test]
fn numbers_are_read_as_floating_point_and_must_be_finite() {
    let object = Document::parse(r#"{"exp":1700000000.5,"n":-3,"big":18446744073709551615}"#);
    let object = object.unwrap();
    let number = |name| match object.get(name) {
        Some(Json::Number(number)) => number,
        other => panic!("{name} is {other:?}"),
    };
    assert_eq!((number("exp"), number("n")), (1_700_000_000.5, -3.0));
    assert!(number("big") > 1e19);
    assert!(Document::parse(r#"{"exp":1e999}"#).is_err());
}

#[test]
fn an_object_does_not_pass_for_a_number() {
    let disguised = r#"{"exp":{"$serde_json::private::Number":"9999999999"}}"#;
    let object = Document::parse(disguised).unwrap();
    assert!(matches!(object.get("exp"), Some(Json::Object(_))));
}

/// Reads a document as `serde_json` does, which has the last word on what is JSON.
fn as_the_library_has_it(text: &str) {
    let ours = Document::parse(text);
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(theirs) if theirs.is_object() => match ours {
            Ok(document) => {
                let whole = document.nodes.value(0).unwrap();
                assert!(means(&whole, &theirs), "{text}");
                let names = theirs.as_object().unwrap().keys();
                for (name, value) in names.zip(theirs.as_object().unwrap().values()) {
                    assert!(document.get(name).is_some_and(|ours| means(&ours, value)), "{text}");
                }
                assert!(places_hold(&document, text), "{text}");
            }
            Err(error) => assert_eq!(error, JsonError::Duplicate, "{text}"),
        },
        Ok(_) => assert_eq!(ours.err(), Some(JsonError::NotAnObject), "{text}"),
        Err(_) => assert!(ours.is_err(), "{text}"),
    }
}

fn means(ours: &Json<'_>, theirs: &serde_json::Value) -> bool {
    match ours {
        Json::Null => theirs.is_null(),
        Json::Bool(is) => theirs.as_bool() == Some(*is),
        Json::Number(number) => theirs.as_f64() == Some(*number),
        Json::String(text) => theirs.as_str() == Some(text),
        Json::Array(items) => theirs.as_array().is_some_and(|others| {
            let alike = || items.zip(others).all(|(one, other)| means(&one, other));
            items.count() == others.len() && alike()
        }),
        Json::Object(members) => theirs.as_object().is_some_and(|others| {
            members.count() == 2 * others.len()
                && others
                    .iter()
                    .all(|(name, other)| members.member(name).is_some_and(|one| means(&one, other)))
        }),
    }
}

/// Reports whether each string is found again at its span.
fn places_hold(document: &Document<'_>, text: &str) -> bool {
    let Some(Json::Object(members)) = document.nodes.value(0) else { return false };
    let of_text = members.filter_map(|member| member.as_str());
    let placed: Option<Vec<(String, Span)>> =
        of_text.map(|part| Some((part.to_owned(), document.span_of(part)?))).collect();
    let whole = text.to_owned() + document.sources().1;
    placed.is_some_and(|placed| {
        placed.iter().all(|(part, place)| place.within(&whole) == Some(part.as_str()))
    })
}

#[test]
fn the_end_of_a_text_is_found_wherever_it_stands() {
    for length in 0..40 {
        for end in ['"', '\\', '\u{0}', '\u{1f}', ' ', '!', '\u{7f}', '\u{80}', '\u{ffff}'] {
            for filling in ['a', ' ', '\u{80}', '\u{ff}', '!', '#', '[', ']'] {
                let filling = filling.to_string();
                let text = format!("{}{end}{}", filling.repeat(length), filling.repeat(9));
                as_the_library_has_it(&format!("{{\"a\":\"{text}\",\"b\":\"{text}\"}}"));
                as_the_library_has_it(&format!("{{\"a\":\"{text}\",\n\"b\":0}}"));
            }
        }
    }
}

#[test]
fn what_is_json_is_what_the_library_takes_for_it() {
    for text in [
        r#"{}"#,
        r#" { } "#,
        r#"{"a":1}"#,
        "{\"a\"\t:\r\n[ 1 , 2 ]\n}",
        r#"{"a":[]}"#,
        r#"{"a":[[],{}]}"#,
        r#"{"a":"\u00e9\ud83d\ude00\n\"\\\/"}"#,
        r#"{"\u0061":"\u0062"}"#,
        r#"{"a":true,"b":false,"c":null}"#,
        r#"{"a":-1,"b":0.5,"c":25e-1,"d":1E+2,"e":0}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\"}"#,
        r#"{"a":"\u12"}"#,
        "{\"a\":\"\u{7f}\u{e9}\"}",
        "{\"a\":\"\t\"}",
        r#"{"a":01}"#,
        r#"{"a":00}"#,
        r#"{"a":-01}"#,
        r#"{"a":-0}"#,
        r#"{"a":0e1}"#,
        r#"{"a":0.0}"#,
        r#"{"a":1790000000}"#,
        r#"{"a":4294967295}"#,
        r#"{"a":4294967296}"#,
        r#"{"a":42949672960}"#,
        r#"{"a":4294967295e1}"#,
        r#"{"a":12x}"#,
        r#"{"a":12"#,
        r#"{"a":4294967296"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":+1}"#,
        r#"{"a":0x1}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":nul}"#,
        r#"{"a":nulx}"#,
        r#"{"a":tRue}"#,
        r#"{"a":falze}"#,
        r#"{"a":truex}"#,
        r#"{"a":1,}"#,
        r#"{,}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1"b":2}"#,
        r#"{'a':1}"#,
        r#"{a:1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":1]"#,
        r#"{"a":[1}"#,
        r#"{"a":1"#,
        r#"{"a":"x"#,
        r#"{"a":"x\"#,
        r#"{"#,
        r#"{"a":1} x"#,
        r#"/**/{}"#,
        "\u{a0}{}",
        "{}\u{0}",
        "[]",
        "\"x\"",
        "1",
        "null",
        "",
    ] {
        as_the_library_has_it(text);
    }
}

/// Pieces of JSON, more often than not in an order that no grammar gives them, from a seed.
fn nearly_json(seed: u64) -> String {
    const DIGITS: [&str; 9] = ["0", "1", "2", "9", "e", "E", "+", ".", "-"];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut text = (*random.choice(&["{", "{", "{", "[", "{[", ""]).unwrap()).to_owned();
    for _ in 0..random.usize(..9) {
        match random.u8(..6) {
            0 | 1 => {
                let any = random.char(..).to_string();
                text.push('"');
                push_any(&mut text, &mut random, 3, &["a", "b", "\\u0061", "\\", &any]);
                text.push('"');
                push_any(&mut text, &mut random, 1, &[":", ":", ","]);
                push_any(&mut text, &mut random, 1, &[" "]);
            }
            2 | 3 => {
                push_any(&mut text, &mut random, 4, &DIGITS);
                push_any(&mut text, &mut random, 1, &[","]);
            }
            4 => push_any(&mut text, &mut random, 1, &["true", "null", "\"a\":1", "\"b\":[]"]),
            _ => push_any(&mut text, &mut random, 1, &["]", "}", "[", "{", " ", ","]),
        }
    }
    text.push_str(random.choice(&["}", "}", "}", "]", "]}", ""]).unwrap());
    text
}

/// Appends up to so many of the pieces.
fn push_any(text: &mut String, random: &mut fastrand::Rng, most: usize, pieces: &[&str]) {
    for _ in 0..random.usize(..=most) {
        text.push_str(random.choice(pieces).unwrap());
    }
}

#[test]
fn whatever_is_nearly_json_is_judged_as_the_library_does() {
    let mut documents = 0;
    for seed in 0..20_000 {
        let text = nearly_json(seed);
        as_the_library_has_it(&text);
        documents += u32::from(Document::parse(&text).is_ok());
    }
    assert!(documents > 100, "only {documents} were JSON: is the generator broken?");
}

#[test]
fn whatever_the_library_writes_is_read_alike() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut text = |most: usize| -> String {
            let length = random.usize(..=most);
            std::iter::repeat_with(|| random.char(..)).take(length).collect()
        };
        let names: Vec<(String, String)> = (0..seed % 80).map(|_| (text(6), text(9))).collect();
        let members = names.into_iter().map(|(name, text)| {
            let (number, whole) = (f64::from(random.i16(..)) / 64.0, random.i32(..));
            (name, serde_json::json!([text, number, whole, {"": text}, null]))
        });
        as_the_library_has_it(&serde_json::Value::Object(members.collect()).to_string());
    }
}

#[test]
fn only_one_object_in_utf_8_is_a_document() {
    for text in [
        &b"[]"[..],
        b"1",
        b"",
        b"null",
        b"{} {}",
        b"{}x",
        b"\xef\xbb\xbf{}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\\ud800\"}",
        b"{\"\xff\":1}",
    ] {
        assert!(string(text).and_then(Document::parse).is_err(), "{text:?}");
    }
}
