//! Finds what is wrong with an address that is no interaction, and what is probably meant.

use http::Method;
use percent_encoding::percent_decode_str;

use super::super::InteractionKind;
use super::super::route::{Route, is_id, operation, segments};
use super::problem::AddressProblem;
use crate::fhir::base_url::BaseUrl;
use crate::fhir::resource_type::{ResourceTypes, is_of_a_later_version};

/// The longest path for which the intended one is looked for, in bytes.
const MAX_MENDED: usize = 512;

/// The methods of FHIR's interactions.
static METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// A request but for its path.
pub(super) struct Request<'a> {
    pub(super) types: &'a ResourceTypes,
    pub(super) method: &'a Method,
    pub(super) has_query: bool,
}

impl Request<'_> {
    /// Returns the first problem in the order in which they are listed.
    pub(super) fn problem(&self, base: &BaseUrl, path: &str) -> AddressProblem {
        let Some(below) = base.below(path) else {
            return AddressProblem::OutsideBase { base: base.as_str().to_owned() };
        };
        if !base.path().is_empty() && base.below(below).is_some() {
            return AddressProblem::BaseRepeated;
        }
        let segments = segments(below);
        let is_encoded = |segment: &&str| match operation(segment) {
            Some(_) => false,
            None => segment.contains('%'),
        };
        if segments.iter().any(is_encoded) {
            let is_readable = decoded(below).is_some();
            return if is_readable {
                AddressProblem::PercentEncoding
            } else {
                AddressProblem::Undecodable
            };
        }
        match segments.as_slice() {
            all if all.iter().any(|segment| matches!(*segment, "." | "..")) => {
                AddressProblem::DotSegment
            }
            [earlier @ .., _] if earlier.contains(&"") => AddressProblem::EmptySegment,
            [_, .., ""] => AddressProblem::TrailingSlash,
            all => self.problem_of_shape(all),
        }
    }

    fn problem_of_shape(&self, segments: &[&str]) -> AddressProblem {
        let has = |method: &Method, has_query| {
            let route = Route::from_segments(self.types, method, segments, has_query);
            route.kind != InteractionKind::Unknown
        };
        if !self.has_query && has(self.method, true) {
            return AddressProblem::QueryMissing;
        }
        let allowed = METHODS.iter().filter(|method| has(method, self.has_query));
        let allowed: Vec<&'static str> = allowed.map(name_of).collect();
        if !allowed.is_empty() {
            return AddressProblem::Method { allowed };
        }
        let is_special = |segment: &str| segment.starts_with(['_', '$', '*']);
        match segments {
            [name, ..] if is_special(name) => AddressProblem::Shape,
            [name, ..] if !self.types.contains(name) => self.problem_of_type(name),
            [_, id, ..] if is_special(id) => AddressProblem::Shape,
            [_, id, ..] if !is_id(id) => problem_of_id(id),
            [_, _, "_history", version, ..] if !is_id(version) => problem_of_id(version),
            [_, _, name, ..] if !is_special(name) && !self.types.contains(name) => {
                self.problem_of_type(name)
            }
            _ => AddressProblem::Shape,
        }
    }

    fn problem_of_type(&self, name: &str) -> AddressProblem {
        if let Some(known) = self.types.in_other_case(name) {
            return AddressProblem::TypeInOtherCase { resource_type: known.to_owned() };
        }
        AddressProblem::UnknownType {
            name: (name.len() <= 64 && !may_be_token(name)).then(|| name.to_owned()),
            is_of_later_version: is_of_a_later_version(name),
        }
    }

    /// Returns the path that a mended one would have, if it is an interaction: decoded, below the
    /// base once, without empty segments, types in their own case.
    pub(super) fn mended(&self, base: &BaseUrl, path: &str) -> Option<String> {
        if path.len() > MAX_MENDED {
            return None;
        }
        let path = decoded(path)?;
        let mut below = &*path;
        while let Some(rest) = base.below(below).filter(|_| !base.path().is_empty()) {
            below = rest;
        }
        let segments = below.split('/').filter(|segment| !segment.is_empty());
        let segments = segments.enumerate().map(|(index, segment)| match index {
            0 | 2 if !self.types.contains(segment) => {
                self.types.in_other_case(segment).unwrap_or(segment)
            }
            _ => segment,
        });
        let segments: Vec<&str> = segments.collect();
        let route = Route::from_segments(self.types, self.method, &segments, self.has_query);
        let is_shown = !segments.iter().any(|segment| may_be_token(segment));
        let mended = format!("{}/{}", base.path(), segments.join("/"));
        (route.kind != InteractionKind::Unknown && is_shown).then_some(mended)
    }
}

/// Decodes a path, if every escape is whole and the text is UTF-8.
fn decoded(path: &str) -> Option<String> {
    let is_hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut escapes = path.split('%').skip(1);
    let whole = escapes.all(|rest| rest.get(..2).is_some_and(is_hexadecimal));
    let text = percent_decode_str(path).decode_utf8().ok().filter(|_| whole)?;
    Some(text.into_owned())
}

fn problem_of_id(id: &str) -> AddressProblem {
    let allowed = |character: &char| character.is_ascii_alphanumeric() || "-.".contains(*character);
    let length = id.chars().count();
    match id.chars().find(|character| !allowed(character)) {
        Some(character) => AddressProblem::IdCharacter { character },
        None if length > 64 => AddressProblem::IdLength { length },
        None => AddressProblem::Shape,
    }
}

/// Reports whether a segment could be, or could hold, a JWT. An OID is none.
fn may_be_token(segment: &str) -> bool {
    let dots = segment.bytes().filter(|byte| *byte == b'.').count();
    dots >= 2 && segment.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "DELETE",
    }
}
