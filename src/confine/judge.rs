//! A request whose answer is judged: what is asked, and what of the answer goes on.

use std::sync::Arc;

use bytes::Bytes;
use http::header::IF_NONE_MATCH;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use tower_service::Service;

use super::answer::{NoAnswer, describe, document};
use super::bundle::{Bundle, Entry};
use super::headers;
use super::page::Page;
use super::query::{self, NotAsked};
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use super::upstream::{Answer, Fault, Upstream};
use super::view::{Verdict, View};
use super::way::Way;
use crate::authorization::{Access, BorrowedResource, Denial, ResourceRef};
use crate::fhir::{Format, Interaction, InteractionKind as Kind, compartment};
use crate::middleware::Gate;
use crate::rejection::Rejection;

/// The rounds in which what a verdict depends on is looked up: a target may have targets of its own.
const MAX_ROUNDS: usize = 8;

/// One request, from what it asks to its answer.
pub(super) struct Judge<S, B> {
    upstream: Upstream<S>,
    gate: Arc<Gate>,
    settings: Arc<ConfineSettings>,
    access: Access,
    way: Way,
    request: Parts,
    body: Option<B>,
}

/// The reason for which a request gets another answer than the one of the server behind.
enum Stop<E> {
    Service(E),
    Denied(Denial),
    NoAnswer(NoAnswer),
}

type Judged<T, E> = Result<T, Stop<E>>;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
    R: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    pub(super) fn new(
        ready: S,
        gate: Arc<Gate>,
        settings: Arc<ConfineSettings>,
        (way, access): (Way, Access),
        (request, body): (Parts, B),
    ) -> Self {
        let upstream = Upstream::new(ready, &request, settings.max_body);
        Self { upstream, gate, settings, access, way, request, body: Some(body) }
    }

    pub(super) async fn answer(mut self) -> Result<Response<Bytes>, S::Error> {
        match self.judged().await {
            Ok(response) => Ok(response),
            Err(Stop::Service(error)) => Err(error),
            Err(Stop::NoAnswer(answer)) => Ok(answer.respond(&self.request)),
            Err(Stop::Denied(denial)) => {
                let rejection = Rejection::of_authorization(&denial, &self.gate.server);
                Ok(self.gate.respond(rejection, &self.request))
            }
        }
    }

    async fn judged(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let is_refused = matches!(self.way, Way::Refused | Way::RefusedProvenance);
        if !is_refused && Format::wanted_by(&self.request) == Format::Xml {
            return Err(Stop::NoAnswer(NoAnswer::only_json()));
        }
        match self.way {
            Way::One => self.one().await,
            Way::Several => self.several().await,
            Way::SearchByPost => self.search_by_post().await,
            Way::Page => self.page().await,
            Way::Through | Way::Refused => Err(Stop::Denied(self.refusal())),
            Way::RefusedProvenance => {
                let text = "`X-Provenance` needs the right to create Provenance, of all patients and \
                            without a constraint";
                Err(Stop::Denied(Denial::new(text)))
            }
        }
    }

    fn refusal(&self) -> Denial {
        let code = self.access.interaction().kind().code();
        Denial::new(format!(
            "a token that is confined may read and search here, and nothing else: `{code}` cannot be held \
             to what it was granted"
        ))
    }

    /// A read, or a version.
    async fn one(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let path = self.path();
        let answer = self.upstream.get(&path).await?;
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Err(Stop::NoAnswer(NoAnswer::not_found()));
        }
        let text = whole(&answer)?;
        let resource =
            BorrowedResource::parse(text).map_err(|_| unreadable("it is no FHIR JSON"))?;
        let (resource_type, id) =
            (type_of(&resource)?, compartment::id(ResourceRef::from(&resource)));
        let interaction = self.access.interaction();
        let is_asked =
            interaction.resource_type() == Some(&resource_type) && interaction.id() == id;
        if !is_asked {
            return Err(unreadable("it is another resource than the one that was asked for"));
        }
        let candidates = [Candidate { resource_type, resource, comes_along: false }];
        if self.verdicts(&candidates).await? != [true] {
            return Err(Stop::NoAnswer(NoAnswer::not_found()));
        }
        if is_known(&self.request.headers, &answer.headers) {
            let mut unchanged =
                document(StatusCode::NOT_MODIFIED, FHIR_JSON, Bytes::new(), &self.request);
            describe(&answer.headers, unchanged.headers_mut());
            return Ok(unchanged);
        }
        let mut response = document(StatusCode::OK, FHIR_JSON, answer.body, &self.request);
        describe(&answer.headers, response.headers_mut());
        Ok(response)
    }

    /// A search, a history or `$everything`, by `GET`.
    async fn several(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let query = query::rewritten(&self.access, self.request.uri.query().unwrap_or_default())?;
        let query = query::narrowed(&self.access, query);
        let address = join(&self.path(), &query);
        let answer = self.upstream.get(&address).await?;
        let of = self.own_address(self.request.uri.query());
        self.filtered(&answer, &of, None).await
    }

    async fn search_by_post(&mut self) -> Judged<Response<Bytes>, S::Error> {
        if !headers::describe_a_form(&self.request.headers) {
            return Err(Stop::NoAnswer(NoAnswer::no_form()));
        }
        let Some(body) = self.body.take() else { return Err(unreadable("it has been read")) };
        let Ok(body) = Limited::new(body, Access::MAX_SEARCH_BODY).collect().await else {
            return Err(Stop::NoAnswer(NoAnswer::body_too_long()));
        };
        let body = body.to_bytes();
        let Ok(parameters) = std::str::from_utf8(&body) else {
            return Err(Stop::NoAnswer(NoAnswer::bad_request("the body of the search is no form")));
        };
        self.access = self.access.authorize_search_body(parameters).map_err(Stop::Denied)?;
        let form = query::narrowed(&self.access, query::rewritten(&self.access, parameters)?);
        let query = query::rewritten(&self.access, self.request.uri.query().unwrap_or_default())?;
        let address = join(&self.path(), &query);
        let answer = self.upstream.post_search(&address, form).await?;
        let both = [self.request.uri.query().unwrap_or_default(), parameters];
        let both: Vec<&str> = both.into_iter().filter(|query| !query.is_empty()).collect();
        let of = self.own_address(Some(&both.join("&")));
        self.filtered(&answer, of.strip_suffix("/_search").unwrap_or(&of), None).await
    }

    /// A further page, judged as the search that it is of would be now.
    async fn page(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let sealed = self.access.interaction().id().unwrap_or_default().to_owned();
        let now = self.gate.authenticator.now();
        let page = Page::open(&sealed, &self.settings.keys, self.access.principal(), now);
        let page = page.ok_or(Stop::NoAnswer(NoAnswer::no_such_page()))?;
        self.access = self.access.authorize_page(&page.of).map_err(Stop::Denied)?;
        let address = format!("{}{}", self.access.interaction().base().path(), page.link);
        let answer = self.upstream.get(&address).await?;
        let of = page.of.clone();
        self.filtered(&answer, &of, Some(page)).await
    }

    /// Writes the entries of a bundle that may be seen.
    async fn filtered(
        &mut self,
        answer: &Answer,
        of: &str,
        before: Option<Page>,
    ) -> Judged<Response<Bytes>, S::Error> {
        let text = whole(answer)?;
        let bundle = Bundle::parse(text).ok_or_else(|| unreadable("it is no Bundle"))?;
        let mut candidates = Vec::new();
        let mut places = Vec::new();
        for entry in &bundle.entry {
            places.push(match candidate(entry)? {
                Some(candidate) => {
                    candidates.push(candidate);
                    Some(candidates.len() - 1)
                }
                None => None,
            });
        }
        let verdicts = self.verdicts(&candidates).await?;
        let is_kept =
            |place: &Option<usize>| place.is_some_and(|place| verdicts.get(place) == Some(&true));
        let kept: Vec<bool> = places.iter().map(is_kept).collect();
        let next = bundle.next_page().and_then(|next| self.sealed(next, of, before.as_ref()));
        let base = self.access.interaction().base().as_str().trim_end_matches('/');
        let own = match of.is_empty() || of.starts_with('?') {
            true => format!("{base}{of}"),
            false => format!("{base}/{of}"),
        };
        let next = next.map(|sealed| format!("{base}/_pages/{sealed}"));
        let written = bundle.write(bundle_type(self.access.interaction()), own, next, &kept);
        let written = written.ok_or_else(|| unreadable("it cannot be written"))?;
        Ok(document(StatusCode::OK, FHIR_JSON, written.into(), &self.request))
    }

    /// Seals the address of a next page, if it is one of the server behind.
    fn sealed(&self, next: &str, of: &str, before: Option<&Page>) -> Option<String> {
        let base = self.access.interaction().base();
        let upstream = self.settings.upstream.as_deref().unwrap_or(base.as_str());
        let rest = next.strip_prefix(upstream.trim_end_matches('/'))?;
        let is_below =
            rest.starts_with(['?', '/']) && !rest.contains(['#', '\\']) && !leaves_base(rest);
        let expires = self.gate.authenticator.now().saturating_add(self.settings.page_lifetime);
        let page =
            is_below.then(|| Page::next(rest, of, before, self.access.principal(), expires))??;
        page.seal(self.settings.keys.first()?)
    }

    /// The verdicts on resources, with what they depend on looked up.
    async fn verdicts(&mut self, candidates: &[Candidate<'_>]) -> Judged<Vec<bool>, S::Error> {
        let access = self.access.clone();
        let base = access.interaction().base().path();
        let mut view = View::new(&access);
        let mut verdicts = vec![Verdict::Undecided; candidates.len()];
        for _ in 0..MAX_ROUNDS {
            for (verdict, one) in verdicts.iter_mut().zip(candidates) {
                if *verdict == Verdict::Undecided {
                    *verdict = view.verdict(&one.resource_type, &one.resource, one.comes_along);
                }
            }
            let missing = view.to_look_up();
            if missing.is_empty() {
                break;
            }
            for reference in missing {
                let found: Option<Value> = self.upstream.look_up(base, &reference).await?;
                view.found(reference, found);
            }
        }
        Ok(verdicts.into_iter().map(|verdict| verdict == Verdict::Shown).collect())
    }

    /// The path of this request, in the one spelling that goes on: `%24` is the `$` of an operation.
    fn path(&self) -> String {
        self.request.uri.path().replace("%24", "$")
    }

    /// The address of this request below the base, with a query.
    fn own_address(&self, query: Option<&str>) -> String {
        let base = self.access.interaction().base();
        let below = base.below(self.request.uri.path()).unwrap_or_default();
        let below = below.trim_start_matches('/');
        join(below.strip_suffix("/_search").unwrap_or(below), query.unwrap_or_default())
    }
}

const FHIR_JSON: &str = "application/fhir+json";

/// A resource that is to be judged.
struct Candidate<'a> {
    resource_type: String,
    resource: BorrowedResource<'a>,
    comes_along: bool,
}

/// Returns the resource of an entry; `None` for one without a resource, such as that of a deletion, and for
/// words of the server behind.
fn candidate<'a, E>(entry: &Entry<'a>) -> Judged<Option<Candidate<'a>>, E> {
    let Some(text) = entry.resource().filter(|_| !entry.is_outcome()) else { return Ok(None) };
    let resource =
        BorrowedResource::parse(text).map_err(|_| unreadable("an entry is no FHIR JSON"))?;
    let resource_type = type_of(&resource)?;
    Ok(Some(Candidate { resource_type, resource, comes_along: entry.comes_along() }))
}

/// Returns the text of an answer that is a success.
fn whole<E>(answer: &Answer) -> Judged<&str, E> {
    if answer.status != StatusCode::OK {
        return Err(Stop::NoAnswer(NoAnswer::of_server(answer.status, &answer.body)));
    }
    std::str::from_utf8(&answer.body).map_err(|_| unreadable("it is no text"))
}

/// Returns the type of a resource, which has to have one.
fn type_of<E>(resource: &BorrowedResource<'_>) -> Judged<String, E> {
    match compartment::resource_type(ResourceRef::from(resource)) {
        "" => Err(unreadable("it is no FHIR resource")),
        name => Ok(name.to_owned()),
    }
}

fn unreadable<E>(why: &str) -> Stop<E> {
    Stop::NoAnswer(NoAnswer::unreadable(why))
}

/// Reports whether a client knows the version already (RFC 9110 section 13.1.2).
fn is_known(asked: &HeaderMap, answer: &HeaderMap) -> bool {
    let Some(etag) = answer.get(http::header::ETAG).and_then(|etag| etag.to_str().ok()) else {
        return false;
    };
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.any(|tags| tags.split(',').any(|tag| weak(tag) == weak(etag)))
}

fn bundle_type(interaction: &Interaction) -> &'static str {
    let histories = [Kind::HistoryInstance, Kind::HistoryType, Kind::HistorySystem];
    if histories.contains(&interaction.kind()) { "history" } else { "searchset" }
}

fn join(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Reports whether the path of an address could be read as one outside the base.
fn leaves_base(rest: &str) -> bool {
    let path = rest.split('?').next().unwrap_or_default();
    path.contains('%')
        || path.split('/').skip(1).any(|segment| segment.is_empty() || segment.starts_with('.'))
}

impl<E> From<Fault<E>> for Stop<E> {
    fn from(fault: Fault<E>) -> Self {
        match fault {
            Fault::Service(error) => Self::Service(error),
            Fault::NoAnswer(answer) => Self::NoAnswer(answer),
        }
    }
}

impl<E> From<NotAsked> for Stop<E> {
    fn from(not_asked: NotAsked) -> Self {
        match not_asked {
            NotAsked::Denied(denial) => Self::Denied(denial),
            NotAsked::Otherwise(answer) => Self::NoAnswer(answer),
        }
    }
}
