//! OperationOutcome (R4 section 2.27): what went wrong, as a FHIR resource.

use serde_json::json;

/// The codes of `OperationOutcome.issue.code` that refusals use (value set `issue-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IssueType {
    /// The content is invalid against the specification.
    Invalid,
    /// The client must authenticate.
    Login,
    /// The credentials have expired.
    Expired,
    /// The user does not have the rights.
    Forbidden,
    /// The thing asked for was not found.
    NotFound,
    /// The interaction, operation or resource is not supported.
    NotSupported,
    /// Something in the request conflicts with what is stored.
    Conflict,
    /// Something that may go away by itself.
    Transient,
    /// An unexpected internal error.
    Exception,
}

impl IssueType {
    /// The code as FHIR writes it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Login => "login",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::NotSupported => "not-supported",
            Self::Conflict => "conflict",
            Self::Transient => "transient",
            Self::Exception => "exception",
        }
    }
}

/// An OperationOutcome with one issue of severity `error`.
///
/// ```
/// use tower_fhir_auth::{IssueType, OperationOutcome};
///
/// let outcome = OperationOutcome::new(IssueType::NotFound, "no <Patient> with this id");
/// let json: serde_json::Value = serde_json::from_str(&outcome.to_json())?;
/// assert_eq!(json["issue"][0]["code"], "not-found");
/// assert!(outcome.to_xml().contains("no &lt;Patient&gt; with this id"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationOutcome {
    issue_type: IssueType,
    diagnostics: String,
}

impl OperationOutcome {
    /// The media type of [`to_json`](Self::to_json).
    pub const JSON: &'static str = "application/fhir+json";
    /// The media type of [`to_xml`](Self::to_xml).
    pub const XML: &'static str = "application/fhir+xml";

    /// An outcome with a code and a text for people.
    pub fn new(issue_type: IssueType, diagnostics: impl Into<String>) -> Self {
        Self { issue_type, diagnostics: diagnostics.into() }
    }

    /// The code.
    #[must_use]
    pub fn issue_type(&self) -> IssueType {
        self.issue_type
    }

    /// As FHIR JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.issue_type.code(),
                "diagnostics": self.diagnostics,
            }],
        })
        .to_string()
    }

    /// As FHIR XML, well-formed whatever the text holds.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let code = self.issue_type.code();
        let diagnostics = escaped(&self.diagnostics);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue>\
             <severity value=\"error\"/><code value=\"{code}\"/>\
             <diagnostics value=\"{diagnostics}\"/>\
             </issue></OperationOutcome>"
        )
    }
}

/// Text as an XML 1.0 attribute value. Characters that XML cannot hold at all are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\0'..=' ' if character != ' ' => escaped.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}
