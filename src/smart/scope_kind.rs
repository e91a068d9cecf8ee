//! The kinds of scope tokens (SMART App Launch 2.2, "Scopes and Launch Context").

use super::scope::{SmartScope, separated_context, without_uri};
use crate::fhir::resource_type;

/// The meaning of a scope token of RFC 6749 in SMART.
///
/// ```
/// use tower_fhir_auth::smart::ScopeKind;
///
/// assert_eq!(ScopeKind::of("user/Observation.rs"), ScopeKind::Resource);
/// assert_eq!(ScopeKind::of("launch/patient"), ScopeKind::Launch);
/// assert_eq!(ScopeKind::of("user/Observation.sr"), ScopeKind::Malformed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScopeKind {
    /// For FHIR resources: a [`SmartScope`]. The only kind that grants.
    Resource,
    /// Launch context: `launch`, `launch/patient`, `launch/encounter`, `launch/<type>?role=…`.
    Launch,
    /// The user's identity: `openid`, `fhirUser`, `profile`.
    Identity,
    /// Refresh tokens: `offline_access`, `online_access`.
    Refresh,
    /// A malformed scope that begins like one for FHIR resources. It grants nothing.
    Malformed,
    /// A scope of another kind.
    Other,
}

impl ScopeKind {
    /// Returns the kind of a scope token.
    #[must_use]
    pub fn of(scope: &str) -> Self {
        match without_uri(scope) {
            "launch" => Self::Launch,
            "openid" | "fhirUser" | "profile" => Self::Identity,
            "offline_access" | "online_access" => Self::Refresh,
            name if is_launch(name) => Self::Launch,
            _ if scope.parse::<SmartScope>().is_ok() => Self::Resource,
            name if separated_context(name).is_some() => Self::Malformed,
            _ => Self::Other,
        }
    }
}

/// Reports whether a scope is `launch/` and a type in lower case; Entra spells the slash as a dot.
fn is_launch(scope: &str) -> bool {
    let context = scope.strip_prefix("launch/").or_else(|| scope.strip_prefix("launch."));
    let name =
        context.map(|context| context.split_once("?role=").map_or(context, |(name, _)| name));
    name.is_some_and(resource_type::is_known_in_lower_case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ScopeKind as K;

    #[test]
    fn every_scope_has_one_kind() {
        for (scope, kind) in [
            ("patient/*.rs", K::Resource),
            ("user.all.read", K::Resource),
            ("launch", K::Launch),
            ("launch/patient", K::Launch),
            ("launch.patient", K::Launch),
            ("launch/imagingstudy?role=https://example.org/role", K::Launch),
            ("launch/Patient", K::Other),
            ("launch/nothing", K::Other),
            ("openid", K::Identity),
            ("fhirUser", K::Identity),
            ("offline_access", K::Refresh),
            ("patient/Patient.sr", K::Malformed),
            ("patient/*", K::Malformed),
            ("system/Foo.r", K::Malformed),
            ("http://smarthealthit.org/fhir/scopes/launch/patient", K::Launch),
            ("http://smarthealthit.org/fhir/scopes/patient/*.read", K::Resource),
            ("http://smarthealthit.org/fhir/scopes/patient/Patient.sr", K::Malformed),
            ("http://smarthealthit.org/fhir/scopes/x", K::Other),
            ("patients/Patient.r", K::Other),
            ("email", K::Other),
            ("", K::Other),
        ] {
            assert_eq!(ScopeKind::of(scope), kind, "{scope}");
        }
    }
}
