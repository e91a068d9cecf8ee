//! An attack beside its twin: the same request but for the one point that the attack is about. The
//! twin must be let in, its caller known to the inner service; the attack must be refused with the
//! status, the codes and for the very reason that belong to that point. An attack that is refused
//! for anything else proves nothing.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{Denial, FhirAuthLayer, Principal, Rejection};

use crate::support::Reply;

static RUN: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static ACCEPTED: AtomicUsize = AtomicUsize::new(0);

/// The line that sums a run up.
pub(crate) fn sum() -> String {
    let [run, refused, accepted] =
        [&RUN, &REFUSED, &ACCEPTED].map(|count| count.load(Ordering::SeqCst));
    format!("attacks: {run} run, {refused} refused, {accepted} twins accepted")
}

type Scenario = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Pair>>> + Send>;

pub(crate) struct Attack {
    pub(crate) name: Cow<'static, str>,
    /// The advisory, the clause, or that it was tried by hand.
    pub(crate) reference: &'static str,
    scenario: Scenario,
}

/// What came of both requests, and what has to come of the attack.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) twin: Answer,
    pub(crate) attack: Answer,
    pub(crate) refused: Refused,
    /// True where the twin needs no token, so that nobody is its caller.
    pub(crate) is_public: bool,
}

impl Pair {
    pub(crate) fn new(
        twin: impl Into<Answer>,
        attack: impl Into<Answer>,
        refused: Refused,
    ) -> Self {
        Self { twin: twin.into(), attack: attack.into(), refused, is_public: false }
    }

    /// With a twin that is let in as nobody's.
    pub(crate) fn public(
        twin: impl Into<Answer>,
        attack: impl Into<Answer>,
        refused: Refused,
    ) -> Self {
        Self { is_public: true, ..Self::new(twin, attack, refused) }
    }

    /// Says what is wrong with the answer to the twin.
    pub(crate) fn fault_of_twin(&self) -> Option<String> {
        let Self { twin, is_public, .. } = self;
        let is_let_in = twin.status == 200 && twin.principal.is_none() == *is_public;
        (!is_let_in).then(|| format!("the twin is not let in: {twin}"))
    }

    /// Says what is wrong with the answer to the attack.
    pub(crate) fn fault_of_attack(&self) -> Option<String> {
        let Self { attack, refused, .. } = self;
        if attack.principal.is_some() || attack.status == 200 {
            return Some(format!("the attack is let in: {attack}"));
        }
        let expected = refused.expected();
        let error = attack.challenge.split_once("error=\"").map(|(_, rest)| rest);
        let error = error.and_then(|rest| rest.split('"').next());
        let found = (attack.status, error, attack.code.as_deref(), attack.check.as_deref());
        // Whoever asks for no words would take any reason.
        let is_told = attack.told.contains(expected.words)
            && (attack.told.is_empty() || !expected.words.is_empty());
        let is_right = attack.retry_after == (attack.status == 503);
        // The gateway has a pause for a server that is out of reach.
        let has_pause = is_right || attack.status == 502;
        let expected = (expected.status, expected.error, expected.code, expected.check);
        (found != expected || !is_told || !has_pause)
            .then(|| format!("the attack is not refused as {refused:?}: {attack}"))
    }
}

/// How an attack is refused: each with the words that name its own reason.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    /// 401 `invalid_token`, by a check of the token.
    Token(Check, &'static str),
    /// 401 `invalid_dpop_proof`: what is wrong with a proof.
    Proof(&'static str),
    /// 401 `use_dpop_nonce`.
    Nonce(&'static str),
    /// 401 `invalid_token` with `expired`: nothing else is wrong.
    Expired,
    /// 400 `invalid_request`.
    Request(&'static str),
    /// 401 without an error: there are no credentials of this server's.
    Credentials(&'static str),
    /// 403 `insufficient_scope`: what the token grants.
    Access(&'static str),
    /// 403 `insufficient_scope`: an address that is no interaction.
    Address(&'static str),
    /// 503 with `Retry-After`: there are no keys.
    NoKeys,
    /// 503 with `Retry-After`: the provider says nothing of the token.
    NoAnswer,
    /// 500: a requirement outside its layer.
    Unguarded,
    /// 414.
    TooLong,
    /// 404, as for a resource that does not exist: by the handler, whom [`Access`] tells to.
    ///
    /// [`Access`]: tower_fhir_auth::Access
    Hidden,
    /// With this status, code and words, by the layer that confines or by the gateway.
    Judged(u16, &'static str, &'static str),
    /// It is answered, and nothing of it is in the answer, nor has it changed anything.
    LeftOut,
    /// By the HTTP server in front, 0 where it only closes the connection: it never reaches the
    /// layer.
    Unreached(u16),
}

struct Expected {
    status: u16,
    error: Option<&'static str>,
    code: Option<&'static str>,
    check: Option<&'static str>,
    words: &'static str,
}

impl Refused {
    /// The table of the contract.
    fn expected(self) -> Expected {
        let (status, error, code, check, words) = match self {
            Self::Token(check, words) => {
                (401, Some("invalid_token"), Some("login"), Some(check), words)
            }
            Self::Proof(words) => {
                (401, Some("invalid_dpop_proof"), Some("login"), Some(Check::Proof), words)
            }
            Self::Nonce(words) => {
                (401, Some("use_dpop_nonce"), Some("login"), Some(Check::Proof), words)
            }
            Self::Expired => {
                (401, Some("invalid_token"), Some("expired"), Some(Check::Expiry), "`exp`")
            }
            Self::Request(words) => (400, Some("invalid_request"), Some("invalid"), None, words),
            Self::Credentials(words) => (401, None, Some("login"), None, words),
            Self::Access(words) => {
                let check = Some(Check::Authorization);
                (403, Some("insufficient_scope"), Some("forbidden"), check, words)
            }
            Self::Address(words) => {
                let check = Some(Check::Interaction);
                (403, Some("insufficient_scope"), Some("forbidden"), check, words)
            }
            Self::NoKeys => (503, None, Some("transient"), Some(Check::Key), "not available"),
            Self::NoAnswer => {
                let check = Some(Check::Introspection);
                (503, None, Some("transient"), check, "cannot be asked about the token")
            }
            Self::Unguarded => (500, None, Some("exception"), None, "no authentication layer"),
            Self::TooLong => (414, None, Some("too-long"), None, "more than 64 KiB"),
            Self::Hidden => (404, None, Some("not-found"), None, ""),
            Self::Judged(status, code, words) => (status, None, Some(code), None, words),
            Self::LeftOut => (0, None, None, None, "left out"),
            Self::Unreached(status) => (status, None, None, None, ""),
        };
        Expected { status, error, code, check: check.map(Check::name), words }
    }
}

/// The answer to a request, as a client sees it, and who the inner service saw.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) challenge: String,
    pub(crate) retry_after: bool,
    /// `issue.code` of the OperationOutcome.
    pub(crate) code: Option<String>,
    pub(crate) check: Option<String>,
    pub(crate) told: String,
    pub(crate) principal: Option<String>,
}

/// Names a caller, as inner services answer it.
pub(crate) fn name_of(principal: &Principal) -> String {
    format!("{} of {}", principal.subject().unwrap_or_default(), principal.issuer())
}

impl Answer {
    /// Reads what a client was sent. The caller is in `x-principal`.
    pub(crate) fn read(status: u16, headers: &HeaderMap, body: &str) -> Self {
        let text = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let mut answer = Self {
            status,
            challenge: text("www-authenticate").unwrap_or_default(),
            retry_after: headers.contains_key("retry-after"),
            principal: text("x-principal"),
            ..Self::default()
        };
        let outcome: Value = serde_json::from_str(body).unwrap_or_default();
        if outcome["resourceType"] == "OperationOutcome" {
            let issue = &outcome["issue"][0];
            let text = |value: &Value| value.as_str().map(str::to_owned);
            answer.code = text(&issue["code"]);
            answer.check = text(&issue["details"]["coding"][1]["code"]);
            answer.told = text(&issue["diagnostics"]).unwrap_or_default();
        }
        answer
    }

    /// What a handler makes of a resource that must not be seen.
    pub(crate) fn hidden() -> Self {
        Self { status: 404, code: Some("not-found".to_owned()), ..Self::default() }
    }

    /// What the layer makes of an entry of a bundle, or of the body of a search, that `caller` sent.
    pub(crate) fn judged<T>(
        layer: &FhirAuthLayer,
        caller: Option<&Principal>,
        judged: Result<T, Denial>,
    ) -> Self {
        match judged {
            Ok(_) => Self { status: 200, principal: caller.map(name_of), ..Self::default() },
            Err(denial) => {
                let (parts, ()) = http::Request::get("/r4").body(()).unwrap().into_parts();
                let (parts, body) = layer.reject(&denial, &parts).into_parts();
                let body = String::from_utf8_lossy(&body);
                Self::read(parts.status.as_u16(), &parts.headers, &body)
            }
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let mut answer = Self::read(reply.status.as_u16(), &reply.headers, &reply.body);
        answer.principal = reply.principal.as_ref().map(name_of);
        // `HEAD` has no body.
        if let (None, Some(rejection)) = (&answer.code, &reply.rejection) {
            answer.code = Some(rejection.outcome().issue_type().code().to_owned());
            answer.check = rejection.check().map(|check| check.name().to_owned());
            answer.told = Rejection::description(rejection).to_owned();
        }
        answer
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, challenge, code, check, told, principal, .. } = self;
        write!(f, "{status}, {code:?} by {check:?}: `{told}`, ")?;
        write!(f, "challenge `{challenge}`, caller {principal:?}")
    }
}

impl Attack {
    pub(crate) fn new<F: Future<Output = Pair> + 'static>(
        name: impl Into<Cow<'static, str>>,
        reference: &'static str,
        scenario: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        let scenario: Scenario = Box::new(move || Box::pin(scenario()));
        Self { name: name.into(), reference, scenario }
    }

    /// Makes a test of it.
    pub(crate) fn trial(self, family: &str) -> Trial {
        let Self { name, reference, scenario } = self;
        let run = move || {
            RUN.fetch_add(1, Ordering::SeqCst);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let pair = runtime.unwrap().block_on(scenario());
            let mut faults = String::new();
            for (fault, count) in
                [(pair.fault_of_twin(), &ACCEPTED), (pair.fault_of_attack(), &REFUSED)]
            {
                match fault {
                    None => _ = count.fetch_add(1, Ordering::SeqCst),
                    Some(fault) => writeln!(faults, "{fault}").unwrap(),
                }
            }
            if faults.is_empty() { Ok(()) } else { Err(Failed::from(faults)) }
        };
        Trial::test(format!("{family}: {name} ({reference})"), run)
    }
}

/// An attack as data: what is sent both times, for a function that sends it.
pub(crate) struct Row<T> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) reference: &'static str,
    pub(crate) twin: T,
    pub(crate) attack: T,
    pub(crate) refused: Refused,
}

pub(crate) fn row<T>(
    name: impl Into<Cow<'static, str>>,
    reference: &'static str,
    twin: T,
    attack: T,
    refused: Refused,
) -> Row<T> {
    Row { name: name.into(), reference, twin, attack, refused }
}

/// Makes attacks of rows: twin and attack are sent one after the other to a server of their own.
pub(crate) fn table<T, S, F, A>(
    rows: impl IntoIterator<Item = Row<T>>,
    start: impl Fn() -> F + Copy + Send + 'static,
    ask: impl AsyncFn(&S, T) -> A + Copy + Send + 'static,
) -> Vec<Attack>
where
    T: Send + 'static,
    S: 'static,
    F: Future<Output = S> + 'static,
    A: Into<Answer> + 'static,
{
    let attack = |row: Row<T>| {
        let Row { name, reference, twin, attack, refused } = row;
        Attack::new(name, reference, move || async move {
            let server = start().await;
            let twin = ask(&server, twin).await;
            Pair::new(twin, ask(&server, attack).await, refused)
        })
    };
    rows.into_iter().map(attack).collect()
}
