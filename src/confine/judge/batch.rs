//! Bundles that are posted to the base: a batch is taken apart, and its answers are put together.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, FHIR_JSON, Judge};
use crate::confine::entry_answer::{self, EntryAnswer};
use crate::confine::headers;
use crate::confine::refusal::{Refusal, document};
use crate::confine::request_body::RequestBody;
use crate::confine::sent_bundle::{SentBundle, SentEntry};
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::rejection::Rejection;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// A batch or a transaction.
    pub(super) async fn bundle(&mut self) -> Judged<Response<Bytes>, S::Error> {
        let text = self.json().await?;
        let bundle = SentBundle::parse(&text)?;
        self.of_entries = headers::of_entries(&self.request.headers);
        let (kind, answers) = match bundle.is_transaction {
            true => ("transaction-response", self.transaction(&bundle.entries).await),
            false => ("batch-response", self.batch(&bundle.entries).await),
        };
        std::mem::take(&mut self.refused_entries).log(&self.layer_parts, &self.request);
        let answers = answers?;
        let written = entry_answer::write(kind, &answers);
        let written = written.ok_or_else(|| unreadable("it cannot be written"))?;
        Ok(document(StatusCode::OK, FHIR_JSON, written.into(), &self.request))
    }

    /// Sends the entries of a batch one by one, in their order.
    async fn batch(&mut self, entries: &[&str]) -> Judged<Vec<EntryAnswer>, S::Error> {
        let mut answers: Vec<EntryAnswer> = Vec::with_capacity(entries.len());
        let (mut room, mut has_changed, mut is_broken) = (self.settings.max_body, false, false);
        for text in entries {
            if is_broken {
                answers.push(self.refused_entry(Refusal::entry_unanswered()));
                continue;
            }
            let (changes, answer) = match SentEntry::parse(text) {
                Ok(entry) => (entry.request.method != "GET", self.entry_of_batch(&entry).await),
                Err(fault) => (false, Err(fault.into())),
            };
            let answer = match answer {
                // What was changed before is told.
                Err(Stop::Service(_)) if has_changed => {
                    is_broken = true;
                    self.refused_entry(Refusal::entry_unanswered())
                }
                answer => self.entry_answer(answer)?,
            };
            has_changed |= changes && answer.is_success();
            answers.push(self.fitted(answer, changes, &mut room));
        }
        Ok(answers)
    }

    /// Holds the answer of an entry to the room that those before have left: what was changed is told without
    /// the resource, and what was read is refused.
    pub(super) fn fitted(
        &mut self,
        answer: EntryAnswer,
        changes: bool,
        room: &mut usize,
    ) -> EntryAnswer {
        match room.checked_sub(answer.size()) {
            Some(rest) => {
                *room = rest;
                answer
            }
            None if changes => answer.without_resource(),
            None => self.refused_entry(Refusal::bundle_full()),
        }
    }

    /// The answer to an entry, as it would be by itself.
    async fn entry_of_batch(&mut self, entry: &SentEntry<'_>) -> Judged<Response<Bytes>, S::Error> {
        let single = self.single(entry)?;
        let outer = self.enter(single);
        let answer = self.single_answer().await;
        self.leave(outer);
        // Another entry may have changed it.
        self.known = Default::default();
        answer
    }

    /// Makes the answer of an entry, also out of a refusal.
    pub(super) fn entry_answer(
        &mut self,
        answer: Judged<Response<Bytes>, S::Error>,
    ) -> Judged<EntryAnswer, S::Error> {
        Ok(match answer {
            Ok(response) => EntryAnswer::of(&response),
            Err(Stop::Service(error)) => return Err(Stop::Service(error)),
            Err(Stop::Refusal(answer)) => self.refused_entry(answer),
            Err(Stop::Denied(denial)) => {
                let rejection = Rejection::of_authorization(&denial, &self.layer_parts.server);
                let check = rejection.check().map(|check| check.name());
                let (kind, detail) = (rejection.kind().name(), rejection.detail());
                self.refused_entries.add(&self.layer_parts, (kind, check), detail);
                EntryAnswer::refused(rejection.status(), &rejection.outcome())
            }
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "an answer is given once")]
    fn refused_entry(&mut self, answer: Refusal) -> EntryAnswer {
        self.refused_entries.add(&self.layer_parts, (answer.code(), None), answer.text());
        EntryAnswer::refused(answer.status(), &answer.outcome())
    }
}
