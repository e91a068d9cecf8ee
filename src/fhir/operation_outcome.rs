//! OperationOutcome (R4 section 2.27): an error as a FHIR resource.

use std::fmt;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::format::Format;
use crate::display_safe::is_safe;

/// The codes of `OperationOutcome.issue.code` (value set `issue-type`).
///
/// ```
/// use tower_fhir_auth::fhir::{IssueType, OperationOutcome};
///
/// let outcome = OperationOutcome::new(IssueType::NotFound, "there is no such Patient");
/// assert!(outcome.to_json().contains(r#""code":"not-found""#));
/// ```
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
    /// The requested thing was not found.
    NotFound,
    /// The requested thing existed, and has been deleted.
    Deleted,
    /// The interaction, operation or resource is not supported.
    NotSupported,
    /// Something in the request conflicts with what is stored.
    Conflict,
    /// More was sent than is accepted.
    TooLong,
    /// The answer would cost more than the server spends on one.
    TooCostly,
    /// A failure that may go away by itself.
    Transient,
    /// An unexpected internal error.
    Exception,
    /// The content is malformed, such as no JSON.
    Structure,
    /// A required element is missing.
    Required,
    /// The value of an element is invalid.
    Value,
    /// A rule about the content is broken.
    Invariant,
    /// A problem of authentication or authorization.
    Security,
    /// The user is not known, or not told.
    Unknown,
    /// Some content has been left out because of rights.
    Suppressed,
    /// The content cannot be processed.
    Processing,
    /// A duplicate of content that is there already.
    Duplicate,
    /// More than one resource matches.
    MultipleMatches,
    /// A code is not known, or not of its value set.
    CodeInvalid,
    /// An extension is not acceptable.
    Extension,
    /// A rule of the application is broken.
    BusinessRule,
    /// A lock could not be had.
    LockError,
    /// The store could not be reached.
    NoStore,
    /// The answer was not there in time.
    Timeout,
    /// Not all results could be had.
    Incomplete,
    /// Too much was asked for.
    Throttled,
    /// A message about something that went well.
    Informational,
}

impl IssueType {
    #[cfg(feature = "confine")]
    const ALL: [Self; 31] = [
        Self::Invalid,
        Self::Login,
        Self::Expired,
        Self::Forbidden,
        Self::NotFound,
        Self::Deleted,
        Self::NotSupported,
        Self::Conflict,
        Self::TooLong,
        Self::TooCostly,
        Self::Transient,
        Self::Exception,
        Self::Structure,
        Self::Required,
        Self::Value,
        Self::Invariant,
        Self::Security,
        Self::Unknown,
        Self::Suppressed,
        Self::Processing,
        Self::Duplicate,
        Self::MultipleMatches,
        Self::CodeInvalid,
        Self::Extension,
        Self::BusinessRule,
        Self::LockError,
        Self::NoStore,
        Self::Timeout,
        Self::Incomplete,
        Self::Throttled,
        Self::Informational,
    ];

    /// Reads the code of the first issue of an OperationOutcome in JSON, if it is one of these.
    #[cfg(feature = "confine")]
    pub(crate) fn of_outcome(json: &[u8]) -> Option<Self> {
        let outcome: serde_json::Value = serde_json::from_slice(json).ok()?;
        let code = outcome.get("issue")?.get(0)?.get("code")?.as_str()?;
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Returns the code as FHIR writes it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Login => "login",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Deleted => "deleted",
            Self::NotSupported => "not-supported",
            Self::Conflict => "conflict",
            Self::TooLong => "too-long",
            Self::TooCostly => "too-costly",
            Self::Transient => "transient",
            Self::Exception => "exception",
            Self::Structure => "structure",
            Self::Required => "required",
            Self::Value => "value",
            Self::Invariant => "invariant",
            Self::Security => "security",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
            Self::Processing => "processing",
            Self::Duplicate => "duplicate",
            Self::MultipleMatches => "multiple-matches",
            Self::CodeInvalid => "code-invalid",
            Self::Extension => "extension",
            Self::BusinessRule => "business-rule",
            Self::LockError => "lock-error",
            Self::NoStore => "no-store",
            Self::Timeout => "timeout",
            Self::Incomplete => "incomplete",
            Self::Throttled => "throttled",
            Self::Informational => "informational",
        }
    }
}

impl fmt::Display for IssueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An OperationOutcome with one issue of severity `error`.
///
/// ```
/// use tower_fhir_auth::fhir::{IssueType, OperationOutcome};
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
    /// The codes of `details`, all of one system.
    // A `Vec` costs a refusal without a token 3 % of its instructions.
    codes: SmallVec<[&'static str; 2]>,
    diagnostics: String,
}

/// The system of the codes in `details`, which are those of [`RejectionKind::name`] and
/// [`Check::name`].
///
/// [`RejectionKind::name`]: crate::RejectionKind::name
/// [`Check::name`]: crate::explanation::Check::name
pub const REFUSAL_CODES: &str = "https://docs.rs/tower-fhir-auth/refusal-codes";

impl OperationOutcome {
    /// Makes an outcome with a code and a message for people.
    pub fn new(issue_type: IssueType, diagnostics: impl Into<String>) -> Self {
        Self { issue_type, codes: SmallVec::new(), diagnostics: diagnostics.into() }
    }

    /// Adds a code of [`REFUSAL_CODES`] to `details`.
    #[must_use]
    pub(crate) fn coded(mut self, code: &'static str) -> Self {
        self.codes.push(code);
        self
    }

    /// Returns the code.
    #[must_use]
    pub fn issue_type(&self) -> IssueType {
        self.issue_type
    }

    /// Writes the outcome in a format.
    ///
    /// ```
    /// use http::{Response, header::CONTENT_TYPE, request::Parts};
    /// use tower_fhir_auth::fhir::{Format, IssueType, OperationOutcome};
    ///
    /// fn not_found(request: &Parts) -> Response<String> {
    ///     let format = Format::wanted_by(request);
    ///     let outcome = OperationOutcome::new(IssueType::NotFound, "there is no such resource");
    ///     let mut response = Response::new(outcome.to_format(format));
    ///     *response.status_mut() = http::StatusCode::NOT_FOUND;
    ///     let media_type = http::HeaderValue::from_static(format.media_type());
    ///     response.headers_mut().insert(CONTENT_TYPE, media_type);
    ///     response
    /// }
    /// ```
    #[must_use]
    pub fn to_format(&self, format: Format) -> String {
        match format {
            Format::Json => self.to_json(),
            Format::Xml => self.to_xml(),
        }
    }

    /// Writes FHIR JSON, as `Serialize` does. By hand, because every refusal has one: serde's way takes
    /// 3,400 instructions more of the 10,000 of a request without a token.
    #[must_use]
    pub fn to_json(&self) -> String {
        let room = 256 + 128 * self.codes.len() + self.diagnostics.len();
        let mut json = String::with_capacity(room);
        json.push_str(
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":""#,
        );
        json.push_str(self.issue_type.code());
        json.push_str("\",");
        for (index, code) in self.codes.iter().enumerate() {
            json.push_str(if index == 0 { r#""details":{"coding":["# } else { "," });
            json.push_str(r#"{"system":""#);
            json.push_str(REFUSAL_CODES);
            json.push_str(r#"","code":""#);
            json.push_str(code);
            json.push_str("\"}");
        }
        json.push_str(if self.codes.is_empty() { "" } else { "]}," });
        json.push_str(r#""diagnostics":"#);
        push_quoted(&self.diagnostics, &mut json);
        json.push_str("}]}");
        json
    }

    /// Writes FHIR XML, well-formed whatever the strings contain.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let code = self.issue_type.code();
        let diagnostics = escaped(&self.diagnostics);
        let codings = self.codes.iter().map(|code| {
            format!("<coding><system value=\"{REFUSAL_CODES}\"/><code value=\"{code}\"/></coding>")
        });
        let codings: String = codings.collect();
        let details = match codings.is_empty() {
            true => String::new(),
            false => format!("<details>{codings}</details>"),
        };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
             <OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue>\
             <severity value=\"error\"/><code value=\"{code}\"/>{details}\
             <diagnostics value=\"{diagnostics}\"/>\
             </issue></OperationOutcome>"
        )
    }
}

/// Appends a JSON string.
fn push_quoted(text: &str, json: &mut String) {
    if is_safe(text) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        // A string can always be written as JSON.
        json.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// Writes the outcome as the FHIR resource in JSON.
impl Serialize for OperationOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = Details { coding: Codings(&self.codes) };
        let issue = Issue {
            severity: "error",
            code: self.issue_type.code(),
            details: (!self.codes.is_empty()).then_some(details),
            diagnostics: &self.diagnostics,
        };
        Resource { resource_type: "OperationOutcome", issue: [issue] }.serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    resource_type: &'static str,
    issue: [Issue<'a>; 1],
}

#[derive(Serialize)]
struct Issue<'a> {
    severity: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
    diagnostics: &'a str,
}

#[derive(Serialize)]
struct Details<'a> {
    coding: Codings<'a>,
}

struct Codings<'a>(&'a [&'static str]);

#[derive(Serialize)]
struct Coding {
    system: &'static str,
    code: &'static str,
}

impl Serialize for Codings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|code| Coding { system: REFUSAL_CODES, code }))
    }
}

/// Escapes a string as an XML 1.0 attribute value. Characters that XML cannot hold at all are
/// replaced.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_a_resource_with_its_members_in_the_order_of_the_standard() {
        let outcome = OperationOutcome::new(IssueType::Login, "no \"token\"");
        assert_eq!(
            outcome.to_json(),
            r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"login","diagnostics":"no \"token\""}]}"#
        );
        let coded = outcome.coded("invalid-token").coded("audience").to_json();
        let codings = format!(
            r#""code":"login","details":{{"coding":[{{"system":"{REFUSAL_CODES}","code":"invalid-token"}},{{"system":"{REFUSAL_CODES}","code":"audience"}}]}},"diagnostics""#
        );
        assert!(coded.contains(&codings), "{coded}");
    }

    #[test]
    fn json_holds_any_text() {
        for text in ["", "plain: `a`", "a\u{0}\u{1b}\n\\\"<&>'\u{7f}\u{e9}\u{1F600}"] {
            let outcome = OperationOutcome::new(IssueType::Invalid, text);
            let json: serde_json::Value = serde_json::from_str(&outcome.to_json()).unwrap();
            assert_eq!(json["issue"][0]["diagnostics"], text);
            for outcome in [outcome.clone(), outcome.coded("forbidden").coded("authorization")] {
                assert_eq!(serde_json::to_string(&outcome).unwrap(), outcome.to_json());
            }
        }
    }

    #[test]
    fn xml_holds_any_text() {
        let outcome =
            OperationOutcome::new(IssueType::Invalid, "a\u{0}\u{1b}\u{ffff}\t\n\r\"<&>'\u{e9}");
        let expected =
            "value=\"a\u{fffd}\u{fffd}\u{fffd}&#9;&#10;&#13;&quot;&lt;&amp;&gt;&apos;\u{e9}\"";
        assert!(outcome.to_xml().contains(expected), "{}", outcome.to_xml());
    }

    #[test]
    fn issue_types_are_written_as_in_the_value_set_of_fhir() {
        for (issue_type, code) in [
            (IssueType::BusinessRule, "business-rule"),
            (IssueType::LockError, "lock-error"),
            (IssueType::NoStore, "no-store"),
            (IssueType::Timeout, "timeout"),
            (IssueType::Incomplete, "incomplete"),
            (IssueType::Throttled, "throttled"),
            (IssueType::Informational, "informational"),
        ] {
            assert_eq!(issue_type.code(), code);
        }
    }
}
