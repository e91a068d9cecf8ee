//! Proofs of possession, good ones and broken ones of each kind, before two judges: this layer, and an API
//! built with oauth4webapi. They agree, or the manual says in a table where they do not and by which clause.
//!
//! ```text
//! PROOFS=1000 cargo test --test providers -- judged::
//! ```

mod kinds;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, authenticated};

use self::kinds::{KINDS, Kind, USED, Verdicts};
use crate::node::Running;
use crate::server::BASE;

const PAGE: &str = include_str!("../../../src/manual/dpop.md");

/// A key of a client with a token that is bound to it.
pub(crate) struct Client {
    pub(crate) key: Arc<SigningKey>,
    token: String,
}

impl Client {
    /// A good proof for the request.
    pub(crate) fn proof(&self) -> ProofBuilder {
        let (key, now) = (Arc::clone(&self.key), SystemClock.now());
        ProofBuilder::new(key, &Method::GET, &url(), now).of_token(&self.token)
    }

    fn authorization(&self) -> String {
        format!("DPoP {}", self.token)
    }
}

fn url() -> String {
    format!("{BASE}/Patient/1")
}

/// The two judges.
struct Court {
    layer: FhirAuthLayer,
    other: Running,
    clients: Vec<Client>,
    /// It answers as long as it is there.
    _issuer: TestIssuer,
}

impl Court {
    async fn open() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted());
        let layer = layer.authorizer(authenticated()).build().unwrap();
        layer.ready().await;
        let named =
            json!({"issuer": issuer.url(), "jwks_uri": issuer.jwks_uri(), "audience": BASE});
        let other = Running::start("judge.mjs", &named);
        let client = |algorithm: &Algorithm| {
            let key = Arc::new(SigningKey::generate("of the client", *algorithm).unwrap());
            let token = issuer.token().claim("aud", BASE).claim("client_id", "app");
            let token = token.claim("sub", "ada").claim("jti", "1").bound_to(&key);
            Client { token: token.sign().unwrap(), key }
        };
        let clients = Algorithm::ALL.iter().map(client).collect();
        let court = Self { layer, other, clients, _issuer: issuer };
        for client in &court.clients {
            let proof = client.proof().claim("jti", USED).sign().unwrap();
            let headers = [("authorization", client.authorization()), ("dpop", proof)];
            assert!(court.ours(&headers).await.0);
        }
        court
    }

    async fn ours(&self, headers: &[(&str, String)]) -> (bool, String) {
        let inner = service_fn(|_: Request<String>| async {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let request = Request::get("/r4/Patient/1");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.body(String::new()).unwrap();
        let response = self.layer.layer(inner).oneshot(request).await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        let why = challenge.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (response.status() == 200, why)
    }

    fn others(&mut self, headers: &[(&str, String)]) -> (bool, String) {
        let headers: Vec<Value> =
            headers.iter().map(|(name, value)| json!([name, value])).collect();
        let request = json!({"method": "GET", "url": url(), "headers": headers});
        self.other.say(&request.to_string());
        let answer = self.other.hear();
        (answer["accepted"] == true, answer["why"].as_str().unwrap_or_default().to_owned())
    }

    /// What is wrong with the two verdicts on one proof of a kind.
    async fn judge(&mut self, kind: &Kind, client: usize) -> Result<(), String> {
        let client = &self.clients[client % self.clients.len()];
        let algorithm = client.key.algorithm();
        let mut headers = vec![("authorization", client.authorization())];
        headers.extend((kind.headers)(client).into_iter().map(|proof| ("dpop", proof)));
        let (ours, why_ours) = self.ours(&headers).await;
        let (others, why_others) = self.others(&headers);
        let Verdicts { layer, oauth4webapi } = kind.verdicts;
        if (ours, others) == (layer, oauth4webapi) {
            return Ok(());
        }
        Err(format!(
            "{}, {algorithm}: expected {layer} and {oauth4webapi}, found {ours} ({why_ours}) and \
             {others} ({why_others})",
            kind.name
        ))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth4webapi_judges_proofs_as_the_layer_does_but_for_the_table_of_the_manual() {
    let count = std::env::var("PROOFS").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let mut court = Court::open().await;
    let mut wrong = Vec::new();
    let mut accepted = 0;
    for number in 0..count {
        let kind = &KINDS[number % KINDS.len()];
        // Each kind meets each algorithm in its turn.
        let client = number / KINDS.len() + number % KINDS.len();
        accepted += usize::from(kind.verdicts.layer);
        if let Err(reason) = court.judge(kind, client).await {
            wrong.push(reason);
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!(
        "providers: oauth4webapi judged {count} proofs of {} kinds, {accepted} of them good to this \
         layer, 0 differences beyond the table",
        KINDS.len()
    );
}

#[test]
fn the_table_of_the_manual_has_each_kind_that_is_judged_otherwise_and_no_other() {
    let (_, table) = PAGE.split_once("\n# Where another judge differs\n").unwrap();
    let table = table.split("\n# ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = |row: &'static str| row.trim_matches('|').split(" | ").map(str::trim);
    let written: BTreeMap<&str, Vec<&str>> = rows
        .skip(1)
        .map(|row| (cells(row).next().unwrap(), cells(row).skip(1).take(2).collect()))
        .collect();
    let word = |accepted: bool| if accepted { "accepted" } else { "refused" };
    let differing = KINDS.iter().filter(|kind| kind.verdicts.layer != kind.verdicts.oauth4webapi);
    let judged: BTreeMap<&str, Vec<&str>> = differing
        .map(|kind| (kind.name, vec![word(kind.verdicts.layer), word(kind.verdicts.oauth4webapi)]))
        .collect();
    assert_eq!(written, judged);
}
