//! The sets of role definitions that come with the crate.

use super::data_action::{DataAction, DataActions};
use super::definitions::RoleDefinitions;

/// A set of definitions that comes with the crate.
#[cfg(feature = "config")]
type BuiltIn = (&'static str, fn() -> RoleDefinitions);

impl RoleDefinitions {
    /// The roles that Microsoft's FHIR server ships: `globalReader`, `globalExporter`,
    /// `globalConverter`, `globalImporter`, `globalWriter`, `globalAdmin` and `smartUser`.
    ///
    /// ```
    /// use tower_fhir_auth::{RoleDefinitions, RolePolicy};
    ///
    /// let policy = RolePolicy::new(RoleDefinitions::microsoft());
    /// ```
    #[must_use]
    pub fn microsoft() -> Self {
        use DataAction as A;
        let every = DataActions::EVERY;
        let kept = DataActions::HARD_DELETE | DataActions::EDIT_PROFILE_DEFINITIONS;
        Self::of([
            ("globalReader", actions(&[A::Read, A::ResourceValidate])),
            ("globalExporter", actions(&[A::Read, A::Export])),
            ("globalConverter", actions(&[A::Read, A::ConvertData])),
            ("globalImporter", actions(&[A::Read, A::Import])),
            ("globalWriter", every.difference(kept)),
            ("globalAdmin", every),
            ("smartUser", every | DataActions::SMART),
        ])
    }

    /// The built-in roles of Azure Health Data Services, by the names they have there, for servers
    /// that take over its assignments.
    ///
    /// ```
    /// use tower_fhir_auth::authorization::Assignments;
    /// use tower_fhir_auth::{RoleDefinitions, RolePolicy};
    ///
    /// let (issuer, oid) = ("https://idp.example.org", "00000000-aaaa-bbbb-cccc-000000000001");
    /// let policy = RolePolicy::new(RoleDefinitions::azure())
    ///     .assignments(Assignments::new().assign(issuer, oid, ["FHIR Data Reader"]));
    /// ```
    #[must_use]
    pub fn azure() -> Self {
        use DataAction as A;
        Self::of([
            ("FHIR Data Reader", actions(&[A::Read])),
            (
                "FHIR Data Writer",
                actions(&[
                    A::Read,
                    A::Write,
                    A::Delete,
                    A::Export,
                    A::ResourceValidate,
                    A::Reindex,
                    A::ConvertData,
                    A::EditProfileDefinitions,
                    A::Import,
                ]),
            ),
            ("FHIR Data Contributor", DataActions::EVERY),
            ("FHIR Data Exporter", actions(&[A::Read, A::Export])),
            ("FHIR Data Importer", actions(&[A::Read, A::Import])),
            ("FHIR Data Converter", actions(&[A::ConvertData])),
            (
                "FHIR Data Bulk Operator",
                actions(&[
                    A::Read,
                    A::Write,
                    A::Delete,
                    A::Export,
                    A::Reindex,
                    A::Import,
                    A::HardDelete,
                    A::BulkOperator,
                ]),
            ),
            ("FHIR SMART User", actions(&[A::Read, A::ReadById, A::Search, A::Smart])),
        ])
    }

    /// The sets of definitions that come with the crate, by the names that the configuration file
    /// has for them.
    #[cfg(feature = "config")]
    pub(crate) const BUILT_IN: [BuiltIn; 2] =
        [("builtin:microsoft", Self::microsoft), ("builtin:azure", Self::azure)];
}

fn actions(actions: &[DataAction]) -> DataActions {
    actions.iter().fold(DataActions::default(), |set, action| set | (*action).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Azure's table, as its documentation has it: the actions below
    /// `Microsoft.HealthcareApis/workspaces/fhirservices/resources/`.
    #[test]
    fn the_built_in_roles_of_azure_have_their_data_actions() {
        let table: [(&str, &[&str]); 8] = [
            ("FHIR Data Reader", &["read"]),
            (
                "FHIR Data Writer",
                &[
                    "read",
                    "write",
                    "delete",
                    "export/action",
                    "resourceValidate/action",
                    "reindex/action",
                    "convertData/action",
                    "editProfileDefinitions/action",
                    "import/action",
                ],
            ),
            ("FHIR Data Contributor", &["*"]),
            ("FHIR Data Exporter", &["read", "export/action"]),
            ("FHIR Data Importer", &["read", "import/action"]),
            ("FHIR Data Converter", &["convertData/action"]),
            (
                "FHIR Data Bulk Operator",
                &[
                    "read",
                    "write",
                    "delete",
                    "export/action",
                    "reindex/action",
                    "import/action",
                    "hardDelete/action",
                    "bulkOperator/action",
                ],
            ),
            ("FHIR SMART User", &["read", "readById/action", "search/action", "smart/action"]),
        ];
        let azure = RoleDefinitions::azure();
        assert_eq!(azure.len(), table.len());
        for (role, names) in table {
            let held = azure.get(role).unwrap().actions;
            for action in DataAction::ALL {
                let named = |name: &&str| name.trim_end_matches("/action") == action.name();
                let all = names == ["*"] && *action != DataAction::Smart;
                assert_eq!(
                    held.contains((*action).into()),
                    all || names.iter().any(named),
                    "{role} {action}"
                );
            }
        }
    }
}
