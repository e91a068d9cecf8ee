//! The verified caller.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::claims::Claims;
use super::issuer::IssuerSettings;
use super::validation::ValidatedClaims;
use crate::fhir::{ScopeKind, SmartScope};
use crate::time::UnixTime;

/// Who sent a request: the claims of a token that passed every check.
///
/// The layer puts it into the request's extensions; clones share one allocation. Nothing but a
/// verified token makes one. Its `Debug` output names the issuer, roles, scopes and expiry, and
/// of everything else only whether it is there.
///
/// ```
/// use tower_fhir_auth::Principal;
///
/// fn greeting(request: &http::Request<()>) -> String {
///     match request.extensions().get::<Principal>() {
///         Some(caller) if caller.has_scope("system/Patient.rs") => "an application".to_owned(),
///         Some(caller) => format!("{} of {}", caller.subject().unwrap_or("?"), caller.issuer()),
///         None => "nobody".to_owned(),
///     }
/// }
/// # assert_eq!(greeting(&http::Request::new(())), "nobody");
/// ```
#[derive(Clone)]
pub struct Principal(Arc<Caller>);

struct Caller {
    issuer: Arc<str>,
    subject: Option<Box<str>>,
    object_id: Option<Box<str>>,
    tenant: Option<Box<str>>,
    client: Option<Box<str>>,
    fhir_user: TextClaim,
    patient: TextClaim,
    roles: Box<[Box<str>]>,
    scopes: Box<[Box<str>]>,
    smart_scopes: Box<[SmartScope]>,
    groups: Box<[Box<str>]>,
    lacks_groups: bool,
    kind: CallerKind,
    expires_at: UnixTime,
    payload: Box<[u8]>,
}

/// Whether a token is an application's own or a user's.
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

/// A claim that should be text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextClaim {
    #[default]
    Absent,
    Text(Box<str>),
    /// It is there, but it is a list, a number, or whatever else.
    NotText,
}

/// A claim is there, but it is not of the type that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("claim `{name}` is not of the expected type")]
#[non_exhaustive]
pub struct ClaimError {
    /// The claim that was asked for.
    pub name: String,
}

impl Principal {
    pub(crate) fn new(
        validated: &ValidatedClaims<'_, '_>,
        settings: &IssuerSettings,
        payload: &[u8],
    ) -> Self {
        let claims = validated.claims;
        let text = |name: &str| claims.text_or_none(name).map(Box::from);
        let in_roles = claims
            .list(&settings.roles_claim)
            .filter(|role| settings.scopes_in_roles && ScopeKind::of(role) == ScopeKind::Resource);
        let scopes = settings.scope_claims.iter().flat_map(|name| claims.scopes(name));
        let scopes = distinct(scopes.chain(in_roles));
        Self(Arc::new(Caller {
            issuer: Arc::clone(&settings.issuer),
            subject: text("sub"),
            object_id: text("oid"),
            tenant: text("tid"),
            client: claims.client().map(Box::from),
            fhir_user: first(claims, ["fhirUser", "extension_fhirUser"]),
            patient: first(claims, settings.patient_claims.iter().map(String::as_str)),
            roles: distinct(claims.list(&settings.roles_claim)),
            smart_scopes: scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
            scopes,
            groups: distinct(claims.list("groups")),
            lacks_groups: claims.lacks_groups(),
            kind: CallerKind::of(claims, settings),
            expires_at: validated.expires_at,
            payload: payload.into(),
        }))
    }

    /// The issuer (`iss`), as it is configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject (`sub`), unique within its issuer.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// Entra's immutable object id (`oid`), unique within its tenant.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.0.object_id.as_deref()
    }

    /// Entra's tenant (`tid`).
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.tenant.as_deref()
    }

    /// The client application: `client_id`, else `azp`, else `appid`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// The FHIR resource of the user (`fhirUser`, SMART App Launch), as the token has it.
    #[must_use]
    pub fn fhir_user(&self) -> Option<&str> {
        self.0.fhir_user.text()
    }

    /// The patient in context (`patient`, SMART App Launch), as the token has it.
    #[must_use]
    pub fn patient(&self) -> Option<&str> {
        self.0.patient.text()
    }

    /// The same two, with the difference between a claim that is absent and one that is no text.
    pub(crate) fn launch_claims(&self) -> (&TextClaim, &TextClaim) {
        (&self.0.patient, &self.0.fhir_user)
    }

    /// The roles, each once, in the order of the token.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.iter().map(|role| &**role)
    }

    /// The scopes of all scope claims, each once, in the order of the token.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(|scope| &**scope)
    }

    /// The scopes for FHIR resources among them. Malformed ones are left out.
    #[must_use]
    pub fn smart_scopes(&self) -> &[SmartScope] {
        &self.0.smart_scopes
    }

    /// The groups (`groups`), each once, in the order of the token.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.groups.iter().map(|group| &**group)
    }

    /// Whether the token leaves out the groups of the caller because there are too many: then
    /// [`groups`](Self::groups) is not "none" but "unknown".
    #[must_use]
    pub fn lacks_groups(&self) -> bool {
        self.0.lacks_groups
    }

    /// Whether the caller is an application or a user. Only Microsoft Entra ID says so: by
    /// `idtyp`, else roles without `scp` are an application's.
    #[must_use]
    pub fn kind(&self) -> CallerKind {
        self.0.kind
    }

    /// Whether the token has a role, compared exactly.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().any(|held| held == role)
    }

    /// Whether the token has a scope, compared exactly: `user/*.rs` does not imply `user/*.r`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|held| held == scope)
    }

    /// When the token expires (`exp`).
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.0.expires_at
    }

    /// The names of the claims whose values no explanation shows.
    pub(crate) fn other_claims(&self) -> Vec<String> {
        const SHOWN: [&str; 5] = ["iss", "aud", "exp", "nbf", "iat"];
        let claims: HashMap<String, &RawValue> =
            serde_json::from_slice(&self.0.payload).unwrap_or_default();
        let mut names: Vec<String> =
            claims.into_keys().filter(|name| !SHOWN.contains(&name.as_str())).collect();
        names.sort();
        names
    }

    /// Any further claim, as a type of your own. `None` when it is absent.
    ///
    /// # Errors
    ///
    /// When the claim is there but cannot be read as a `T`.
    ///
    /// ```no_run
    /// # fn show(principal: &tower_fhir_auth::Principal) -> Result<(), tower_fhir_auth::ClaimError> {
    /// let levels: Option<Vec<u8>> = principal.claim("clearance")?;
    /// # Ok(()) }
    /// ```
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ClaimError> {
        let mismatch = || ClaimError { name: name.to_owned() };
        let claims: HashMap<String, &RawValue> =
            serde_json::from_slice(&self.0.payload).map_err(|_| mismatch())?;
        match claims.get(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw.get()).map(Some).map_err(|_| mismatch()),
        }
    }
}

/// The first of several claims that is there. `null` counts as absent.
fn first<'a>(claims: &Claims<'_>, names: impl IntoIterator<Item = &'a str>) -> TextClaim {
    let found = names.into_iter().find_map(|name| claims.present(name));
    found.map_or(TextClaim::Absent, |value| match value.as_text() {
        Some(text) => TextClaim::Text(text.into()),
        None => TextClaim::NotText,
    })
}

impl CallerKind {
    fn of(claims: &Claims<'_>, settings: &IssuerSettings) -> Self {
        if settings.tenant.is_none() {
            return Self::Unknown;
        }
        let has = |name| claims.list(name).next().is_some();
        match claims.text_or_none("idtyp") {
            Some("app") => Self::Application,
            Some(_) => Self::User,
            None if has("roles") && !has("scp") => Self::Application,
            None => Self::User,
        }
    }
}

impl TextClaim {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::NotText => None,
        }
    }
}

fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Box<[Box<str>]> {
    let mut seen = HashSet::new();
    items.filter(|item| seen.insert(*item)).map(Box::from).collect()
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller {
            issuer,
            subject,
            object_id,
            tenant,
            client,
            fhir_user,
            patient,
            roles,
            scopes,
            smart_scopes: _,
            groups,
            lacks_groups: _,
            kind: _,
            expires_at,
            payload: _,
        } = &*self.0;
        f.debug_struct("Principal")
            .field("issuer", issuer)
            .field("roles", roles)
            .field("scopes", scopes)
            .field("expires_at", &format_args!("{expires_at}"))
            .field("subject", &Presence::of(subject.is_some()))
            .field("object_id", &Presence::of(object_id.is_some()))
            .field("tenant", &Presence::of(tenant.is_some()))
            .field("client", &Presence::of(client.is_some()))
            .field("fhir_user", &Presence::of(*fhir_user != TextClaim::Absent))
            .field("patient", &Presence::of(*patient != TextClaim::Absent))
            .field("groups", &groups.len())
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Presence {
    Present,
    Absent,
}

impl Presence {
    fn of(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}
