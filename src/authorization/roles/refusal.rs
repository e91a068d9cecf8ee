//! Refusals by role: little for clients; for operators the caller's roles and what is known of each.

use super::RoleDefinitions;
use super::condition::RoleCondition;
use super::data_action::DataActions;
use super::definitions::RoleDefinition;
use super::held::{CallerRoles, MAX_KEPT};
use super::required::{Required, Unlisted};
use crate::authorization::{AccessRequest, Denial, Enforcement};
use crate::display_safe::sanitize;
use crate::explanation::{Evidence, Grounds, HeldRole, Requirement, RoleStanding};
use crate::fhir::Interaction;

/// The room for names in one list of a text, in bytes.
const ROOM: usize = 160;

/// The summary that clients get.
const SUMMARY: &str = "no role of the caller grants this interaction";

/// Tells why the roles of a caller do not grant what is required.
pub(super) fn refusal<'c>(
    request: &AccessRequest<'_>,
    held: &CallerRoles<'_>,
    definitions: &RoleDefinitions,
    required: Required,
    unmet: impl Fn(&str) -> Option<&'c RoleCondition>,
) -> Denial {
    let interaction = request.interaction();
    let Some(words) = required.words() else { return unlisted(SUMMARY, required, interaction) };
    let roles = Standings::of(held, unmet);
    let expected = format!("a role with {words}");
    let denial = Denial::new(SUMMARY);
    let least = required.least_beside(roles.actions).names();
    let found = Some(roles.describe());
    let grounds = |summary: &'static str, expected: String| Grounds {
        summary: summary.into(),
        evidence: Evidence { found, expected: Some(expected) },
    };
    if definitions.is_empty() {
        let summary = "this server has no role definitions, so that no role grants anything";
        let grounds = grounds(summary, expected.clone());
        let roles = roles.into_kept();
        return denial
            .for_operators(grounds)
            .requires([Requirement::RoleDefinitions { least, roles }])
            .with_expected(expected);
    }
    let defined = defined(definitions, required, roles.actions);
    denial
        .for_operators(grounds(SUMMARY, format!("{expected} ({defined})")))
        .requires([Requirement::DataActions { least, roles: roles.into_kept() }])
        .with_expected(expected)
}

/// Lists the defined roles: those that would grant this beside what the caller has, and then the others,
/// fewest data actions first. Whoever picks one should not start with the widest.
fn defined(definitions: &RoleDefinitions, required: Required, held: DataActions) -> String {
    let grants = |role: &&RoleDefinition| required.met_by(role.actions | held);
    let granting = definitions.by_size().filter(grants);
    let others = definitions.by_size().filter(|role| !grants(role));
    let names = granting.chain(others).map(|role| role.name.as_str());
    let names = Names::listed(names, definitions.len());
    match definitions.by_size().any(|role| grants(&role)) {
        true => format!("defined, with those that grant this first, narrowest first: {names}"),
        false => format!("defined: {names}"),
    }
}

/// Tells that no data action stands for an interaction: never that all of them would do.
pub(super) fn unlisted(
    summary: &'static str,
    required: Required,
    interaction: &Interaction,
) -> Denial {
    let denial = Denial::new(summary);
    let Required::Every(unlisted) = required else { return denial };
    match unlisted {
        Unlisted::Entries => denial.undeclared(Enforcement::BUNDLE_ENTRIES),
        // Its address is told before any right is.
        Unlisted::Interaction => denial,
        Unlisted::Operation => {
            let name = sanitize(interaction.operation().unwrap_or_default());
            denial
                .note(format!("no data action stands for the operation `{name}`"))
                .requires([Requirement::ListedOperation(name)])
        }
    }
}

/// The roles of a caller, the first of each standing by name.
#[derive(Default)]
struct Standings {
    undefined: ListedRoles,
    conditional: ListedRoles,
    insufficient: ListedRoles,
    /// The condition of the first of the conditional ones.
    condition: String,
    actions: DataActions,
}

#[derive(Default)]
struct ListedRoles {
    roles: Vec<HeldRole>,
    total: usize,
}

impl Standings {
    fn of<'c>(held: &CallerRoles<'_>, unmet: impl Fn(&str) -> Option<&'c RoleCondition>) -> Self {
        let mut all = Self::default();
        let (roles, total) = held.undefined();
        all.undefined = ListedRoles { roles, total };
        held.each_defined(|name, role, is_assigned| {
            all.add(name, role, is_assigned, unmet(name));
        });
        all
    }

    fn add(
        &mut self,
        name: &str,
        role: &RoleDefinition,
        is_assigned: bool,
        unmet: Option<&RoleCondition>,
    ) {
        let (kept, standing) = match unmet {
            Some(condition) => {
                if self.condition.is_empty() {
                    self.condition = condition.to_string();
                }
                (&mut self.conditional, RoleStanding::Conditional)
            }
            None => {
                self.actions |= role.actions;
                (&mut self.insufficient, RoleStanding::Insufficient)
            }
        };
        kept.total += 1;
        if kept.roles.len() < MAX_KEPT {
            kept.roles.push(HeldRole::new(sanitize(name), is_assigned, standing));
        }
    }

    /// Names the roles by their standing.
    fn describe(&self) -> String {
        let conditional = format!("roles that count only with {}: ", self.condition);
        let groups = [
            ("roles that are not defined: ", &self.undefined),
            (conditional.as_str(), &self.conditional),
            ("roles without this: ", &self.insufficient),
        ];
        let groups = groups.iter().filter(|(_, kept)| kept.total > 0);
        let groups: Vec<String> =
            groups.map(|(what, kept)| format!("{what}{}", kept.describe())).collect();
        if groups.is_empty() { "no roles".to_owned() } else { groups.join("; ") }
    }

    fn into_kept(self) -> Vec<HeldRole> {
        let defined = self.conditional.roles.into_iter().chain(self.insufficient.roles);
        self.undefined.roles.into_iter().chain(defined).collect()
    }
}

impl ListedRoles {
    fn describe(&self) -> String {
        let mut names = Names::default();
        for role in &self.roles {
            names.add(&role.name, if role.assigned { " (assigned)" } else { "" });
        }
        names.with_rest(self.total)
    }
}

/// Quoted names, as many as there is room for.
#[derive(Default)]
struct Names {
    text: String,
    named: usize,
    is_full: bool,
}

impl Names {
    fn listed<'a>(all: impl Iterator<Item = &'a str>, total: usize) -> String {
        let mut names = Self::default();
        for name in all {
            names.add(&sanitize(name), "");
            if names.is_full {
                break;
            }
        }
        names.with_rest(total)
    }

    fn add(&mut self, name: &str, mark: &str) {
        let room = self.text.len() + name.len() + mark.len() <= ROOM;
        if self.is_full || (self.named > 0 && !room) {
            self.is_full = true;
            return;
        }
        let between = if self.named > 0 { ", " } else { "" };
        self.text.push_str(&[between, "'", name, "'", mark].concat());
        self.named += 1;
    }

    fn with_rest(self, total: usize) -> String {
        match total.saturating_sub(self.named) {
            0 => self.text,
            more => format!("{} and {more} more", self.text),
        }
    }
}
