//! `$export` (Bulk Data Access), asynchronous: a job that only its owner ever sees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::header::{CONTENT_LOCATION, EXPIRES};
use axum::http::{HeaderName, Method, StatusCode};
use serde_json::{Value, json};
use tower_fhir_auth::authorization::{JobOwner, ResourceFilter};
use tower_fhir_auth::fhir::PatientCompartment;
use tower_fhir_auth::fhir::search::SearchParameter;
use tower_fhir_auth::{Denial, InteractionKind};

use super::App;
use super::answer::{Answer, Refusal};
use super::fhir_request::FhirRequest;
use super::selection::Selection;
use crate::confine::shows;
use crate::rights::Rights;
use crate::store::State;

/// The number of jobs that are kept, and of one owner; a further one takes the place of the oldest.
const MAX_JOBS: usize = 64;
const MAX_JOBS_OF_ONE: usize = 8;

/// The time for which a job is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default)]
pub(crate) struct Jobs(Mutex<BTreeMap<String, Job>>);

struct Job {
    owner: JobOwner,
    begun: SystemTime,
    /// The time up to which the changes of the store are in the files.
    transaction_time: String,
    request: String,
    /// The types that are exported, also where there is none of them.
    types: Vec<String>,
    /// By type, a resource a line.
    files: BTreeMap<String, String>,
}

impl Job {
    fn is_kept(&self, now: SystemTime) -> bool {
        now < self.begun + KEPT_FOR
    }
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins an export, which is done at once: the store is small. The layer has judged the types of `_type`; without
/// that parameter the export is of what the token may export.
pub(crate) fn kick_off(
    app: &App,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    if request.interaction.method() == Method::HEAD {
        return Err(Refusal::invalid("HEAD does not start an export"));
    }
    let owner = rights.owner().ok_or_else(|| {
        Refusal::invalid("an export belongs to the subject of the token, which has none")
    })?;
    let state = app.store.snapshot();
    let of = subjects(&state, rights, request)?;
    let mut selection = Selection::default();
    for (name, value) in &request.parameters {
        match name.as_str() {
            "_outputFormat" if is_ndjson(value) => {}
            "_format" => {}
            name if selection.read(state.base(), name, value)? => {}
            other => {
                return Err(Refusal::invalid(format!("`{other}={value}` is not supported")));
            }
        }
    }
    let named = selection.types();
    if let Some(refused) = named.iter().copied().flatten().find(|name| !rights.may_export(name)) {
        let denial = Denial::new(format!("the token may not export {refused}"));
        return Err(denial.required_scopes([format!("system/{refused}.rs")]).into());
    }
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let exported = |name: &str| match named {
        Some(types) => types.contains(&name),
        None => rights.may_export(name),
    };
    for name in state.types().filter(|name| exported(name)) {
        let wanted =
            |resource: &Arc<Value>| of.include(&state, resource) && selection.has_time_of(resource);
        for resource in state.live(name).filter(wanted) {
            let file = files.entry(name.to_owned()).or_default();
            file.push_str(&resource.to_string());
            file.push('\n');
        }
    }
    let id = uuid::Uuid::new_v4().to_string();
    let interaction = request.interaction;
    let below = interaction.base().below(interaction.path()).unwrap_or_default();
    let query = interaction.query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{}{below}{query}", state.url());
    let types = match named {
        Some(types) => types.iter().map(|name| (*name).to_owned()).collect(),
        None => state.types().filter(|name| rights.may_export(name)).map(str::to_owned).collect(),
    };
    let begun = SystemTime::now();
    // Not the present time: a change under way may already have an earlier one, and is not in the files.
    let transaction_time = state.last_change();
    let job = Job { owner, types, begun, transaction_time, request: url, files };
    keep(&mut app.jobs.lock(), id.clone(), job);
    let mut answer = Answer::status(StatusCode::ACCEPTED);
    answer.headers.push((CONTENT_LOCATION, address(&state, &id)));
    Ok(answer)
}

/// Keeps a job, and makes room for it: of whoever has many, at first.
fn keep(jobs: &mut BTreeMap<String, Job>, id: String, job: Job) {
    jobs.retain(|_, kept| kept.is_kept(job.begun));
    let of_owner = jobs.values().filter(|kept| kept.owner == job.owner).count();
    let makes_room = |kept: &Job| of_owner < MAX_JOBS_OF_ONE || kept.owner == job.owner;
    if of_owner >= MAX_JOBS_OF_ONE || jobs.len() >= MAX_JOBS {
        let candidates = jobs.iter().filter(|(_, kept)| makes_room(kept));
        let oldest = candidates.min_by_key(|(_, kept)| kept.begun).map(|(id, _)| id.clone());
        oldest.and_then(|id| jobs.remove(&id));
    }
    jobs.insert(id, job);
}

/// Status, files and cancellation of a job. To anybody but its owner it does not exist, whatever
/// their rights.
pub(crate) fn follow_up(
    app: &App,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let none = || Refusal::not_found("there is no such job");
    let mut jobs = app.jobs.lock();
    let known = request.interaction.operation() == Some("export");
    let is_kept = |job: &&Job| job.is_kept(SystemTime::now()) && rights.owns(&job.owner);
    let job = jobs.get(request.id()).filter(|job| known && is_kept(job));
    let job = job.ok_or_else(none)?;
    if request.interaction.kind() == InteractionKind::JobCancel {
        jobs.remove(request.id());
        return Ok(Answer::status(StatusCode::ACCEPTED));
    }
    // The token that asks may hold less than the one that began the export.
    for name in &job.types {
        rights.of_entry(&Method::GET, &format!("$export?_type={name}"), None)?;
    }
    let (_, below) = request.interaction.path().split_once(request.id()).unwrap_or_default();
    let state = app.store.snapshot();
    match below.strip_prefix('/') {
        None => Ok(manifest(&state, request.id(), job)),
        Some(file) => {
            let name = file.strip_suffix(".ndjson").ok_or_else(none)?;
            let text = job.files.get(name).ok_or_else(none)?.clone();
            let mut answer = Answer::status(StatusCode::OK);
            answer.other = Some(("application/fhir+ndjson", text));
            Ok(answer)
        }
    }
}

fn manifest(state: &State, id: &str, job: &Job) -> Answer {
    let output = job.files.iter().map(|(name, text)| {
        json!({
            "type": name, "count": text.lines().count(),
            "url": format!("{}/{name}.ndjson", address(state, id)),
        })
    });
    let manifest = json!({
        "transactionTime": job.transaction_time,
        "request": job.request, "requiresAccessToken": true,
        "output": output.collect::<Vec<_>>(), "error": [],
    });
    let mut answer = Answer::status(StatusCode::OK);
    answer.other = Some(("application/json", manifest.to_string()));
    let until = job.begun + KEPT_FOR;
    let expires: (HeaderName, String) = (EXPIRES, httpdate::fmt_http_date(until));
    answer.headers.push(expires);
    answer
}

fn address(state: &State, id: &str) -> String {
    format!("{}/_operations/export/{id}", state.url())
}

/// The patients whose resources are exported.
enum Subjects<'a> {
    All,
    AllPatients(&'a PatientCompartment),
    Patients(Vec<ResourceFilter<'a>>),
}

fn subjects<'a>(
    state: &State,
    rights: &'a Rights,
    request: &FhirRequest<'_>,
) -> Result<Subjects<'a>, Refusal> {
    match (request.interaction.resource_type(), request.interaction.id()) {
        (None, _) => Ok(Subjects::All),
        (Some("Patient"), None) => Ok(Subjects::AllPatients(rights.patient_compartment())),
        (Some("Group"), Some(id)) => {
            let group = state.current("Group", id).and_then(|found| found.resource.clone());
            let group = group.ok_or_else(Refusal::no_such_resource)?;
            let member = SearchParameter::find("Group", "member");
            let members = member.map(|member| member.references(&group, state.base()));
            let patients = members.into_iter().flatten();
            let patients = patients.filter(|member| member.resource_type == "Patient");
            Ok(Subjects::Patients(patients.map(|of| rights.compartment(&of.id)).collect()))
        }
        _ => Err(Refusal::not_supported("this server exports all, all patients, or a group")),
    }
}

impl Subjects<'_> {
    fn include(&self, state: &State, resource: &Value) -> bool {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        match self {
            Self::All => true,
            Self::AllPatients(compartment) => compartment.has_place_for(resource_type),
            Self::Patients(members) => {
                members.iter().any(|members| shows(members, state, resource))
            }
        }
    }
}

fn is_ndjson(format: &str) -> bool {
    // A plus that nobody has escaped is a space by now.
    matches!(
        &*format.replace(' ', "+"),
        "application/fhir+ndjson" | "application/ndjson" | "ndjson"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(owner: &str, begun: SystemTime) -> Job {
        let (types, files) = Default::default();
        let (request, transaction_time) = Default::default();
        Job { owner: JobOwner::new("", owner), begun, transaction_time, request, types, files }
    }

    #[test]
    fn whoever_exports_much_loses_jobs_of_their_own() {
        let (mut jobs, start) = (BTreeMap::new(), SystemTime::UNIX_EPOCH);
        let at = |seconds| start + Duration::from_secs(seconds);
        keep(&mut jobs, "other".to_owned(), job("other", start));
        for number in 0..20 {
            keep(&mut jobs, format!("{number:02}"), job("busy", at(1 + number)));
        }
        let kept: Vec<&str> = jobs.keys().map(String::as_str).collect();
        assert_eq!(kept, ["12", "13", "14", "15", "16", "17", "18", "19", "other"]);
        for number in 0..100 {
            keep(&mut jobs, format!("many-{number}"), job(&format!("{number}"), at(100 + number)));
        }
        assert_eq!(jobs.len(), MAX_JOBS);
        assert!(!jobs.contains_key("other") && jobs.contains_key("many-99"));
        keep(&mut jobs, "late".to_owned(), job("late", at(200) + KEPT_FOR));
        assert_eq!(jobs.keys().collect::<Vec<_>>(), ["late"]);
    }
}
