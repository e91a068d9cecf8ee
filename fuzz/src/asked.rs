//! A request made of bytes: one byte for each choice, in the order of the fields. Where the bytes end,
//! each choice is the first one.

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::model::grants::Param;
use crate::model::token::{BASE, ISSUER, NOW, STRICT_ISSUER};

/// The access modes of the configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Scopes,
    Roles,
    RolesOrScopes,
    RolesAndScopes,
    Microsoft,
}

/// A request, and what its token would say.
#[derive(Clone, Debug)]
pub struct Asked {
    pub mode: Mode,
    pub method: &'static str,
    pub path: String,
    pub params: Vec<Param>,
    /// Values of `If-None-Exist`.
    pub condition: Option<&'static str>,
    pub header: Header,
    pub credentials: Credentials,
    /// Scopes as the token has them.
    pub scopes: Vec<String>,
    /// One scope more, for a second question.
    pub more: String,
    pub token: Token,
    pub second: Second,
}

/// The second question about a request: all of them each time would take three times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// With the token in the cache.
    Cached,
    /// With one scope more.
    More,
    /// Where handlers enforce nothing.
    Undeclared,
}

/// A header that changes the way of a request or of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    None,
    Preflight,
    Grpc,
    Xml,
}

/// The way in which credentials are presented; `{}` is the token.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    pub values: &'static [&'static str],
    pub query: &'static str,
}

/// A token, as its issuer might have signed it.
#[derive(Clone, Debug)]
pub struct Token {
    pub header: Vec<u8>,
    pub claims: Map<String, Value>,
    /// What comes before the first claim.
    pub prefix: &'static str,
    pub is_signed: bool,
}

pub const TYPES: [&str; 14] = [
    "Observation",
    "Patient",
    "Condition",
    "Encounter",
    "Organization",
    "Device",
    "MedicationRequest",
    "ValueSet",
    "SearchParameter",
    "Group",
    "Provenance",
    "Foo",
    "Bar",
    "patient",
];
const SEARCHED: [&str; 5] = ["Observation", "Patient", "Condition", "Organization", "Foo"];
const IDS: [&str; 9] = ["1", "2", "1.", "a-b", "a_b", "..", "%31", "1;x", ""];
const OPERATIONS: [&str; 12] = [
    "export",
    "everything",
    "validate",
    "reindex",
    "import",
    "bulk-delete",
    "bulk-update",
    "purge-history",
    "convert-data",
    "status",
    "fly",
    "a_b",
];
const PATHS: [&str; 29] = [
    "/T/I",
    "/T",
    "/T/I/_history",
    "/T/I/_history/I",
    "/T/_history",
    "/T/_search",
    "/T/I/T",
    "/T/I/*",
    "/T/I/T/_search",
    "/T/$O",
    "/T/I/$O",
    "/$O",
    "/%24O",
    "/T/I/%24O",
    "",
    "/",
    "/_history",
    "/_search",
    "/_operations/O/1",
    "/_operations/O/1/Patient_1.ndjson",
    "/metadata",
    "/health",
    "/.well-known/smart-configuration",
    "/T//I",
    "/T/",
    "/T/I/",
    "/T/I/T/I",
    "/T/I/..",
    "/./T",
];
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"];
const BASES: [&str; 7] = ["/r4", "/r4", "/r4", "/r4", "/r5", "", "/r4x"];
const CREDENTIALS: [Credentials; 12] = [
    Credentials { values: &["Bearer {}"], query: "" },
    Credentials { values: &["bearer   {}"], query: "" },
    Credentials { values: &[], query: "" },
    Credentials { values: &["Basic YTpi"], query: "" },
    Credentials { values: &["Bearer {}", "Bearer {}"], query: "" },
    Credentials { values: &["Basic YTpi, Bearer {}"], query: "" },
    Credentials { values: &["Bearer {}"], query: "access_token=x" },
    Credentials { values: &["Bearer {}"], query: "access%5ftoken" },
    Credentials { values: &["Bearer"], query: "" },
    Credentials { values: &["Bearer {}\u{7c}"], query: "" },
    Credentials { values: &["Bearer {}.e30"], query: "" },
    Credentials { values: &["{}"], query: "" },
];

impl Asked {
    /// Reads a request from bytes.
    pub fn read(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let second = *bytes.choose(&[Second::Cached, Second::More, Second::Undeclared])?;
        let mode = *bytes.choose(&[
            Mode::Scopes,
            Mode::Roles,
            Mode::RolesOrScopes,
            Mode::RolesAndScopes,
            Mode::Microsoft,
        ])?;
        let method = *bytes.choose(&METHODS)?;
        let base = *bytes.choose(&BASES)?;
        let path = path(bytes, base)?;
        let params = params(bytes)?;
        let condition =
            *bytes.choose(&[None, Some("identifier=x"), Some("?identifier=x"), Some("")])?;
        let header =
            *bytes.choose(&[Header::None, Header::Preflight, Header::Grpc, Header::Xml])?;
        let credentials = *bytes.choose(&CREDENTIALS)?;
        let mut scopes = Vec::new();
        for _ in 0..*bytes.choose(&[1_u8, 0, 2, 3, 4])? {
            scopes.push(scope(bytes)?);
        }
        let more = scope(bytes)?;
        let token = Token::read(bytes, &scopes)?;
        Ok(Self {
            mode,
            method,
            path,
            params,
            condition,
            header,
            credentials,
            scopes,
            more,
            token,
            second,
        })
    }

    /// The query, without a question mark.
    pub fn query(&self) -> String {
        let params = self.params.iter().map(Param::text);
        let more = Some(self.credentials.query.to_owned()).filter(|query| !query.is_empty());
        params.chain(more).collect::<Vec<_>>().join("&")
    }
}

fn path(bytes: &mut Unstructured<'_>, base: &str) -> Result<String> {
    let mut path = base.to_owned();
    for part in bytes.choose(&PATHS)?.split_inclusive(['/', '$', '4']) {
        match part.trim_end_matches('/') {
            "T" => path.push_str(bytes.choose(&TYPES)?),
            "I" => path.push_str(bytes.choose(&IDS)?),
            "O" => path.push_str(bytes.choose(&OPERATIONS)?),
            other => path.push_str(other),
        }
        path.push_str(if part.ends_with('/') { "/" } else { "" });
    }
    Ok(path)
}

fn params(bytes: &mut Unstructured<'_>) -> Result<Vec<Param>> {
    let mut params = Vec::new();
    for _ in 0..*bytes.choose(&[0_u8, 1, 2])? {
        params.push(match *bytes.choose(&[0_u8, 1, 2, 3, 4])? {
            0 => Param::Plain(*bytes.choose(&[
                "code=x",
                "_count=5",
                "_include=Observation:subject",
                "_revinclude=Provenance:target",
                "subject.name=x",
                "_hardDelete=true",
                "_HARDDELETE=1",
                "_format=xml",
                "subject=Group/2",
            ])?),
            1 => {
                let one = *bytes.choose(&SEARCHED)?;
                let other = *bytes.choose(&SEARCHED)?;
                Param::Types(if one == other { vec![one] } else { vec![one, other] })
            }
            2 => Param::Patient(*bytes.choose(&["2", "1", "Patient/2", "Patient/1"])?),
            3 => {
                let (text, on) = *bytes.choose(&[
                    ("subject:Patient.name=x", "Patient"),
                    ("_has:Observation:subject:code=x", "Observation"),
                    ("_has:Condition:patient:code=x", "Condition"),
                ])?;
                Param::Reaches(text, on)
            }
            _ => Param::Anywhere(*bytes.choose(&[
                "_filter=a",
                "_list=1",
                "_Type=Patient",
                "_sort=subject.name",
            ])?),
        });
    }
    Ok(params)
}

fn scope(bytes: &mut Unstructured<'_>) -> Result<String> {
    let context = bytes.choose(&["patient", "user", "system", "Patient", "openid"])?;
    let separator = bytes.choose(&["/", ".", "$", "%2f", "-"])?;
    let on = bytes.choose(&[
        "*",
        "Observation",
        "Patient",
        "Condition",
        "Organization",
        "Encounter",
        "ValueSet",
        "Device",
        "Foo",
        "Bar",
        "all",
        "NutritionIntake",
    ])?;
    let letters: String = match bytes.choose(&[0_u8, 1, 2, 3])? {
        0 => (*bytes.choose(&["cruds", "rs", "r", "s", "c", "u", "d", "cu", "us", "ds", "cs"])?)
            .to_owned(),
        1 => (*bytes.choose(&["read", "write", "*", "all"])?).to_owned(),
        2 => {
            let bits = bytes.arbitrary::<u8>()?;
            "cruds"
                .chars()
                .enumerate()
                .filter(|(place, _)| bits >> place & 1 == 1)
                .map(|(_, one)| one)
                .collect()
        }
        _ => (*bytes.choose(&["sr", "", "rs.x", "RS", "rr"])?).to_owned(),
    };
    let constraint = bytes.choose(&[
        "",
        "",
        "?category=x",
        "?_id=1",
        "?foo=bar",
        "?category:in=x",
        "?category=x&_tag=a",
        "?",
        "?category=%zz",
    ])?;
    Ok(format!("{context}{separator}{on}.{letters}{constraint}"))
}

impl Token {
    fn read(bytes: &mut Unstructured<'_>, scopes: &[String]) -> Result<Self> {
        let ids = [
            Value::Null,
            json!("1"),
            json!("Patient/1"),
            json!(format!("{BASE}/Patient/1")),
            json!("2"),
            json!("Practitioner/1"),
            json!("Patient/1/_history/2"),
            json!(["1"]),
            json!("https://other.example.org/r4/Patient/1"),
            json!("RelatedPerson/1"),
            json!("Patient/2"),
            json!("HTTPS://FHIR.example.org:443/r4/Patient/1"),
            json!(""),
        ];
        let patient = bytes.choose(&ids)?.clone();
        let user = bytes.choose(&ids)?.clone();
        let mut roles = Vec::new();
        for _ in 0..*bytes.choose(&[1_u8, 0, 2])? {
            roles.push(*bytes.choose(&ROLES)?);
        }
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", json!(ISSUER)),
            ("aud", json!(BASE)),
            ("sub", json!("alice")),
            ("exp", json!(NOW + 300)),
            ("scope", json!(scopes.join(" "))),
            ("patient", patient),
            ("fhirUser", user),
            ("roles", json!(roles)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let header = br#"{"alg":"EdDSA","kid":"fuzz","typ":"at+jwt"}"#.to_vec();
        let mut token = Self { header, claims, prefix: "", is_signed: true };
        for _ in 0..*bytes.choose(&[0_u8, 1, 2])? {
            token.spoil(*bytes.choose(&Vec::from_iter(0..29_u8))?);
        }
        Ok(token)
    }

    /// Puts a fault into the token, or something that only looks like one.
    fn spoil(&mut self, fault: u8) {
        let mut claim = |name: &str, value: Value| {
            self.claims.insert(name.to_owned(), value);
        };
        match fault {
            0 => claim("aud", json!("https://fhir.example.org/r4/")),
            1 => claim("aud", json!(["https://other.example.org", BASE])),
            2 => claim("aud", json!(["https://other.example.org"])),
            3 => claim("exp", json!(NOW - 60)),
            4 => claim("exp", json!(NOW - 59)),
            5 => claim("exp", json!("soon")),
            6 => claim("nbf", json!(NOW + 61)),
            7 => claim("nbf", json!(NOW + 60)),
            8 => claim("iat", json!(NOW + 61)),
            9 => claim("iat", Value::Null),
            10 => claim("sub", Value::Null),
            11 => claim("sub", json!(7)),
            12 => claim("iss", json!("https://idp.example.org/realms/fhir/")),
            13 => claim("iss", json!(STRICT_ISSUER)),
            14 => claim("cnf", json!({"jkt": "x"})),
            15 => claim("token_use", json!("id")),
            16 => claim("token_use", json!("access")),
            17 => claim("at_hash", json!("x")),
            18 => claim("typ", json!("Refresh")),
            19 => claim("more", json!("x".repeat(17 * 1024))),
            20 => self.prefix = r#""sub":"mallory","#,
            21 => self.prefix = r#""\u0061ud":"https://fhir.example.org/r4","#,
            22 => self.is_signed = false,
            23 => self.header = br#"{"alg":"none","kid":"fuzz","typ":"at+jwt"}"#.to_vec(),
            24 => self.header = br#"{"alg":"EdDSA","kid":"fuzz","crit":["exp"]}"#.to_vec(),
            25 => self.header = br#"{"alg":"RS256","kid":"fuzz"}"#.to_vec(),
            26 => self.header = br#"{"alg":"EdDSA","kid":"other"}"#.to_vec(),
            27 => self.header = br#"{"alg":"EdDSA","typ":"logout+jwt"}"#.to_vec(),
            _ => self.header = br#"{"alg":"Ed25519","typ":"application/JWT"}"#.to_vec(),
        }
    }

    /// The payload with these claims and another scope beside those of the token.
    pub fn payload(&self, more: Option<&str>) -> Vec<u8> {
        let mut claims = self.claims.clone();
        if let Some(more) = more {
            claims.insert("scp".to_owned(), json!([more]));
        }
        let text = Value::Object(claims).to_string();
        text.replacen('{', &format!("{{{}", self.prefix), 1).into_bytes()
    }
}

/// Roles of the definitions that the layers have, and one that is none.
pub const ROLES: [&str; 12] = [
    "reader",
    "byId",
    "searcher",
    "creator",
    "updater",
    "writer",
    "deleter",
    "exporter",
    "admin",
    "smartUser",
    "NOTHING",
    "unknown",
];

pub const DEFINITIONS: &str = r#"{"roles": [
    {"name": "reader", "dataActions": ["read", "resourceValidate"], "notDataActions": [], "scopes": ["/"]},
    {"name": "byId", "dataActions": ["readById"], "notDataActions": [], "scopes": ["/"]},
    {"name": "searcher", "dataActions": ["search"], "notDataActions": [], "scopes": ["/"]},
    {"name": "creator", "dataActions": ["create", "write"], "notDataActions": ["write"], "scopes": ["/"]},
    {"name": "updater", "dataActions": ["update"], "notDataActions": [], "scopes": ["/"]},
    {"name": "writer", "dataActions": ["*"], "notDataActions": ["hardDelete", "editProfileDefinitions"], "scopes": ["/"]},
    {"name": "deleter", "dataActions": ["delete", "hardDelete"], "notDataActions": [], "scopes": ["/"]},
    {"name": "exporter", "dataActions": ["read", "export"], "notDataActions": [], "scopes": ["/"]},
    {"name": "admin", "dataActions": ["*"], "notDataActions": [], "scopes": ["/"]},
    {"name": "smartUser", "dataActions": ["*", "smart"], "notDataActions": [], "scopes": ["/"]},
    {"name": "nothing", "dataActions": [], "notDataActions": ["*"], "scopes": ["/"]}
]}"#;
