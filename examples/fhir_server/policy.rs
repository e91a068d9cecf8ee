//! Who may do what: plain requirements, by the text of roles and scopes.
//!
//! Scopes of single patients (`patient/…`) grant nothing here, because nothing here would confine
//! them to their patient.

use tower_fhir_auth::config::AccessMode;
use tower_fhir_auth::{
    Authorizer, Denial, Grant, Interaction, InteractionKind, Principal, all_of, any_of,
    authorize_fn, require_any_role,
};

/// The rule of an access mode of the configuration.
pub(crate) fn for_access(mode: AccessMode) -> Box<dyn Authorizer> {
    let roles = || authorize_fn(by_role).boxed();
    let scopes = || authorize_fn(by_scope).boxed();
    match mode {
        AccessMode::Roles => roles(),
        AccessMode::Scopes => scopes(),
        AccessMode::RolesAndScopes => all_of([roles(), scopes()]).boxed(),
        // Scopes are asked first: a refusal names what to ask the authorization server for.
        _ => any_of([scopes(), roles()]).boxed(),
    }
}

/// What this server can do, and what each takes.
enum Deed {
    Read,
    Search,
    Create,
}

impl Deed {
    fn of(interaction: &Interaction) -> Result<Self, Denial> {
        match interaction.kind() {
            InteractionKind::Read => Ok(Self::Read),
            InteractionKind::SearchType => Ok(Self::Search),
            InteractionKind::Create => Ok(Self::Create),
            InteractionKind::Unknown => Err(Denial::new("the request is no interaction of FHIR")),
            _ => Err(Denial::new("this server grants read, search and create alone")),
        }
    }

    /// The role names of Microsoft's FHIR server that come with it.
    fn roles(&self) -> &'static [&'static str] {
        match self {
            Self::Read | Self::Search => &["globalReader", "globalWriter", "globalAdmin"],
            Self::Create => &["globalWriter", "globalAdmin"],
        }
    }

    /// The letters of SMART v2, and the word of v1, that allow it.
    fn permissions(&self) -> &'static [&'static str] {
        match self {
            Self::Read => &["r", "rs", "read", "cruds", "*"],
            Self::Search => &["s", "rs", "read", "cruds", "*"],
            Self::Create => &["c", "cud", "write", "cruds", "*"],
        }
    }
}

fn by_role(principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
    let roles = Deed::of(interaction)?.roles();
    require_any_role(roles.iter().copied()).authorize(principal, interaction)
}

fn by_scope(principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
    let deed = Deed::of(interaction)?;
    let resource_type = interaction.resource_type().unwrap_or("*");
    let narrowest = format!("system/{resource_type}.{}", deed.permissions()[0]);
    for context in ["system", "user"] {
        for resource in [resource_type, "*"] {
            for permission in deed.permissions() {
                let scope = format!("{context}/{resource}.{permission}");
                if principal.has_scope(&scope) {
                    return Ok(Grant::by(format!("scope `{scope}`")));
                }
            }
        }
    }
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    Err(Denial::new("no scope of the token grants this")
        .sides(held, format!("{narrowest} or a wider scope"))
        .required_scopes([narrowest]))
}
