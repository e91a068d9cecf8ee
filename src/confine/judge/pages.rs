//! Bundles, page by page.

use bytes::Bytes;
use hashbrown::HashMap;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, FHIR_JSON, Judge, text_of_success};
use crate::authorization::Access;
use crate::confine::bundle::{Bundle, Entry};
use crate::confine::entry::{Candidate, Room};
use crate::confine::included::hide_includes_of_hidden;
use crate::confine::link;
use crate::confine::page::Page;
use crate::confine::refusal::{Refusal, document};
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop, unreadable};
use crate::confine::upstream::UpstreamAnswer;
use crate::fhir::InteractionKind as Kind;
use crate::fhir::compartment::resource_of;
use crate::telemetry::log;

/// The most pages that are looked at to find one that shows something.
pub(super) const MAX_AHEAD: u32 = 16;

/// The most pages of one search, in case the upstream server's pages never end.
const MAX_PAGES: u32 = 10_000;

/// The resource of an entry.
enum PageEntry {
    /// It is judged, as one of so many.
    Candidate(usize),
    /// There is none: true for a deletion that may be seen.
    Nothing(bool),
}

/// A page that a client may go on to.
struct NextPage {
    /// Its address at the upstream server, relative to the base.
    link: String,
    number: u32,
    /// True if it shows something, as far as is known.
    shows: bool,
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Writes the entries of a bundle that may be seen. If the instance must be indistinguishable from one that does
    /// not exist, an empty bundle becomes 404.
    pub(super) async fn filtered(
        &mut self,
        answer: &UpstreamAnswer,
        of: &str,
        number: u32,
        hides: bool,
    ) -> Judged<Response<Bytes>, S::Error> {
        let bundle = Bundle::parse(text_of_success(answer)?)?;
        let kept = self.kept(&bundle).await?;
        let ahead = match bundle.next_page() {
            Some(next) => self.find_next_page(next, number).await,
            None => None,
        };
        let shows = kept.contains(&true) || ahead.as_ref().is_some_and(|ahead| ahead.shows);
        if hides && !shows && !self.shows_instance().await? {
            return Err(Refusal::not_found().into());
        }
        let own = self.own_url(of);
        let next = ahead.and_then(|ahead| self.sealed(ahead, of));
        let (kind, limit) = (self.bundle_type(), self.settings.max_body);
        let written = bundle.write(kind, own, next, &kept, limit, self.sealing());
        let written = written.map_err(|_| Refusal::written_too_large(limit))?;
        Ok(document(StatusCode::OK, FHIR_JSON, written.into(), &self.request))
    }

    /// Judges the entries of a bundle: true for those that may be seen. One that cannot be read is hidden where
    /// others may be, too.
    pub(super) async fn kept(&mut self, bundle: &Bundle<'_>) -> Judged<Vec<bool>, S::Error> {
        let hides = self.hides_results();
        let (searched, shared) = (self.only_type(), self.access.patient_compartment());
        let mut candidates = Vec::new();
        let mut entries = Vec::new();
        let mut room = Room::of_an_answer();
        let mut unread: Option<(usize, &'static str)> = None;
        let mut deletions = Deletions::default();
        for entry in bundle.entries() {
            entries.push(match Candidate::of_entry(entry) {
                Ok(Some(mut candidate)) => {
                    // The server may omit `search.mode`, and a shared resource does not say whom it is about.
                    let is_other = |searched| searched != candidate.resource_type;
                    candidate.is_included |= searched.is_some_and(is_other)
                        && shared.is_shared(&candidate.resource_type);
                    candidates.push(candidate.held_within(&mut room));
                    PageEntry::Candidate(candidates.len() - 1)
                }
                Ok(None) => PageEntry::Nothing(deletions.shows(self, entry)),
                Err(why) if hides => {
                    unread.get_or_insert((0, why)).0 += 1;
                    PageEntry::Nothing(false)
                }
                Err(why) => return Err(unreadable(why)),
            });
        }
        if let Some((entries, reason)) = unread {
            log::warn!(
                entries,
                reason,
                "entries of the upstream server cannot be read, and are hidden"
            );
            let _ = (entries, reason);
        }
        let are_current = self.bundle_type() == "searchset";
        let mut verdicts = self.verdicts(&candidates, are_current).await?;
        let base = self.access.interaction().base();
        hide_includes_of_hidden(&candidates, &mut verdicts, unread.is_some(), base);
        if hides && candidates.iter().all(|one| one.is_included) {
            self.hide_includes_of_other_pages(&candidates, &mut verdicts);
        }
        let is_kept = |entry: &PageEntry| match entry {
            PageEntry::Candidate(index) => verdicts.get(*index) == Some(&true),
            PageEntry::Nothing(is_kept) => *is_kept,
        };
        Ok(entries.iter().map(is_kept).collect())
    }

    /// Hides included resources whose results are on another page, except the patient's own: whether those results
    /// may be seen is not known here.
    fn hide_includes_of_other_pages(&self, candidates: &[Candidate<'_>], shown: &mut [bool]) {
        let mut own: HashMap<&str, bool> = HashMap::new();
        for (one, is_shown) in candidates.iter().zip(shown) {
            *is_shown &= *own.entry(&one.resource_type).or_insert_with(|| {
                let readable = self.access.readable(&one.resource_type);
                let mut sets = readable.confinement().sets();
                !self.access.patient_compartment().is_shared(&one.resource_type)
                    && sets.any(|set| set.only_patient().is_some())
            });
        }
    }

    /// The one type whose resources are the results of a search with includes: shared ones of others come along.
    fn only_type(&self) -> Option<&str> {
        let interaction = self.access.interaction();
        if !interaction.has_includes() {
            return None;
        }
        match interaction.kind() == Kind::SearchType {
            true => interaction.resource_type(),
            false => interaction.searched_type(),
        }
    }

    /// Finds the next page that shows something: a link to one that shows nothing would tell that something
    /// is hidden. Where it has not been found within some pages, the client goes on from there, and where a
    /// page cannot be judged, it gets that answer when it comes to it.
    async fn find_next_page(&mut self, next: &str, number: u32) -> Option<NextPage> {
        let mut ahead = NextPage { link: self.below(next)?, number: number + 1, shows: false };
        if !self.hides_results() {
            // It shows whatever it has, and needs not be asked for twice.
            ahead.shows = true;
            return (ahead.number < MAX_PAGES).then_some(ahead);
        }
        let mut bytes = 0;
        for _ in 0..MAX_AHEAD {
            if ahead.number >= MAX_PAGES || bytes > self.settings.max_body {
                break;
            }
            let address = self.below_base(&ahead.link);
            let Ok(answer) = self.upstream.get(&address).await else { break };
            bytes += answer.body.len();
            let text = text_of_success::<S::Error>(&answer).ok();
            let Some(Ok(bundle)) = text.map(Bundle::parse) else { break };
            match self.kept(&bundle).await {
                Ok(kept) if !kept.contains(&true) => {}
                Ok(_) => {
                    ahead.shows = true;
                    break;
                }
                Err(Stop::Service(_) | Stop::Denied(_) | Stop::Refusal(_)) => break,
            }
            let next = bundle.next_page()?;
            ahead.link = self.below(next)?;
            ahead.number += 1;
        }
        (ahead.number < MAX_PAGES).then_some(ahead)
    }

    /// Seals a page for the caller, as the address of it here. `None` if the address would be too long to be judged.
    fn sealed(&self, ahead: NextPage, of: &str) -> Option<String> {
        let principal = self.access.principal();
        let expires = self.layer_parts.now().saturating_add(self.settings.page_lifetime);
        let page = Page::new(ahead.link, of, ahead.number, principal, expires)?;
        let sealed = page.seal(self.settings.keys.first()?, &self.seal_context())?;
        let address = format!("{}/_pages/{sealed}", self.base());
        if address.len() > Access::MAX_SEARCH_BODY {
            log::warn!(length = address.len(), "a page link is too long, and was dropped");
            return None;
        }
        Some(address)
    }
}

/// The types whose deletions are shown, each asked for once in a history.
#[derive(Default)]
struct Deletions(HashMap<String, bool>);

impl Deletions {
    /// Reports whether an entry of a history tells of a deletion that may be seen: of a type of which everything
    /// may be, for whose a deleted resource was is not known here.
    fn shows<S, B>(&mut self, judge: &Judge<S, B>, entry: &Entry<'_>) -> bool {
        let interaction = judge.access.interaction();
        let address = entry.deleted().filter(|_| judge.bundle_type() == "history");
        let below = address.and_then(|address| judge.below(address));
        let named = below.as_deref().and_then(|below| below.strip_prefix('/'));
        let Some(named) = named.and_then(|named| resource_of(named, interaction.base())) else {
            return false;
        };
        let is_asked = interaction.resource_type().is_none_or(|name| name == named.resource_type)
            && interaction.id().is_none_or(|id| id == named.id);
        let is_open = |name: &String| judge.access.shown(name).is_open();
        is_asked && *self.0.entry(named.resource_type).or_insert_with_key(is_open)
    }
}

impl<S, B> Judge<S, B> {
    /// Returns what a link of the upstream server names below its base. Those that lead elsewhere are counted.
    pub(super) fn below(&self, link: &str) -> Option<String> {
        let below = link::below(self.base(), link);
        let below = below.or_else(|| link::below(self.upstream_base(), link));
        if below.is_none() {
            self.links_elsewhere.set(self.links_elsewhere.get() + 1);
        }
        below
    }

    /// The address of a search that is named below the base.
    pub(super) fn own_url(&self, of: &str) -> String {
        let base = self.base();
        match of.starts_with('?') {
            true => format!("{base}{of}"),
            false => format!("{base}/{of}"),
        }
    }

    /// The base that clients know, without a slash at its end.
    pub(super) fn base(&self) -> &str {
        self.access.interaction().base().as_str().trim_end_matches('/')
    }

    /// The address of what a link names below the base, as the service inside knows it.
    pub(super) fn below_base(&self, link: &str) -> String {
        match self.access.interaction().base().path() {
            "" if !link.starts_with('/') => format!("/{link}"),
            path => format!("{path}{link}"),
        }
    }

    pub(super) fn upstream_base(&self) -> &str {
        let base = self.access.interaction().base();
        self.settings.upstream.as_deref().unwrap_or(base.as_str())
    }

    /// The servers that a page link is for.
    pub(super) fn seal_context(&self) -> String {
        let base = self.base();
        format!("{base}\n{}", self.upstream_base().trim_end_matches('/'))
    }

    fn bundle_type(&self) -> &'static str {
        let histories = [Kind::HistoryInstance, Kind::HistoryType, Kind::HistorySystem];
        let is_history = histories.contains(&self.access.interaction().kind());
        if is_history { "history" } else { "searchset" }
    }
}
