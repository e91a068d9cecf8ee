//! Roles as policy: the union of a caller's roles has to hold what an interaction takes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tokio::task::AbortHandle;

use super::data_action::DataActions;
use super::required::{Required, required};
use super::{Assignments, RoleDefinitions};
use crate::authentication::Principal;
use crate::authorization::grant::Rule;
use crate::authorization::{AccessRequest, Authorizer, Denial, Grant};
use crate::error::BuildError;
use crate::explanation::Requirement;
use crate::small_file;
use crate::swap::Swap;
use crate::telemetry::log;

/// The interval between two looks at a file.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Grants what the roles of a caller grant. Clones share the definitions.
///
/// ```
/// use tower_fhir_auth::{RoleDefinitions, RolePolicy};
///
/// let nobody_yet = RolePolicy::new(RoleDefinitions::default());
/// ```
#[derive(Clone)]
#[must_use]
pub struct RolePolicy {
    roles: Arc<Swap<RoleDefinitions>>,
    assignments: Arc<Swap<Assignments>>,
    /// Ends the task that looks at the file.
    _watch: Option<Arc<Watch>>,
}

struct Watch(AbortHandle);

impl RolePolicy {
    /// A policy of fixed definitions. Without any, no role grants.
    pub fn new(roles: RoleDefinitions) -> Self {
        Self::of(Arc::new(Swap::new(Some(roles))), None)
    }

    /// A policy of the definitions in a file, which is read again when it changes. If it is
    /// broken or gone by then, the last good definitions stay.
    ///
    /// # Errors
    ///
    /// When the file is missing or broken now, or there is no tokio runtime.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, BuildError> {
        let path = path.into();
        let (content, roles) =
            read(&path).map_err(|reason| BuildError::RoleFile { path: path.clone(), reason })?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let roles = Arc::new(Swap::new(Some(roles)));
        let task = runtime.spawn(watch(path, content, Arc::clone(&roles)));
        let watch = Some(Arc::new(Watch(task.abort_handle())));
        Ok(Self::of(roles, watch))
    }

    fn of(roles: Arc<Swap<RoleDefinitions>>, watch: Option<Arc<Watch>>) -> Self {
        let assignments = Arc::new(Swap::new(None));
        Self { roles, assignments, _watch: watch }
    }

    /// Gives further roles to callers by who they are.
    pub fn assignments(mut self, assignments: Assignments) -> Self {
        self.assignments = Arc::new(Swap::new(Some(assignments)));
        self
    }

    /// Reports whether the roles of a caller hold the mark `smart`.
    pub(crate) fn mark_as_smart(&self, principal: &Principal) -> bool {
        self.actions_of(principal).contains(DataActions::SMART)
    }

    /// The union of what a caller's roles may do, those of the token and the assigned ones.
    fn actions_of(&self, principal: &Principal) -> DataActions {
        let assignments = self.assignments.snapshot();
        let assigned = assignments.get().into_iter().flat_map(|all| all.roles_of(principal));
        let held = principal.roles().chain(assigned);
        self.roles.snapshot().get().map(|roles| roles.union(held)).unwrap_or_default()
    }

    /// Puts other definitions in force, at once, for all clones.
    pub fn replace_definitions(&self, roles: RoleDefinitions) {
        self.roles.replace(roles);
    }

    /// Puts other assignments in force, at once, for all clones.
    pub fn replace_assignments(&self, assignments: Assignments) {
        self.assignments.replace(assignments);
    }

    /// Asks without reasons, which cost more than the answer: for a rule beside which another one
    /// may grant.
    pub(crate) fn grant(&self, request: &AccessRequest<'_>) -> Option<Grant> {
        let required = required(request.interaction(), request.enforcement()).ok()?;
        self.met(request.principal(), required)
    }

    /// The grant of the roles that have a part in it, if they hold enough together.
    fn met(&self, principal: &Principal, required: Required) -> Option<Grant> {
        let (roles, assignments) = (self.roles.snapshot(), self.assignments.snapshot());
        let roles = roles.get()?;
        let mut actions = DataActions::default();
        let mut by: SmallVec<[Rule; 1]> = SmallVec::new();
        let mut add = |role: &str| {
            let Some(role) = roles.get(role) else { return };
            actions |= role.actions;
            if required.concerns(role.actions) {
                by.push(Rule::Role(role.name.clone()));
            }
        };
        principal.roles().for_each(&mut add);
        if let Some(assigned) = assignments.get() {
            assigned.roles_of(principal).for_each(&mut add);
        }
        required.met_by(actions).then(|| Grant::by_all(by))
    }
}

impl Authorizer for RolePolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let principal = request.principal();
        let enforced = request.enforcement();
        let required = required(request.interaction(), enforced).map_err(|undeclared| {
            Denial::new("the roles of the caller do not count for this").undeclared(undeclared)
        })?;
        if let Some(grant) = self.met(principal, required) {
            return Ok(grant);
        }
        if let Some(fault) = request.interaction().address_fault() {
            return Err(Denial::of_address(fault));
        }
        let mut denial = Denial::new("no role of the caller grants this interaction");
        let assigned = self.assignments.snapshot();
        if principal.lacks_groups() && assigned.get().is_some_and(|all| all.are_of(principal)) {
            denial = denial.note(
                "the token does not list the groups of the caller, which are too many, so that no \
                 assignment to a group counts",
            );
        }
        let required = required.to_string();
        Err(denial
            .expecting(format!("a role with the data action {required}"))
            .requires([Requirement::DataActions(required)]))
    }
}

async fn watch(path: PathBuf, mut taken: Vec<u8>, roles: Arc<Swap<RoleDefinitions>>) {
    let mut complaint = String::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let file = path.clone();
        // A file system may hang, and others must not wait for it.
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        match read.unwrap_or_else(|error| Err(error.to_string())) {
            Ok((content, _)) if content == taken => complaint.clear(),
            Ok((content, changed)) => {
                log::info!(path = %path.display(), roles = changed.len(), "role definitions changed");
                roles.replace(changed);
                taken = content;
                complaint.clear();
            }
            Err(error) if error == complaint => {}
            Err(error) => {
                log::warn!(path = %path.display(), error, "role definitions: the last good ones stay");
                complaint = error;
            }
        }
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, RoleDefinitions), String> {
    let content = small_file::read(path).map_err(|error| error.to_string())?;
    let roles = RoleDefinitions::parse(&content).map_err(|error| error.to_string())?;
    Ok((content, roles))
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for RolePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RolePolicy").finish_non_exhaustive()
    }
}
