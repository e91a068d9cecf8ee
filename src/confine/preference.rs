//! The answer to a change that a client prefers (`Prefer: return=…`, RFC 7240 section 4.2, R4 section
//! 3.1.0.1.7.2).

use http::HeaderMap;

/// The answer that a client prefers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ReturnPreference {
    /// The resource as it is then.
    #[default]
    Resource,
    Nothing,
    /// An OperationOutcome.
    Outcome,
}

impl ReturnPreference {
    /// Reads the first preference that is known.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split([',', ';']));
        preferences.find_map(parse).unwrap_or_default()
    }

    /// The preference as a client has it.
    pub(super) fn preference(self) -> &'static str {
        match self {
            Self::Resource => "return=representation",
            Self::Nothing => "return=minimal",
            Self::Outcome => "return=OperationOutcome",
        }
    }

    /// The preference that goes on: what would not be shown is not asked for.
    pub(super) fn asked(self) -> &'static str {
        match self {
            Self::Resource => "return=representation",
            Self::Nothing | Self::Outcome => "return=minimal",
        }
    }
}

fn parse(preference: &str) -> Option<ReturnPreference> {
    let (name, value) = preference.trim().split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("return") {
        return None;
    }
    match value.trim().trim_matches('"').to_ascii_lowercase().as_str() {
        "representation" => Some(ReturnPreference::Resource),
        "minimal" => Some(ReturnPreference::Nothing),
        "operationoutcome" => Some(ReturnPreference::Outcome),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_preference_that_is_known_counts() {
        for (values, expected) in [
            (&[][..], ReturnPreference::Resource),
            (&["return=representation"], ReturnPreference::Resource),
            (&["return=minimal"], ReturnPreference::Nothing),
            (&["handling=strict; Return=\"minimal\""], ReturnPreference::Nothing),
            (&["respond-async, return=OperationOutcome"], ReturnPreference::Outcome),
            (&["return=odd", "return=minimal"], ReturnPreference::Nothing),
            (&["returns=minimal"], ReturnPreference::Resource),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().unwrap());
            }
            assert_eq!(ReturnPreference::of(&headers), expected, "{values:?}");
            headers.clear();
            headers.insert("prefer", expected.preference().parse().unwrap());
            assert_eq!(ReturnPreference::of(&headers), expected, "{values:?}");
        }
    }
}
