//! The verified caller.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::claim_error::ClaimError;
use super::claim_strings::{ClaimStrings, List};
use super::claims::Claims;
use super::confirmation::Confirmation;
use super::entra::CallerKind;
use super::entra::claims::FHIR_USER;
use super::issuer::IssuerSettings;
use super::sign_in::SignIn;
use super::string_claim::{NamedClaim, StringClaim, first_present, string_claim};
use super::validation::ValidatedClaims;
use crate::explanation::TokenContents;
use crate::smart::{ScopeSet, SmartScope};
use crate::span::Span;
use crate::telemetry::log;
use crate::time::UnixTime;

/// The caller of a request: the claims of a token that passed every check.
///
/// The layer puts it into the request's extensions; clones share one allocation. Only a verified
/// token makes one. Its `Debug` output names the issuer, roles, scopes and expiry, and of
/// everything else only whether it is present.
///
/// ```
/// use tower_fhir_auth::Principal;
///
/// fn greeting(request: &http::Request<()>) -> String {
///     match request.extensions().get::<Principal>() {
///         Some(caller) if caller.has_scope("system/Patient.rs") => "an application".to_owned(),
///         Some(caller) if caller.has_role("nurse") => "a nurse".to_owned(),
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
    strings: ClaimStrings,
    subject: Option<Span>,
    object_id: Option<Span>,
    tenant: Option<Span>,
    client: Option<Span>,
    fhir_user: NamedClaim<Span>,
    /// The claims of the launch context that count for the issuer.
    patient_claims: Arc<[String]>,
    patient: StringClaim<Span>,
    /// The index of that claim among the names, then further claims that are present: mostly none.
    patient_place: usize,
    more_patients: Box<[(usize, StringClaim<Span>)]>,
    roles: List,
    scopes: List,
    groups: List,
    smart_scopes: ScopeSet,
    lacks_groups: bool,
    kind: CallerKind,
    expires_at: UnixTime,
    /// The confirmation that the sender of the token has to prove, at each request.
    confirmation: Option<Box<Confirmation>>,
    sign_in: OnceLock<Box<SignIn>>,
}

impl Principal {
    /// Makes the caller of the claims, with those of its scopes that count.
    pub(super) fn new(
        validated: &ValidatedClaims<'_, '_>,
        settings: &IssuerSettings,
        counts: impl Fn(&str) -> bool,
    ) -> Self {
        let claims = validated.claims();
        let mut strings = ClaimStrings::default();
        let in_roles = || settings.roles_claim.roles(claims);
        warn_of_missed_roles(claims, settings);
        let roles = strings.list(claims, |list| in_roles().for_each(|role| list.add(role)));
        let scopes = strings.list(claims, |list| {
            for name in &settings.scope_claims {
                let scopes = claims.scopes(name).filter(|scope| counts(scope));
                scopes.for_each(|scope| list.add(scope));
            }
            if settings.scopes_in_roles {
                let is_scope =
                    |role: &&str| SmartScope::parse(role, &settings.resource_types).is_ok();
                let scopes = in_roles().filter(is_scope).filter(|scope| counts(scope));
                scopes.for_each(|role| list.add(role));
            }
        });
        let groups = strings.list(claims, |list| {
            claims.list("groups").for_each(|group| list.add(group));
        });
        let names = strings.spans(scopes).map(|span| claims.string_at(span));
        let smart_scopes = ScopeSet::compile(names, &settings.resource_types);
        strings.keep(claims);
        let mut patients =
            settings.patient_claims.iter().enumerate().filter_map(|(index, name)| {
                let claim = claims.present(name)?;
                Some((index, string_claim(claims, Some(claim))))
            });
        let (patient_place, patient) = patients.next().unwrap_or_default();
        let string = |name: &str| claims.span_of(claims.string_or_none(name)?);
        Self(Arc::new(Caller {
            issuer: Arc::clone(&settings.issuer),
            subject: string("sub"),
            object_id: string("oid"),
            tenant: string("tid"),
            client: claims.client().and_then(|client| claims.span_of(client)),
            fhir_user: first_present(claims, ["fhirUser", FHIR_USER]),
            patient_claims: Arc::clone(&settings.patient_claims),
            patient,
            patient_place,
            more_patients: patients.collect(),
            smart_scopes,
            roles,
            scopes,
            groups,
            lacks_groups: claims.lacks_groups(),
            kind: CallerKind::of(claims, settings),
            expires_at: validated.dates().expires_at,
            confirmation: validated.confirmation().copied().map(Box::new),
            sign_in: OnceLock::new(),
            strings,
        }))
    }
}

impl Principal {
    /// Returns the issuer (`iss`), as it is configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Returns the subject (`sub`), unique within its issuer.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.strings.get(self.0.subject?)
    }

    /// Returns Entra's immutable object id (`oid`), unique within its tenant.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.0.strings.get(self.0.object_id?)
    }

    /// Returns Entra's tenant (`tid`).
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.0.strings.get(self.0.tenant?)
    }

    /// Returns the client application: `client_id`, else `azp`, else `appid`, else `cid`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.strings.get(self.0.client?)
    }

    /// Returns the FHIR resource of the user (`fhirUser`, SMART App Launch), as the token has it.
    #[must_use]
    pub fn fhir_user(&self) -> Option<&str> {
        self.0.fhir_user.claim.string().and_then(|text| self.0.strings.get(text))
    }

    /// Returns the patient in context (`patient`, SMART App Launch), as the token has it.
    #[must_use]
    pub fn patient(&self) -> Option<&str> {
        self.0.patient.string().and_then(|text| self.0.strings.get(text))
    }

    /// Returns every claim that names the patient in context, with its name, telling an absent claim
    /// from one of the wrong type.
    pub(crate) fn launch_patients(&self) -> impl Iterator<Item = (&str, StringClaim<&str>)> {
        let first = std::iter::once((self.0.patient_place, self.0.patient));
        first.chain(self.0.more_patients.iter().copied()).map(|(index, claim)| {
            let name = self.0.patient_claims.get(index).map_or("patient", String::as_str);
            (name, self.string_of(claim))
        })
    }

    /// Returns the names of the claims that may name the patient in context.
    pub(crate) fn patient_claims(&self) -> &[String] {
        &self.0.patient_claims
    }

    /// Returns `fhirUser`, telling an absent claim from one of the wrong type.
    pub(crate) fn fhir_user_claim(&self) -> NamedClaim<&str> {
        let NamedClaim { name, claim } = self.0.fhir_user;
        NamedClaim { name, claim: self.string_of(claim) }
    }

    fn string_of(&self, claim: StringClaim<Span>) -> StringClaim<&str> {
        claim.map(|span| self.0.strings.get(span).unwrap_or(""))
    }

    /// Returns the roles, each once, in the order of the token.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.strings.iter(self.0.roles)
    }

    /// Returns the scopes of all scope claims, each once, in the order of the token.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.strings.iter(self.0.scopes)
    }

    /// Returns the scopes for FHIR resources among them, in a normal form: spellings and duplicates
    /// merged, in the order of their types, those for every type first. Scopes that grant nothing
    /// are left out: malformed ones, those with an invalid constraint, and those beyond 32
    /// different constraints for a context and a type.
    #[must_use]
    pub fn smart_scopes(&self) -> &[SmartScope] {
        self.0.smart_scopes.all()
    }

    /// Returns the scopes for FHIR resources, to look up those about a type.
    pub(crate) fn scope_set(&self) -> &ScopeSet {
        &self.0.smart_scopes
    }

    /// Returns the groups (`groups`), each once, in the order of the token.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.strings.iter(self.0.groups)
    }

    /// Reports whether the token has no role.
    pub(crate) fn has_no_roles(&self) -> bool {
        self.0.roles.len() == 0
    }

    /// Returns the number of its roles and groups.
    pub(crate) fn roles_and_groups(&self) -> usize {
        self.0.roles.len() + self.0.groups.len()
    }

    /// Reports whether the token leaves out the groups of the caller because there are too many:
    /// then [`groups`](Self::groups) is not "none" but "unknown".
    #[must_use]
    pub fn lacks_groups(&self) -> bool {
        self.0.lacks_groups
    }

    /// Returns whether the caller is an application or a user. Only Microsoft Entra ID says so: by
    /// `idtyp`, else roles without `scp` are an application's.
    #[must_use]
    pub fn kind(&self) -> CallerKind {
        self.0.kind
    }

    /// Reports whether the token has a role, compared exactly. It is the token's word alone: roles that the server
    /// assigns, and the [conditions](crate::authorization::RoleCondition) of roles, are those of a
    /// [`RolePolicy`](crate::RolePolicy).
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.0.strings.contains(self.0.roles, role)
    }

    /// Reports whether the token has a scope, compared exactly: `user/*.rs` does not imply
    /// `user/*.r`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.strings.contains(self.0.scopes, scope)
    }

    /// Returns the time when the token expires (`exp`).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tower_fhir_auth::Principal;
    ///
    /// /// How long a WebSocket that was opened with a token may stay open.
    /// fn remaining(caller: &Principal) -> Duration {
    ///     SystemTime::from(caller.expires_at()).duration_since(SystemTime::now()).unwrap_or_default()
    /// }
    /// ```
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.0.expires_at
    }

    /// Reports whether both are of one token.
    #[cfg(feature = "axum")]
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns what the sender of the token has to prove.
    pub(super) fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation.as_deref()
    }

    /// Returns how the user signed in, read when first asked for.
    pub(crate) fn sign_in(&self) -> &SignIn {
        self.0.sign_in.get_or_init(|| Box::new(SignIn::read(self.0.strings.payload())))
    }

    /// Returns its size in memory, in bytes, with room for what is read of the payload later.
    pub(crate) fn size(&self) -> usize {
        let Caller { strings, smart_scopes, more_patients, .. } = &*self.0;
        let parts = size_of::<Caller>() + size_of::<Confirmation>() + size_of_val(&**more_patients);
        parts + strings.size() + smart_scopes.size() + strings.payload().len()
    }

    /// Returns what an explanation tells of the token beside its checks.
    pub(super) fn contents(&self) -> TokenContents {
        let other_claims = self.other_claims();
        TokenContents::new(self.scopes(), self.roles(), other_claims.iter().map(String::as_str))
    }

    /// Returns the names of the claims whose values no explanation shows.
    fn other_claims(&self) -> Vec<String> {
        const SHOWN: [&str; 5] = ["iss", "aud", "exp", "nbf", "iat"];
        let claims: HashMap<String, &RawValue> =
            serde_json::from_str(self.0.strings.payload()).unwrap_or_default();
        let mut names: Vec<String> =
            claims.into_keys().filter(|name| !SHOWN.contains(&name.as_str())).collect();
        names.sort();
        names
    }

    /// Reads any further claim, as a type of your own. `None` when it is absent.
    ///
    /// `name` is the whole name of a claim at the top level. Each call reads through the payload,
    /// some microseconds for a large token: read several claims at once with
    /// [`claims`](Self::claims).
    ///
    /// # Errors
    ///
    /// When the claim is present but cannot be read as a `T`.
    ///
    /// ```no_run
    /// # use tower_fhir_auth::authentication::ClaimError;
    /// # use tower_fhir_auth::Principal;
    /// # fn show(principal: &Principal) -> Result<(), ClaimError> {
    /// let levels: Option<Vec<u8>> = principal.claim("clearance")?;
    /// # Ok(()) }
    /// ```
    pub fn claim<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ClaimError> {
        let mismatch = || ClaimError { name: Some(name.to_owned()) };
        let claims: HashMap<String, &RawValue> =
            serde_json::from_str(self.0.strings.payload()).map_err(|_| mismatch())?;
        match claims.get(name) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw.get()).map(Some).map_err(|_| mismatch()),
        }
    }

    /// Reads all claims of the token, as a type of your own.
    ///
    /// Each call reads through the payload once. A layer behind this one can do that for all
    /// handlers, and put the result into the extensions of the request.
    ///
    /// # Errors
    ///
    /// When the claims cannot be read as a `T`.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_fhir_auth::{Principal, authentication::ClaimError};
    ///
    /// #[derive(Deserialize)]
    /// struct Claims {
    ///     department: String,
    ///     #[serde(default)]
    ///     clearance: Vec<u8>,
    /// }
    ///
    /// fn is_cleared(caller: &Principal) -> Result<bool, ClaimError> {
    ///     let claims: Claims = caller.claims()?;
    ///     Ok(claims.department == "radiology" && claims.clearance.contains(&2))
    /// }
    /// ```
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, ClaimError> {
        serde_json::from_str(self.0.strings.payload()).map_err(|_| ClaimError { name: None })
    }
}

/// Warns once of a path of roles that leads nowhere.
fn warn_of_missed_roles(claims: &Claims<'_>, settings: &IssuerSettings) {
    if settings.roles_claim.is_missed_first(claims) {
        log::warn!(
            issuer = %settings.issuer,
            roles_claim = ?settings.roles_claim,
            "no roles were found in a token that has a claim of one of these names: they are the \
             steps of one path, not a choice of claims"
        );
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller {
            issuer,
            strings,
            subject,
            object_id,
            tenant,
            client,
            fhir_user,
            patient_claims: _,
            patient,
            patient_place: _,
            more_patients: _,
            roles,
            scopes,
            smart_scopes: _,
            groups,
            lacks_groups: _,
            kind: _,
            expires_at,
            confirmation: _,
            sign_in: _,
        } = &*self.0;
        f.debug_struct("Principal")
            .field("issuer", issuer)
            .field("roles", &Vec::from_iter(strings.iter(*roles)))
            .field("scopes", &Vec::from_iter(strings.iter(*scopes)))
            .field("expires_at", &format_args!("{expires_at}"))
            .field("subject", &Presence::of(subject.is_some()))
            .field("object_id", &Presence::of(object_id.is_some()))
            .field("tenant", &Presence::of(tenant.is_some()))
            .field("client", &Presence::of(client.is_some()))
            .field("fhir_user", &Presence::of(fhir_user.claim != StringClaim::Absent))
            .field("patient", &Presence::of(*patient != StringClaim::Absent))
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
