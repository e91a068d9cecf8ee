//! The tokens and addresses that make a decision look at most: as wide as the limits let them be.

/// The room that scopes have in a token of 16 KiB beside its other claims, in bytes.
pub(crate) const SCOPES: usize = 9_500;

/// The longest address of the table, in bytes.
pub(crate) const ADDRESS: usize = 8 * 1024;

const TYPES: [&str; 12] = [
    "Observation",
    "Condition",
    "Encounter",
    "Procedure",
    "Immunization",
    "Patient",
    "Flag",
    "Goal",
    "Device",
    "Specimen",
    "Coverage",
    "List",
];

/// A list of scopes: their number, to their text.
type Scope = fn(usize) -> String;

/// Scopes of one shape after another, each as often as there is room.
const SCOPES_OF: &[Scope] = &[
    |n| format!("user/Flag.rs?_id={n}"),
    |n| format!("patient/Flag.rs?_id={n}"),
    |n| format!("{}/Flag.{}?_id={n}", context(n), permissions(n)),
    |n| format!("{}/*.{}?_id={n}", context(n), permissions(n)),
    |n| format!("{}/*.s?x{n}=1", context(n)),
    |n| format!("{}/{}.{}?_id={n}", context(n), TYPES[n % TYPES.len()], permissions(n)),
    |n| format!("{}/{}.{}", context(n), TYPES[n % TYPES.len()], permissions(n / 3)),
    |n| format!("{}.{}.read", context(n), TYPES[n % TYPES.len()]),
    |n| format!("user/Flag.rs?{}", parameters(n, 8)),
    |n| format!("{}/*.cruds?{}", context(n), parameters(n, 8)),
    |n| format!("user/Flag.rs?{}", parameters(n, 9)),
    |n| format!("patient/Patient.rs?_id=%{:02x}", 0x30 + n % 10),
    |n| format!("{}/Flag.rs?_tag={}", context(n), "a".repeat(n % 90)),
    |n| format!("launch/{}", TYPES[n % TYPES.len()].to_ascii_lowercase()),
    |n| format!("user/Flag.sr?{n}"),
    |n| format!("{}/*.{}", context(n), permissions(n)),
    |_| "patient/*.rs".to_owned(),
];

fn context(n: usize) -> &'static str {
    ["patient", "user", "system"][n % 3]
}

fn permissions(n: usize) -> &'static str {
    ["r", "s", "rs", "cruds", "c", "u"][n % 6]
}

fn parameters(n: usize, count: usize) -> String {
    let each: Vec<String> = (0..count).map(|place| format!("_id={n}.{place}")).collect();
    each.join("&")
}

/// A filler of queries: its number, to its text.
type Filler = fn(usize) -> String;

const FILLERS: &[Filler] = &[
    |_| "patient=1".to_owned(),
    |n| format!("patient={n}"),
    |_| "patient=https://fhir.example.org/r4/Patient/1".to_owned(),
    |n| format!("_include=Flag:subject:{}", TYPES[n % TYPES.len()]),
    |n| format!("_include={0}:x:{0}", any_type(n)),
    |n| format!("_revinclude={}:subject", any_type(n)),
    |n| format!("_has:{}:subject:code={n}", any_type(n)),
    |_| "_has:Flag:subject:_has:Flag:subject:_id=1".to_owned(),
    |n| format!("subject:{}.name=x", any_type(n)),
    |_| "subject.subject.subject.subject.name=x".to_owned(),
    |n| format!("_type={}", any_type(n)),
    |n| format!("_typeFilter={}%3Fsubject.name%3Dx", any_type(n)),
    |n| format!("%70atient={n}&_TYPE=x"),
    |n| format!("_sort=a.b{n}"),
    |n| format!("name{n}=x%20y"),
    |_| "a;b=c".to_owned(),
];

/// A name that could be that of a type, another for each number.
fn any_type(n: usize) -> String {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap_or_default());
    format!("X{}{}{}", letter(n), letter(n / 26), letter(n / 676))
}

/// Methods and paths that queries are put to.
pub(crate) const PATHS: &[(&str, &str)] = &[
    ("GET", "/Flag"),
    ("GET", ""),
    ("POST", "/_search"),
    ("POST", "/Flag/_search"),
    ("GET", "/Patient/1/Flag"),
    ("GET", "/Patient/1/*"),
    ("GET", "/Patient/1/$everything"),
    ("GET", "/$export"),
    ("PUT", "/Flag"),
    ("DELETE", "/Flag"),
    ("GET", "/Flag/1"),
    ("GET", "/_history"),
];

/// Texts of one shape, until there is no more room.
fn filled(shape: fn(usize) -> String, separator: &str, room: usize) -> String {
    let mut text = String::new();
    for n in 0.. {
        let next = shape(n);
        if text.len() + separator.len() + next.len() > room {
            return text;
        }
        if n > 0 {
            text.push_str(separator);
        }
        text.push_str(&next);
    }
    text
}

/// The scope claims of tokens, as wide as there is room: each shape alone, and each beside another.
pub(crate) fn scope_claims(room: usize) -> Vec<String> {
    let mut claims = Vec::new();
    for (place, one) in SCOPES_OF.iter().enumerate() {
        claims.push(filled(*one, " ", room));
        for other in SCOPES_OF.iter().skip(place + 1).step_by(4) {
            let halves = [filled(*one, " ", room / 2), filled(*other, " ", room / 2)];
            claims.push(halves.join(" "));
        }
    }
    claims
}

/// The queries of addresses, as long as there is room.
pub(crate) fn queries(room: usize) -> Vec<String> {
    FILLERS.iter().map(|filler| filled(*filler, "&", room)).collect()
}

/// The query of one shape.
pub(crate) fn query(shape: usize, room: usize) -> String {
    filled(FILLERS[shape % FILLERS.len()], "&", room)
}

/// The scopes of one shape.
pub(crate) fn scopes(shape: usize, room: usize) -> String {
    filled(SCOPES_OF[shape % SCOPES_OF.len()], " ", room)
}

pub(crate) const SHAPES_OF_SCOPES: usize = SCOPES_OF.len();
pub(crate) const SHAPES_OF_QUERIES: usize = FILLERS.len();
