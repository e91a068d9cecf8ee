//! A request, or an entry of a bundle: its interaction with parameters, conditions and body.

use axum::http::header::{CONTENT_TYPE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tower_fhir_auth::fhir::IssueType;
use tower_fhir_auth::{Access, Interaction, InteractionKind};

use super::answer::Refusal;
use crate::json;
use crate::rights::Rights;

/// An interaction with its parameters, its conditions and its body.
#[derive(Debug)]
pub(crate) struct FhirRequest<'a> {
    pub(crate) interaction: &'a Interaction,
    /// Those of the address, and those of the body of a search.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    /// Ignored where `If-None-Match` is sent (RFC 9110 section 13.1.3).
    pub(crate) if_modified_since: Option<String>,
    /// The search of a conditional creation.
    pub(crate) if_none_exist: Option<String>,
    pub(crate) body: Content,
    /// The id that a resource gets if it is created; within a transaction others refer to it.
    pub(crate) new_id: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    None,
    Resource(Value),
    JsonPatch(Vec<u8>),
}

/// A search whose parameters stand in the body, judged with them.
pub(crate) fn with_search_body(rights: Rights, body: &[u8]) -> Result<Rights, Refusal> {
    if !rights.interaction().is_search_by_post() {
        return Ok(rights);
    }
    if body.len() > Access::MAX_SEARCH_BODY {
        let text = "the parameters of the search have more than 64 KiB";
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text));
    }
    let parameters = std::str::from_utf8(body)
        .map_err(|_| Refusal::invalid("the parameters of the search are not UTF-8"))?;
    Ok(rights.with_search_body(parameters)?)
}

impl<'a> FhirRequest<'a> {
    pub(crate) fn of_request(
        interaction: &'a Interaction,
        parts: &Parts,
        body: &[u8],
    ) -> Result<Self, Refusal> {
        let header = |name| text(&parts.headers, name);
        let mut parameters = pairs(interaction.query().unwrap_or_default().as_bytes());
        let content = match interaction.kind() {
            _ if interaction.is_search_by_post() => {
                parameters.extend(pairs(body));
                Content::None
            }
            InteractionKind::Patch | InteractionKind::ConditionalPatch => {
                patch(header(CONTENT_TYPE.as_str()), body)?
            }
            kind if super::write::takes_resource(kind) => {
                resource(header(CONTENT_TYPE.as_str()), body)?
            }
            // Parameters of an operation in a body would go unseen.
            InteractionKind::Operation if !body.is_empty() => {
                return Err(Refusal::invalid("parameters of operations stand in the address here"));
            }
            _ => Content::None,
        };
        let conditions = parts.headers.get_all("if-none-exist").iter().count();
        if conditions > 1 {
            return Err(Refusal::invalid("`If-None-Exist` appears more than once"));
        }
        Ok(Self {
            interaction,
            parameters,
            if_match: header(IF_MATCH.as_str()),
            if_none_match: header(IF_NONE_MATCH.as_str()),
            if_modified_since: header(IF_MODIFIED_SINCE.as_str()),
            if_none_exist: header("if-none-exist").map(without_mark),
            body: content,
            new_id: None,
        })
    }

    /// An entry of a bundle.
    pub(crate) fn of_entry(interaction: &'a Interaction, entry: &Value) -> Result<Self, Refusal> {
        let request = |name: &str| entry["request"][name].as_str().map(str::to_owned);
        let content = match (interaction.kind(), &entry["resource"]) {
            (InteractionKind::Patch | InteractionKind::ConditionalPatch, binary) => {
                patch_in_binary(binary)?
            }
            (kind, Value::Null) if super::write::takes_resource(kind) => {
                return Err(Refusal::invalid("the entry has no resource"));
            }
            (kind, resource) if super::write::takes_resource(kind) => {
                Content::Resource(resource.clone())
            }
            _ => Content::None,
        };
        Ok(Self {
            interaction,
            parameters: pairs(interaction.query().unwrap_or_default().as_bytes()),
            if_match: request("ifMatch"),
            if_none_match: request("ifNoneMatch"),
            if_modified_since: None,
            if_none_exist: request("ifNoneExist").map(without_mark),
            body: content,
            new_id: None,
        })
    }

    /// The type of the address, which the layer has found there for every kind that needs one.
    pub(crate) fn resource_type(&self) -> &'a str {
        self.interaction.resource_type().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> &'a str {
        self.interaction.id().unwrap_or_default()
    }
}

/// Names and values of a query, decoded.
pub(crate) fn pairs(query: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(query).into_owned().collect()
}

/// The value of a header; lines of one that is a list are one list (RFC 9110 section 5.3).
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    lines.map(|line| line.into_owned()).reduce(|list, line| format!("{list}, {line}"))
}

/// Some clients write a condition with the mark of a query.
fn without_mark(condition: String) -> String {
    condition.strip_prefix('?').map(str::to_owned).unwrap_or(condition)
}

fn resource(media_type: Option<String>, body: &[u8]) -> Result<Content, Refusal> {
    let media_type = media_type.unwrap_or_else(|| "application/fhir+json".to_owned());
    let is_json = media_type
        .split(';')
        .next()
        .is_some_and(|name| name.trim().to_ascii_lowercase().ends_with("json"));
    if !is_json {
        let text = "resources are `application/fhir+json` to this server";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            IssueType::NotSupported,
            text,
        ));
    }
    let resource: Value = json::read(body).map_err(|error| {
        Refusal::invalid(format!("the body is not a resource in JSON: {error}"))
    })?;
    Ok(Content::Resource(resource))
}

fn patch(media_type: Option<String>, body: &[u8]) -> Result<Content, Refusal> {
    let media_type = media_type.unwrap_or_default();
    let name = media_type.split(';').next().map(str::trim).unwrap_or_default();
    if !name.eq_ignore_ascii_case("application/json-patch+json") {
        let text = "a patch is `application/json-patch+json` to this server";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            IssueType::NotSupported,
            text,
        ));
    }
    Ok(Content::JsonPatch(body.to_vec()))
}

/// In a bundle a JSON Patch comes in a Binary (R4 section 3.1.0.11.4).
fn patch_in_binary(binary: &Value) -> Result<Content, Refusal> {
    use base64::Engine;
    let data = binary["data"].as_str().filter(|_| binary["resourceType"] == "Binary");
    let decoded = data.and_then(|data| base64::engine::general_purpose::STANDARD.decode(data).ok());
    let media_type = binary["contentType"].as_str().map(str::to_owned);
    match decoded {
        Some(decoded) => patch(media_type, &decoded),
        None => Err(Refusal::invalid("a patch in a bundle is a Binary with `data`")),
    }
}
