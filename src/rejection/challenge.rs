//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), to the letter.

use http::HeaderValue;

use super::Rejection;
use crate::display_safe::{is_safe, safe_character};

impl Rejection {
    /// The value of `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), where the
    /// refusal has one.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<HeaderValue> {
        let row = self.kind().row();
        if !row.challenge {
            return None;
        }
        let base = self.base_url();
        let mut challenge = Attributes(String::with_capacity(512));
        challenge.0.push_str("Bearer ");
        challenge.add("realm", base.as_str());
        if let Some(error) = row.error {
            challenge.add("error", error);
            challenge.add("error_description", self.description());
        }
        if let Some(scope) = self.required_scope() {
            challenge.add("scope", &scope);
        }
        challenge.add("resource_metadata", base.resource_metadata());
        HeaderValue::try_from(challenge.0).ok()
    }
}

struct Attributes(String);

impl Attributes {
    /// Adds a value as a quoted string that needs no escapes.
    fn add(&mut self, name: &str, value: &str) {
        if self.0.ends_with('"') {
            self.0.push_str(", ");
        }
        self.0.push_str(name);
        self.0.push_str("=\"");
        if is_safe(value) {
            self.0.push_str(value);
        } else {
            self.0.extend(value.chars().map(safe_character));
        }
        self.0.push('"');
    }
}
