//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), to the letter.

use std::fmt::{self, Write};

use http::HeaderValue;

use super::Rejection;
use crate::text::plain;

/// The challenge of a refusal, each attribute once.
pub(crate) fn of(rejection: &Rejection) -> Option<HeaderValue> {
    let row = rejection.kind().row();
    if !row.challenge {
        return None;
    }
    let base = rejection.base_url();
    let mut challenge = Attributes("Bearer ".to_owned());
    challenge.add("realm", base.as_str()).ok()?;
    if let Some(error) = row.error {
        challenge.add("error", error).ok()?;
        challenge.add("error_description", &rejection.description()).ok()?;
    }
    if let Some(scope) = rejection.required_scope() {
        challenge.add("scope", &scope).ok()?;
    }
    challenge.add("resource_metadata", base.resource_metadata()).ok()?;
    HeaderValue::try_from(challenge.0).ok()
}

struct Attributes(String);

impl Attributes {
    /// Adds a value as a quoted string that needs no escapes.
    fn add(&mut self, name: &str, value: &str) -> fmt::Result {
        let comma = if self.0.ends_with('"') { ", " } else { "" };
        write!(self.0, "{comma}{name}=\"")?;
        self.0.extend(value.chars().map(plain));
        self.0.write_char('"')
    }
}
