//! The format of `roles.json`, and the data actions of microsoft/fhir-server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::route::Route;

pub const ACTIONS: [&str; 17] = [
    "read",
    "write",
    "delete",
    "hardDelete",
    "export",
    "resourceValidate",
    "reindex",
    "convertData",
    "editProfileDefinitions",
    "import",
    "searchParameter",
    "bulkOperator",
    "search",
    "readById",
    "create",
    "update",
    "smart",
];

pub type Actions = BTreeSet<&'static str>;

/// The data actions of each role, by its name in lower case.
pub type Definitions = BTreeMap<String, (String, Actions)>;

/// Reads definitions as the schema has them; `None` for what is none.
pub fn parse(document: &Value) -> Option<Definitions> {
    let mut definitions = Definitions::new();
    for role in document.as_object()?.get("roles")?.as_array()? {
        let role = role.as_object()?;
        let known = ["name", "dataActions", "notDataActions", "scopes"];
        if !role.keys().all(|key| known.contains(&key.as_str())) {
            return None;
        }
        let name = role.get("name")?.as_str()?;
        if name.is_empty() || name.trim() != name {
            return None;
        }
        let given = patterns(role.get("dataActions")?)?;
        let not = patterns(role.get("notDataActions")?)?;
        if role.get("scopes")?.as_array()? != &["/"] {
            return None;
        }
        let actions = given.difference(&not).copied().collect();
        if definitions.insert(name.to_ascii_lowercase(), (name.to_owned(), actions)).is_some() {
            return None;
        }
    }
    Some(definitions)
}

fn patterns(value: &Value) -> Option<Actions> {
    let mut all = Actions::new();
    for pattern in value.as_array()? {
        match pattern.as_str()? {
            "*" => all.extend(every()),
            name => all.extend([*ACTIONS.iter().find(|action| **action == name)?]),
        }
    }
    Some(all)
}

/// What `*` stands for.
pub fn every() -> impl Iterator<Item = &'static str> {
    ACTIONS.into_iter().filter(|action| *action != "smart")
}

/// The union of what roles may do.
pub fn union<'a>(definitions: &Definitions, roles: impl Iterator<Item = &'a str>) -> Actions {
    let held = roles.filter_map(|role| definitions.get(&role.to_ascii_lowercase()));
    held.flat_map(|(_, actions)| actions.iter().copied()).collect()
}

/// Reports whether actions grant a request. `query` is decoded; without a route it is no interaction.
pub fn grant(held: &Actions, method: &str, route: Option<&Route>, query: &str) -> bool {
    let Some(route) = route else { return every().all(|action| held.contains(action)) };
    let mut needed = String::from(needed(method, route));
    let query = query.to_ascii_lowercase();
    let is_hard = ["harddelete", "purgehistory", "expunge"].iter().any(|word| query.contains(word));
    let deletes = matches!(route.kind, "delete" | "delete-conditional" | "operation");
    let changes =
        ["create", "update", "patch", "delete"].iter().any(|kind| route.kind.starts_with(kind));
    let more = match route.resource_type.as_deref() {
        Some("StructureDefinition" | "ValueSet" | "CodeSystem") if changes => {
            "&editProfileDefinitions"
        }
        Some("SearchParameter") if changes => "&reindex",
        _ => "",
    };
    let hard = if is_hard && deletes && !needed.contains('*') { "&hardDelete" } else { "" };
    needed =
        needed.split('|').map(|set| format!("{set}{hard}{more}")).collect::<Vec<_>>().join("|");
    needed.split('|').any(|set| {
        set.split('&').all(|action| match action {
            "*" => every().all(|action| held.contains(action)),
            "any" => held.iter().any(|action| *action != "smart"),
            action => held.contains(action),
        })
    })
}

fn needed(method: &str, route: &Route) -> &'static str {
    let reads = matches!(method, "GET" | "HEAD");
    match (route.kind, route.operation.as_deref().unwrap_or_default()) {
        ("read" | "vread", _) => "read|readById",
        ("search-type" | "search-system" | "search-compartment", _) => "read|search",
        ("history-instance" | "history-type" | "history-system", _) => "read|search",
        ("create", _) => "write|create",
        ("create-conditional", _) => "read&write|search&create",
        ("update", _) => "write|update",
        ("update-conditional" | "patch-conditional", _) => "read&write|search&update",
        ("patch", _) => "read&write|update",
        ("delete", _) => "delete",
        ("delete-conditional", _) => "delete&read|delete&search",
        ("delete-history", _) => "delete&hardDelete",
        ("batch" | "capabilities", _) => "any",
        ("operation" | "job-status" | "job-cancel", "export") => "export",
        ("operation" | "job-status" | "job-cancel", "import") => "import",
        ("operation" | "job-status" | "job-cancel", "reindex") => "reindex",
        ("job-status", "bulk-delete") => "read",
        ("operation" | "job-cancel", "bulk-delete") => "delete",
        ("operation" | "job-status" | "job-cancel", "bulk-update") => "bulkOperator",
        ("operation", "convert-data") => "convertData",
        ("operation", "validate") => "resourceValidate",
        ("operation", "status") if route.resource_type.as_deref() == Some("SearchParameter") => {
            if reads {
                "read"
            } else {
                "searchParameter"
            }
        }
        ("operation", "everything" | "member-match") => "read",
        ("operation", "expand" | "lookup" | "validate-code" | "translate" | "subsumes") => "read",
        ("operation", "includes" | "docref") => "read|search",
        ("operation", "purge-history") => "delete&hardDelete",
        _ => "*",
    }
}
