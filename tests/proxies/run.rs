//! A request through a proxy, beside what the layer says in process.

use std::convert::Infallible;

use http::{Request, Response};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::{FhirAuthLayer, Principal};

use crate::kit::{BASE, Decider, Seen, Server};
use crate::page;
use crate::proxy::{Proxy, Running};
use crate::table::{Asked, Credentials, Sight, addresses, credentials};
use crate::wire::{self, Answer};

/// What the layer says of a request.
struct Verdict {
    status: u16,
    challenge: Option<String>,
    code: String,
    caller: Option<Principal>,
}

/// A proxy between the two.
struct Stand {
    proxy: Proxy,
    running: Running,
    decider: Decider,
    server: Server,
    requests: usize,
}

impl Stand {
    async fn of(proxy: Proxy, upstream_confines: bool) -> Self {
        let version = proxy.version();
        assert_eq!(version, page::version(proxy.name()), "the page names another version");
        let server = Server::start().await;
        let decider = Decider::start(proxy.row(), upstream_confines).await;
        let running = proxy.start(&decider.address, &server.address).await;
        Self { proxy, running, decider, server, requests: 0 }
    }

    /// Sends a request with everything that a client may try, and says what reached the FHIR server.
    async fn send(&mut self, asked: &Asked, who: &Credentials) -> (Answer, Option<Seen>) {
        self.requests += 1;
        let test = self.requests.to_string();
        let mut headers = vec![("x-test", &*test), ("accept", "application/fhir+json")];
        headers.extend(SPOOFED);
        headers.extend(asked.header);
        headers.extend(who.value.as_deref().map(|value| ("authorization", value)));
        let body: &[u8] = match asked.method {
            "POST" | "PUT" | "PATCH" => BODY,
            _ => b"",
        };
        let asked = (asked.method, asked.target);
        let answer = wire::send(&self.running.address, asked, &headers, body).await;
        (answer, self.server.seen(&test))
    }
}

const BODY: &[u8] = b"{\"valueDecimal\": 1.50,\r\n \"note\": \"\xc3\xa9\"}";

/// What a client sends to be somebody else, or to ask for something else.
const SPOOFED: [(&str, &str); 17] = [
    ("X-Fhir-Issuer", "spoofed"),
    ("x-fhir-subject", "spoofed"),
    ("X-FHIR-PATIENT", "spoofed"),
    ("x-fhir-scopes", "spoofed"),
    ("X_Fhir_Issuer", "spoofed"),
    ("x_fhir_patient", "spoofed"),
    ("X-Original-Method", "GET"),
    ("X-Original-URI", "/r4/metadata?spoofed"),
    ("X-Original-URL", "/r4/metadata?spoofed"),
    ("X-Rewrite-URL", "/r4/metadata?spoofed"),
    ("X-Forwarded-Method", "GET"),
    ("X-Forwarded-Uri", "/r4/metadata?spoofed"),
    ("X_Original_URI", "/r4/metadata?spoofed"),
    ("X-Cascade", "spoofed"),
    ("X-HTTP-Method-Override", "spoofed"),
    ("X-Method-Override", "spoofed"),
    ("X-Auth-Status", "200"),
];

async fn verdict(layer: &FhirAuthLayer, asked: &Asked, who: &Credentials) -> Verdict {
    let inner = service_fn(|request: Request<String>| async move {
        let mut response = Response::new(String::new());
        if let Some(caller) = request.extensions().get::<Principal>() {
            response.extensions_mut().insert(caller.clone());
        }
        Ok::<_, Infallible>(response)
    });
    let mut request = Request::builder().method(asked.method).uri(asked.target);
    if let Some((name, value)) = asked.header {
        request = request.header(name, value);
    }
    if let Some(value) = &who.value {
        request = request.header("authorization", value);
    }
    let response = layer.layer(inner).oneshot(request.body(String::new()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    let challenge = parts.headers.get("www-authenticate");
    Verdict {
        status: parts.status.as_u16(),
        challenge: challenge.map(|value| value.to_str().unwrap().to_owned()),
        code: code(&body),
        caller: parts.extensions.get::<Principal>().cloned(),
    }
}

fn code(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.pointer("/issue/0/code").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A challenge, but for the times in it.
fn timeless(challenge: Option<&str>) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_digit();
    challenge.map(|text| text.replace(is_digit, "0"))
}

/// Every request of the table: what the proxy does is what the layer says, but for what `expected` changes.
async fn table(mut stand: Stand, expected: fn(&Verdict, &Asked, &Credentials) -> u16) -> usize {
    let mut wrong = Vec::new();
    for who in credentials(&stand.decider.issuer) {
        for asked in addresses() {
            let verdict = verdict(&stand.decider.layer, &asked, &who).await;
            let expected = expected(&verdict, &asked, &who);
            let (answer, seen) = stand.send(&asked, &who).await;
            let result = match expected {
                200 => passed(&stand, (&asked, &verdict), &answer, seen),
                _ => refused(&stand, (&asked, &verdict, expected), &answer, seen),
            };
            if let Err(reason) = result {
                let Asked { method, target, .. } = asked;
                wrong.push(format!("{}: {method} {target}: {reason}", who.name));
            }
        }
    }
    let log = stand.running.log();
    assert!(wrong.is_empty(), "{} wrong:\n{}\n{log}", wrong.len(), wrong.join("\n"));
    stand.requests
}

fn check(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn passed(
    stand: &Stand,
    (asked, verdict): (&Asked, &Verdict),
    answer: &Answer,
    seen: Option<Seen>,
) -> Result<(), String> {
    check(answer.status == 200, || format!("expected 200, found {answer:?}"))?;
    check(answer.header("x-from") == Some("server"), || format!("not of the server: {answer:?}"))?;
    let seen = seen.ok_or("it has not reached the server")?;
    let line = format!("{} {}", asked.method, asked.target);
    check(seen.line == line, || format!("the server has read {}", seen.line))?;
    let sent: &[u8] = if matches!(asked.method, "POST" | "PUT" | "PATCH") { BODY } else { b"" };
    check(*seen.body == *sent, || format!("the body has changed: {:?}", seen.body))?;
    let of_head = asked.method == "HEAD";
    check(of_head || answer.body == sent, || format!("the answer has changed: {answer:?}"))?;
    let all = format!("{:?}", seen.headers);
    check(!all.contains("spoofed"), || format!("spoofed: {all}"))?;
    for (name, expected) in identity(verdict.caller.as_ref()) {
        let values: Vec<_> = seen.headers.get_all(name).iter().collect();
        let is_left_out = expected.is_empty() && !stand.proxy.sends_empty_headers();
        let expected = if is_left_out { vec![] } else { vec![expected.as_str()] };
        check(values == expected, || format!("{name}: expected {expected:?}, found {values:?}"))?;
    }
    Ok(())
}

/// The headers about a caller.
fn identity(caller: Option<&Principal>) -> [(&'static str, String); 4] {
    let scopes = caller.map(|caller| caller.scopes().collect::<Vec<_>>().join(" "));
    let subject = caller.and_then(Principal::subject).unwrap_or_default().replace('%', "%25");
    let patient = caller.and_then(Principal::patient).unwrap_or_default().to_owned();
    [
        ("x-fhir-issuer", caller.map(|caller| caller.issuer().to_owned()).unwrap_or_default()),
        ("x-fhir-subject", subject),
        ("x-fhir-patient", patient),
        ("x-fhir-scopes", scopes.unwrap_or_default()),
    ]
}

fn refused(
    stand: &Stand,
    (asked, verdict, expected): (&Asked, &Verdict, u16),
    answer: &Answer,
    seen: Option<Seen>,
) -> Result<(), String> {
    check(seen.is_none(), || format!("it has reached the server: {seen:?}"))?;
    if asked.sight == Sight::TwoReadings {
        // Some proxies refuse them by themselves.
        return check((400..500).contains(&answer.status), || format!("let in: {answer:?}"));
    }
    check(answer.status == expected, || format!("expected {expected}, found {answer:?}"))?;
    for (name, _) in identity(None) {
        check(answer.header(name).is_none(), || format!("the client is told {name}"))?;
    }
    // The layer's own refusal, which says why. That a bundle cannot be seen is said before it.
    if verdict.status != 200 && (expected != 403 || asked.sight != Sight::Unseen) {
        let (found, told) = (answer.header("www-authenticate"), verdict.challenge.as_deref());
        check(timeless(found) == timeless(told), || format!("{found:?}, not {told:?}"))?;
    }
    if asked.method == "HEAD" {
        return check(answer.body.is_empty(), || format!("a body of HEAD: {answer:?}"));
    }
    let (code, is_whole) = (code(&answer.body), stand.proxy.passes_bodies_of_refusals());
    let code_is_right = match (is_whole, verdict.status) {
        (true, 200) => code == "forbidden",
        (true, _) => code == verdict.code,
        (false, _) => !code.is_empty(),
    };
    check(code_is_right, || format!("not the OperationOutcome: {answer:?}"))
}

/// The upstream server confines: all verdicts are the layer's.
pub(crate) async fn verdicts(proxy: Proxy) -> Option<String> {
    let stand = Stand::of(proxy, true).await;
    let requests = table(stand, |verdict, asked, _| match asked.sight {
        Sight::TwoReadings if verdict.status == 200 => 403,
        _ => verdict.status,
    });
    let requests = requests.await;
    assert!(requests >= 200, "{requests}");
    let (name, version) = (proxy.name(), proxy.version());
    Some(format!("proxies: {name} {version}: {requests} requests, each as the layer says"))
}

/// Nobody confines: what a sub-request does not show is granted to those who may do everything.
pub(crate) async fn within_sight(proxy: Proxy) -> Option<String> {
    let stand = Stand::of(proxy, false).await;
    let requests = table(stand, |verdict, asked, who| match (verdict.status, asked.sight) {
        (200, Sight::TwoReadings) => 403,
        (200, Sight::Unseen) if !who.may_do_everything => 403,
        (200, Sight::Plain) if who.is_confined => 403,
        (status, _) => status,
    });
    let requests = requests.await;
    let name = proxy.name();
    Some(format!("proxies: {name}: {requests} requests, granted within sight alone"))
}

/// A few requests.
pub(crate) async fn smoke(proxy: Proxy) -> Option<String> {
    let mut stand = Stand::of(proxy, false).await;
    let all = credentials(&stand.decider.issuer);
    let read = addresses().into_iter().find(|asked| asked.sight == Sight::Own).unwrap();
    for (name, status) in [("none", 401), ("malformed", 400), ("writer", 403), ("patient", 200)] {
        let who = all.iter().find(|who| who.name == name).unwrap();
        let (answer, seen) = stand.send(&read, who).await;
        assert_eq!((answer.status, seen.is_some()), (status, status == 200), "{name}: {answer:?}");
    }
    None
}

/// Where nobody decides, nobody passes.
pub(crate) async fn out_of_reach(proxy: Proxy) -> Option<String> {
    let mut stand = Stand::of(proxy, false).await;
    let all = credentials(&stand.decider.issuer);
    stand.decider.end();
    for asked in addresses().into_iter().filter(|asked| asked.sight == Sight::Public) {
        for who in all.iter().filter(|who| who.may_do_everything || who.value.is_none()) {
            let (answer, seen) = stand.send(&asked, who).await;
            assert!(answer.status >= 500 && seen.is_none(), "{}: {answer:?} {seen:?}", who.name);
        }
    }
    None
}

/// Bodies of megabytes are what they were, and the first part of an answer comes before its last is written.
pub(crate) async fn bodies(proxy: Proxy) -> Option<String> {
    let stand = Stand::of(proxy, false).await;
    let all = credentials(&stand.decider.issuer);
    let who = all.iter().find(|who| who.name == "all scopes").unwrap();
    let authorization = who.value.clone().unwrap();
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let headers = [("authorization", &*authorization), ("x-test", "whole")];
    let address = &stand.running.address;
    let answer = wire::send(address, ("POST", "/r4/Binary"), &headers, &body).await;
    assert_eq!(answer.status, 200);
    assert!(stand.server.seen("whole").unwrap().body == body, "the body has changed");
    assert!(answer.body == body, "the answer has changed");

    let asked = ("GET", "/r4/Observation?_stream=true");
    let mut stream = wire::begin(address, asked, &headers, b"").await;
    let mut read = Vec::new();
    let first = async {
        while !String::from_utf8_lossy(&read).contains("first") {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{read:?}");
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), first).await.unwrap();
    assert!(!String::from_utf8_lossy(&read).contains("second"));
    stand.server.goes_on.notify_one();
    let _ = stream.read_to_end(&mut read).await;
    assert!(String::from_utf8_lossy(&read).contains("second"));
    None
}

/// The two documents come from `fhir-auth`, whatever the upstream server has there.
pub(crate) async fn documents(proxy: Proxy) -> Option<String> {
    let stand = Stand::of(proxy, false).await;
    for (target, pointer, expected) in [
        ("/.well-known/oauth-protected-resource/r4", "/resource", Value::from(BASE)),
        (
            "/r4/.well-known/smart-configuration",
            "/code_challenge_methods_supported/0",
            "S256".into(),
        ),
    ] {
        let answer = wire::send(&stand.running.address, ("GET", target), &SPOOFED, b"").await;
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(document.pointer(pointer), Some(&expected), "{document}");
    }
    None
}
