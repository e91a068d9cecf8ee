//! All settings of the file except the issuers.

use std::collections::HashSet;
use std::path::PathBuf;

use super::assigned::{Assigned, assignments};
use super::issuers::IssuerConfig;
use super::reader::{SectionReader, nearest};
use crate::authorization::{AccessMode, RoleCondition, RoleDefinitions};
use crate::display_safe::sanitize;
use crate::error::BuildError;
use crate::fhir::{BaseUrl, ResourceTypes};
use crate::keys::KeySettings;
use crate::metadata::SmartConfiguration;
use crate::middleware::paths::{DEFAULT_PUBLIC, optional_fault, outside_fault, public_fault};
use crate::rejection::Disclosure;
use crate::watched_file;

pub(crate) fn access(root: &mut SectionReader<'_>) -> AccessMode {
    let choices = [
        ("roles", AccessMode::Roles),
        ("scopes", AccessMode::Scopes),
        ("roles-or-scopes", AccessMode::RolesOrScopes),
        ("roles-and-scopes", AccessMode::RolesAndScopes),
        ("microsoft", AccessMode::Microsoft),
    ];
    root.choice("access", &choices).unwrap_or_default()
}

pub(crate) fn disclosure(root: &mut SectionReader<'_>) -> Disclosure {
    let choices = [
        ("minimal", Disclosure::Minimal),
        ("reason", Disclosure::Reason),
        ("full", Disclosure::Full),
    ];
    root.choice("disclose", &choices).unwrap_or_default()
}

/// The paths of the file where a token is not required.
#[derive(Debug)]
pub(crate) struct OpenPaths {
    /// `None` for the default.
    pub(crate) public: Option<Vec<String>>,
    pub(crate) optional: Vec<String>,
    pub(crate) public_outside: Vec<String>,
}

pub(crate) fn open_paths(root: &mut SectionReader<'_>, base: Option<&BaseUrl>) -> OpenPaths {
    let public = root.strings("public");
    let optional = root.strings("optional").unwrap_or_default();
    let public_outside = root.strings("public_outside").unwrap_or_default();
    let all_public = public.clone().unwrap_or_else(|| DEFAULT_PUBLIC.map(str::to_owned).to_vec());
    check(root, "public", public.as_deref().unwrap_or_default(), public_fault);
    if let Some(base) = base {
        check(root, "optional", &optional, |path| {
            optional_fault(path, &all_public, base, &ResourceTypes::r4())
        });
        check(root, "public_outside", &public_outside, |path| outside_fault(path, base));
    }
    OpenPaths { public, optional, public_outside }
}

fn check(
    root: &mut SectionReader<'_>,
    key: &str,
    paths: &[String],
    fault: impl Fn(&str) -> Option<&'static str>,
) {
    for (index, path) in paths.iter().enumerate() {
        if let Some(expected) = fault(path) {
            root.reject(&format!("{key}[{index}]"), format!("{expected}, found \"{path}\""));
        }
    }
}

pub(crate) fn keys(root: &mut SectionReader<'_>) -> KeySettings {
    let mut settings = KeySettings::default();
    let Some(mut keys) = root.table("keys") else {
        return settings;
    };
    if let Some(refresh) = keys.duration("refresh") {
        settings = settings.refresh(refresh);
    }
    if let Some(cooldown) = keys.duration("cooldown") {
        settings = settings.cooldown(cooldown);
    }
    if let Some(max_stale) = keys.duration("max_stale") {
        settings = settings.max_stale(max_stale);
    }
    if let Some(timeout) = keys.duration("timeout") {
        settings = settings.timeout(timeout);
    }
    if let Some(max_bytes) = keys.count("max_bytes") {
        settings = settings.max_bytes(max_bytes);
    }
    for (setting, expected) in settings.faults() {
        keys.reject(setting, format!("expected {expected}"));
    }
    keys.finish();
    settings
}

/// Reads the capacity of the token cache.
pub(crate) fn cache(root: &mut SectionReader<'_>) -> Option<usize> {
    let mut cache = root.table("cache")?;
    let tokens = cache.count("tokens");
    cache.finish();
    tokens
}

/// Reads members of smart-configuration.
pub(crate) fn smart(root: &mut SectionReader<'_>, access: AccessMode) -> SmartConfiguration {
    let mut document = SmartConfiguration::new().scopes_count(access.counts_scopes());
    for (name, value) in root.table("smart").map(|mut smart| smart.json()).unwrap_or_default() {
        document = document.member(name, value);
    }
    document
}

/// The `[roles]` of the file.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) definitions: Option<Definitions>,
    pub(crate) assign: Assigned,
    /// The conditions under which roles count.
    pub(crate) when: Vec<(String, RoleCondition)>,
}

/// The source of role definitions.
#[derive(Debug)]
pub(crate) enum Definitions {
    File(PathBuf),
    BuiltIn(RoleDefinitions),
}

/// The beginning of the names of definitions that come with the crate. A file of such a name is
/// written with its folder, `./builtin:x`.
const BUILT_IN: &str = "builtin:";

/// Reads `[roles]`.
pub(crate) fn roles(root: &mut SectionReader<'_>, issuers: &[IssuerConfig]) -> Roles {
    let Some(mut roles) = root.table("roles") else {
        return Roles::default();
    };
    let has_definitions = roles.has("definitions");
    let (definitions, defined) = definitions(&mut roles).unzip();
    let assign = roles.table("assign");
    if assign.is_some() && issuers.len() > 1 {
        let message = "with several issuers an id must belong to one: expected `assign` in its \
                       [[issuers]] instead";
        roles.reject("assign", message);
    }
    let assign = assign.map(assignments).unwrap_or_default();
    let fault = match issuers {
        [only] => assign.iter().find_map(|one| only.assignment(one).err()),
        _ => None,
    };
    if let Some(fault) = fault {
        roles.reject("assign", fault);
    }
    let when = roles.tables("when").unwrap_or_default();
    let when: Vec<_> = when.into_iter().filter_map(condition).collect();
    let mut known = HashSet::new();
    if let Some((role, _)) = when.iter().find(|(role, _)| !known.insert(role.to_ascii_lowercase()))
    {
        let found = sanitize(role);
        roles.reject("when", format!("expected each role once, found `{found}` again"));
    }
    // Definitions that cannot be read are a mistake already.
    let undefined = match (defined, has_definitions) {
        (None, true) => None,
        (defined, _) => first_undefined(&when, &defined.unwrap_or_default()),
    };
    if let Some(message) = undefined {
        roles.reject("when", message);
    }
    roles.finish();
    Roles { definitions, assign, when }
}

/// Reads the condition under which a role counts.
fn condition(mut when: SectionReader<'_>) -> Option<(String, RoleCondition)> {
    let role = when.required("role", "the name of a role");
    let mut condition = RoleCondition::new();
    if let Some(purposes) = when.non_empty_strings("purpose_of_use") {
        condition = condition.purpose_of_use(purposes);
    }
    if let Some(age) = when.duration("max_auth_age") {
        condition = condition.max_auth_age(age);
    }
    let checked = condition.check().map_err(|error| {
        let BuildError::Setting { setting, expected } = error else { return };
        let key = setting.strip_prefix("roles.when.").unwrap_or("purpose_of_use");
        when.reject(key, format!("expected {expected}"));
    });
    when.finish();
    role.filter(|_| checked.is_ok()).map(|role| (role, condition))
}

/// Says which role has a condition without being defined: misspelled, it would leave the right one without.
fn first_undefined(when: &[(String, RoleCondition)], defined: &RoleDefinitions) -> Option<String> {
    let (role, _) = when.iter().find(|(role, _)| defined.get(role).is_none())?;
    let nearest = nearest(role, defined.names());
    let hint = nearest.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default();
    Some(format!("expected a role that `definitions` defines, found `{}`{hint}", sanitize(role)))
}

/// Reads the role definitions, which must be valid now; their file is read again where they are
/// used.
fn definitions(roles: &mut SectionReader<'_>) -> Option<(Definitions, RoleDefinitions)> {
    let text = roles.string("definitions")?;
    let built_in = RoleDefinitions::BUILT_IN;
    let names = built_in.map(|(name, _)| format!("`{name}`")).join(" or ");
    if let Some((_, made)) = built_in.iter().find(|(name, _)| *name == text) {
        return Some((Definitions::BuiltIn(made()), made()));
    }
    if text.starts_with(BUILT_IN) {
        return roles
            .fail("definitions", format!("expected {names}, found \"{}\"", sanitize(&text)));
    }
    let path = roles.relative(&text);
    let read = watched_file::read(&path).map_err(|error| {
        format!("expected a readable file, or {names}: {}: {error}", path.display())
    });
    let parsed = read.and_then(|json| {
        RoleDefinitions::parse(&json).map_err(|error| format!("{}: {error}", path.display()))
    });
    match parsed {
        Ok(defined) => Some((Definitions::File(path), defined)),
        Err(message) => roles.fail("definitions", message),
    }
}
