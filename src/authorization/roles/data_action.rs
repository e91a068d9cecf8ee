//! The data actions of Microsoft's FHIR server (`DataActions.cs` of microsoft/fhir-server).

use std::fmt;

use bitflags::bitflags;

/// One thing that a role may do, named as in `roles.json`.
///
/// ```
/// use tower_fhir_auth::authorization::{DataAction, IssuerLimits};
///
/// let limits = IssuerLimits::new().allow("https://partner.example.org", [DataAction::Read]);
/// ```
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

bitflags! {
    /// A set of data actions.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct DataActions: u32 {
        const READ = 1;
        const WRITE = 1 << 1;
        const DELETE = 1 << 2;
        const HARD_DELETE = 1 << 3;
        const EXPORT = 1 << 4;
        const RESOURCE_VALIDATE = 1 << 5;
        const REINDEX = 1 << 6;
        const CONVERT_DATA = 1 << 7;
        const EDIT_PROFILE_DEFINITIONS = 1 << 8;
        const IMPORT = 1 << 9;
        const SEARCH_PARAMETER = 1 << 10;
        const BULK_OPERATOR = 1 << 11;
        const SEARCH = 1 << 12;
        const READ_BY_ID = 1 << 13;
        const CREATE = 1 << 14;
        const UPDATE = 1 << 15;
        const SMART = 1 << 16;
    }
}

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
}

impl DataActions {
    /// The actions that `*` means.
    pub(crate) const EVERY: Self = Self::all().difference(Self::SMART);

    /// Reports whether there is an action that is a right: `smart` is none.
    pub(crate) fn has_any(self) -> bool {
        self.intersects(Self::EVERY)
    }

    /// The names of the actions, as in `roles.json`.
    pub(super) fn names(self) -> Vec<&'static str> {
        let held = DataAction::ALL.iter().filter(|action| self.contains((**action).into()));
        held.map(|action| action.name()).collect()
    }
}

impl From<DataAction> for DataActions {
    fn from(action: DataAction) -> Self {
        match action {
            DataAction::Read => Self::READ,
            DataAction::Write => Self::WRITE,
            DataAction::Delete => Self::DELETE,
            DataAction::HardDelete => Self::HARD_DELETE,
            DataAction::Export => Self::EXPORT,
            DataAction::ResourceValidate => Self::RESOURCE_VALIDATE,
            DataAction::Reindex => Self::REINDEX,
            DataAction::ConvertData => Self::CONVERT_DATA,
            DataAction::EditProfileDefinitions => Self::EDIT_PROFILE_DEFINITIONS,
            DataAction::Import => Self::IMPORT,
            DataAction::SearchParameter => Self::SEARCH_PARAMETER,
            DataAction::BulkOperator => Self::BULK_OPERATOR,
            DataAction::Search => Self::SEARCH,
            DataAction::ReadById => Self::READ_BY_ID,
            DataAction::Create => Self::CREATE,
            DataAction::Update => Self::UPDATE,
            DataAction::Smart => Self::SMART,
        }
    }
}

impl fmt::Display for DataAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DataActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_one_flag_of_its_own() {
        let all: DataActions = DataAction::ALL.iter().map(|action| (*action).into()).collect();
        assert_eq!(all, DataActions::all());
        assert_eq!(all.iter().count(), DataAction::ALL.len());
        assert_eq!(DataActions::EVERY, all - DataActions::SMART);
        assert_eq!((DataActions::READ_BY_ID | DataActions::READ).to_string(), "read and readById");
        assert_eq!(DataAction::ReadById.to_string(), "readById");
    }
}
