//! The roles of a caller by the definitions and assignments that are in force.

use std::sync::{Arc, OnceLock};

use hashbrown::HashSet;
use smol_str::SmolStr;

use super::definitions::RoleDefinition;
use super::{Assignments, RoleDefinitions};
use crate::authentication::Principal;
use crate::display_safe::sanitize;
use crate::explanation::{HeldRole, RoleStanding};

/// Up to this many roles and groups, those of a token are looked up for each question.
const FEW: usize = 16;

/// The most states of definitions and assignments by which roles are kept: an access may be held for long, and asked
/// between many reloads.
const MAX_STATES: usize = 8;

/// The most roles of each standing that are told.
pub(super) const MAX_KEPT: usize = 8;

/// The roles of a caller.
pub(super) enum CallerRoles<'a> {
    /// They are looked up as they are asked for, few or not.
    Few(RoleLookup<'a>),
    /// They were looked up once, for all questions about a caller.
    Many(&'a HeldRoles),
}

/// The look-up of the roles of a caller.
#[derive(Clone, Copy)]
pub(super) struct RoleLookup<'a> {
    pub(super) principal: &'a Principal,
    pub(super) definitions: Option<&'a Arc<RoleDefinitions>>,
    pub(super) assignments: Option<&'a Arc<Assignments>>,
}

/// The roles of a caller that are defined, each once of the token and once assigned, and the first few others.
#[derive(Debug)]
pub(super) struct HeldRoles {
    defined: Vec<(SmolStr, RoleDefinition, bool)>,
    undefined: Vec<HeldRole>,
    undefined_in_all: usize,
}

/// The roles of a caller by one state of definitions and assignments, and by others that were in force later or are
/// those of another policy.
#[derive(Clone, Default)]
pub(in crate::authorization) struct RolesMemo(OnceLock<Arc<Looked>>);

struct Looked {
    definitions: Option<Arc<RoleDefinitions>>,
    assignments: Option<Arc<Assignments>>,
    roles: HeldRoles,
    next: RolesMemo,
}

impl<'a> RoleLookup<'a> {
    /// Reports whether they are so many that a memo of them is worth while.
    // The calls of what is inlined in this room are 1.1 % of the instructions for a token seen before.
    #[inline]
    pub(super) fn are_many(self) -> bool {
        self.principal.roles_and_groups() > FEW
    }

    /// Looks the roles up, or takes them from a memo.
    #[inline]
    pub(super) fn roles(self, memo: Option<&'a RolesMemo>) -> CallerRoles<'a> {
        let held = memo.and_then(|memo| memo.held_by(self));
        held.map_or(CallerRoles::Few(self), CallerRoles::Many)
    }

    #[inline]
    fn each(self, mut visit: impl FnMut(&'a str, Option<&'a RoleDefinition>, bool)) {
        let defined = |role: &str| self.definitions.and_then(|all| all.get(role));
        self.principal.roles().for_each(|role| visit(role, defined(role), false));
        if let Some(assignments) = self.assignments {
            let assigned = assignments.roles_of(self.principal);
            assigned.for_each(|role| visit(role, defined(role), true));
        }
    }
}

impl CallerRoles<'_> {
    /// Visits the roles that are defined: the name as the caller has it, the definition, and true for one that is
    /// assigned here.
    #[inline]
    pub(super) fn each_defined(&self, mut visit: impl FnMut(&str, &RoleDefinition, bool)) {
        match self {
            Self::Few(look_up) => look_up.each(|name, defined, is_assigned| {
                if let Some(defined) = defined {
                    visit(name, defined, is_assigned);
                }
            }),
            Self::Many(held) => {
                held.defined
                    .iter()
                    .for_each(|(name, role, is_assigned)| visit(name, role, *is_assigned));
            }
        }
    }

    /// Returns the first roles that are not defined, and the number of all of them.
    pub(super) fn undefined(&self) -> (Vec<HeldRole>, usize) {
        match self {
            Self::Few(look_up) => {
                let held = HeldRoles::of(*look_up);
                (held.undefined, held.undefined_in_all)
            }
            Self::Many(held) => (held.undefined.clone(), held.undefined_in_all),
        }
    }
}

impl HeldRoles {
    fn of(look_up: RoleLookup<'_>) -> Self {
        let (mut defined, mut undefined, mut undefined_in_all) = (Vec::new(), Vec::new(), 0);
        // A role in many spellings is one.
        let mut known: HashSet<(&str, bool)> = HashSet::new();
        look_up.each(|name, definition, is_assigned| match definition {
            Some(role) if known.insert((&role.name, is_assigned)) => {
                defined.push((name.into(), role.clone(), is_assigned));
            }
            Some(_) => {}
            None => {
                undefined_in_all += 1;
                if undefined.len() < MAX_KEPT {
                    let standing = RoleStanding::Undefined;
                    undefined.push(HeldRole::new(sanitize(name), is_assigned, standing));
                }
            }
        });
        Self { defined, undefined, undefined_in_all }
    }
}

impl RolesMemo {
    fn held_by(&self, look_up: RoleLookup<'_>) -> Option<&HeldRoles> {
        let mut memo = self;
        for _ in 0..MAX_STATES {
            let looked = memo.0.get_or_init(|| Arc::new(Looked::at(look_up)));
            if looked.is_of(look_up) {
                return Some(&looked.roles);
            }
            memo = &looked.next;
        }
        None
    }
}

impl Looked {
    fn at(look_up: RoleLookup<'_>) -> Self {
        Self {
            definitions: look_up.definitions.cloned(),
            assignments: look_up.assignments.cloned(),
            roles: HeldRoles::of(look_up),
            next: RolesMemo::default(),
        }
    }

    fn is_of(&self, look_up: RoleLookup<'_>) -> bool {
        are_one(self.definitions.as_ref(), look_up.definitions)
            && are_one(self.assignments.as_ref(), look_up.assignments)
    }
}

fn are_one<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}
