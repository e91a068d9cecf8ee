//! SMART scopes for FHIR resources, v1 and v2, in the spellings that are in use (SMART App Launch
//! 2.2, "Scopes and Launch Context").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::constraint::{Constraint, ConstraintError};
use super::permissions::Permissions;
use crate::fhir::{ResourceTypes, resource_type};

/// On whose behalf a scope is granted.
///
/// ```
/// use tower_fhir_auth::smart::{ScopeContext, SmartScope};
///
/// let scope: SmartScope = "patient/Observation.rs".parse()?;
/// assert_eq!(scope.context(), ScopeContext::Patient);
/// # Ok::<(), tower_fhir_auth::smart::SmartScopeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ScopeContext {
    /// `patient/`: the one patient in context.
    Patient,
    /// `user/`: whatever the user may see.
    User,
    /// `system/`: an application by itself.
    System,
}

/// A scope for FHIR resources, such as `user/Observation.rs`.
///
/// `/`, `.`, `$` and `%2f` separate context and type alike, and `*` and `all` are alike, because
/// Entra cannot spell the standard's form; before all that may stand
/// `http://smarthealthit.org/fhir/scopes/`, for servers whose scopes are URIs. `Display` writes v2.
///
/// It names a type of R4, R4B or R5. The layer also reads those that the application has declared
/// ([`resource_types`](crate::FhirAuthLayerBuilder::resource_types)).
///
/// ```
/// use tower_fhir_auth::smart::{Permissions, SmartScope};
///
/// let scope: SmartScope = "patient/Observation.read".parse()?;
/// assert_eq!(scope.to_string(), "patient/Observation.rs");
/// assert!(scope.permissions().contains(Permissions::SEARCH));
/// assert!(scope.covers("Observation") && !scope.covers("Condition"));
///
/// let entra: SmartScope = "user.all.read".parse()?;
/// assert_eq!(entra.to_string(), "user/*.rs");
/// assert!(entra.covers_every_type());
/// assert!("user/Observation.sr".parse::<SmartScope>().is_err());
/// # Ok::<(), tower_fhir_auth::smart::SmartScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SmartScope {
    context: ScopeContext,
    /// `None` for every type.
    resource_type: Option<TypeName>,
    permissions: Permissions,
    constraint: Option<Arc<ScopeConstraint>>,
}

/// A type that a scope names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum TypeName {
    OfFhir(&'static str),
    Declared(Arc<str>),
}

/// The part of a scope after `?`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ScopeConstraint {
    /// The constraint as it was sent.
    text: Box<str>,
    parsed: Result<Arc<Constraint>, ConstraintError>,
}

/// A string is not a scope for FHIR resources. It grants nothing.
///
/// ```
/// use tower_fhir_auth::smart::SmartScope;
///
/// // The letters of version 2 stand in the order `cruds`.
/// assert!("patient/Observation.sr".parse::<SmartScope>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a SMART scope such as `user/Observation.rs`")]
#[non_exhaustive]
pub struct SmartScopeError;

impl SmartScope {
    /// Returns the context.
    #[must_use]
    pub fn context(&self) -> ScopeContext {
        self.context
    }

    /// Returns the permissions.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Reports whether the scope is about a type: about every type where it says `*`, unknown ones
    /// too.
    #[must_use]
    pub fn covers(&self, resource_type: &str) -> bool {
        self.resource_type().is_none_or(|name| name == resource_type)
    }

    /// Returns the type that the scope is about; `None` for every type.
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        match &self.resource_type {
            Some(TypeName::OfFhir(name)) => Some(name),
            Some(TypeName::Declared(name)) => Some(name),
            None => None,
        }
    }

    /// Returns the type as it is kept.
    pub(super) fn type_name(&self) -> Option<&TypeName> {
        self.resource_type.as_ref()
    }

    pub(crate) fn is_of_system(&self) -> bool {
        self.context == ScopeContext::System
    }

    /// Reports whether the scope is about every type.
    #[must_use]
    pub fn covers_every_type(&self) -> bool {
        self.resource_type.is_none()
    }

    /// Returns the search parameters that granted resources must match, as they were sent.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref().map(|constraint| &*constraint.text)
    }

    /// Returns the parsed constraint. With an error the scope grants nothing.
    pub(crate) fn parsed_constraint(&self) -> Result<Option<&Arc<Constraint>>, ConstraintError> {
        match self.constraint.as_deref() {
            None => Ok(None),
            Some(ScopeConstraint { parsed: Ok(constraint), .. }) => Ok(Some(constraint)),
            Some(ScopeConstraint { parsed: Err(error), .. }) => Err(*error),
        }
    }

    /// Returns the sort key, by which scopes that differ only in permissions are neighbours: those
    /// for every type first.
    pub(crate) fn key(&self) -> (Option<&str>, ScopeContext, Option<&Constraint>) {
        let constraint = self.constraint.as_deref().and_then(|one| one.parsed.as_deref().ok());
        (self.resource_type(), self.context, constraint)
    }

    /// Adds the permissions of another scope.
    pub(crate) fn add_permissions(&mut self, permissions: Permissions) {
        self.permissions |= permissions;
    }

    /// Returns the size of its allocations, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.constraint.as_deref().map_or(0, |constraint| {
            let parsed = constraint.parsed.as_deref().map_or(0, Constraint::size);
            size_of::<ScopeConstraint>() + constraint.text.len() + parsed + ARC_COUNTS * 2
        })
    }
}

/// The size of the two counts of an `Arc`.
const ARC_COUNTS: usize = 2 * size_of::<usize>();

impl FromStr for SmartScope {
    type Err = SmartScopeError;

    fn from_str(text: &str) -> Result<Self, SmartScopeError> {
        Self::parse(text, &ResourceTypes::r4())
    }
}

impl SmartScope {
    /// Reads a scope that may name a type which the application has declared.
    pub(crate) fn parse(text: &str, types: &ResourceTypes) -> Result<Self, SmartScopeError> {
        let text = without_uri(text);
        let (grant, constraint) = match text.split_once('?') {
            // A constraint that was lost must not be taken for none.
            Some((_, "")) => return Err(SmartScopeError),
            Some((grant, constraint)) => (grant, Some(constraint)),
            None => (text, None),
        };
        let (context, rest) = separated_context(grant).ok_or(SmartScopeError)?;
        let (name, permissions) = rest.split_once('.').ok_or(SmartScopeError)?;
        let resource_type = match name {
            "*" | "all" => None,
            name => {
                let declared = || types.declared(name).cloned().map(TypeName::Declared);
                let of_fhir = resource_type::known(name).map(TypeName::OfFhir);
                Some(of_fhir.or_else(declared).ok_or(SmartScopeError)?)
            }
        };
        let permissions = Permissions::parse(permissions).ok_or(SmartScopeError)?;
        let constraint = constraint.map(|text| {
            let parsed = Constraint::parse(text).map(Arc::new);
            Arc::new(ScopeConstraint { text: text.into(), parsed })
        });
        Ok(Self { context, resource_type, permissions, constraint })
    }
}

/// The part of a scope before its constraint.
pub(crate) struct Constrained<'s> {
    pub(crate) context: ScopeContext,
    /// `None` for every type.
    pub(crate) resource_type: Option<&'s str>,
    /// All of them where they cannot be read.
    pub(crate) permissions: Permissions,
}

impl<'s> Constrained<'s> {
    /// Reads a scope that has a constraint, whether it grants anything or not.
    pub(crate) fn of(scope: &'s str) -> Option<Self> {
        let (grant, _) = without_uri(scope).split_once('?')?;
        let (context, rest) = separated_context(grant)?;
        let (name, permissions) = rest.split_once('.').unwrap_or((rest, ""));
        let resource_type = (!matches!(name, "*" | "all")).then_some(name);
        let permissions = Permissions::parse(permissions).unwrap_or(Permissions::ALL);
        Some(Self { context, resource_type, permissions })
    }
}

/// Takes away the beginning of the form that a scope has as a URI.
pub(super) fn without_uri(scope: &str) -> &str {
    scope.strip_prefix("http://smarthealthit.org/fhir/scopes/").unwrap_or(scope)
}

/// Returns the context that a scope names, malformed or not.
pub(crate) fn context_of(scope: &str) -> Option<ScopeContext> {
    let scope = without_uri(scope);
    let named = separated_context(scope).map(|(context, _)| context);
    named.or_else(|| Some(separated_context(&dotted(scope)?)?.0))
}

/// Returns the scope that one with other separators probably means: where an authorization server
/// refuses `/` people write a dash, and dots are what is understood.
pub(crate) fn intended(scope: &str, types: &ResourceTypes) -> Option<String> {
    let dotted = dotted(scope)?;
    SmartScope::parse(&dotted, types).is_ok().then_some(dotted)
}

/// Replaces the separators that no SMART scope has; `None` where the scope does not begin with a
/// context and one of them.
fn dotted(scope: &str) -> Option<String> {
    let rest = ["patient", "user", "system"].iter().find_map(|word| scope.strip_prefix(word))?;
    let separator = rest.chars().next().filter(|one| matches!(one, '-' | '_' | ':'))?;
    // A constraint is left as it is.
    let (grant, constraint) = scope.split_at(scope.find('?').unwrap_or(scope.len()));
    Some(grant.replace(separator, ".") + constraint)
}

/// Splits off the context, with the rest after the separator.
pub(super) fn separated_context(text: &str) -> Option<(ScopeContext, &str)> {
    let words = [
        ("patient", ScopeContext::Patient),
        ("user", ScopeContext::User),
        ("system", ScopeContext::System),
    ];
    words.into_iter().find_map(|(word, context)| {
        let rest = text.strip_prefix(word)?;
        let separators = ["/", ".", "$", "%2f", "%2F"];
        let rest = separators.into_iter().find_map(|separator| rest.strip_prefix(separator))?;
        Some((context, rest))
    })
}

impl fmt::Display for SmartScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let context = match self.context {
            ScopeContext::Patient => "patient",
            ScopeContext::User => "user",
            ScopeContext::System => "system",
        };
        let resource_type = self.resource_type().unwrap_or("*");
        write!(f, "{context}/{resource_type}.{}", self.permissions)?;
        match self.constraint() {
            Some(constraint) => write!(f, "?{constraint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_use_means_the_same() {
        for text in [
            "user/Patient.rs",
            "user.Patient.rs",
            "user$Patient.rs",
            "user%2fPatient.rs",
            "user%2FPatient.rs",
            "user/Patient.read",
            "user.Patient.read",
            "http://smarthealthit.org/fhir/scopes/user/Patient.read",
            "http://smarthealthit.org/fhir/scopes/user.Patient.rs",
        ] {
            assert_eq!(
                text.parse::<SmartScope>().unwrap().to_string(),
                "user/Patient.rs",
                "{text}"
            );
        }
        let covers = |text: &str| text.parse::<SmartScope>().unwrap().covers_every_type();
        assert!(covers("user/*.rs") && !covers("user/Patient.rs"));
        for text in ["system/*.cruds", "system/all.all", "system.*.*", "system$all.*"] {
            assert_eq!(text.parse::<SmartScope>().unwrap().to_string(), "system/*.cruds", "{text}");
        }
        let constrained = "patient/Observation.rs?category=a%20patient/*.cruds&code=http:%2f%2fx|1";
        let scope: SmartScope = constrained.parse().unwrap();
        assert_eq!(scope.to_string(), constrained);
        assert!(!scope.covers("Patient") && !scope.covers_every_type());
    }

    #[test]
    fn a_scope_may_name_a_declared_type() {
        let types = ResourceTypes::r4().with(["Note"]).unwrap();
        let scope = SmartScope::parse("system/Note.r", &types).unwrap();
        assert_eq!(
            (scope.to_string(), scope.resource_type()),
            ("system/Note.r".into(), Some("Note"))
        );
        assert!(scope.covers("Note") && !scope.covers("Patient"));
        for bad in ["system/note.r", "system/Foo.r"] {
            assert_eq!(SmartScope::parse(bad, &types), Err(SmartScopeError), "{bad}");
        }
        assert_eq!("system/Note.r".parse::<SmartScope>(), Err(SmartScopeError));
    }

    #[test]
    fn whole_tokens_only() {
        for bad in [
            "",
            "patient",
            "patient/",
            "patient/Patient",
            "patient/Patient.",
            "patient/.rs",
            "Patient/Patient.rs",
            "patient/patient.rs",
            "patient/Foo.rs",
            "patient//Patient.rs",
            "xpatient/Patient.rs",
            "patient/Patient.rs.x",
            "patient/Patient.rsx",
            "patient/*",
            "patient/Patient.rs?",
            "api://app/patient.Patient.rs",
            "https://smarthealthit.org/fhir/scopes/patient/Patient.rs",
            "http://smarthealthit.org/fhir/scopes/patient/Patient.sr",
            "http://smarthealthit.org/fhir/scopes/",
            "http://smarthealthit.org/fhir/scopes/http://smarthealthit.org/fhir/scopes/user/Patient.r",
            "patient/Patient,Observation.rs",
            "openid",
            "fhirUser",
            "launch/patient",
            "offline_access",
            "patient/ALL.rs",
            "patient\\Patient.rs",
            "patient-Patient.rs",
            "user/**.rs",
        ] {
            assert_eq!(bad.parse::<SmartScope>(), Err(SmartScopeError), "{bad}");
        }
    }
}
