//! The data actions of Microsoft's FHIR server, and what each interaction takes.
//!
//! Facts: `DataActions.cs` and `AuthorizationServiceExtensions.cs` of microsoft/fhir-server.

use std::ops::BitOr;

use super::enforcement::Enforcement;
use crate::fhir::{Interaction, InteractionKind};

/// One thing that a role may do, named as in `roles.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataAction {
    /// `read`: everything that reads, search and history included.
    Read,
    /// `write`: create and update.
    Write,
    /// `delete`
    Delete,
    /// `hardDelete`: with the history.
    HardDelete,
    /// `export`
    Export,
    /// `resourceValidate`
    ResourceValidate,
    /// `reindex`
    Reindex,
    /// `convertData`
    ConvertData,
    /// `editProfileDefinitions`
    EditProfileDefinitions,
    /// `import`
    Import,
    /// `searchParameter`
    SearchParameter,
    /// `bulkOperator`
    BulkOperator,
    /// `search`
    Search,
    /// `readById`
    ReadById,
    /// `create`
    Create,
    /// `update`
    Update,
    /// `smart`: a mark, not a right; `*` does not stand for it.
    Smart,
}

/// A set of data actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DataActions(u32);

impl DataAction {
    /// All that `*` stands for, and `smart`.
    pub const ALL: &'static [Self] = &[
        Self::Read,
        Self::Write,
        Self::Delete,
        Self::HardDelete,
        Self::Export,
        Self::ResourceValidate,
        Self::Reindex,
        Self::ConvertData,
        Self::EditProfileDefinitions,
        Self::Import,
        Self::SearchParameter,
        Self::BulkOperator,
        Self::Search,
        Self::ReadById,
        Self::Create,
        Self::Update,
        Self::Smart,
    ];

    /// The name in `roles.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::HardDelete => "hardDelete",
            Self::Export => "export",
            Self::ResourceValidate => "resourceValidate",
            Self::Reindex => "reindex",
            Self::ConvertData => "convertData",
            Self::EditProfileDefinitions => "editProfileDefinitions",
            Self::Import => "import",
            Self::SearchParameter => "searchParameter",
            Self::BulkOperator => "bulkOperator",
            Self::Search => "search",
            Self::ReadById => "readById",
            Self::Create => "create",
            Self::Update => "update",
            Self::Smart => "smart",
        }
    }

    fn bit(self) -> u32 {
        let place = Self::ALL.iter().position(|action| *action == self);
        place.and_then(|place| u32::try_from(place).ok()).map_or(0, |place| 1 << place)
    }
}

impl DataActions {
    /// What `*` stands for.
    pub(crate) fn every() -> Self {
        let all = DataAction::ALL.iter().filter(|action| **action != DataAction::Smart);
        all.fold(Self::default(), |set, action| set | (*action).into())
    }

    pub(crate) fn has(self, action: DataAction) -> bool {
        self.0 & action.bit() != 0
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether there is an action that is a right: `smart` is none.
    fn has_any(self) -> bool {
        !self.without(DataAction::Smart.into()).is_empty()
    }

    fn has_every(self) -> bool {
        Self::every().without(self).is_empty()
    }

    /// Whether these actions grant an interaction. The table is literal: nothing is inferred.
    pub(crate) fn grant(self, interaction: &Interaction, enforced: Enforcement) -> bool {
        use DataAction as A;
        use InteractionKind as Kind;
        let has = |action| self.has(action);
        let either = |coarse, fine| has(coarse) || has(fine);
        let conditional =
            |coarse, fine| (has(A::Read) && has(coarse)) || (has(A::Search) && has(fine));
        let changes = self.may_change(interaction.resource_type());
        let hard = !interaction.is_hard_delete() || has(A::HardDelete);
        match interaction.kind() {
            Kind::Read | Kind::VersionRead => either(A::Read, A::ReadById),
            Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => {
                either(A::Read, A::Search)
            }
            Kind::HistoryInstance | Kind::HistoryType | Kind::HistorySystem => {
                either(A::Read, A::Search)
            }
            Kind::Create => either(A::Write, A::Create) && changes,
            Kind::ConditionalCreate => conditional(A::Write, A::Create) && changes,
            Kind::Update => either(A::Write, A::Update) && changes,
            Kind::ConditionalUpdate | Kind::ConditionalPatch => {
                conditional(A::Write, A::Update) && changes
            }
            Kind::Patch => ((has(A::Read) && has(A::Write)) || has(A::Update)) && changes,
            Kind::Delete => has(A::Delete) && hard && changes,
            Kind::ConditionalDelete => {
                has(A::Delete) && either(A::Read, A::Search) && hard && changes
            }
            Kind::Batch if !enforced.includes(Enforcement::BUNDLE_ENTRIES) => self.has_every(),
            Kind::Batch | Kind::Capabilities => self.has_any(),
            Kind::Operation => self.grant_operation(interaction),
            Kind::Unknown => self.has_every(),
        }
    }

    /// Resources that steer the server itself take one action more to change.
    fn may_change(self, resource_type: Option<&str>) -> bool {
        match resource_type {
            Some("StructureDefinition" | "ValueSet" | "CodeSystem") => {
                self.has(DataAction::EditProfileDefinitions)
            }
            Some("SearchParameter") => self.has(DataAction::Reindex),
            Some(_) | None => true,
        }
    }

    fn grant_operation(self, interaction: &Interaction) -> bool {
        use DataAction as A;
        let is_read = matches!(*interaction.method(), http::Method::GET | http::Method::HEAD);
        let hard = !interaction.is_hard_delete() || self.has(A::HardDelete);
        match (interaction.resource_type(), interaction.operation().unwrap_or_default()) {
            (_, "export") => self.has(A::Export),
            (_, "import") => self.has(A::Import),
            (_, "reindex") => self.has(A::Reindex),
            (_, "convert-data") => self.has(A::ConvertData),
            (_, "validate") => self.has(A::ResourceValidate),
            (Some("SearchParameter"), "status") if is_read => self.has(A::Read),
            (Some("SearchParameter"), "status") => self.has(A::SearchParameter),
            (_, "everything" | "member-match") => self.has(A::Read),
            (_, "expand" | "lookup" | "validate-code" | "translate" | "subsumes") => {
                self.has(A::Read)
            }
            (_, "includes" | "docref") => self.has(A::Read) || self.has(A::Search),
            (_, "purge-history") => self.has(A::Delete) && self.has(A::HardDelete),
            (_, "bulk-delete") => self.has(A::Delete) && hard,
            (_, "bulk-update") => self.has(A::BulkOperator),
            _ => self.has_every(),
        }
    }
}

impl BitOr for DataActions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl From<DataAction> for DataActions {
    fn from(action: DataAction) -> Self {
        Self(action.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataAction as A;

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
        actions.grant(&interaction, Enforcement::BUNDLE_ENTRIES)
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
        for (method, uri) in [("POST", "/$fly"), ("GET", "/Patient/1/$fly"), ("GET", "/a/b/c/d")] {
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
}
