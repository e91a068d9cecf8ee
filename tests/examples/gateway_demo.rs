//! The demo's lines of a patient, through the gateway before the same server without enforcement.

use std::process::Command;

use serde_json::Value;

use crate::fhir_server::samples;
use crate::support::{Example, command, fhir_auth};

/// What a command printed: the status, and the body.
struct Reply {
    status: String,
    body: Value,
}

impl Reply {
    fn of(line: &str) -> Self {
        let run = Command::new("sh").args(["-c", line]).output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{line}\n{text}"));
        let status = head.split(' ').nth(1).unwrap().to_owned();
        let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("{line}\n{text}"));
        Self { status, body }
    }

    fn code(&self) -> &Value {
        &self.body["issue"][0]["code"]
    }

    fn names(&self) -> Vec<&str> {
        let entries = self.body["entry"].as_array().into_iter().flatten();
        entries.map(|entry| entry["fullUrl"].as_str().unwrap()).collect()
    }

    /// The resources that it shows, in an order of their own, or its one resource, without the time at which each
    /// server has stored it. What a refusal says beside its code is each server's.
    fn shown(&self) -> Vec<Value> {
        let mut entries = match self.body["resourceType"].as_str() {
            Some("OperationOutcome") => vec![],
            Some("Bundle") => self.body["entry"].as_array().unwrap().clone(),
            _ => vec![self.body.clone()],
        };
        for entry in &mut entries {
            let is_whole = entry.get("resourceType").is_some();
            let resource = if is_whole { entry } else { &mut entry["resource"] };
            assert!(resource["meta"].as_object_mut().unwrap().remove("lastUpdated").is_some());
        }
        entries.sort_by_key(|entry| entry["fullUrl"].to_string());
        entries
    }
}

/// The first file of the gateway's README, with its two addresses replaced.
fn file_of_the_readme(base: &str, issuer: &str) -> String {
    let readme = std::fs::read_to_string("../fhir-auth/README.md").unwrap();
    let (_, section) = readme.split_once("\n## The gateway\n").unwrap();
    let (_, file) = section.split_once("```toml\n").unwrap();
    let (file, _) = file.split_once("```").unwrap();
    let addresses = [
        ("\"https://fhir.example.org/r4\"", base),
        ("\"https://idp.example.org/realms/fhir\"", issuer),
    ];
    addresses.into_iter().fold(file.to_owned(), |file, (printed, own)| {
        assert!(file.contains(printed), "no {printed} in\n{file}");
        file.replace(printed, &format!("{own:?}"))
    })
}

#[test]
fn the_demos_lines_of_a_patient_give_through_the_gateway_what_the_protected_server_gives() {
    let mut protected = Example::start(command("fhir_server", &["--listen", "127.0.0.1:0"]));
    let samples = samples(&mut protected);
    let issuer = samples.last().unwrap().1.rsplit(' ').next().unwrap().trim_end_matches("/rotate");
    let bare = ["--unprotected", "--listen", "127.0.0.1:0"];
    let bare = Example::start(command("fhir_server", &bare));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, file_of_the_readme(&protected.base, issuer)).unwrap();
    let arguments = ["gateway", "--config", file.to_str().unwrap(), "--upstream", &bare.base];
    let arguments = [&arguments[..], &["--listen", "127.0.0.1:0"]].concat();
    let gateway = Example::start(fhir_auth(&arguments));

    let of_amara: Vec<_> =
        samples.iter().filter(|(_, line)| line.contains("curl -s -u amara:")).collect();
    assert_eq!(of_amara.len(), 4, "{samples:#?}");
    let mut found = Vec::new();
    for (expectation, line) in of_amara {
        let there = line.replace(&protected.base, &gateway.base);
        assert_ne!(*line, there);
        let (ours, theirs) = (Reply::of(line), Reply::of(&there));
        assert!(expectation.starts_with(&ours.status), "{expectation}: {}", ours.body);
        assert_eq!(ours.status, theirs.status, "{expectation}: {}", theirs.body);
        assert_eq!(ours.code(), theirs.code(), "{expectation}: {}", theirs.body);
        assert_eq!(ours.body["resourceType"], theirs.body["resourceType"], "{expectation}");
        assert_eq!(ours.shown(), theirs.shown(), "{expectation}");
        found.push(theirs.names().len());
    }
    assert!(found.iter().any(|entries| *entries > 1), "one of them finds something: {found:?}");
}
