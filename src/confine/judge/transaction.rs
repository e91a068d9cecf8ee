//! Transactions: they pass whole, with `If-Match` of what was judged, or not at all.

use std::collections::HashSet;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use serde_json::value::RawValue;
use tower_service::Service;

use super::change_answer::EntryResponse;
use super::placeholders::{Names, Planned};
use super::requested_change::RequestedChange;
use super::single::Single;
use super::target::ChangeTarget;
use super::write::OutgoingChange;
use super::{BoxError, FHIR_JSON, Judge};
use crate::confine::entry_answer::{EntryAnswer, ServerAnswer, ServerAnswers};
use crate::confine::handling::Handling;
use crate::confine::preference::ReturnPreference;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::sent_bundle::{self, SentEntry, SentRequest, WrittenEntry};
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::confine::upstream::{Change, UpstreamAnswer};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");

/// Reports whether a value of a condition stands for what another entry creates: it is a placeholder, or a token of
/// which a part is the name of an entry. The system of any other token may be an OID.
fn names_an_entry(value: &str, named: &HashSet<String>) -> bool {
    value.split(',').any(|one| match one.contains('|') {
        true => one.split('|').any(|part| named.contains(part)),
        false => one.contains("urn:uuid:") || one.contains("urn:oid:"),
    })
}

/// The way in which an entry is dealt with.
enum EntryAction {
    /// It is sent, with the others.
    Send(OutgoingChange),
    /// It changes nothing, and is asked for by itself.
    Read,
    /// A conditional creation has found this.
    Found(String),
    Nothing,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Judges all entries of a transaction, and sends it only if every one may be sent.
    pub(super) async fn transaction(
        &mut self,
        entries: &[&str],
    ) -> Judged<Vec<EntryAnswer>, S::Error> {
        let mut singles = Vec::with_capacity(entries.len());
        // What is refused to one by its address is refused to the whole before anything is asked.
        for text in entries {
            let entry = SentEntry::parse(text)?;
            let single = self.single(&entry)?;
            singles.push((entry, single));
        }
        if singles.iter().all(|(_, single)| single.handling != Handling::Write) {
            return self.reads(singles).await;
        }
        let named = singles.iter().filter_map(|(entry, _)| entry.placeholder());
        let named: HashSet<String> = named.map(str::to_owned).collect();
        let mut planned = Vec::with_capacity(entries.len());
        for (entry, single) in singles {
            planned.push(self.planned(entry, single, &named).await?);
        }
        let names = Names::of(&planned)?;
        let steps = self.steps(&planned, &names).await?;
        let answer = self.sent_together(&planned, &steps).await?;
        let text = answer.as_ref().map(|answer| std::str::from_utf8(&answer.body));
        let text = text.transpose().map_err(|_| unreadable("it is not UTF-8"))?;
        let answers = match text.map(ServerAnswers::parse) {
            None => Vec::new(),
            Some(Some(answers)) => answers.entry,
            Some(None) => return Err(unreadable(STORED)),
        };
        let is_sent = |step: &&EntryAction| matches!(step, EntryAction::Send(_));
        if answers.len() != steps.iter().filter(is_sent).count() {
            return Err(unreadable(STORED));
        }
        self.answers(planned, steps, &answers).await
    }

    /// Answers a transaction that changes nothing.
    async fn reads(
        &mut self,
        singles: Vec<(SentEntry<'_>, Single)>,
    ) -> Judged<Vec<EntryAnswer>, S::Error> {
        let mut room = self.settings.max_body;
        let mut answers = Vec::with_capacity(singles.len());
        for (_, single) in singles {
            let outer = self.enter(single);
            let answer = self.single_answer().await;
            self.leave(outer);
            answers.push(self.fitted(EntryAnswer::of(&answer?), false, &mut room));
        }
        Ok(answers)
    }

    /// Resolves the conditions of an entry, and looks whether what it reads may be read.
    async fn planned<'a>(
        &mut self,
        entry: SentEntry<'a>,
        single: Single,
        named: &HashSet<String>,
    ) -> Judged<Planned<'a>, S::Error> {
        let is_write = single.handling == Handling::Write;
        let outer = self.enter(single.clone());
        let change = match is_write {
            true => self.planned_change(named).await.map(Some),
            // Only a refusal counts yet: R4 section 3.1.0.11.2 has reads come after all changes.
            false => self.single_answer().await.map(|_| None),
        };
        self.leave(outer);
        Ok(Planned { entry, single, change: change? })
    }

    async fn planned_change(
        &mut self,
        named: &HashSet<String>,
    ) -> Judged<(RequestedChange, ChangeTarget), S::Error> {
        let requested = self.requested_change().await?;
        let query = self.access.interaction().query().unwrap_or_default();
        let conditions = [query, requested.if_none_exist.as_deref().unwrap_or_default()];
        let mut values =
            conditions.iter().flat_map(|query| form_urlencoded::parse(query.as_bytes()));
        if values.any(|(_, value)| names_an_entry(&value, named)) {
            let text = "a condition on what another entry creates is not resolved here";
            return Err(Refusal::bad_request(text).into());
        }
        let target = self.target(&requested).await?;
        Ok((requested, target))
    }

    /// Judges what the entries would do. What comes of a patch may be far larger than the patch, and all of it
    /// waits until the last entry has been judged.
    async fn steps(
        &mut self,
        planned: &[Planned<'_>],
        names: &Names,
    ) -> Judged<Vec<EntryAction>, S::Error> {
        let mut steps = Vec::with_capacity(planned.len());
        let mut room = self.settings.max_body;
        for one in planned {
            let step = self.step(one, names).await?;
            if let EntryAction::Send(sent) = &step {
                let rest = room.checked_sub(sent.size());
                let too_long = || Refusal::changes_too_long(self.settings.max_body);
                room = rest.ok_or_else(too_long)?;
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// Judges what an entry would do.
    async fn step(&mut self, one: &Planned<'_>, names: &Names) -> Judged<EntryAction, S::Error> {
        let Some((requested, target)) = &one.change else { return Ok(EntryAction::Read) };
        let requested = names.put_into(requested)?;
        let outer = self.enter(one.single.clone());
        let step = match target {
            ChangeTarget::Found(id) => Ok(EntryAction::Found(id.clone())),
            ChangeTarget::Nothing => Ok(EntryAction::Nothing),
            ChangeTarget::New { condition } => {
                // It has found nothing. Asked again, the upstream server could find what the caller may not see.
                let condition = condition.clone().filter(|_| !self.hides_results());
                self.creation(&requested, condition).map(EntryAction::Send)
            }
            ChangeTarget::Instance(id) => self.change(&requested, id).await.map(EntryAction::Send),
        };
        self.leave(outer);
        match step? {
            EntryAction::Send(sent) => Ok(EntryAction::Send(names.put_back(sent)?)),
            step @ (EntryAction::Read | EntryAction::Found(_) | EntryAction::Nothing) => Ok(step),
        }
    }

    /// Sends what changes something, in one bundle; `None` where nothing does.
    async fn sent_together(
        &mut self,
        planned: &[Planned<'_>],
        steps: &[EntryAction],
    ) -> Judged<Option<UpstreamAnswer>, S::Error> {
        let mut bodies: Vec<(&Planned<'_>, &OutgoingChange, Option<Box<RawValue>>)> = Vec::new();
        for (one, step) in planned.iter().zip(steps) {
            let EntryAction::Send(sent) = step else { continue };
            let text = match sent.is_patch {
                true => one.entry.resource().map(str::to_owned),
                false => sent.body.clone(),
            };
            let body = text.map(RawValue::from_string).transpose();
            let unread = |_| Refusal::bad_request("the resource of an entry cannot be written");
            bodies.push((one, sent, body.map_err(unread)?));
        }
        if bodies.is_empty() {
            return Ok(None);
        }
        let written = bodies.iter().map(|(one, sent, body)| WrittenEntry {
            // Any other `fullUrl` could turn references to an existing resource into ones to this entry.
            full_url: one.entry.placeholder(),
            resource: body.as_deref(),
            request: request_of(sent),
        });
        let written: Vec<WrittenEntry<'_>> = written.collect();
        let body = sent_bundle::write(&written)
            .ok_or_else(|| Refusal::bad_request("the bundle cannot be written"))?;
        let returned = ReturnPreference::of(&self.request.headers);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FHIR_JSON));
        headers.insert(PREFER, HeaderValue::from_static(returned.asked()));
        let provenance = self.request.headers.get(PROVENANCE);
        headers.extend(provenance.map(|provenance| (PROVENANCE, provenance.clone())));
        let address = self.below_base("");
        self.known = Default::default();
        let answer =
            self.upstream.change(Change { method: Method::POST, address, body, headers }).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::PRECONDITION_FAILED => Err(Refusal::version_mismatch().into()),
            _ if planned.iter().any(Planned::is_confined) => Err(answer.refusal_of_change().into()),
            _ => Err(answer.refusal().into()),
        }
    }

    /// Judges the answers entry by entry, and reads what was to be read.
    async fn answers(
        &mut self,
        planned: Vec<Planned<'_>>,
        steps: Vec<EntryAction>,
        answers: &[ServerAnswer<'_>],
    ) -> Judged<Vec<EntryAnswer>, S::Error> {
        let returned = ReturnPreference::of(&self.request.headers);
        let has_changed = !answers.is_empty();
        let mut answers = answers.iter();
        let mut judged = Vec::with_capacity(planned.len());
        let mut room = self.settings.max_body;
        for (one, step) in planned.into_iter().zip(steps) {
            let outer = self.enter(one.single);
            let changes = !matches!(step, EntryAction::Read);
            let answer = match step {
                EntryAction::Nothing => Ok(EntryAnswer::with_status(StatusCode::NO_CONTENT)),
                EntryAction::Send(sent) => match answers.next() {
                    Some(answer) => self.changed_entry(&sent, answer, returned).await,
                    None => Err(unreadable(STORED)),
                },
                EntryAction::Read => {
                    let read = self.single_answer().await;
                    self.read_entry(read, has_changed)
                }
                EntryAction::Found(id) => {
                    let read = self.found_instead(&id, returned).await;
                    self.read_entry(read, has_changed)
                }
            };
            self.leave(outer);
            judged.push(self.fitted(answer?, changes, &mut room));
        }
        Ok(judged)
    }

    fn read_entry(
        &mut self,
        read: Judged<Response<Bytes>, S::Error>,
        has_changed: bool,
    ) -> Judged<EntryAnswer, S::Error> {
        match read {
            Err(Stop::Service(_)) if has_changed => {
                self.entry_answer(Err(Refusal::entry_unanswered().into()))
            }
            read => self.entry_answer(read),
        }
    }

    /// Judges the answer to a change.
    async fn changed_entry(
        &mut self,
        sent: &OutgoingChange,
        answer: &ServerAnswer<'_>,
        returned: ReturnPreference,
    ) -> Judged<EntryAnswer, S::Error> {
        let status = answer.status().filter(StatusCode::is_success);
        let status = status.ok_or_else(|| unreadable(STORED))?;
        let shows = returned == ReturnPreference::Resource && sent.method != Method::DELETE;
        let answered = EntryResponse {
            location: answer.response.location.as_deref(),
            content_location: None,
            body: answer.resource().filter(|_| shows),
        };
        let shown = self.shown(sent, status, answered).await?;
        let changed = EntryAnswer::changed(answer, status, shown.location, shown.body);
        Ok(if shown.is_hidden { EntryAnswer::with_status(status) } else { changed })
    }
}

/// The fault of an answer to a transaction that says nothing of its entries.
const STORED: &str = "it does not answer each entry, though what was sent may have been stored";

fn request_of(sent: &OutgoingChange) -> SentRequest<'_> {
    let text = |text: &'_ Option<String>| text.clone().map(Into::into);
    SentRequest {
        method: sent.method.as_str().into(),
        url: sent.below.trim_start_matches('/').into(),
        if_match: text(&sent.if_match),
        if_none_match: text(&sent.if_none_match),
        if_none_exist: text(&sent.if_none_exist),
    }
}
