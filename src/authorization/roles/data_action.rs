//! The data actions of Microsoft's FHIR server (`DataActions.cs` of microsoft/fhir-server).

use std::fmt;
use std::ops::BitOr;

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
    /// The actions that `*` means.
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

    /// Reports whether there is an action that is a right: `smart` is none.
    pub(crate) fn has_any(self) -> bool {
        !self.without(DataAction::Smart.into()).is_empty()
    }

    pub(crate) fn contain(self, other: Self) -> bool {
        other.without(self).is_empty()
    }

    pub(crate) fn overlap(self, other: Self) -> bool {
        self.0 & other.0 != 0
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

impl fmt::Display for DataAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for DataActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = DataAction::ALL.iter().filter(|action| self.has(**action));
        let names: Vec<&str> = names.map(|action| action.name()).collect();
        f.write_str(&names.join(" and "))
    }
}
