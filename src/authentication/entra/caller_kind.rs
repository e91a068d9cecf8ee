//! Applications and users told apart, by `idtyp` and by the claims that come in its place.

use crate::authentication::claims::Claims;
use crate::authentication::issuer::IssuerSettings;

/// The kind of caller a token was issued to: an application or a user.
///
/// ```
/// use tower_fhir_auth::Principal;
/// use tower_fhir_auth::authentication::CallerKind;
///
/// fn is_a_person(caller: &Principal) -> bool {
///     caller.kind() == CallerKind::User
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallerKind {
    /// An application by itself.
    Application,
    /// A user, through an application.
    User,
    /// The issuer does not say.
    Unknown,
}

impl CallerKind {
    pub(in crate::authentication) fn of(claims: &Claims<'_>, settings: &IssuerSettings) -> Self {
        if settings.tenant.is_none() {
            return Self::Unknown;
        }
        let has = |name| claims.list(name).next().is_some();
        match claims.string_or_none("idtyp") {
            Some("app") => Self::Application,
            Some(_) => Self::User,
            None if has("roles") && !has("scp") => Self::Application,
            None => Self::User,
        }
    }
}
