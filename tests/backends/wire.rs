//! Requests as they are written, without a client that tidies their addresses, and what comes back.

use bytes::Bytes;
use http::{HeaderMap, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::requests::{Request, below_base};

/// The most pages of one answer that are followed.
const MAX_PAGES: usize = 200;

/// A server, as clients reach it.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Wire {
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { base: base.to_owned(), client }
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Reply {
        self.ask(token, "GET", path, &[], String::new()).await
    }

    pub(crate) async fn change(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: String,
    ) -> Reply {
        let kind = ("content-type", "application/fhir+json".to_owned());
        self.ask(token, method, path, &[kind], body).await
    }

    async fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Reply {
        let uri: Uri = format!("{}{path}", self.base).parse().unwrap();
        let request = http::Request::builder().method(method).uri(uri);
        let request = request.header("authorization", format!("Bearer {token}"));
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = self.client.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status: parts.status.as_u16(), headers: parts.headers, text, body }
    }

    /// Makes a request, and goes through all pages of its answer, and of the searches in it.
    pub(crate) async fn pages(&self, token: &str, request: &Request) -> Vec<Reply> {
        let body = request.body.clone().unwrap_or_default();
        let mut replies =
            vec![self.ask(token, request.method, &request.path, &request.headers, body).await];
        let mut left = replies[0].nexts();
        while let Some(next) = left.pop() {
            if replies.len() > MAX_PAGES {
                break;
            }
            let reply = self.get(token, &next).await;
            left.extend(reply.nexts());
            replies.push(reply);
        }
        replies
    }
}

impl Reply {
    /// The next pages, below the base: its own, and those of the searches in a batch or a transaction.
    pub(crate) fn nexts(&self) -> Vec<String> {
        let bundles = entries(&self.body).map(|entry| &entry["resource"]).chain([&self.body]);
        let links = bundles.filter_map(|bundle| bundle["link"].as_array()).flatten();
        let next = links.filter(|link| link["relation"] == "next");
        next.filter_map(|link| below_base(link["url"].as_str()?)).map(str::to_owned).collect()
    }

    /// The resources in it: itself, or those of its entries, with the mode in which they came.
    pub(crate) fn resources(&self) -> Vec<(&Value, &str)> {
        match self.body["resourceType"].as_str() {
            Some("Bundle") => in_bundle(&self.body),
            Some("OperationOutcome" | "CapabilityStatement") | None => Vec::new(),
            Some(_) => vec![(&self.body, "match")],
        }
    }

    /// The code of the OperationOutcome.
    pub(crate) fn code(&self) -> &str {
        self.body["issue"][0]["code"].as_str().unwrap_or_default()
    }

    /// Why it is a refusal, without what it was asked.
    pub(crate) fn reason(&self) -> String {
        let text = self.body["issue"][0]["diagnostics"].as_str().unwrap_or("(no text)");
        let parts: Vec<&str> = text
            .split('`')
            .enumerate()
            .map(|(place, part)| if place % 2 == 0 { part } else { "…" })
            .collect();
        let text: String = parts.join("`").chars().take(150).collect();
        format!("{} {}: {text}", self.status, self.code())
    }

    /// All that was said, headers and body.
    pub(crate) fn all(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| {
            format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
        });
        headers.collect::<String>() + &self.text
    }
}

fn entries(bundle: &Value) -> impl Iterator<Item = &Value> {
    bundle["entry"].as_array().into_iter().flatten()
}

/// The resources in a bundle, and in the bundles of searches in it.
fn in_bundle(bundle: &Value) -> Vec<(&Value, &str)> {
    let parts = entries(bundle).filter(|entry| entry.get("resource").is_some());
    parts
        .flat_map(|entry| {
            let one = &entry["resource"];
            if one["resourceType"] == "Bundle" {
                return in_bundle(one);
            }
            vec![(one, entry["search"]["mode"].as_str().unwrap_or("match"))]
        })
        .collect()
}
