//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), to the letter.

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
    let mut challenge = format!("Bearer realm=\"{}\"", quotable(base.as_str()));
    if let Some(error) = row.error {
        let description = quotable(&rejection.description());
        challenge.push_str(&format!(", error=\"{error}\", error_description=\"{description}\""));
    }
    if let Some(scope) = rejection.required_scope() {
        let scope = quotable(&scope);
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    let metadata = base.resource_metadata();
    challenge.push_str(&format!(", resource_metadata=\"{}\"", quotable(&metadata)));
    HeaderValue::from_str(&challenge).ok()
}

/// Text for a quoted string that needs no escapes.
fn quotable(text: &str) -> String {
    text.chars().map(plain).collect()
}
