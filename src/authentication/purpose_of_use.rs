//! The purposes for which a caller uses what it asks for, as IHE IUA and UDAP tell them.

use serde_json::Value;

/// The most purposes that are told.
const MOST_PURPOSES: usize = 32;

/// A purpose of use: a code, mostly of `http://terminology.hl7.org/CodeSystem/v3-ActReason`, such as
/// `ETREAT` for emergency treatment.
///
/// ```
/// use tower_fhir_auth::Principal;
///
/// fn is_an_emergency(caller: &Principal) -> bool {
///     caller.purpose_of_use().iter().any(|purpose| purpose.code == "ETREAT")
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PurposeOfUse {
    /// The code system, as the token has it.
    pub system: Option<String>,
    /// The code.
    pub code: String,
}

impl PurposeOfUse {
    /// Reads the purposes in the claim `extensions`.
    pub(super) fn read_all(extensions: &Value) -> Vec<Self> {
        let listed = ["ihe_iua", "hl7-b2b"].into_iter().flat_map(|name| {
            match extensions.get(name).and_then(|extension| extension.get("purpose_of_use")) {
                Some(Value::Array(purposes)) => purposes.iter().collect(),
                Some(purpose) => vec![purpose],
                None => Vec::new(),
            }
        });
        listed.take(MOST_PURPOSES).filter_map(Self::read).collect()
    }

    /// Reads a coding, or a code system and a code with `#` between them.
    fn read(purpose: &Value) -> Option<Self> {
        let text = |name: &str| purpose.get(name).and_then(Value::as_str);
        let (system, code) = match purpose {
            Value::String(whole) => match whole.rsplit_once('#') {
                Some((system, code)) => (Some(system), code),
                None => (None, whole.as_str()),
            },
            // A system that is not a string is another one, whichever was meant.
            Value::Object(coding) => match coding.get("system") {
                None | Some(Value::Null) => (None, text("code")?),
                Some(system) => (Some(system.as_str()?), text("code")?),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
        };
        let system = system.filter(|system| !system.is_empty()).map(str::to_owned);
        (!code.is_empty()).then(|| Self { system, code: code.to_owned() })
    }
}
