//! The names of what the entries of a transaction are about, in place of their placeholders.

use hashbrown::{HashMap, HashSet};

use super::requested_change::{Content, RequestedChange};
use super::single::Single;
use super::target::{ChangeTarget, is_confined};
use super::write::OutgoingChange;
use crate::confine::refusal::Refusal;
use crate::confine::sent_bundle::SentEntry;
use crate::confine::stop::{Judged, Stop};
use crate::confine::tree::Tree;
use crate::fhir::InteractionKind as Kind;

/// The longest placeholder: each reference to what is created gets it. One of `urn:uuid:` has 45 bytes.
const MAX_PLACEHOLDER: usize = 128;

/// An entry, as far as its address and its conditions tell.
pub(super) struct Planned<'a> {
    pub(super) entry: SentEntry<'a>,
    pub(super) single: Single,
    /// The change; `None` for a read.
    pub(super) change: Option<(RequestedChange, ChangeTarget)>,
}

impl Planned<'_> {
    /// Reports whether it is a change that is confined to some of the resources of the type.
    pub(super) fn is_confined(&self) -> bool {
        self.change.is_some() && is_confined(&self.single.access)
    }
}

/// The names of what the entries are about, for references to them.
#[derive(Default)]
pub(super) struct Names {
    /// Resources that are there.
    known: HashMap<String, String>,
    /// Those that will be created: a name that no resource has, to be judged in place of the one to come.
    new: HashMap<String, String>,
    /// The placeholders of those.
    placeholders: HashMap<String, String>,
}

impl Names {
    /// Names what the entries are about. A transaction in which two are about one resource has no meaning (R4
    /// section 3.1.0.11.2), and the second would change what was not judged.
    pub(super) fn of<E>(planned: &[Planned<'_>]) -> Judged<Self, E> {
        let (mut names, mut about, mut conditions) =
            (Self::default(), HashSet::new(), HashSet::new());
        for (number, one) in planned.iter().enumerate() {
            let Some((requested, target)) = &one.change else { continue };
            let interaction = one.single.access.interaction();
            let resource_type = interaction.resource_type().unwrap_or_default();
            let (name, is_known) = match target {
                ChangeTarget::Instance(id) | ChangeTarget::Found(id) => {
                    (format!("{resource_type}/{id}"), true)
                }
                ChangeTarget::New { .. } => {
                    (format!("{resource_type}/entry-{number}-of-this-bundle"), false)
                }
                ChangeTarget::Nothing => continue,
            };
            if !about.insert(name.clone()) {
                return Err(bad_request("two entries of the transaction are about one resource"));
            }
            let updates = interaction.kind() == Kind::ConditionalUpdate;
            let of_update = || interaction.query().filter(|_| updates);
            let condition = requested.if_none_exist.as_deref().or_else(of_update);
            // Both would find nothing now, and then the second would find what the first creates.
            if !is_known
                && let Some(condition) = condition.filter(|condition| !condition.is_empty())
                && !conditions.insert(format!("{resource_type}?{condition}"))
            {
                return Err(bad_request("two entries of the transaction have one condition"));
            }
            let Some(placeholder) = one.entry.placeholder() else { continue };
            if placeholder.len() > MAX_PLACEHOLDER {
                return Err(bad_request(
                    "a `fullUrl` of the transaction is too long for a placeholder",
                ));
            }
            let is_taken =
                names.known.contains_key(placeholder) || names.new.contains_key(placeholder);
            if is_taken {
                return Err(bad_request("two entries of the transaction have one `fullUrl`"));
            }
            let placeholder = placeholder.to_owned();
            if is_known {
                names.known.insert(placeholder, name);
            } else {
                names.placeholders.insert(name.clone(), placeholder.clone());
                names.new.insert(placeholder, name);
            }
        }
        Ok(names)
    }

    /// Puts names into the places of placeholders, to be judged.
    pub(super) fn put_into<E>(&self, requested: &RequestedChange) -> Judged<RequestedChange, E> {
        let rename = |name: &str| self.known.get(name).or_else(|| self.new.get(name)).cloned();
        let content = match &requested.content {
            Content::Resource(text) => Content::Resource(renamed(text, &rename)?),
            Content::JsonPatch(patch) => Content::JsonPatch(patch.clone()),
            Content::None => Content::None,
        };
        Ok(RequestedChange {
            content,
            if_match: requested.if_match.clone(),
            if_none_match: requested.if_none_match.clone(),
            if_none_exist: requested.if_none_exist.clone(),
            returned: requested.returned,
        })
    }

    /// Puts the placeholders of what is to be created back: the upstream server knows its name then.
    pub(super) fn put_back<E>(&self, sent: OutgoingChange) -> Judged<OutgoingChange, E> {
        let placeholder = |name: &str| self.placeholders.get(name).cloned();
        let body = match &sent.body {
            Some(text) if !sent.is_patch && !self.new.is_empty() => {
                Some(renamed(text, &placeholder)?)
            }
            body => body.clone(),
        };
        Ok(OutgoingChange { body, ..sent })
    }
}

/// Renames the references of a resource, which stays as it was written where it has none of them.
fn renamed<E>(text: &str, rename: &dyn Fn(&str) -> Option<String>) -> Judged<String, E> {
    let unread = |_| Refusal::bad_request("the resource of an entry cannot be judged");
    let mut tree = Tree::parse(text).map_err(unread)?;
    if !tree.has_reference(&|name| rename(name).is_some()) {
        return Ok(text.to_owned());
    }
    tree.rename_references(rename);
    Ok(tree.write())
}

fn bad_request<E>(text: &str) -> Stop<E> {
    Refusal::bad_request(text).into()
}
