//! Roles as policy: the union of a caller's roles has to hold what an interaction takes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::runtime::Handle;

use super::condition::{Conditions, RoleCondition};
use super::data_action::DataActions;
use super::held::{CallerRoles, RoleLookup};
use super::refusal::refusal;
use super::required::{Required, required};
use super::{Assignments, RoleDefinitions};
use crate::authentication::Principal;
use crate::authorization::caller_memo::CallerMemo;
use crate::authorization::grant::Rule;
use crate::authorization::{AccessRequest, Authorizer, Denial, Enforcement, Grant};
use crate::background_task::BackgroundTask;
use crate::error::{BuildError, ErrorCause};
use crate::hot_swap::HotSwap;
use crate::telemetry::log;
use crate::watched_file::{self, WatchedFile};

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
    roles: Arc<HotSwap<RoleDefinitions>>,
    assignments: Arc<HotSwap<Assignments>>,
    /// `None` where no role has one, which is seen at once.
    conditions: Option<Arc<Conditions>>,
    /// The task that reads the file again.
    _watch: Option<Arc<BackgroundTask>>,
}

/// The reason why the roles of a caller do not grant a request: as much as the decision has found out.
#[derive(Clone, Copy)]
pub(crate) enum Unmet {
    /// The caller can have no role.
    NoRole,
    /// The application has not declared what its handlers enforce.
    Undeclared(Enforcement),
    /// The roles do not hold what is required.
    Required(Required),
}

impl RolePolicy {
    /// A policy of fixed definitions. Without any, no role grants.
    pub fn new(roles: RoleDefinitions) -> Self {
        Self::of(Arc::new(HotSwap::new(Some(roles))), None)
    }

    /// A policy of the definitions in a file, which is read again when it changes. If it is
    /// broken or gone by then, the last good definitions stay.
    ///
    /// # Errors
    ///
    /// When the file is missing or broken now, or there is no tokio runtime.
    pub fn from_file(path: impl Into<PathBuf>) -> Result<Self, BuildError> {
        let path = path.into();
        let fault = |source| BuildError::RoleFile { path: path.clone(), source };
        let content = watched_file::read(&path).map_err(|error| fault(ErrorCause::new(error)))?;
        let roles = RoleDefinitions::parse(&content);
        let roles = roles.map_err(|error| fault(ErrorCause::new(error)))?;
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        // Whoever moves here from Microsoft's server, or back, needs to know.
        log::info!(
            path = %path.display(),
            roles = roles.len(),
            beyond_schema = roles.beyond_schema().count(),
            "role definitions loaded; the schema of Microsoft's server allows names of letters, `-` \
             and `_` only"
        );
        let roles = Arc::new(HotSwap::new(Some(roles)));
        let watch = BackgroundTask::spawn(&runtime, watch(path, content, Arc::clone(&roles)));
        Ok(Self::of(roles, Some(Arc::new(watch))))
    }

    fn of(roles: Arc<HotSwap<RoleDefinitions>>, watch: Option<Arc<BackgroundTask>>) -> Self {
        let assignments = Arc::new(HotSwap::new(None));
        Self { roles, assignments, conditions: None, _watch: watch }
    }

    /// Gives further roles to callers by who they are.
    pub fn assignments(mut self, assignments: Assignments) -> Self {
        self.assignments = Arc::new(HotSwap::new(Some(assignments)));
        self
    }

    /// Lets a role count only for callers whose token meets a condition, whether the token names the role or it is
    /// assigned. One that is not met leaves the other roles as they are.
    ///
    /// # Errors
    ///
    /// When the condition asks for nothing, or for what no token can have, or the role has a condition already, or
    /// none of this name is defined: a misspelled one would leave the right one without a condition.
    pub fn role_counts_when(
        mut self,
        role: impl AsRef<str>,
        condition: RoleCondition,
    ) -> Result<Self, BuildError> {
        let role = role.as_ref();
        if self.roles.snapshot().get().is_none_or(|roles| roles.get(role).is_none()) {
            return Err(BuildError::Setting { setting: "roles.when", expected: "a defined role" });
        }
        Arc::make_mut(self.conditions.get_or_insert_default()).add(role, condition)?;
        Ok(self)
    }

    /// Reports whether any role is defined now: without, none grants.
    pub(crate) fn defines_any(&self) -> bool {
        self.roles.snapshot().get().is_some_and(|roles| !roles.is_empty())
    }

    /// Reports whether the roles of a caller hold the mark `smart`. It takes away, and needs no condition to be met.
    pub(crate) fn hold_smart_action(&self, request: &AccessRequest<'_>) -> bool {
        self.actions_of(request, |_| true).contains(DataActions::SMART)
    }

    /// Reports whether the roles of a caller that count hold every data action that is a right.
    pub(crate) fn hold_everything(&self, request: &AccessRequest<'_>) -> bool {
        let counts = |role: &str| self.unmet(role, request).is_none();
        self.actions_of(request, counts).contains(DataActions::EVERY)
    }

    /// The condition of a role that the caller does not meet.
    #[inline]
    fn unmet(&self, role: &str, request: &AccessRequest<'_>) -> Option<&RoleCondition> {
        self.conditions.as_ref()?.unmet(role, request.principal(), request.now())
    }

    /// The union of what a caller's roles may do, those of the token and the assigned ones.
    fn actions_of(
        &self,
        request: &AccessRequest<'_>,
        counts: impl Fn(&str) -> bool,
    ) -> DataActions {
        let mut actions = DataActions::default();
        self.look_up(request, |roles, _| {
            roles.each_defined(|name, role, _| {
                if counts(name) {
                    actions |= role.actions;
                }
            });
        });
        actions
    }

    /// Looks at the roles of a caller by the definitions and assignments that are in force.
    fn look_up<T>(
        &self,
        request: &AccessRequest<'_>,
        look: impl FnOnce(&CallerRoles<'_>, RoleLookup<'_>) -> T,
    ) -> T {
        let (definitions, assignments) = (self.roles.snapshot(), self.assignments.snapshot());
        let look_up = RoleLookup {
            principal: request.principal(),
            definitions: definitions.shared(),
            assignments: assignments.shared(),
        };
        let memo = request.memo().filter(|_| look_up.are_many());
        look(&look_up.roles(memo.map(CallerMemo::roles)), look_up)
    }

    /// Puts other definitions in force, at once, for all clones.
    ///
    /// ```
    /// use tower_fhir_auth::{RoleDefinitions, RolePolicy};
    ///
    /// /// What was granted by the old ones is judged by the new ones from the next request on.
    /// fn reload(policy: &RolePolicy, text: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    ///     policy.replace_definitions(RoleDefinitions::parse(text)?);
    ///     Ok(())
    /// }
    /// ```
    pub fn replace_definitions(&self, roles: RoleDefinitions) {
        self.roles.replace(roles);
    }

    /// Puts other assignments in force, at once, for all clones.
    ///
    /// ```
    /// use tower_fhir_auth::RolePolicy;
    /// use tower_fhir_auth::authorization::Assignments;
    ///
    /// fn reload(policy: &RolePolicy) {
    ///     policy.replace_assignments(Assignments::new());
    /// }
    /// ```
    pub fn replace_assignments(&self, assignments: Assignments) {
        self.assignments.replace(assignments);
    }

    /// Reports whether a caller can have no role: whatever is asked for takes one.
    fn are_none_of(&self, principal: &Principal) -> bool {
        self.assignments.is_empty() && principal.has_no_roles()
    }

    /// Decides without making a denial, which costs more than the decision: another rule may still grant.
    pub(crate) fn evaluate(&self, request: &AccessRequest<'_>) -> Result<Grant, Unmet> {
        if self.are_none_of(request.principal()) {
            return Err(Unmet::NoRole);
        }
        let required = required(request.interaction(), request.enforcement());
        let required = required.map_err(Unmet::Undeclared)?;
        self.met(request, required).ok_or(Unmet::Required(required))
    }

    /// Tells why the roles of a caller do not grant a request.
    pub(crate) fn denial(&self, request: &AccessRequest<'_>, unmet: Unmet) -> Denial {
        let required = match unmet {
            Unmet::NoRole => required(request.interaction(), request.enforcement()),
            Unmet::Undeclared(undeclared) => Err(undeclared),
            Unmet::Required(required) => Ok(required),
        };
        let required = match (required, request.interaction().address_fault()) {
            (Err(undeclared), _) => {
                let denial = Denial::new("the roles of the caller do not count for this");
                return denial.undeclared(undeclared);
            }
            (Ok(_), Some(fault)) => return Denial::of_address(fault),
            (Ok(required), None) => required,
        };
        self.look_up(request, |roles, by| {
            let none = RoleDefinitions::default();
            let definitions = by.definitions.map_or(&none, |all| &**all);
            let unmet = |role: &str| self.unmet(role, request);
            let denial = refusal(request, roles, definitions, required, unmet);
            let principal = request.principal();
            let are_assigned = by.assignments.is_some_and(|all| all.are_of(principal));
            match principal.lacks_groups() && are_assigned {
                true => denial.note(
                    "the token does not list the groups of the caller, which are too many, so that \
                     no assignment to a group counts",
                ),
                false => denial,
            }
        })
    }

    /// The grant of the roles that have a part in it, if they hold enough together.
    fn met(&self, request: &AccessRequest<'_>, required: Required) -> Option<Grant> {
        let mut actions = DataActions::default();
        let mut by: SmallVec<[Rule; 1]> = SmallVec::new();
        self.look_up(request, |roles, _| {
            roles.each_defined(|_, role, _| {
                if self.unmet(&role.name, request).is_some() {
                    return;
                }
                actions |= role.actions;
                if required.concerns(role.actions) {
                    by.push(Rule::Role(role.name.clone()));
                }
            });
        });
        required.met_by(actions).then(|| Grant::by_all(by))
    }
}

impl Authorizer for RolePolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        self.evaluate(request).map_err(|unmet| self.denial(request, unmet))
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        if self.are_none_of(request.principal()) {
            return false;
        }
        let counts = |role: &str| self.unmet(role, request).is_none();
        required(request.interaction(), request.enforcement())
            .is_ok_and(|required| required.met_by(self.actions_of(request, counts)))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}

async fn watch(path: PathBuf, content: Vec<u8>, roles: Arc<HotSwap<RoleDefinitions>>) {
    let file = WatchedFile::new(path.clone());
    let watch = file.watch(content, RoleDefinitions::parse, |read| match read {
        Ok(changed) => {
            log::info!(path = %path.display(), roles = changed.len(), "role definitions changed");
            roles.replace(changed);
        }
        Err(error) => {
            log::warn!(path = %path.display(), error, "role definitions: the last good ones stay");
            let _ = error;
        }
    });
    watch.await;
}

impl fmt::Debug for RolePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RolePolicy").finish_non_exhaustive()
    }
}
