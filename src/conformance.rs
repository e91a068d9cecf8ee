//! Test vectors of other projects, judged by the strict readers and the key selection of the crate.
//!
//! `CONFORMANCE_VECTORS` names their folder. Without it the test says that it did not run;
//! `.ci/run` always sets it where the vectors are at hand.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::authentication::claims::Claims;
use crate::jose::compact::{Buffer, CompactJws, Segments};
use crate::jose::header::JoseHeader;
use crate::jose::json::{self, Document};
use crate::jose::{Algorithm, JwkSet};

/// Cases whose listed verdict is not ours, each with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("jwks_test.cc::JwksParseTest.JwksECMatchAlgES512CrvP521", SHORT_COORDINATE),
    ("jwks_test.cc::JwksParseTest.JwksECMissingBothAlgCrvES256", NO_CURVE),
    ("jwks_test.cc::JwksParseTest.JwkECMissingCrv", NO_CURVE),
    ("jwks_test.cc::JwksParseTest.JwksECUnspecifiedCrv", NO_CURVE),
    ("jwks_test.cc::JwksParseTest.goodPEMRSA", PEM),
    ("jwks_test.cc::JwksParseTest.goodPEMEC", PEM),
    ("jwks_test.cc::JwksParseTest.goodPEMEd25519", PEM),
    ("jwks_test.cc::JwksParseTest.CreateFromPemPopulatesExpectedFields", PEM),
    ("jwt_test.cc::JwtParseTest.TestParsePayloadIatDecimalsDrop", SYMMETRIC),
];

const SHORT_COORDINATE: &str = "y lacks its leading zero octet (RFC 7518 section 6.2.1.3)";
const NO_CURVE: &str = "an EC key without the required crv (RFC 7518 section 6.2.1.1)";
const PEM: &str = "PEM is no JWKS";
const SYMMETRIC: &str = "signed with HS256, which is refused at the header";

#[derive(Deserialize)]
struct Cases<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct JwsCase {
    source: String,
    id: Value,
    #[serde(default)]
    group: String,
    #[serde(default)]
    comment: String,
    keys: Vec<Value>,
    /// A string; an object where the vector is in the JSON serialization.
    token: Value,
    expected: String,
    expected_strict: Option<String>,
    #[serde(default)]
    needs_symmetric: bool,
}

#[derive(Deserialize)]
struct ParseCase {
    id: String,
    input: String,
    kind: String,
    expected: String,
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CONFORMANCE_VECTORS").map(PathBuf::from);
    match &folder {
        Some(folder) => assert!(folder.is_dir(), "CONFORMANCE_VECTORS names no folder"),
        None => eprintln!("not run: CONFORMANCE_VECTORS is not set"),
    }
    folder
}

fn read<T: for<'a> Deserialize<'a>>(folder: &std::path::Path, name: &str) -> Vec<T> {
    let text = std::fs::read(folder.join(name)).unwrap();
    serde_json::from_slice::<Cases<T>>(&text).unwrap().cases
}

/// Verifies a token under one of `keys`, as the pipeline would choose it.
fn verifies(token: &str, keys: &[Value]) -> Result<(), String> {
    let set = serde_json::json!({ "keys": keys }).to_string();
    let set = JwkSet::parse(set.as_bytes()).map_err(|error| error.to_string())?;
    // The payloads of these vectors need not be JSON.
    let mut buffer = Buffer::new();
    let jws = Segments::decode(token.as_bytes(), &mut buffer).map_err(|error| error.to_string())?;
    let header = json::string(jws.header).and_then(Document::parse);
    let header = header.map_err(|error| error.to_string())?;
    let header = JoseHeader::read(&header).map_err(|error| error.to_string())?;
    let algorithm: Algorithm = header.alg.parse().map_err(|_| "alg".to_owned())?;
    let keys = set.select(header.kid, algorithm, None).map_err(|why| {
        let left_out: Vec<_> = set.left_out().iter().map(|l| l.reason.to_string()).collect();
        format!("{why:?} {left_out:?}")
    })?;
    keys.verify(jws.signing_input, jws.signature).map(drop).map_err(|_| "signature".to_owned())
}

/// Removes the private half: the vectors' accepted keys come with it, which a set must not have.
fn public(mut key: Value) -> Value {
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        if let Some(members) = key.as_object_mut() {
            members.remove(name);
        }
    }
    key
}

#[test]
fn jws_vectors_are_judged_as_listed() {
    let Some(folder) = folder() else { return };
    let cases: Vec<JwsCase> = read(&folder, "jws_cases.json");
    assert_eq!(cases.len(), 504);
    let mut wrong = BTreeSet::new();
    for case in cases {
        let listed = case.expected_strict.as_deref().unwrap_or(&case.expected);
        let listed = if case.needs_symmetric { "reject" } else { listed };
        let keys: Vec<Value> = match listed {
            "accept" => case.keys.into_iter().map(public).collect(),
            _ => case.keys,
        };
        let token = case.token.as_str().map_or_else(|| case.token.to_string(), str::to_owned);
        let ours = verifies(&token, &keys);
        let agrees = match listed {
            "accept" => ours.is_ok(),
            "reject" => ours.is_err(),
            _ => true,
        };
        if !agrees {
            let name = format!("{} {}", case.source, case.id);
            eprintln!("{name} [{}: {}] listed {listed}, ours {ours:?}", case.group, case.comment);
            wrong.insert(name);
        }
    }
    println!("vectors: 504 of signed tokens run, {} agreed, 0 excepted", 504 - wrong.len());
    assert_eq!(wrong, BTreeSet::new(), "no case is an exception");
}

#[test]
fn parse_vectors_are_judged_as_listed() {
    let Some(folder) = folder() else { return };
    let cases: Vec<ParseCase> = read(&folder, "parse_cases.json");
    assert_eq!(cases.len(), 94);
    let mut wrong = BTreeSet::new();
    for case in cases {
        let accepted = match case.kind.as_str() {
            "jwks" => JwkSet::parse(case.input.as_bytes()).is_ok_and(|set| !set.is_empty()),
            _ => parses(&case.input),
        };
        if accepted != (case.expected == "accept") {
            eprintln!("{} listed {}, ours {accepted}", case.id, case.expected);
            wrong.insert(case.id);
        }
    }
    let agreed = 94 - wrong.len();
    println!("vectors: 94 of parsers run, {agreed} agreed, {} excepted", EXCEPTIONS.len());
    let exceptions = EXCEPTIONS.iter().map(|(id, _)| format!("test/{id}")).collect();
    assert_eq!(wrong, exceptions, "disagreements and listed exceptions are the same");
}

/// Reports whether a token is well-formed: its three segments, its header, and the types of its
/// claims.
fn parses(token: &str) -> bool {
    let mut buffer = Buffer::new();
    let segments = Segments::decode(token.as_bytes(), &mut buffer);
    let Ok(jws) = segments.and_then(CompactJws::parse) else { return false };
    let claims = Claims::new(jws.payload);
    let texts = ["iss", "sub", "jti"].iter().all(|name| claims.string(name).is_ok());
    let dates = ["exp", "nbf", "iat"].iter().all(|name| claims.date(name).is_ok());
    let header = JoseHeader::read(&jws.header);
    let algorithm = header.is_ok_and(|header| header.alg.parse::<Algorithm>().is_ok());
    algorithm && texts && dates && claims.audiences().is_ok()
}

#[test]
fn json_test_suite_as_header_and_as_payload() {
    let Some(folder) = folder() else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.join("JSONTestSuite/test_parsing")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read(&path).unwrap();
        let as_object = json::string(&text).and_then(Document::parse);
        let as_header = as_object.as_ref().ok().map(|object| JoseHeader::read(object).is_ok());
        assert_ne!(as_header, Some(true), "{name} has no alg");
        let is_object = text.trim_ascii_start().starts_with(b"{");
        let doubled = name.starts_with("y_object_duplicated_key");
        match name.as_bytes() {
            [b'n', ..] => assert!(as_object.is_err(), "{name} was read"),
            [b'y', ..] if is_object && !doubled => assert!(as_object.is_ok(), "{name} was refused"),
            [b'y', ..] => assert!(as_object.is_err(), "{name} was read"),
            _ => {}
        }
        seen += 1;
    }
    assert_eq!(seen, 318);
}

/// Reports which keys of a set are usable, and why the others are not.
#[test]
fn identity_model_key_sets_parse_as_their_names_say() {
    let Some(folder) = folder() else { return };
    let (first, second) = ("NGTFvdK-fythEuLwjpwAJOM9n-A", "kriMPdmBvx68skT8-mPAB3BseeA");
    let end_to_end = "999b2be9-6213-436b-b12b-637b0176be41";
    let table: [(&str, &[&str], &[&str]); 9] = [
        // Their `alg` is `SHA256`, which names no signature.
        ("JsonWebKeySet", &[], &["does not allow", "`SHA256`"]),
        // What is bad is a certificate, and certificates are not looked at.
        ("JsonWebKeySetBadBase64Data", &[first, second], &[]),
        ("JsonWebKeySetBadRsaDataMissingComponent", &[], &["`kty`", "does not allow", "`e`"]),
        ("JsonWebKeySetBadX509Data", &[first, second], &[]),
        ("JsonWebKeySetEnd2End", &[end_to_end, second], &[]),
        // `ES521` is not an algorithm: that of P-521 is ES512.
        ("JsonWebKeySetEnd2EndEC", &["JsonWebKeyEcdsa256", "JsonWebKeyEcdsa384"], &["`ES521`"]),
        ("JsonWebKeySetSingleX509Data", &[], &["`x5c` alone"]),
        ("JsonWebKeySetUnrecognizedKty", &[], &["does not allow", "`oct`"]),
        ("PingLabsJWKS", &["20am7", "20am3", "20alz"], &[]),
    ];
    for (name, usable, left_out) in table {
        let text = std::fs::read(folder.join(format!("identitymodel-oidc/{name}.json"))).unwrap();
        let set = JwkSet::parse(&text).unwrap();
        let reasons: Vec<String> = set.left_out().iter().map(|l| l.reason.to_string()).collect();
        assert_eq!(set.len(), usable.len(), "{name}: {reasons:?}");
        for kid in usable {
            assert!(!set.algorithms_of(kid).is_empty(), "{name} {kid}");
        }
        assert_eq!(reasons.len(), left_out.len(), "{name}: {reasons:?}");
        for (reason, words) in reasons.iter().zip(left_out) {
            assert!(reason.contains(words), "{name}: {reason}");
        }
    }
}
