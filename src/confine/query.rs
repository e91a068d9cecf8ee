//! The parameters of a search by a token that is confined: which may be asked, and what the upstream server is asked
//! instead.

use form_urlencoded::{Serializer, parse};

use super::addresses::Addresses;
use super::chain;
use super::refusal::Refusal;
use crate::authorization::{Access, Alternatives, Denial, ResourceFilter};
use crate::display_safe::sanitize;
use crate::fhir::compartment::{self, LocalPatient};
use crate::fhir::{InteractionKind, search};

/// Parameters of the result that go on as they are.
const OF_RESULTS: [&str; 7] =
    ["_at", "_count", "_include", "_revinclude", "_since", "_sort", "_type"];

/// Parameters that are for the layer to heed: what has to be judged comes whole, and as JSON.
const LEFT_OUT: [&str; 5] = ["_elements", "_format", "_pretty", "_summary", "_total"];

/// The reason for which a search is not asked.
#[derive(Debug)]
pub(super) enum QueryError {
    Denied(Denial),
    Refused(Refusal),
}

/// Returns the query for the upstream server.
pub(super) fn rewritten(
    access: &Access,
    upstream: &str,
    query: &str,
) -> Result<String, QueryError> {
    let interaction = access.interaction();
    let addresses = Addresses::new(interaction.base(), upstream);
    let searched = interaction.searched_type().or_else(|| interaction.resource_type());
    let searched = searched.unwrap_or_default();
    let mut asked = Serializer::new(String::new());
    let mut checked = ParameterRules::of(access, searched);
    for (name, value) in parse(query.as_bytes()) {
        checked.check(&name, &value)?;
        if !LEFT_OUT.contains(&base_name(&name)) {
            asked.append_pair(&name, &addresses.value(searched, &name, &value));
        }
    }
    Ok(asked.finish())
}

/// Returns queries as one, in the one spelling that this layer has read.
pub(super) fn joined(queries: &[&str]) -> String {
    let mut joined = Serializer::new(String::new());
    queries.iter().for_each(|query| {
        joined.extend_pairs(parse(query.as_bytes()));
    });
    joined.finish()
}

/// Returns the query of a search of every type, which without one would be no search: the parameters that it had may
/// be those that are left out.
pub(super) fn never_empty(query: String) -> String {
    if query.is_empty() { "_format=json".to_owned() } else { query }
}

/// Narrows a search by parameters that still find everything that the caller may see, if there are any. The answer is
/// judged regardless.
pub(super) fn narrowed(access: &Access, query: String) -> String {
    let interaction = access.interaction();
    if interaction.kind() != InteractionKind::SearchType {
        return query;
    }
    let Some(resource_type) = interaction.resource_type() else { return query };
    let filter = access.shown(resource_type);
    let Some(Narrowing { more, .. }) = narrowing(access, &filter, resource_type) else {
        return query;
    };
    let mut narrowed = Serializer::new(query);
    narrowed.extend_pairs(more);
    narrowed.finish()
}

/// Parameters that find all that a filter shows, and not much more.
struct Narrowing {
    more: Vec<(String, String)>,
    /// True if they find nothing else.
    is_exact: bool,
}

/// Reports whether a query asks for the number of results alone.
pub(super) fn asks_for_count(queries: &[&str]) -> bool {
    let mut pairs = queries.iter().flat_map(|query| parse(query.as_bytes()));
    pairs.any(|(name, value)| name == "_summary" && value == "count")
}

/// Returns the query by which results are counted: each by itself where some may be hidden.
pub(super) fn counted(
    access: &Access,
    upstream: &str,
    query: &str,
    is_open: bool,
) -> Result<String, QueryError> {
    let query = rewritten(access, upstream, query)?;
    let of_page = ["_count", "_include", "_revinclude", "_sort"];
    let mut counted = Serializer::new(String::new());
    counted.extend_pairs(
        parse(query.as_bytes()).filter(|(name, _)| !of_page.contains(&base_name(name))),
    );
    match is_open {
        true => Ok(counted.append_pair("_summary", "count").finish()),
        false => {
            let narrowed = narrowed(access, counted.finish());
            Ok(Serializer::new(narrowed).append_pair("_count", "1000").finish())
        }
    }
}

/// Reports whether the search can be narrowed so that it finds what may be seen and nothing else.
fn is_exact(access: &Access) -> bool {
    let interaction = access.interaction();
    let searched = interaction.resource_type();
    let searched = searched.filter(|_| interaction.kind() == InteractionKind::SearchType);
    searched.is_some_and(|name| {
        let filter = access.shown(name);
        filter.is_open() || narrowing(access, &filter, name).is_some_and(|found| found.is_exact)
    })
}

/// Returns the condition of a change without what is about its answer. What makes it something else than a search
/// for resources is refused.
pub(super) fn condition(query: &str) -> Result<String, QueryError> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut condition = Serializer::new(String::new());
    for (name, value) in parse(query.as_bytes()) {
        let base = base_name(&name);
        if matches!(base, "_format" | "_pretty") {
            continue;
        }
        if LEFT_OUT.contains(&base) || OF_RESULTS.contains(&base) {
            let text = "the condition is not a search for resources";
            return Err(QueryError::Refused(Refusal::bad_request(text)));
        }
        condition.append_pair(&name, &value);
    }
    Ok(condition.finish())
}

/// Appends the parameters that find what may be seen, where they find nothing else.
pub(super) fn narrowed_exactly(access: &Access, query: &str) -> Option<String> {
    is_exact(access).then(|| narrowed(access, query.to_owned()))
}

/// Returns parameters that find all that a filter shows, and not much more: the constraint, and the patient
/// where one parameter alone makes members.
fn narrowing(
    access: &Access,
    filter: &ResourceFilter<'_>,
    resource_type: &str,
) -> Option<Narrowing> {
    let mut sets = filter.confinement().sets();
    let (set, None) = (sets.next()?, sets.next()) else { return None };
    let mut alternatives = set.into_iter();
    let (one, None) = (alternatives.next()?, alternatives.next()) else { return None };
    let mut more: Vec<(String, String)> = Vec::new();
    if let Some(constraint) = one.constraint() {
        let pairs = constraint.parameters();
        more.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let mut is_exact = true;
    if let Some(patient) = one.patient() {
        let compartment = access.patient_compartment();
        let mut members = compartment.parameters(resource_type);
        match (resource_type, members.next(), members.next()) {
            _ if compartment.is_shared(resource_type) => {}
            ("Patient", _, _) => more.push(("_id".to_owned(), patient.to_owned())),
            // All of its targets must be the patient's, and a search parameter finds it by any one of them.
            ("Provenance", ..) => is_exact = false,
            (_, Some(name), None) => more.push((name.to_owned(), format!("Patient/{patient}"))),
            _ => is_exact = false,
        }
    }
    Some(Narrowing { more, is_exact })
}

/// The rules for the parameters of one search, found once for all of them.
struct ParameterRules<'a> {
    access: &'a Access,
    searched: &'a str,
    /// The resources that are shown of the type that is searched.
    filter: ResourceFilter<'a>,
    reached: chain::ChainRules<'a>,
    /// True if what may be seen can be counted by the upstream server; known once it is asked.
    is_exact: Option<bool>,
}

impl<'a> ParameterRules<'a> {
    fn of(access: &'a Access, searched: &'a str) -> Self {
        let (filter, reached) = (access.shown(searched), chain::ChainRules::of(access));
        Self { access, searched, filter, reached, is_exact: None }
    }

    /// Checks a parameter: one that looks into what is hidden, or that nobody can tell what it does, is refused.
    fn check(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        let interaction = self.access.interaction();
        let (base, modifier) = name.split_once(':').unwrap_or((name, ""));
        if base == "_summary"
            && value == "count"
            && !*self.is_exact.get_or_insert_with(|| is_exact(self.access))
        {
            let text = "`_summary=count` would count what is hidden from this token: search without it, and count \
                        the entries";
            return Err(QueryError::Refused(Refusal::bad_request(text)));
        }
        if base == "_sort" && value.contains(['.', ':']) {
            return Err(denied("a sort by another resource", name));
        }
        let is_of_everything =
            interaction.kind() == InteractionKind::Operation && matches!(base, "start" | "end");
        if LEFT_OUT.contains(&base) || OF_RESULTS.contains(&base) || is_of_everything {
            let repeats = matches!(base, "_include" | "_revinclude")
                && matches!(modifier, "iterate" | "recurse");
            return match modifier.is_empty() || repeats {
                true => Ok(()),
                false => Err(denied("a modifier that this parameter does not have", name)),
            };
        }
        let searched = self.searched;
        // A caller whose results are not confined sees what the upstream server finds.
        let is_open = !searched.is_empty() && self.filter.is_open();
        if name.contains('.') || modifier.contains(':') || base == "_has" {
            return match is_open && self.reached.allows(name) {
                true => Ok(()),
                false => Err(denied("a chain", name)),
            };
        }
        if !search::is_known(searched, base) {
            return match is_open && !chain::looks_elsewhere(base) {
                true => Ok(()),
                false => Err(denied("a parameter that R4 does not define here", name)),
            };
        }
        let mut sets = self.filter.confinement().sets();
        let searches_other_patient = |id| {
            let patient = LocalPatient { id, base: interaction.base() };
            compartment::searches_other_patient(searched, name, value, patient)
        };
        match sets.find_map(Alternatives::only_patient).is_some_and(searches_other_patient) {
            true => Err(denied("a search that is not limited to the patient of the token", name)),
            false => Ok(()),
        }
    }
}

fn base_name(name: &str) -> &str {
    name.split_once(':').map_or(name, |(base, _)| base)
}

fn denied(what: &str, name: &str) -> QueryError {
    let name = sanitize(name);
    let text = format!("{what} might reveal resources that are hidden from this token: `{name}`");
    QueryError::Denied(Denial::new(text))
}
