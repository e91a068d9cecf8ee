//! Requests to try: printed ready to paste, and the buttons of the page.

use serde_json::{Value, json};

use crate::demo_idp::SECRET;

/// A request, and the outcome that it shows.
pub(crate) struct Sample {
    /// The status to expect, and what happens.
    promise: &'static str,
    /// The request, whoever makes it.
    request: &'static str,
    method: &'static str,
    path: &'static str,
    caller: Caller,
    body: Option<&'static str>,
    accept: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Caller {
    Nobody,
    /// A client, and what it asks for beside `grant_type`.
    Client(&'static str, &'static [(&'static str, &'static str)]),
    /// The client that signs an assertion.
    Backend,
}

impl Sample {
    const fn get(
        promise: &'static str,
        (request, path): (&'static str, &'static str),
        caller: Caller,
    ) -> Self {
        Self { promise, request, method: "GET", path, caller, body: None, accept: None }
    }

    const fn create(promise: &'static str, caller: Caller) -> Self {
        let body = Some(r#"{"resourceType":"Patient","name":[{"family":"Haddad"}]}"#);
        Self {
            method: "POST",
            body,
            ..Self::get(promise, ("create a patient", "/Patient"), caller)
        }
    }
}

const READER: Caller = Caller::Client("reader", &[]);
const AMARA: Caller = Caller::Client("amara", &[]);
const OBSERVATIONS: Caller = Caller::Client("app", &[("scope", "system/Observation.rs")]);

/// One for each outcome worth seeing.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample::get("200: the reader reads a patient", ("read patient 1", "/Patient/1"), READER),
    Sample::get(
        "200: an application searches with a scope",
        ("search observations of patient 1", "/Observation?patient=1"),
        OBSERVATIONS,
    ),
    Sample::create("201: the writer creates a patient", Caller::Client("writer", &[])),
    Sample::get("200: Amara reads her own record", ("read patient 1", "/Patient/1"), AMARA),
    Sample::get(
        "200: Amara searches everybody's observations, and finds her own",
        ("search everybody's observations", "/Observation?_include=Observation:subject"),
        AMARA,
    ),
    Sample::get("403: another patient's record", ("read patient 2", "/Patient/2"), AMARA),
    Sample::get(
        "404: another patient's observation, as one that does not exist",
        ("read a blood value of patient 2", "/Observation/tobi-hba1c"),
        AMARA,
    ),
    Sample::get(
        "404: a doctor who may see laboratory results does not see a weight",
        ("read the weight of patient 1", "/Observation/weight-1"),
        Caller::Client("doctor", &[("scope", "user/Observation.rs?category=laboratory")]),
    ),
    Sample::get(
        "200: the capability statement needs no token",
        ("read the capability statement", "/metadata"),
        Caller::Nobody,
    ),
    Sample::get("401: no token", ("read patient 1", "/Patient/1"), Caller::Nobody),
    Sample::get(
        "400: a token in the address",
        ("put a token into the address", "/Patient/1?access_token=x"),
        Caller::Nobody,
    ),
    Sample::get(
        "401: a token for another audience",
        ("read patient 1", "/Patient/1"),
        Caller::Client("reader", &[("resource", "https://other.example.org")]),
    ),
    Sample::get(
        "401: a token that has expired",
        ("read patient 1", "/Patient/1"),
        Caller::Client("reader", &[("demo_lifetime", "-60")]),
    ),
    Sample::get(
        "403: a scope for another type, and the answer names one that would do",
        ("read patient 1", "/Patient/1"),
        OBSERVATIONS,
    ),
    Sample::create("403: the reader's role does not create", READER),
    Sample::get(
        "202: the application begins an export",
        ("begin an export", "/$export"),
        Caller::Client("app", &[("scope", "system/*.rs")]),
    ),
    Sample::get(
        "200: a backend that has a key in place of a secret",
        ("search encounters", "/Encounter"),
        Caller::Backend,
    ),
    Sample {
        accept: Some("application/fhir+xml"),
        ..Sample::get(
            "401: no token, told in XML",
            ("read patient 1", "/Patient/1"),
            Caller::Nobody,
        )
    },
];

/// Prints a command for each sample, after a line that says what to expect.
pub(crate) fn print(base: &str, idp: &str, page: &str) {
    println!();
    println!("Open {page} in a browser to see each answer beside its reasons.");
    println!();
    println!(
        "This demo issues its own tokens, for everybody on this machine: for trying out only."
    );
    println!("Paste a line into another terminal. The first word says what status to expect.");
    for sample in SAMPLES {
        println!();
        println!("# {}", sample.promise);
        println!("{}", sample.command(base, idp));
    }
    println!();
    println!("# 204: the keys rotate now; every line above still works");
    println!("curl -si -X POST {idp}/rotate");
}

/// The samples as the page reads them. `ask` is the form that a token is asked for by.
pub(crate) fn described() -> Value {
    SAMPLES.iter().map(Sample::described).collect()
}

impl Sample {
    fn command(&self, base: &str, idp: &str) -> String {
        let mut command = "curl -si".to_owned();
        if let Some(accept) = self.accept {
            command += &format!(" -H 'Accept: {accept}'");
        }
        if let Some(token) = self.caller.token(idp) {
            command += &format!(" -H \"Authorization: Bearer {token}\"");
        }
        command += &format!(" '{base}{}'", self.path);
        if let Some(body) = self.body {
            command += &format!(" -H 'Content-Type: application/fhir+json' -d '{body}'");
        }
        command
    }

    fn described(&self) -> Value {
        let (status, title) = self.promise.split_once(": ").unwrap_or_default();
        let (who, ask) = match self.caller {
            Caller::Nobody => (None, None),
            Caller::Backend => (Some("backend"), None),
            Caller::Client(id, asked) => {
                let secret = [("client_id", id), ("client_secret", SECRET)];
                (
                    Some(id),
                    Some(secret.into_iter().chain(asked.iter().copied()).collect::<Vec<_>>()),
                )
            }
        };
        json!({
            "status": status, "title": title, "request": self.request, "method": self.method, "path": self.path, "who": who,
            "ask": ask, "body": self.body, "accept": self.accept,
        })
    }
}

impl Caller {
    /// A command substitution that fetches a token.
    fn token(self, idp: &str) -> Option<String> {
        let pick = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
        match self {
            Self::Nobody => None,
            Self::Client(who, asked) => {
                let pairs = asked.iter().map(|(name, value)| format!("&{name}={value}"));
                let form = format!("grant_type=client_credentials{}", pairs.collect::<String>());
                Some(format!("$(curl -s -u {who}:{SECRET} -d '{form}' {idp}/token | {pick})"))
            }
            // The demo hands an assertion out.
            Self::Backend => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let form = format!("grant_type=client_credentials&client_assertion_type={kind}");
                let assertion = format!("client_assertion=$(curl -s {idp}/assertion)");
                Some(format!("$(curl -s -d '{form}' -d \"{assertion}\" {idp}/token | {pick})"))
            }
        }
    }
}
