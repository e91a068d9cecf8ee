//! Searches that ask for the number of their results alone (`_summary=count`).

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::pages::MAX_AHEAD;
use super::{BoxError, FHIR_JSON, Judge, join, text_of_success};
use crate::confine::bundle::{Bundle, of_count};
use crate::confine::query;
use crate::confine::refusal::{Refusal, document};
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, unreadable};
use crate::confine::upstream::UpstreamAnswer;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Tells the number of results. Where some may be hidden the search is narrowed, and what it finds is
    /// judged all the same: a server that ignores how it is narrowed would count what is hidden.
    pub(super) async fn count(&mut self, queries: &[&str]) -> Judged<Response<Bytes>, S::Error> {
        let is_open = !self.hides_results();
        let all = query::joined(queries);
        let asked = query::counted(&self.access, self.upstream_base(), &all, is_open)?;
        let path = self.path();
        let answer = match self.access.interaction().is_search_by_post() {
            true => self.upstream.post_search(&path, asked).await?,
            false => self.upstream.get(&join(&path, &asked)).await?,
        };
        let total = match is_open {
            true => {
                let total = Bundle::parse(text_of_success(&answer)?)?.total();
                total.ok_or_else(|| unreadable("it does not tell the number of results"))?
            }
            false => self.counted(answer).await?,
        };
        let own = self.own_url(&self.own_address(queries));
        let written = of_count(own, total).ok_or_else(|| unreadable("it cannot be written"))?;
        Ok(document(StatusCode::OK, FHIR_JSON, written.into(), &self.request))
    }

    /// Counts the results that may be seen, page by page, as far as one answer may go.
    async fn counted(&mut self, first: UpstreamAnswer) -> Judged<u64, S::Error> {
        let mut answer = first;
        let (mut total, mut bytes) = (0, 0);
        for _ in 0..MAX_AHEAD {
            bytes += answer.body.len();
            if bytes > self.settings.max_body {
                break;
            }
            let bundle = Bundle::parse(text_of_success(&answer)?)?;
            let kept = self.kept(&bundle).await?;
            let results = bundle.entries().iter().zip(kept);
            let shown = results.filter(|(entry, is_kept)| *is_kept && !entry.is_included()).count();
            total += u64::try_from(shown).unwrap_or_default();
            let Some(next) = bundle.next_page() else { return Ok(total) };
            let next = self.below(next).ok_or_else(|| unreadable("its next page is elsewhere"))?;
            let address = self.below_base(&next);
            answer = self.upstream.get(&address).await?;
        }
        let text = "there are more results than are counted for a token that is confined: search without \
                    `_summary=count`, and count the entries";
        Err(Refusal::bad_request(text).into())
    }
}
