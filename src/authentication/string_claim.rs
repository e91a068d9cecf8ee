//! A claim that should be a string, told apart from an absent one and one of another type.

use super::claims::Claims;
use crate::jose::json::Json;
use crate::span::Span;

/// A claim that should be a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum StringClaim<T> {
    #[default]
    Absent,
    String(T),
    /// The claim is present, but is not a string.
    OtherType,
}

/// A claim that stands under one of several names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamedClaim<T> {
    pub(crate) name: &'static str,
    pub(crate) claim: StringClaim<T>,
}

impl<T> StringClaim<T> {
    pub(super) fn string(self) -> Option<T> {
        match self {
            Self::String(text) => Some(text),
            Self::Absent | Self::OtherType => None,
        }
    }

    pub(super) fn map<U>(self, how: impl FnOnce(T) -> U) -> StringClaim<U> {
        match self {
            Self::String(text) => StringClaim::String(how(text)),
            Self::Absent => StringClaim::Absent,
            Self::OtherType => StringClaim::OtherType,
        }
    }
}

/// Returns the first of two claims that is present. `null` counts as absent.
pub(super) fn first_present(claims: &Claims<'_>, names: [&'static str; 2]) -> NamedClaim<Span> {
    let [first, _] = names;
    let present = names.into_iter().find_map(|name| Some((name, claims.present(name)?)));
    let (name, claim) = present.map_or((first, None), |(name, claim)| (name, Some(claim)));
    NamedClaim { name, claim: string_claim(claims, claim) }
}

pub(super) fn string_claim(claims: &Claims<'_>, claim: Option<Json<'_>>) -> StringClaim<Span> {
    let Some(claim) = claim else { return StringClaim::Absent };
    let span = claim.as_str().and_then(|text| claims.span_of(text));
    span.map_or(StringClaim::OtherType, StringClaim::String)
}
