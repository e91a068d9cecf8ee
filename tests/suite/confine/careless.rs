//! A FHIR server that enforces nothing: whatever is searched, it answers with everything it has.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::util::BoxCloneService;
use tower_fhir_auth::confine::RequestBody;

use crate::support::BASE;

pub(super) type Asked = Request<RequestBody<Full<Bytes>>>;
type Service = BoxCloneService<Asked, Response<Full<Bytes>>, Infallible>;

type Answers = dyn Fn(&str) -> Option<Response<Full<Bytes>>> + Send + Sync;
type Handler = Arc<dyn Fn(&str, &str, &HeaderMap, &str) -> Response<Full<Bytes>> + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct Careless {
    resources: Arc<Vec<Value>>,
    /// The entries of one page; 0 for all.
    page: usize,
    /// True if each page has a next one.
    endless: bool,
    /// An answer to every request.
    always: Option<Arc<dyn Fn() -> Response<Full<Bytes>> + Send + Sync>>,
    /// Answers to some requests, by method and address.
    by: Option<Arc<Answers>>,
    /// What answers in its place: asked for method, address, headers and body.
    handler: Option<Handler>,
    /// Answers to some addresses.
    at: Vec<(String, u16, String)>,
    /// The addresses and the bodies that it was asked.
    log: Arc<Mutex<Vec<(String, String)>>>,
    /// The headers that came with them.
    heads: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Careless {
    pub(super) fn with(resources: Vec<Value>) -> Self {
        Self { resources: Arc::new(resources), ..Self::default() }
    }

    pub(super) fn paging(mut self, page: usize) -> Self {
        self.page = page;
        self
    }

    pub(super) fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    pub(super) fn always(
        answer: impl Fn() -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self { always: Some(Arc::new(answer)), ..Self::default() }
    }

    /// With answers to some requests, such as `GET /r4/$export`.
    pub(super) fn answering_by(
        mut self,
        answer: impl Fn(&str) -> Option<Response<Full<Bytes>>> + Send + Sync + 'static,
    ) -> Self {
        self.by = Some(Arc::new(answer));
        self
    }

    /// A server that is another one altogether.
    pub(super) fn handled_by(
        answer: impl Fn(&str, &str, &HeaderMap, &str) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self { handler: Some(Arc::new(answer)), ..Self::default() }
    }

    /// With this answer to an address below the base.
    pub(super) fn answering(
        mut self,
        below: &str,
        status: u16,
        body: &(impl ToString + ?Sized),
    ) -> Self {
        self.at.push((format!("/r4{below}"), status, body.to_string()));
        self
    }

    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.log.lock().unwrap().clone()
    }

    /// The headers of the last request.
    pub(super) fn last_headers(&self) -> HeaderMap {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub(super) fn service(&self) -> Service {
        let server = self.clone();
        BoxCloneService::new(tower::service_fn(move |request: Asked| {
            let server = server.clone();
            async move {
                let address = request.uri().to_string();
                let method = request.method().clone();
                let headers = request.headers().clone();
                server.heads.lock().unwrap().push(headers.clone());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let line = format!("{method} {address}");
                server.log.lock().unwrap().push((line.clone(), body.clone()));
                let own = server.by.as_ref().and_then(|answer| answer(&line));
                let handled = || match &server.handler {
                    Some(handler) => handler(method.as_str(), &address, &headers, &body),
                    None => server.answer(&address),
                };
                Ok(own.unwrap_or_else(handled))
            }
        }))
    }

    fn answer(&self, address: &str) -> Response<Full<Bytes>> {
        if let Some(answer) = &self.always {
            return answer();
        }
        if let Some((_, status, body)) = self.at.iter().find(|(at, ..)| at == address) {
            let response = Response::builder().status(*status);
            return response.body(Full::from(body.clone())).unwrap();
        }
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let below: Vec<&str> = path.trim_start_matches("/r4").split('/').skip(1).collect();
        let found = |name: &str, id: &str| {
            let mut all = self.resources.iter();
            all.find(|one| one["resourceType"] == name && one["id"] == id)
        };
        match below.as_slice() {
            ["metadata"] => fhir(&json!({"resourceType": "CapabilityStatement"})),
            [name, id] | [name, id, "_history", _] if !id.starts_with(['_', '$']) => {
                found(name, id).map_or_else(not_found, fhir)
            }
            _ => fhir(&self.page_at(query)),
        }
    }

    fn page_at(&self, query: &str) -> Value {
        let offset = query.split('&').find_map(|pair| pair.strip_prefix("_page="));
        let offset: usize = offset.map_or(0, |text| text.parse().unwrap());
        let size = if self.page == 0 { self.resources.len() } else { self.page };
        let page = self.resources.iter().skip(offset).take(size);
        let entries: Vec<Value> = page
            .map(|one| {
                let mode = if one["resourceType"] == "Practitioner" { "include" } else { "match" };
                json!({"fullUrl": format!("{BASE}/{}/{}", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap()),
                    "resource": one, "search": {"mode": mode, "score": 1}})
            })
            .collect();
        let after = offset + size;
        let mut links = vec![json!({"relation": "self", "url": "mark-of-the-server"})];
        if self.endless || after < self.resources.len() {
            let after = if self.endless { offset } else { after };
            links.push(json!({"relation": "next", "url": format!("{BASE}?_page={after}")}));
        }
        json!({"resourceType": "Bundle", "type": "searchset", "total": self.resources.len(),
            "link": links, "entry": entries})
    }
}

pub(super) fn fhir(resource: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .header("content-type", "application/fhir+json")
        .header("etag", "W/\"3\"")
        .header("x-total-count", "99")
        .header("set-cookie", "a=b")
        .body(Full::from(resource.to_string()))
        .unwrap()
}

fn not_found() -> Response<Full<Bytes>> {
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"code": "not-found",
        "diagnostics": "mark-of-the-server"}]});
    let mut response = fhir(&outcome);
    *response.status_mut() = http::StatusCode::NOT_FOUND;
    response
}
