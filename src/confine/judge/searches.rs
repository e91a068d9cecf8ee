//! Searches, histories and `$everything`, from what is asked to the first page of the answer.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge, join};
use crate::confine::headers;
use crate::confine::query;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::fhir::InteractionKind;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// A search, a history or `$everything`, by `GET`.
    pub(super) async fn search(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let hides = self.hides_instance();
        let found = self.found(hides).await;
        self.hidden_if_unreadable(found, hides)
    }

    async fn found(&mut self, hides: bool) -> Judged<Response<Bytes>, S::Error> {
        let own = self.request.uri.query().unwrap_or_default().to_owned();
        if query::asks_for_count(&[&own]) {
            return self.count(&[&own]).await;
        }
        let query = query::rewritten(&self.access, self.upstream_base(), &own)?;
        let is_of_every_type = self.access.interaction().kind() == InteractionKind::SearchSystem;
        let query = match is_of_every_type {
            true => query::never_empty(query),
            false => query::narrowed(&self.access, query),
        };
        let address = join(&self.path(), &query);
        let answer = self.upstream.get(&address).await?;
        let of = self.own_address(&[&own]);
        if hides && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Err(Refusal::not_found().into());
        }
        self.filtered(&answer, &of, 0, hides).await
    }

    pub(super) async fn search_by_post(&mut self) -> Judged<Response<Bytes>, S::Error> {
        if !headers::is_form(&self.request.headers) {
            return Err(Refusal::no_form().into());
        }
        let Some(body) = self.search_body().await else {
            return Err(Refusal::body_too_long().into());
        };
        let Ok(parameters) = std::str::from_utf8(&body) else {
            return Err(Refusal::bad_request("the body of the search is not a form").into());
        };
        self.access = self.access.authorize_search_body(parameters).map_err(Stop::Denied)?;
        let hides = self.hides_instance();
        let found = self.found_by_post(parameters, hides).await;
        self.hidden_if_unreadable(found, hides)
    }

    async fn found_by_post(
        &mut self,
        parameters: &str,
        hides: bool,
    ) -> Judged<Response<Bytes>, S::Error> {
        let own = self.request.uri.query().unwrap_or_default().to_owned();
        if query::asks_for_count(&[&own, parameters]) {
            return self.count(&[&own, parameters]).await;
        }
        let form = query::narrowed(
            &self.access,
            query::rewritten(&self.access, self.upstream_base(), parameters)?,
        );
        let address =
            join(&self.path(), &query::rewritten(&self.access, self.upstream_base(), &own)?);
        let answer = self.upstream.post_search(&address, form).await?;
        if hides && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Err(Refusal::not_found().into());
        }
        let of = self.own_address(&[&own, parameters]);
        self.filtered(&answer, &of, 0, hides).await
    }
}
