//! `Access::may_show` beside an evaluation of the official expressions by another FHIRPath engine, for
//! every official example and every patient that any of them names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use http::{Request, Response};
use serde::Deserialize;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt};
use tower_fhir_auth::fhir::ResourceReference;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{Access, Enforcement, FhirAuthLayer, ScopePolicy};

use crate::definitions::folder;

/// Whose a resource is by HAPI FHIR, which reads the same expressions with an engine of its own.
#[derive(Deserialize)]
struct Owners {
    source: String,
    owners: BTreeSet<String>,
}

/// What the other engine finds: the patients that each parameter names.
#[derive(Deserialize)]
struct Line {
    r#type: String,
    id: Option<String>,
    source: String,
    /// By the parameters of the compartment, and by the others that can name a Patient.
    members: BTreeMap<String, BTreeSet<String>>,
    others: BTreeMap<String, BTreeSet<String>>,
}

/// The types that all patients share.
const SHARED: [&str; 6] = [
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Location",
    "Medication",
    "HealthcareService",
];

fn lines() -> Vec<Line> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("official_examples/membership.mjs");
    let output = Command::new("node").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `mvn -q -f tests/official_examples/hapi compile` first: `.ci/world members`.
fn owners() -> BTreeMap<String, BTreeSet<String>> {
    let hapi = Path::new(env!("CARGO_MANIFEST_DIR")).join("official_examples/hapi/target");
    let libraries = std::fs::read_to_string(hapi.join("classpath")).unwrap();
    let path = format!("{}:{libraries}", hapi.join("classes").display());
    let output =
        Command::new("java").args(["-cp", &path, "Members"]).arg(folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let owners = lines.lines().map(|line| serde_json::from_str::<Owners>(line).unwrap());
    owners.map(|one| (one.source, one.owners)).collect()
}

/// Compares with HAPI FHIR's membership in place of the expressions'.
pub(crate) async fn beside_hapi() -> String {
    let owners = owners();
    let mut lines = lines();
    assert_eq!(owners.len(), lines.len(), "not all resources were read");
    let resources = resources(&lines);
    let mut elsewhere = 0;
    for (line, resource) in lines.iter_mut().zip(&resources) {
        let text = resource.to_string();
        let (own, others): (BTreeSet<_>, BTreeSet<_>) = owners[&line.source]
            .iter()
            .cloned()
            .partition(|id| !text.contains(&format!("/Patient/{id}\"")));
        // HAPI drops the server of an absolute reference, and with it whose patient that is.
        assert!(others.iter().all(|id| text.contains("://") && !id.is_empty()), "{}", line.source);
        elsewhere += others.len();
        line.members = BTreeMap::from([("compartment".to_owned(), own)]);
    }
    println!("members: {elsewhere} patients of other servers, which HAPI takes for its own");
    compare(&lines).await
}

/// The resources that lines are about: of a file, or of the entries of a Bundle in it.
fn resources(lines: &[Line]) -> Vec<Value> {
    let mut documents: BTreeMap<&str, Value> = BTreeMap::new();
    let of_line = lines.iter().map(|line| {
        let (file, entries) = line.source.split_once('#').unwrap_or((&line.source, ""));
        let document = documents.entry(file).or_insert_with(|| {
            serde_json::from_slice(&std::fs::read(folder().join(file)).unwrap()).unwrap()
        });
        let entries = entries.split('/').filter(|entry| !entry.is_empty());
        let place = entries.map(|entry| format!("/entry/{entry}/resource")).collect::<String>();
        document.pointer(&place).unwrap().clone()
    });
    of_line.collect()
}

/// What a token with `patient/*.rs` of each patient was granted.
async fn accesses(patients: &BTreeSet<&str>) -> Vec<(String, Access)> {
    let issuer = TestIssuer::start().await.unwrap();
    let base = "https://fhir.example.org/r4";
    let layer = FhirAuthLayer::builder(base)
        .issuer(issuer.trusted())
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL)
        .build()
        .unwrap();
    layer.ready().await;
    let service = ServiceBuilder::new().layer(layer).service_fn(async |request: Request<()>| {
        let mut response = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
        response.extensions_mut().insert(request.extensions().get::<Access>().cloned());
        Ok::<_, std::convert::Infallible>(response)
    });
    let mut accesses = Vec::new();
    for patient in patients {
        let token = issuer.token().claim("aud", base).claim("scope", "patient/*.rs");
        let token = token.claim("patient", *patient).sign().unwrap();
        let request = Request::get("/r4?_type=Observation");
        let request = request.header("authorization", format!("Bearer {token}")).body(()).unwrap();
        let mut response = service.clone().oneshot(request).await.unwrap();
        let access: Option<Option<Access>> = response.extensions_mut().remove();
        accesses.push(((*patient).to_owned(), access.unwrap().unwrap()));
    }
    accesses
}

/// Whose the examples are by the other engine, with the deviations by name.
struct Expected<'a> {
    by_name: BTreeMap<(&'a str, &'a str), &'a Line>,
    resources: &'a BTreeMap<(&'a str, &'a str), Value>,
}

impl Expected<'_> {
    fn shows(&self, line: &Line, resource: &Value, patient: &str) -> bool {
        match line.r#type.as_str() {
            // By its id alone: `Patient:link` would let others decide who sees a record.
            "Patient" => line.id.as_deref() == Some(patient),
            // `less`: a Group shows its other members.
            "Group" => false,
            // `also`: beyond the definition.
            "Device" => line.others["patient"].contains(patient),
            // `also`: by its targets, in place of `patient`.
            "Provenance" => {
                let targets = resource["target"].as_array().cloned().unwrap_or_default();
                !targets.is_empty() && targets.iter().all(|to| self.shows_target(to, patient))
            }
            name if SHARED.contains(&name) => true,
            _ => line.members.values().any(|patients| patients.contains(patient)),
        }
    }

    fn shows_target(&self, reference: &Value, patient: &str) -> bool {
        let text = reference["reference"].as_str().unwrap_or_default();
        let mut segments = text.split('/');
        let (Some(name), Some(id)) = (segments.next(), segments.next()) else { return false };
        let is_instance = !matches!(segments.next(), Some(other) if other != "_history");
        let found = self.by_name.get(&(name, id)).zip(self.resources.get(&(name, id)));
        found.is_some_and(|(line, resource)| is_instance && self.shows(line, resource, patient))
    }
}

#[tokio::test]
async fn what_may_be_shown_of_every_official_example_is_what_the_expressions_say() {
    let told = compare(&lines()).await;
    println!("{told}");
}

/// Judges every example for every patient, and panics at the first verdict that is another.
async fn compare(lines: &[Line]) -> String {
    let named = lines.iter().flat_map(|line| {
        let found = line.members.values().chain(line.others.values()).flatten();
        let own = line.id.as_ref().filter(|_| line.r#type == "Patient");
        found.chain(own)
    });
    // An id of FHIR; the oracle reads what a reference says.
    let is_id = |id: &&str| (1..=64).contains(&id.len()) && !id.contains('_');
    let patients: BTreeSet<&str> = named.map(String::as_str).filter(is_id).collect();
    let resources = resources(lines);
    // Of several places where one resource stands, the first is the one that is looked up.
    let mut by_name = BTreeMap::new();
    let mut first: BTreeMap<(&str, &str), Value> = BTreeMap::new();
    for (line, resource) in lines.iter().zip(&resources) {
        if let Some(id) = &line.id {
            let name = (line.r#type.as_str(), id.as_str());
            by_name.entry(name).or_insert(line);
            first.entry(name).or_insert_with(|| resource.clone());
        }
    }
    let distinct = first.len();
    let expected = Expected { by_name, resources: &first };
    let look_up = |to: &ResourceReference| first.get(&(&*to.resource_type, &*to.id)).cloned();
    let (mut shown, mut judged) = (0, 0);
    for (patient, access) in accesses(&patients).await {
        let types: BTreeSet<&str> = lines.iter().map(|line| line.r#type.as_str()).collect();
        let filters: BTreeMap<&str, _> =
            types.into_iter().map(|name| (name, access.may(Permissions::SEARCH, name))).collect();
        for (line, resource) in lines.iter().zip(&resources) {
            let filter = &filters[line.r#type.as_str()];
            let found = filter.shows_with(resource, look_up);
            let source = &line.source;
            assert_eq!(found, expected.shows(line, resource, &patient), "{source} for {patient}");
            judged += 1;
            shown += usize::from(found && !SHARED.contains(&line.r#type.as_str()));
        }
    }
    assert!(lines.len() >= 19_000 && patients.len() > 50 && shown > 900, "was anything compared?");
    format!(
        "{} resources in {} places, {} patients: {judged} verdicts alike, {shown} of them shown",
        distinct,
        lines.len(),
        patients.len(),
    )
}
