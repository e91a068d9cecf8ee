//! The conditions of changes, resolved to the one resource that they find.

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use serde_json::Value;
use tower_service::Service;

use super::write::OutgoingChange;
use super::{BoxError, Judge, join, text_of_success};
use crate::authorization::Access;
use crate::confine::bundle::Bundle;
use crate::confine::entry::Candidate;
use crate::confine::preference::ReturnPreference;
use crate::confine::query;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::fhir::InteractionKind as Kind;
use crate::fhir::search::Criterion;

/// The most pages that are looked at for the resource that a condition finds.
const MAX_PAGES: usize = 16;

/// The finding of a condition among those resources that the caller may see.
#[derive(Debug)]
pub(super) struct OnlyMatch {
    /// The one that it has found.
    pub(super) id: Option<String>,
    /// The condition as the upstream server may be asked: where it finds what the caller may see and nothing else.
    pub(super) exact: Option<String>,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Finds the only resource that matches a condition. What is hidden does not exist here either, or conditions
    /// would tell of it.
    pub(super) async fn only_match(&mut self, condition: &str) -> Judged<OnlyMatch, S::Error> {
        let interaction = self.access.interaction();
        let resource_type = interaction.resource_type().unwrap_or_default().to_owned();
        let condition = query::condition(condition)?;
        let url = format!("{resource_type}?{condition}");
        // A condition reveals what a search would, so it takes the right to search as well.
        let search = self.access.authorize_entry(&Method::GET, &url, None).map_err(Stop::Denied)?;
        if search.interaction().kind() != Kind::SearchType {
            return Err(no_search());
        }
        let asked = query::rewritten(&search, self.upstream_base(), &condition)?;
        let criteria = criteria(&search, &resource_type, &asked)?;
        let exact = query::narrowed_exactly(&search, &asked);
        let path = self.below_base(&format!("/{resource_type}"));
        let address = join(&path, &query::narrowed(&search, asked));
        let own = std::mem::replace(&mut self.access, search);
        let id = self.only_match_at(address, &resource_type, &criteria).await;
        self.access = own;
        Ok(OnlyMatch { id: id?, exact })
    }

    async fn only_match_at(
        &mut self,
        mut address: String,
        resource_type: &str,
        criteria: &[Criterion],
    ) -> Judged<Option<String>, S::Error> {
        let mut found: Option<String> = None;
        let mut bytes = 0;
        for _ in 0..MAX_PAGES {
            let answer = self.upstream.get(&address).await?;
            bytes += answer.body.len();
            let bundle = Bundle::parse(text_of_success(&answer)?)?;
            let kept = self.kept(&bundle).await?;
            for (entry, _) in bundle.entries().iter().zip(kept).filter(|(_, kept)| *kept) {
                let Ok(Some(one)) = Candidate::of_entry(entry) else { continue };
                // A server may ignore what it is asked.
                let value = || serde_json::from_str::<Value>(entry.resource().unwrap_or_default());
                let is_match = one.resource_type == resource_type
                    && !one.is_included
                    && value().is_ok_and(|value| criteria.iter().all(|one| one.matches(&value)));
                let Some(id) = one.id().filter(|_| is_match) else { continue };
                if found.as_ref().is_some_and(|found| found != id) {
                    return Err(Refusal::several_match().into());
                }
                found = Some(id.to_owned());
            }
            let Some(next) = bundle.next_page() else { return Ok(found) };
            // A second match may be there, and nobody has asked for it.
            let next = self.below(next).ok_or_else(|| unreadable("its next page is elsewhere"))?;
            if bytes > self.settings.max_body {
                break;
            }
            address = self.below_base(&next);
        }
        Err(Refusal::condition_too_costly().into())
    }

    /// The answer of a conditional creation that has found a resource: that one.
    pub(super) async fn found_instead(
        &mut self,
        id: &str,
        returned: ReturnPreference,
    ) -> Judged<Response<Bytes>, S::Error> {
        let path = self.instance(id);
        let answer = self.upstream.get(&path).await?;
        let sent = OutgoingChange {
            method: Method::PUT,
            id: Some(id.to_owned()),
            ..OutgoingChange::default()
        };
        let mut response = self.written(&sent, &answer, returned).await?;
        let interaction = self.access.interaction();
        let base = interaction.base().as_str().trim_end_matches('/');
        let resource_type = interaction.resource_type().unwrap_or_default();
        let location = HeaderValue::try_from(format!("{base}/{resource_type}/{id}")).ok();
        response.headers_mut().extend(location.map(|location| (LOCATION, location)));
        Ok(response)
    }
}

/// The most criteria of a condition, and the most values of all of them: each is compared with every resource that the
/// upstream server finds.
const MAX_CRITERIA: usize = 32;
const MAX_VALUES: usize = 64;

/// Parses the criteria of a condition. One that cannot be evaluated is an error, never ignored.
fn criteria<E>(search: &Access, resource_type: &str, query: &str) -> Judged<Vec<Criterion>, E> {
    let base = search.interaction().base();
    let mut criteria = Vec::new();
    let mut values = 0;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        values += value.split(',').count();
        if criteria.len() >= MAX_CRITERIA || values > MAX_VALUES {
            let text = format!(
                "the condition has too many parts: at most {MAX_CRITERIA} parameters, and {MAX_VALUES} values \
                 between their commas"
            );
            return Err(Refusal::bad_request(text).into());
        }
        let criterion = Criterion::parse(base, resource_type, &name, &value);
        let unread = |error| {
            let name = crate::display_safe::sanitize(&name);
            Refusal::bad_request(format!("the condition cannot be evaluated: `{name}`: {error}"))
        };
        criteria.push(criterion.map_err(unread)?);
    }
    if criteria.is_empty() { Err(no_search()) } else { Ok(criteria) }
}

fn no_search<E>() -> Stop<E> {
    Refusal::bad_request("the condition is not a search for resources").into()
}
