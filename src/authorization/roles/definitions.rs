//! Roles as Microsoft's FHIR server defines them: `roles.json`.

use hashbrown::HashMap;
use serde::Deserialize;
use serde::de::{self, Deserializer};
use serde_json::error::Category;
use smol_str::SmolStr;

use super::ascii_case::{CaseInsensitive, CaseInsensitiveName};
use super::data_action::{DataAction, DataActions};
use super::json_object::JsonObject;
use crate::display_safe::sanitize;

/// The data actions of each role, read from the format of microsoft/fhir-server's `roles.json`.
///
/// A role has the actions in `dataActions` without those in `notDataActions`; `*` stands for every
/// action but `smart`. Names are compared without regard to ASCII case, each defined once. They may
/// hold any character but white space at their ends (`Patient.Read.All`, `FHIR Data Reader`), while
/// Microsoft's schema allows letters, `-` and `_` alone: see
/// [`beyond_schema`](Self::beyond_schema).
///
/// ```
/// use tower_fhir_auth::RoleDefinitions;
///
/// let roles = RoleDefinitions::parse(br#"{"roles": [{
///     "name": "globalReader", "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]
/// }]}"#)?;
/// assert_eq!(roles.len(), 1);
/// # Ok::<(), tower_fhir_auth::authorization::RoleDefinitionsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleDefinitions {
    by_name: HashMap<CaseInsensitiveName, RoleDefinition>,
    /// All names, sorted once: a refusal lists the first few.
    names: Box<[SmolStr]>,
    /// All definitions, fewest data actions first: a refusal lists them in this order.
    by_size: Box<[RoleDefinition]>,
}

/// The data actions of a role, and the spelling of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleDefinition {
    /// Mostly short enough to be copied: a counter of clones would be one of all cores.
    pub(crate) name: SmolStr,
    pub(crate) actions: DataActions,
}

/// The reason why a text is no `roles.json`.
///
/// ```
/// use tower_fhir_auth::RoleDefinitions;
///
/// let error = RoleDefinitions::parse(b"{}").unwrap_err();
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("role definitions (roles.json): {0}")]
#[non_exhaustive]
pub struct RoleDefinitionsError(String);

#[derive(Deserialize)]
struct RolesDocument {
    roles: Vec<JsonObject<Role>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Role {
    name: Name,
    data_actions: Vec<Pattern>,
    not_data_actions: Vec<Pattern>,
    scopes: Vec<Root>,
}

/// A name without white space at its ends.
struct Name(String);

/// A data action, or `*`.
struct Pattern(DataActions);

/// The one scope there is: `/`.
struct Root;

impl RoleDefinitions {
    /// Makes the definitions of roles by their names.
    pub(super) fn of<const N: usize>(roles: [(&str, DataActions); N]) -> Self {
        let defined = |(name, actions): (&str, _)| {
            (CaseInsensitiveName::new(name), RoleDefinition { name: name.into(), actions })
        };
        Self::from_map(roles.into_iter().map(defined).collect())
    }

    fn from_map(by_name: HashMap<CaseInsensitiveName, RoleDefinition>) -> Self {
        let mut names: Box<[SmolStr]> = by_name.values().map(|role| role.name.clone()).collect();
        names.sort_unstable();
        let mut by_size: Box<[RoleDefinition]> = by_name.values().cloned().collect();
        let size = |role: &RoleDefinition| role.actions.bits().count_ones();
        by_size
            .sort_unstable_by(|one, other| (size(one), &one.name).cmp(&(size(other), &other.name)));
        Self { by_name, names, by_size }
    }

    /// Reads the text of a `roles.json`.
    ///
    /// # Errors
    ///
    /// When it does not keep to its schema, or names a role twice.
    pub fn parse(json: &[u8]) -> Result<Self, RoleDefinitionsError> {
        let not_utf8 = || RoleDefinitionsError("expected JSON in UTF-8".to_owned());
        // `from_slice` does not check that members which it skips, such as `$schema`, are UTF-8.
        let json = std::str::from_utf8(json).map_err(|_| not_utf8())?;
        let document = serde_json::from_str(json).map_err(|error| {
            let fault = match error.classify() {
                // These say what was expected by themselves.
                Category::Data => error.to_string(),
                Category::Syntax | Category::Eof | Category::Io => {
                    format!("expected JSON: {error}")
                }
            };
            RoleDefinitionsError(fault)
        })?;
        let JsonObject(RolesDocument { roles: defined }) = document;
        let mut roles = HashMap::with_capacity(defined.len());
        for JsonObject(role) in defined {
            let Role { name: Name(name), data_actions, not_data_actions, scopes } = role;
            let [Root] = scopes.as_slice() else {
                let fault = format!("role `{}`: expected `scopes` to be [\"/\"]", sanitize(&name));
                return Err(RoleDefinitionsError(fault));
            };
            let actions = union(&data_actions).difference(union(&not_data_actions));
            let defined = RoleDefinition { name: name.as_str().into(), actions };
            if roles.insert(CaseInsensitiveName::new(&name), defined).is_some() {
                let fault = format!("expected each role once, found `{}` twice", sanitize(&name));
                return Err(RoleDefinitionsError(fault));
            }
        }
        Ok(Self::from_map(roles))
    }

    /// Lists the names of the roles, in the order of their characters.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(SmolStr::as_str)
    }

    /// Lists the definitions, fewest data actions first.
    pub(crate) fn by_size(&self) -> impl Iterator<Item = &RoleDefinition> {
        self.by_size.iter()
    }

    /// Lists the names that Microsoft's schema does not allow: those with anything but letters, `-`
    /// and `_`. While there is one, Microsoft's FHIR server refuses the file.
    ///
    /// ```
    /// use tower_fhir_auth::RoleDefinitions;
    ///
    /// assert_eq!(RoleDefinitions::microsoft().beyond_schema().count(), 0);
    /// assert!(RoleDefinitions::azure().beyond_schema().any(|name| name == "FHIR Data Reader"));
    /// ```
    pub fn beyond_schema(&self) -> impl Iterator<Item = &str> {
        // `^([a-zA-Z-_]+)$` of roles.schema.json.
        let allowed = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
        self.names().filter(move |name| !name.bytes().all(allowed))
    }

    /// The number of roles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Reports whether no role is defined, so that none grants.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The definition of a role.
    pub(crate) fn get(&self, role: &str) -> Option<&RoleDefinition> {
        self.by_name.get(&CaseInsensitive(role))
    }
}

fn union(patterns: &[Pattern]) -> DataActions {
    patterns.iter().fold(DataActions::default(), |union, pattern| union | pattern.0)
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.is_empty() || name.trim() != name {
            let expected = "expected a role name without white space at its ends";
            return Err(de::Error::custom(format!("{expected}, found `{}`", sanitize(&name))));
        }
        Ok(Self(name))
    }
}

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let scope = String::deserialize(deserializer)?;
        match scope.as_str() {
            "/" => Ok(Self),
            _ => Err(de::Error::custom(format!("expected `/`, found `{}`", sanitize(&scope)))),
        }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == "*" {
            return Ok(Self(DataActions::EVERY));
        }
        match DataAction::ALL.iter().find(|action| action.name() == name) {
            Some(action) => Ok(Self((*action).into())),
            None => {
                let expected = "expected a data action of Microsoft's FHIR server, or `*`";
                Err(de::Error::custom(format!("{expected}, found `{}`", sanitize(&name))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The union of the data actions of roles. Unknown ones add nothing, and what one role excludes another may still
    /// have.
    fn union_of(definitions: &RoleDefinitions, roles: &[&str]) -> DataActions {
        let defined = roles.iter().filter_map(|role| definitions.get(role));
        defined.fold(DataActions::default(), |union, role| union | role.actions)
    }

    fn role(name: &str, actions: &str, not: &str) -> String {
        format!(
            r#"{{"name":"{name}","dataActions":{actions},"notDataActions":{not},"scopes":["/"]}}"#
        )
    }

    fn parse(roles: &[String]) -> Result<RoleDefinitions, RoleDefinitionsError> {
        RoleDefinitions::parse(
            format!(r#"{{"$schema":"x","roles":[{}]}}"#, roles.join(",")).as_bytes(),
        )
    }

    #[test]
    fn a_star_is_every_action_but_smart_and_exclusions_stay_within_their_role() {
        let roles = parse(&[
            role("admin", r#"["*"]"#, "[]"),
            role("writer", r#"["*"]"#, r#"["hardDelete"]"#),
            role("nobody", "[]", r#"["*"]"#),
            role("smart", r#"["smart"]"#, "[]"),
        ])
        .unwrap();
        let union = |names: &[&str]| union_of(&roles, names);
        assert_eq!(union(&["ADMIN"]), DataActions::EVERY);
        assert!(!union(&["admin"]).contains(DataActions::SMART));
        assert!(!union(&["writer"]).contains(DataActions::HARD_DELETE));
        assert_eq!(union(&["writer", "Admin", "unknown"]), DataActions::EVERY);
        assert!(union(&["nobody", "unknown"]).is_empty());
        assert!(union(&["smart"]).contains(DataActions::SMART));
    }

    #[test]
    fn the_shipped_roles_are_those_of_the_servers_file() {
        let file = [
            role("globalReader", r#"["read","resourceValidate"]"#, "[]"),
            role("globalExporter", r#"["read","export"]"#, "[]"),
            role("globalConverter", r#"["read","convertData"]"#, "[]"),
            role("globalImporter", r#"["read","import"]"#, "[]"),
            role("globalWriter", r#"["*"]"#, r#"["hardDelete","editProfileDefinitions"]"#),
            role("globalAdmin", r#"["*"]"#, "[]"),
            role("smartUser", r#"["*","smart"]"#, "[]"),
        ];
        assert_eq!(parse(&file).unwrap(), RoleDefinitions::microsoft());
    }

    #[test]
    fn what_does_not_keep_to_the_schema_is_refused() {
        for bad in [
            role("", "[]", "[]"),
            role(" a", "[]", "[]"),
            role("a\u{a0}", "[]", "[]"),
            role("a\\n", "[]", "[]"),
            role("a", r#"["fly"]"#, "[]"),
            role("a", r#"["READ"]"#, "[]"),
            role("a", "[]", "[]").replace(r#"["/"]"#, "[]"),
            role("a", "[]", "[]").replace(r#"["/"]"#, r#"["/","/"]"#),
            role("a", "[]", "[]").replace(r#"["/"]"#, r#"["/x"]"#),
            role("a", "[]", "[]").replace("}", r#","more":1}"#),
            r#"{"name":"a","dataActions":[],"scopes":["/"]}"#.to_owned(),
            r#"["a",["*"],[],["/"]]"#.to_owned(),
            role("a", "[]", "[]").replace(r#"["/"]"#, r#"[{"/":null}]"#),
        ] {
            let error = parse(std::slice::from_ref(&bad)).unwrap_err().to_string();
            assert!(error.matches("expected").count() <= 1, "{bad}: {error}");
        }
        let twice = parse(&[role("reader", "[]", "[]"), role("Reader", "[]", "[]")]);
        assert!(twice.unwrap_err().to_string().contains("found `Reader` twice"));
        for text in ["", "[]", "[[]]", "{}", r#"{"roles":{}}"#, r#"{"roles":[],"roles":[]}"#] {
            let error = RoleDefinitions::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.matches("expected").count() <= 1, "{text}: {error}");
        }
        // RFC 8259 section 8.1, also where nobody looks.
        let error = RoleDefinitions::parse(b"{\"roles\":[],\"$schema\":\"\xff\"}").unwrap_err();
        assert!(error.to_string().contains("expected JSON in UTF-8"), "{error}");
    }
}
