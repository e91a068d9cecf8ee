//! The verdicts on the resources of an answer, with what they depend on looked up.

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge};
use crate::authorization::ResourceRef;
use crate::confine::entry::Candidate;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::Judged;
use crate::confine::upstream::FoundResource;
use crate::confine::view::{Among, Judgement, Missing, View};
use crate::fhir::ResourceReference;

/// The most resources that are looked up for one request, to judge what points to them.
const MAX_LOOKUPS: usize = 256;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Judges resources: true for those that may be shown. Where they are resources as they are now, one may
    /// decide about another.
    pub(super) async fn verdicts(
        &mut self,
        candidates: &[Candidate<'_>],
        are_current: bool,
    ) -> Judged<Vec<bool>, S::Error> {
        let access = self.access.clone();
        let mut view = View::new(&access);
        let known = &mut self.known;
        let mut verdicts: Vec<Judgement> =
            candidates.iter().map(|one| view.verdict(one, known)).collect();
        let mut on_page: Option<Among<'_, '_>> = None;
        // Each round learns something new, and of one resource no more than 64 are asked for.
        loop {
            let mut missing: Vec<Missing> = Vec::new();
            for verdict in &mut verdicts {
                view.settle(verdict, &self.known, &mut missing);
            }
            if missing.is_empty() {
                break;
            }
            for one in missing {
                let Some(reference) = view.name(&one, &self.known) else { continue };
                let on_page = on_page.get_or_insert_with(|| Among::new(candidates));
                let found = match on_page.find(&reference).filter(|_| are_current) {
                    Some(found) => found.look(|found| view.target(&one, found)),
                    None => {
                        let found = self.look_up(&reference).await?;
                        let found = found.as_ref().and_then(FoundResource::resource);
                        found.map(|found| view.target(&one, ResourceRef::from(&found)))
                    }
                };
                view.learn(&one, found, &mut self.known);
            }
        }
        Ok(verdicts.iter().map(|verdict| matches!(verdict, Judgement::Shown)).collect())
    }

    async fn look_up(
        &mut self,
        reference: &ResourceReference,
    ) -> Judged<Option<FoundResource>, S::Error> {
        if self.looked_up >= MAX_LOOKUPS {
            return Err(Refusal::too_many_lookups(MAX_LOOKUPS).into());
        }
        self.looked_up += 1;
        let base = self.access.interaction().base().path().to_owned();
        Ok(self.upstream.look_up(&base, reference).await?)
    }
}
