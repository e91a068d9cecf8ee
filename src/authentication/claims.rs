//! The claims of a token, each read by its type.
//!
//! Nothing in here is verified; [`validation`](super::validation) says which of it may be used.

use smallvec::{SmallVec, smallvec};

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
        // The whole name first: claims named by a URL contain dots.
        match self.0.get(path) {
            Some(value) => Some(value),
            None => self.at_dotted(path),
        }
    }

    fn at_dotted(&self, path: &str) -> Option<Json<'_>> {
        let dot = path.bytes().position(|byte| byte == b'.')?;
        let (first, rest) = path.split_at_checked(dot)?;
        rest.split('.').skip(1).try_fold(self.0.get(first)?, |value, name| match value {
            Json::Object(members) => members.member(name),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => None,
        })
    }

    /// Returns a value as [`at`](Self::at) does, but treats `null` as absent.
    pub(crate) fn present(&self, path: &str) -> Option<Json<'_>> {
        self.at(path).filter(|value| !matches!(value, Json::Null))
    }

    /// Returns the claim with exactly this name, `null` included.
    #[inline]
    pub(crate) fn member(&self, name: &str) -> Option<Json<'_>> {
        self.0.get(name)
    }

    /// Reports whether there is a claim with exactly this name, whatever its value.
    #[inline]
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
        let elsewhere = self.0.get("_claim_names").is_some_and(|names| match names {
            Json::Object(names) => names.member("groups").is_some(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                false
            }
        });
        elsewhere
            || matches!(self.0.get("hasgroups"), Some(Json::Bool(true)))
            || self.text_or_none("hasgroups") == Some("true")
    }

    /// Reports whether a claim is present. `null` and an empty string count as absent.
    pub(crate) fn is_present(&self, path: &str) -> bool {
        match self.at(path) {
            None | Some(Json::Null) => false,
            Some(Json::String(text)) => !text.is_empty(),
            Some(Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => true,
        }
    }

    /// Returns a string claim. `null` counts as absent.
    #[inline]
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.0.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
                Err(WrongType)
            }
        }
    }

    /// Returns a string claim that is not empty, or `None` when it is anything else.
    #[inline]
    pub(crate) fn text_or_none(&self, name: &str) -> Option<&str> {
        self.text(name).unwrap_or_default().filter(|text| !text.is_empty())
    }

    /// Returns a `NumericDate` claim (RFC 7519 section 2), which `null` is not.
    #[inline]
    pub(crate) fn date(&self, name: &str) -> Result<Option<UnixTime>, WrongType> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Json::Number(seconds)) => {
                UnixTime::from_numeric_date(seconds).map(Some).ok_or(WrongType)
            }
            Some(
                Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) | Json::Object(_),
            ) => Err(WrongType),
        }
    }

    /// Returns `aud` (RFC 7519 section 4.1.3): a string, or an array of strings and of nothing else.
    /// Empty when absent.
    pub(crate) fn audiences(&self) -> Result<SmallVec<[&str; 2]>, WrongType> {
        match self.0.get("aud") {
            None | Some(Json::Null) => Ok(SmallVec::new()),
            Some(Json::String(one)) => Ok(smallvec![one]),
            Some(Json::Array(many)) => many.map(|item| item.into_text().ok_or(WrongType)).collect(),
            Some(Json::Bool(_) | Json::Number(_) | Json::Object(_)) => Err(WrongType),
        }
    }

    /// Returns the strings of an array; one string counts as an array of one. Other items are
    /// skipped.
    pub(crate) fn list(&self, path: &str) -> Items<'_> {
        match self.at(path) {
            Some(Json::String(text)) => Items::One(Some(text)),
            Some(Json::Array(items)) => Items::Many(items),
            Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_)) | None => {
                Items::One(None)
            }
        }
    }

    /// Returns the scope tokens of a claim (RFC 6749 section 3.3): a string split at spaces, and at
    /// nothing else; or an array of such strings.
    pub(crate) fn scopes(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).flat_map(|text| text.split(' ')).filter(|scope| !scope.is_empty())
    }

    /// Returns the span of a string of the claims, or of a part of it, see [`Document::span_of`].
    pub(crate) fn span_of(&self, part: &str) -> Option<Span> {
        self.0.span_of(part)
    }

    /// Returns the string at a span of [`span_of`](Self::span_of).
    pub(crate) fn text_at(&self, span: Span) -> &str {
        self.0.text_at(span)
    }

    /// Returns the payload as it was sent, and the buffer of unescaped strings.
    pub(crate) fn sources(&self) -> (&str, &str) {
        self.0.sources()
    }

    /// Returns the client, by the first claim that names it.
    pub(crate) fn client(&self) -> Option<&str> {
        CLIENT_CLAIMS.into_iter().find_map(|name| self.text_or_none(name))
    }
}

/// The non-empty strings of an array.
pub(crate) enum Items<'c> {
    One(Option<&'c str>),
    Many(Row<'c>),
}

impl<'c> Iterator for Items<'c> {
    type Item = &'c str;

    fn next(&mut self) -> Option<&'c str> {
        match self {
            Self::One(text) => text.take().filter(|text| !text.is_empty()),
            Self::Many(row) => loop {
                match row.next_text()? {
                    "" => {}
                    text => break Some(text),
                }
            },
        }
    }
}
