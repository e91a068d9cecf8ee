//! The variants of `Reason` and of the enums within it, read from the source: a reason that is added
//! later is missed here.

use std::path::Path;

use tower_fhir_auth::explanation::Reason;

/// The enums whose variants count one by one, and the files that have them.
const INNER: [(&str, &str); 9] = [
    ("OtherCredentials", "invalid_request.rs"),
    ("InvalidRequest", "invalid_request.rs"),
    ("HeaderReason", "reason/header.rs"),
    ("IssuerReason", "reason/issuer.rs"),
    ("KeyReason", "reason/key.rs"),
    ("AudienceReason", "reason/audience.rs"),
    ("TimeReason", "reason/time.rs"),
    ("ClaimReason", "reason/claim.rs"),
    ("IntrospectionReason", "reason/introspection.rs"),
];

/// The names of all reasons, such as `Audience.Mismatch`.
pub(super) fn all() -> Vec<String> {
    let mut all = Vec::new();
    for (name, inner) in variants("Reason", "reason/mod.rs") {
        match INNER.iter().find(|(one, _)| Some(*one) == inner.as_deref()) {
            Some((inner, file)) => {
                all.extend(
                    variants(inner, file).into_iter().map(|(one, _)| format!("{name}.{one}")),
                );
            }
            None => all.push(name),
        }
    }
    assert!(all.len() > 40, "only {all:?}: is the search broken?");
    all
}

/// The variants of an enum, each with the type that it holds where it is one.
fn variants(name: &str, file: &str) -> Vec<(String, Option<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/explanation").join(file);
    let file = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let found = file.items.into_iter().find_map(|item| {
        if let syn::Item::Enum(item) = item {
            Some(item).filter(|item| item.ident == name)
        } else {
            None
        }
    });
    let found = found.unwrap_or_else(|| panic!("no {name} in {}", path.display()));
    let variants = found.variants.into_iter();
    let named = variants.map(|variant| {
        let inner = variant.fields.into_iter().next().and_then(|field| {
            let syn::Type::Path(path) = field.ty else { return None };
            path.path.get_ident().map(ToString::to_string)
        });
        (variant.ident.to_string(), inner)
    });
    named.collect()
}

/// The name of a reason, as [`all`] has it.
pub(super) fn name(reason: &Reason) -> String {
    let debug = format!("{reason:?}");
    let mut words = debug.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let outer = words.next().unwrap_or_default();
    let inner = words.next().unwrap_or_default();
    let whole = format!("{outer}.{inner}");
    if all_once().contains(&whole) { whole } else { outer.to_owned() }
}

fn all_once() -> &'static Vec<String> {
    static ALL: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(all);
    &ALL
}
