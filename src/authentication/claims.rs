//! The claims of a token, each read by its type.
//!
//! Nothing in here is verified; [`validation`](super::validation) says which of it may be used.

use smallvec::{SmallVec, smallvec};

use super::entra::claims::has_too_many_groups;
use crate::jose::json::{Document, Json, Row};
use crate::span::Span;
use crate::time::UnixTime;

/// The claims that name the client, of which the first present one counts: RFC 9068 and RFC 8693;
/// OpenID Connect and Entra v2; Entra v1; Okta.
pub(super) const CLIENT_CLAIMS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// The payload of a token (RFC 7519 section 4).
#[derive(Clone, Debug)]
pub(crate) struct Claims<'a>(Document<'a>);

/// A claim is present, but has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongType;

impl<'a> Claims<'a> {
    pub(crate) fn new(payload: Document<'a>) -> Self {
        Self(payload)
    }

    /// Returns the claim with this whole name, else the value at this dotted path:
    /// `realm_access.roles`.
    pub(crate) fn at(&self, path: &str) -> Option<Json<'_>> {
        // The whole name first: names that are URLs, as Auth0 has them, contain dots.
        match self.0.get(path) {
            Some(value) => Some(value),
            None => self.at_dotted(path),
        }
    }

    fn at_dotted(&self, path: &str) -> Option<Json<'_>> {
        path.contains('.').then(|| self.along(path.split('.')))?
    }

    /// Returns the value at the end of a path of names.
    pub(crate) fn along<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Option<Json<'_>> {
        let first = self.0.get(names.next()?)?;
        names.try_fold(first, |value, name| value.as_object()?.member(name))
    }

    /// Returns a value as [`at`](Self::at) does, but treats `null` as absent.
    pub(crate) fn present(&self, path: &str) -> Option<Json<'_>> {
        self.at(path).filter(|value| !value.is_null())
    }

    /// Returns the claim with exactly this name, `null` included.
    pub(crate) fn member(&self, name: &str) -> Option<Json<'_>> {
        self.0.get(name)
    }

    /// Reports whether there is a claim with exactly this name, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    /// Counts the claims with a name, ignoring case.
    pub(crate) fn count_in_any_case(&self, name: &str) -> usize {
        self.0.names().filter(|other| other.eq_ignore_ascii_case(name)).count()
    }

    /// Reports whether the list of the caller's groups was left out of the token because it is too
    /// long (`_claim_names` of OpenID Connect Core section 5.6.2, Entra's `hasgroups`).
    pub(crate) fn lacks_groups(&self) -> bool {
        let elsewhere = self.0.get("_claim_names").and_then(|names| names.as_object());
        elsewhere.is_some_and(|names| names.member("groups").is_some())
            || has_too_many_groups(&self.0)
    }

    /// Reports whether a claim is present. `null` and an empty string count as absent.
    pub(crate) fn is_present(&self, path: &str) -> bool {
        self.present(path).is_some_and(|value| value.as_str() != Some(""))
    }

    /// Returns a string claim. `null` counts as absent.
    pub(crate) fn string(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(WrongType),
        }
    }

    /// Returns a string claim that is not empty. `None` when it is absent or anything else.
    pub(crate) fn string_or_none(&self, name: &str) -> Option<&str> {
        self.string(name).unwrap_or_default().filter(|string| !string.is_empty())
    }

    /// Returns a `NumericDate` claim (RFC 7519 section 2), which `null` is not.
    pub(crate) fn date(&self, name: &str) -> Result<Option<UnixTime>, WrongType> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                let date = value.as_number().and_then(UnixTime::from_numeric_date);
                date.map(Some).ok_or(WrongType)
            }
        }
    }

    /// Returns `aud` (RFC 7519 section 4.1.3): a string, or an array of strings and of nothing else.
    /// Empty when absent.
    pub(crate) fn audiences(&self) -> Result<SmallVec<[&str; 2]>, WrongType> {
        match self.0.get("aud") {
            None | Some(Json::Null) => Ok(SmallVec::new()),
            Some(Json::String(one)) => Ok(smallvec![one]),
            Some(value) => {
                let many = value.as_array().ok_or(WrongType)?;
                many.map(|item| item.as_str().ok_or(WrongType)).collect()
            }
        }
    }

    /// Reports whether the claims name no audience: `aud` is absent or empty.
    #[cfg(feature = "client")]
    pub(crate) fn names_no_audience(&self) -> bool {
        self.audiences().is_ok_and(|audiences| audiences.iter().all(|audience| audience.is_empty()))
    }

    /// Returns the strings of an array; one string counts as an array of one. Other items are
    /// skipped.
    pub(crate) fn list(&self, path: &str) -> Items<'_> {
        Items::of(self.at(path))
    }

    /// Returns the scope tokens of a claim (RFC 6749 section 3.3): a string split at spaces, and at
    /// nothing else; or an array of such strings.
    pub(crate) fn scopes(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).flat_map(|string| string.split(' ')).filter(|scope| !scope.is_empty())
    }

    /// Returns the scope tokens of a value, as [`scopes`](Self::scopes) does.
    #[cfg(feature = "client")]
    pub(crate) fn scopes_of(value: Json<'_>) -> impl Iterator<Item = &str> {
        let scopes = Items::of(Some(value)).flat_map(|string| string.split(' '));
        scopes.filter(|scope| !scope.is_empty())
    }

    /// Returns the span of a string of the claims, or of a part of it, see [`Document::span_of`].
    pub(crate) fn span_of(&self, part: &str) -> Option<Span> {
        self.0.span_of(part)
    }

    /// Returns the string at a span of [`span_of`](Self::span_of).
    pub(crate) fn string_at(&self, span: Span) -> &str {
        self.0.string_at(span)
    }

    /// Returns the payload as it was sent, and the buffer of unescaped strings.
    pub(crate) fn sources(&self) -> (&str, &str) {
        self.0.sources()
    }

    /// Returns the client, by the first claim that names it.
    pub(crate) fn client(&self) -> Option<&str> {
        CLIENT_CLAIMS.into_iter().find_map(|name| self.string_or_none(name))
    }
}

/// The non-empty strings of an array.
pub(crate) enum Items<'c> {
    One(Option<&'c str>),
    Many(Row<'c>),
}

impl<'c> Items<'c> {
    pub(super) fn of(value: Option<Json<'c>>) -> Self {
        match value.and_then(|value| value.as_array()) {
            Some(items) => Self::Many(items),
            None => Self::One(value.and_then(|value| value.as_str())),
        }
    }
}

impl<'c> Iterator for Items<'c> {
    type Item = &'c str;

    fn next(&mut self) -> Option<&'c str> {
        match self {
            Self::One(string) => string.take().filter(|string| !string.is_empty()),
            Self::Many(row) => loop {
                match row.next_str()? {
                    "" => {}
                    string => break Some(string),
                }
            },
        }
    }
}
