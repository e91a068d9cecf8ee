//! Clients that can get a token of the demo, and what it may hold.

/// The callers that can get a token with `client_credentials`. That people are clients, too, is the demo's
/// short cut for those who paste commands: on the page they sign in.
pub(super) const CLIENTS: &[Client] = &[
    Client {
        scopes: PATIENT_SCOPES,
        patient: Some("1"),
        person: Some(("Amara Peeters", "patient 1")),
        ..Client::named("amara")
    },
    Client {
        scopes: PATIENT_SCOPES,
        patient: Some("2"),
        person: Some(("Tobi Oyelaran", "patient 2")),
        ..Client::named("tobi")
    },
    Client {
        scopes: &["user/*.rs", "user/Observation.rs?category=laboratory", "user/Observation.cruds"],
        fhir_user: Some("Practitioner/house-doctor"),
        person: Some(("Dr. Ines Okafor", "the house doctor")),
        ..Client::named("doctor")
    },
    Client {
        roles: &["globalReader"],
        person: Some(("Robin", "has the role `globalReader`")),
        ..Client::named("reader")
    },
    Client {
        roles: &["globalWriter"],
        person: Some(("Wren", "has the role `globalWriter`")),
        ..Client::named("writer")
    },
    Client {
        roles: &["globalAdmin"],
        person: Some(("Ada", "has the role `globalAdmin`")),
        ..Client::named("admin")
    },
    Client {
        scopes: &["system/Patient.rs", "system/Observation.rs", "system/*.rs"],
        ..Client::named("app")
    },
    Client { scopes: &["system/*.rs"], ..Client::named(BACKEND) },
];

/// The first one is what a client gets that asks for none.
const PATIENT_SCOPES: &[&str] = &[
    "patient/*.cruds",
    "patient/*.rs",
    "patient/Patient.rs",
    "patient/Observation.rs",
    "patient/Condition.rs",
];

/// The scope by which an application asks for a refresh token (SMART App Launch 2.2).
pub(super) const OFFLINE: &str = "offline_access";

/// The client that authenticates with a key.
pub(super) const BACKEND: &str = "backend";

/// The page, a public client: people sign in to it.
pub(crate) const PAGE: &str = "page";

/// The secret of every other client.
pub(crate) const SECRET: &str = "demo";

pub(super) struct Client {
    pub(super) id: &'static str,
    pub(super) roles: &'static [&'static str],
    pub(super) scopes: &'static [&'static str],
    pub(super) patient: Option<&'static str>,
    pub(super) fhir_user: Option<&'static str>,
    /// The name of somebody who can sign in, and what to know of them.
    pub(super) person: Option<(&'static str, &'static str)>,
}

impl Client {
    const fn named(id: &'static str) -> Self {
        Self { id, roles: &[], scopes: &[], patient: None, fhir_user: None, person: None }
    }

    pub(super) fn person(id: &str) -> Option<&'static Self> {
        CLIENTS.iter().find(|client| client.id == id && client.person.is_some())
    }
}

/// Returns every scope that somebody who signs in can be granted.
pub(crate) fn scopes_of_people() -> Vec<&'static str> {
    let people = CLIENTS.iter().filter(|client| client.person.is_some());
    let mut scopes = vec![OFFLINE];
    for scope in people.flat_map(|person| person.scopes) {
        if !scopes.contains(scope) {
            scopes.push(scope);
        }
    }
    scopes
}
