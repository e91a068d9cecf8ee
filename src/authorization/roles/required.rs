//! The data actions that an interaction takes: the table of Microsoft's FHIR server
//! (`AuthorizationServiceExtensions.cs` and the handlers of microsoft/fhir-server).

use http::Method;

use super::DataAction as A;
use super::data_action::DataActions;
use crate::authorization::Enforcement;
use crate::fhir::{Interaction, InteractionKind};

/// The data actions that a caller has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    /// All actions of the one set, or all of the other.
    Either(DataActions, DataActions),
    /// Any action that is a right.
    Any,
    /// Every action that `*` stands for, since the table has no line for this. No refusal proposes
    /// to grant all that.
    Every(Unlisted),
}

/// The reason why the table has no line for an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlisted {
    /// The address is not that of a FHIR interaction.
    Interaction,
    /// Nobody has said what the operation does.
    Operation,
    /// The entries of the bundle are judged by nobody.
    Entries,
}

impl Required {
    pub(crate) fn met_by(self, held: DataActions) -> bool {
        match self {
            Self::Either(one, other) => held.contains(one) || held.contains(other),
            Self::Any => held.has_any(),
            Self::Every(_) => held.contains(DataActions::EVERY),
        }
    }

    /// The least that is missing beside these actions. Of two sets that would do it is the one of
    /// finer actions, which the table has second, unless less of the other is missing; of any action
    /// it is one that reads a single resource.
    pub(super) fn least_beside(self, held: DataActions) -> DataActions {
        match self {
            Self::Either(one, finer) => {
                let (one, finer) = (one.difference(held), finer.difference(held));
                if finer.contains(one) { one } else { finer }
            }
            Self::Any => A::ReadById.into(),
            Self::Every(_) => DataActions::default(),
        }
    }

    /// The data actions in words, such as `read, or readById`; `None` where there is no line.
    pub(super) fn words(self) -> Option<String> {
        match self {
            Self::Either(one, other) if one == other => Some(format!("the data action {one}")),
            Self::Either(one, other) => Some(format!("the data action {one}, or {other}")),
            Self::Any => Some("any data action".to_owned()),
            Self::Every(_) => None,
        }
    }

    /// Reports whether a role has a part in meeting this.
    pub(crate) fn concerns(self, role: DataActions) -> bool {
        match self {
            Self::Either(one, other) => role.intersects(one) || role.intersects(other),
            Self::Any | Self::Every(_) => role.has_any(),
        }
    }

    fn all_of(actions: &[A]) -> Self {
        let set = union(actions);
        Self::Either(set, set)
    }

    fn either(one: &[A], other: &[A]) -> Self {
        Self::Either(union(one), union(other))
    }

    /// Adds an action to those that are required.
    fn with(self, action: Option<A>) -> Self {
        match (self, action) {
            (Self::Either(one, other), Some(action)) => {
                Self::Either(one | action.into(), other | action.into())
            }
            (required, _) => required,
        }
    }
}

fn union(actions: &[A]) -> DataActions {
    actions.iter().fold(DataActions::default(), |set, action| set | (*action).into())
}

/// Returns the data actions that an interaction requires. The table is literal: nothing is
/// inferred. A declaration of the
/// application that is missing is the error.
pub(crate) fn required(
    interaction: &Interaction,
    enforced: Enforcement,
) -> Result<Required, Enforcement> {
    use InteractionKind as Kind;
    let changes = to_change(interaction.resource_type());
    let hard = || interaction.is_hard_delete().then_some(A::HardDelete);
    Ok(match interaction.kind() {
        Kind::Read | Kind::VersionRead => Required::either(&[A::Read], &[A::ReadById]),
        Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => {
            Required::either(&[A::Read], &[A::Search])
        }
        Kind::HistoryInstance | Kind::HistoryType | Kind::HistorySystem => {
            Required::either(&[A::Read], &[A::Search])
        }
        Kind::Create => Required::either(&[A::Write], &[A::Create]).with(changes),
        Kind::ConditionalCreate => {
            Required::either(&[A::Read, A::Write], &[A::Search, A::Create]).with(changes)
        }
        Kind::Update => Required::either(&[A::Write], &[A::Update]).with(changes),
        Kind::ConditionalUpdate | Kind::ConditionalPatch => {
            Required::either(&[A::Read, A::Write], &[A::Search, A::Update]).with(changes)
        }
        Kind::Patch => Required::either(&[A::Read, A::Write], &[A::Update]).with(changes),
        Kind::Delete => Required::all_of(&[A::Delete]).with(hard()).with(changes),
        Kind::ConditionalDelete => {
            let required = Required::either(&[A::Delete, A::Read], &[A::Delete, A::Search]);
            required.with(hard()).with(changes)
        }
        Kind::DeleteHistory => Required::all_of(&[A::Delete, A::HardDelete]).with(changes),
        Kind::Batch if !enforced.contains(Enforcement::BUNDLE_ENTRIES) => {
            Required::Every(Unlisted::Entries)
        }
        Kind::Batch | Kind::Capabilities => Required::Any,
        Kind::Operation => for_operation(interaction).with(hard()),
        Kind::Page if !enforced.contains(Enforcement::PAGES) => return Err(Enforcement::PAGES),
        Kind::Page => Required::Any,
        Kind::JobStatus | Kind::JobCancel if !enforced.contains(Enforcement::JOBS) => {
            return Err(Enforcement::JOBS);
        }
        Kind::JobStatus | Kind::JobCancel => for_job(interaction),
        Kind::Unknown => Required::Every(Unlisted::Interaction),
    })
}

/// Resources that steer the server itself take one action more to change.
fn to_change(resource_type: Option<&str>) -> Option<A> {
    match resource_type {
        Some("StructureDefinition" | "ValueSet" | "CodeSystem") => Some(A::EditProfileDefinitions),
        Some("SearchParameter") => Some(A::Reindex),
        Some(_) | None => None,
    }
}

fn for_operation(interaction: &Interaction) -> Required {
    let is_read = matches!(*interaction.method(), Method::GET | Method::HEAD);
    let one = |action| Required::all_of(&[action]);
    match (interaction.resource_type(), interaction.operation().unwrap_or_default()) {
        (_, "export") => one(A::Export),
        (_, "import") => one(A::Import),
        (_, "reindex") => one(A::Reindex),
        (_, "convert-data") => one(A::ConvertData),
        (_, "validate") => one(A::ResourceValidate),
        (Some("SearchParameter"), "status") if is_read => one(A::Read),
        (Some("SearchParameter"), "status") => one(A::SearchParameter),
        (_, "everything" | "member-match") => one(A::Read),
        (_, "expand" | "lookup" | "validate-code" | "translate" | "subsumes") => one(A::Read),
        (_, "includes" | "docref") => Required::either(&[A::Read], &[A::Search]),
        (_, "purge-history") => Required::all_of(&[A::Delete, A::HardDelete]),
        (_, "bulk-delete") => one(A::Delete),
        (_, "bulk-update") => one(A::BulkOperator),
        _ => Required::Every(Unlisted::Operation),
    }
}

/// Requires of what follows up an operation what the operation required, but to look on is to read.
fn for_job(interaction: &Interaction) -> Required {
    let looks_on = interaction.kind() == InteractionKind::JobStatus;
    match interaction.operation().unwrap_or_default() {
        "export" => Required::all_of(&[A::Export]),
        "import" => Required::all_of(&[A::Import]),
        "reindex" => Required::all_of(&[A::Reindex]),
        "bulk-delete" if looks_on => Required::all_of(&[A::Read]),
        "bulk-delete" => Required::all_of(&[A::Delete]),
        "bulk-update" => Required::all_of(&[A::BulkOperator]),
        _ => Required::Every(Unlisted::Operation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::DataAction;

    fn granted(actions: &[DataAction], method: &str, uri: &str) -> bool {
        let base = "https://h/r4".parse().unwrap();
        let mut headers = http::HeaderMap::new();
        let (method, conditional) = match method.strip_suffix('?') {
            Some(method) => (method, true),
            None => (method, false),
        };
        if conditional {
            headers.insert("if-none-exist", "identifier=x".parse().unwrap());
        }
        let uri = format!("/r4{uri}").parse().unwrap();
        let interaction = Interaction::parse(&base, &method.parse().unwrap(), &uri, &headers);
        let actions = actions.iter().fold(DataActions::default(), |set, a| set | (*a).into());
        required(&interaction, Enforcement::ALL).unwrap().met_by(actions)
    }

    /// Each interaction with the smallest sets of actions that grant it. A set that lacks one of
    /// its actions must not, and every action of none of the sets together must not either.
    const TABLE: &[(&str, &str, &[&[DataAction]])] = &[
        ("GET", "/Patient/1", &[&[A::Read], &[A::ReadById]]),
        ("GET", "/Patient/1/_history/2", &[&[A::Read], &[A::ReadById]]),
        ("GET", "?_type=Patient", &[&[A::Read], &[A::Search]]),
        ("GET", "/Patient", &[&[A::Read], &[A::Search]]),
        ("POST", "/Patient/_search", &[&[A::Read], &[A::Search]]),
        ("GET", "/Patient/1/Observation", &[&[A::Read], &[A::Search]]),
        ("GET", "/Patient/1/_history", &[&[A::Read], &[A::Search]]),
        ("GET", "/Patient/_history", &[&[A::Read], &[A::Search]]),
        ("GET", "/_history", &[&[A::Read], &[A::Search]]),
        ("POST", "/Patient", &[&[A::Write], &[A::Create]]),
        ("POST?", "/Patient", &[&[A::Read, A::Write], &[A::Search, A::Create]]),
        ("PUT", "/Patient/1", &[&[A::Write], &[A::Update]]),
        ("PUT", "/Patient?a=b", &[&[A::Read, A::Write], &[A::Search, A::Update]]),
        ("PATCH", "/Patient?a=b", &[&[A::Read, A::Write], &[A::Search, A::Update]]),
        ("PATCH", "/Patient/1", &[&[A::Read, A::Write], &[A::Update]]),
        ("DELETE", "/Patient/1", &[&[A::Delete]]),
        ("DELETE", "/Patient/1?_hardDelete=true", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/Patient/1?_HARDDELETE=1", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/Patient/1?a=1;_hard%44elete=true", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/$bulk-delete?_purgeHistory=true", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/Patient/1?_expunge=true", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/Patient?a=b", &[&[A::Delete, A::Read], &[A::Delete, A::Search]]),
        (
            "DELETE",
            "/Patient?a=b&hardDelete=true",
            &[&[A::Delete, A::Read, A::HardDelete], &[A::Delete, A::Search, A::HardDelete]],
        ),
        (
            "POST",
            "/ValueSet",
            &[&[A::Write, A::EditProfileDefinitions], &[A::Create, A::EditProfileDefinitions]],
        ),
        ("DELETE", "/CodeSystem/1", &[&[A::Delete, A::EditProfileDefinitions]]),
        (
            "PUT",
            "/StructureDefinition/1",
            &[&[A::Write, A::EditProfileDefinitions], &[A::Update, A::EditProfileDefinitions]],
        ),
        ("PUT", "/SearchParameter/1", &[&[A::Write, A::Reindex], &[A::Update, A::Reindex]]),
        ("GET", "/$export", &[&[A::Export]]),
        ("GET", "/Patient/$export", &[&[A::Export]]),
        ("GET", "/Group/1/$export", &[&[A::Export]]),
        ("POST", "/$import", &[&[A::Import]]),
        ("POST", "/$reindex", &[&[A::Reindex]]),
        ("POST", "/$convert-data", &[&[A::ConvertData]]),
        ("POST", "/Patient/$validate", &[&[A::ResourceValidate]]),
        ("GET", "/Patient/1/$everything", &[&[A::Read]]),
        ("POST", "/Patient/$member-match", &[&[A::Read]]),
        ("GET", "/ValueSet/$expand", &[&[A::Read]]),
        ("GET", "/SearchParameter/$status", &[&[A::Read]]),
        ("POST", "/SearchParameter/$status", &[&[A::SearchParameter]]),
        ("GET", "/Patient/$includes", &[&[A::Read], &[A::Search]]),
        ("DELETE", "/Patient/1/$purge-history", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/$bulk-delete", &[&[A::Delete]]),
        ("POST", "/$bulk-delete?_hardDelete=true", &[&[A::Delete, A::HardDelete]]),
        ("PATCH", "/$bulk-update", &[&[A::BulkOperator]]),
        ("DELETE", "/Patient/1/_history", &[&[A::Delete, A::HardDelete]]),
        ("DELETE", "/Patient/1/_history/2", &[&[A::Delete, A::HardDelete]]),
        ("GET", "/_operations/export/1", &[&[A::Export]]),
        ("GET", "/_operations/export/1/Patient.ndjson", &[&[A::Export]]),
        ("DELETE", "/_operations/export/1", &[&[A::Export]]),
        ("GET", "/_operations/import/1", &[&[A::Import]]),
        ("GET", "/_operations/reindex/1", &[&[A::Reindex]]),
        ("GET", "/_operations/bulk-delete/1", &[&[A::Read]]),
        ("DELETE", "/_operations/bulk-delete/1", &[&[A::Delete]]),
        ("DELETE", "/_operations/bulk-update/1", &[&[A::BulkOperator]]),
    ];

    #[test]
    fn each_interaction_takes_what_the_table_says_and_nothing_less() {
        for (method, uri, sets) in TABLE {
            for set in *sets {
                assert!(granted(set, method, uri), "{method} {uri} with {set:?}");
                for missing in *set {
                    let less: Vec<_> = set.iter().copied().filter(|a| a != missing).collect();
                    assert!(!granted(&less, method, uri), "{method} {uri} with {less:?}");
                }
            }
            let needed = |action: &DataAction| sets.iter().any(|set| set.contains(action));
            let others: Vec<_> = DataAction::ALL.iter().copied().filter(|a| !needed(a)).collect();
            assert!(!granted(&others, method, uri), "{method} {uri} with {others:?}");
        }
    }

    #[test]
    fn only_every_action_together_reaches_what_nobody_listed() {
        let every: Vec<_> = DataAction::ALL.iter().copied().filter(|a| *a != A::Smart).collect();
        for (method, uri) in [
            ("POST", "/$fly"),
            ("GET", "/Patient/1/$fly"),
            ("GET", "/a/b/c/d"),
            ("GET", "/_operations/fly/1"),
        ] {
            assert!(granted(&every, method, uri), "{uri}");
            for action in &every {
                let less: Vec<_> = every.iter().copied().filter(|a| a != action).collect();
                assert!(!granted(&less, method, uri), "{uri} without {action:?}");
            }
        }
        for action in &every {
            assert!(granted(&[*action], "POST", ""), "any action opens a batch");
        }
        assert!(!granted(&[], "POST", "") && !granted(&[A::Smart], "POST", ""));
        assert!(granted(&[A::Read], "HEAD", "/SearchParameter/$status"));
    }

    #[test]
    fn what_is_required_reads_like_the_table() {
        let base = "https://h/r4".parse().unwrap();
        for (method, uri, expected) in [
            ("GET", "/r4/Patient/1", Some("the data action read, or readById")),
            (
                "PUT",
                "/r4/Patient?a=b",
                Some("the data action read and write, or search and update"),
            ),
            ("GET", "/r4/$export", Some("the data action export")),
            ("POST", "/r4", Some("any data action")),
            ("GET", "/r4/Patient//1", None),
            ("GET", "/r4/$fly", None),
        ] {
            let (method, uri) = (method.parse().unwrap(), uri.parse().unwrap());
            let interaction = Interaction::parse(&base, &method, &uri, &http::HeaderMap::new());
            let required = required(&interaction, Enforcement::ALL).unwrap();
            assert_eq!(required.words().as_deref(), expected);
        }
    }

    /// The advice of a refusal: what is added must be enough, and nothing of it superfluous.
    #[test]
    fn the_least_that_is_missing_is_enough_and_no_action_of_it_can_be_spared() {
        let base = "https://h/r4".parse().unwrap();
        let all = DataAction::ALL.iter().map(|action| DataActions::from(*action));
        let held: Vec<DataActions> = std::iter::once(DataActions::default()).chain(all).collect();
        for (method, uri, _) in TABLE.iter().filter(|(method, ..)| !method.contains('?')) {
            let uri = format!("/r4{uri}").parse().unwrap();
            let method = method.parse().unwrap();
            let interaction = Interaction::parse(&base, &method, &uri, &http::HeaderMap::new());
            let required = required(&interaction, Enforcement::ALL).unwrap();
            for held in held.iter().filter(|held| !required.met_by(**held)) {
                let least = required.least_beside(*held);
                assert!(required.met_by(*held | least), "{method} {uri}: {held} and {least}");
                for action in
                    DataAction::ALL.iter().filter(|action| least.contains((**action).into()))
                {
                    let less = least.difference((*action).into());
                    assert!(!required.met_by(*held | less), "{method} {uri}: {held} and {less}");
                }
            }
        }
    }
}
