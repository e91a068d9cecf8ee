//! The grammar of SMART scopes in all spellings, and what a list of them grants.

use std::collections::BTreeSet;

/// A scope for FHIR resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// `patient`, `user` or `system`.
    pub context: &'static str,
    /// `*` for every type.
    pub on: String,
    /// Of `cruds`, in this order.
    pub letters: String,
    pub constraint: Option<String>,
}

/// Reads a scope that names one of these types.
pub fn parse(text: &str, is_type: impl Fn(&str) -> bool) -> Option<Scope> {
    let text = text.strip_prefix("http://smarthealthit.org/fhir/scopes/").unwrap_or(text);
    let (grant, constraint) = match text.find('?') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let context = ["patient", "user", "system"].into_iter().find(|word| grant.starts_with(word))?;
    let rest = &grant[context.len()..];
    let mut separators = ["/", ".", "$", "%2f", "%2F"].into_iter();
    let rest = separators.find_map(|separator| rest.strip_prefix(separator))?;
    let dot = rest.find('.')?;
    let (name, access) = (&rest[..dot], &rest[dot + 1..]);
    let on = match name {
        "*" | "all" => "*",
        name if is_type(name) => name,
        _ => return None,
    };
    let letters = match access {
        "read" => "rs",
        "write" => "cud",
        "*" | "all" => "cruds",
        letters => {
            let places: Option<Vec<usize>> =
                letters.chars().map(|letter| "cruds".find(letter)).collect();
            let is_in_order = places.is_some_and(|places| places.is_sorted_by(|a, b| a < b));
            if letters.is_empty() || !is_in_order {
                return None;
            }
            letters
        }
    };
    if constraint == Some("") {
        return None;
    }
    let (on, letters) = (on.to_owned(), letters.to_owned());
    Some(Scope { context, on, letters, constraint: constraint.map(str::to_owned) })
}

/// The pairs of a constraint, each decoded once; `None` for what is not plain.
pub fn constraint(text: &str) -> Option<BTreeSet<(String, String)>> {
    let mut pairs = BTreeSet::new();
    for pair in text.split('&') {
        let mut parts = pair.split('=');
        let (name, value, None) = (parts.next()?, parts.next()?, parts.next()) else { return None };
        let (name, value) = (decoded(name)?, decoded(value)?);
        if !name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_' || one == '-') {
            return None;
        }
        pairs.insert((name, value));
    }
    (pairs.len() <= 8).then_some(pairs)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let [high, low, tail @ ..] = rest else { return None };
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                rest = tail;
            }
            // What a server might take for the beginning of another query.
            b'?' => return None,
            byte => bytes.push(*byte),
        }
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.is_empty())?;
    (!text.chars().any(char::is_control)).then_some(text)
}

/// One right: context, type, letter, and the pairs of the constraint.
pub type Right = (&'static str, String, char, Option<BTreeSet<(String, String)>>);

/// The rights of scopes, one by one, without those whose constraint cannot be read.
pub fn rights(scopes: &[Scope]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for scope in scopes {
        let pairs = match &scope.constraint {
            None => None,
            Some(text) => match constraint(text) {
                None => continue,
                some => some,
            },
        };
        for letter in scope.letters.chars() {
            rights.insert((scope.context, scope.on.clone(), letter, pairs.clone()));
        }
    }
    rights
}

/// The types of R4B and R5 that are none of R4.
pub const LATER: &[&str] = &[
    "ActorDefinition",
    "AdministrableProductDefinition",
    "ArtifactAssessment",
    "BiologicallyDerivedProductDispense",
    "Citation",
    "ClinicalUseDefinition",
    "ConditionDefinition",
    "DeviceAssociation",
    "DeviceDispense",
    "DeviceUsage",
    "EncounterHistory",
    "EvidenceReport",
    "FormularyItem",
    "GenomicStudy",
    "ImagingSelection",
    "Ingredient",
    "InventoryItem",
    "InventoryReport",
    "ManufacturedItemDefinition",
    "MedicinalProductDefinition",
    "NutritionIntake",
    "NutritionProduct",
    "PackagedProductDefinition",
    "Permission",
    "RegulatedAuthorization",
    "RequestOrchestration",
    "Requirements",
    "SubscriptionStatus",
    "SubscriptionTopic",
    "SubstanceDefinition",
    "TestPlan",
    "Transport",
];
