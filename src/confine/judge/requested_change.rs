//! The change that a client asks for: its content and its conditions, beside its interaction.

use bytes::Bytes;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_service::Service;

use super::{BoxError, Judge};
use crate::authorization::{Access, BorrowedResource, ResourceRef};
use crate::confine::headers;
use crate::confine::patch;
use crate::confine::pending_body::PendingBody;
use crate::confine::preference::ReturnPreference;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::Judged;
use crate::confine::tree::{Tree, unmarked};
use crate::fhir::InteractionKind as Kind;
use crate::fhir::compartment::Node;

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// A change that a client asks for, beside its interaction.
#[derive(Debug)]
pub(super) struct RequestedChange {
    pub(super) content: Content,
    pub(super) if_match: Option<String>,
    pub(super) if_none_match: Option<String>,
    /// The search of a conditional creation.
    pub(super) if_none_exist: Option<String>,
    pub(super) returned: ReturnPreference,
}

#[derive(Debug)]
pub(super) enum Content {
    None,
    Resource(String),
    JsonPatch(String),
}

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Reads the change that the request asks for.
    pub(super) async fn requested_change(&mut self) -> Judged<RequestedChange, S::Error> {
        let asked = &self.request.headers;
        // Unlike `If-Match` it is no list, so its lines must not be joined (RFC 9110 section 5.3).
        if asked.get_all(IF_NONE_EXIST).iter().count() > 1 {
            return Err(Refusal::bad_request("`If-None-Exist` appears more than once").into());
        }
        let if_none_exist = text(asked, &IF_NONE_EXIST)?;
        let (if_match, if_none_match) = (text(asked, &IF_MATCH)?, text(asked, &IF_NONE_MATCH)?);
        let returned = ReturnPreference::of(asked);
        let kind = self.access.interaction().kind();
        let patches = matches!(kind, Kind::Patch | Kind::ConditionalPatch);
        if patches && !headers::is_json_patch(asked) {
            return Err(Refusal::no_json_patch().into());
        }
        let content = if patches {
            Content::JsonPatch(self.text().await?)
        } else if matches!(kind, Kind::Delete | Kind::ConditionalDelete) {
            Content::None
        } else {
            Content::Resource(self.json().await?)
        };
        if let Content::Resource(text) = &content {
            check_resource(text)?;
        }
        Ok(RequestedChange { content, if_match, if_none_match, if_none_exist, returned })
    }

    /// Reads a body of JSON.
    pub(super) async fn json(&mut self) -> Judged<String, S::Error> {
        if !headers::is_fhir_json(&self.request.headers) {
            return Err(Refusal::unsupported_resource_format().into());
        }
        self.text().await
    }

    async fn text(&mut self) -> Judged<String, S::Error> {
        let body = self.body(self.settings.max_body).await?;
        let body = String::from_utf8(body.to_vec());
        let body = body.map_err(|_| Refusal::bad_request("the body is not UTF-8"))?;
        Ok(body.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(body))
    }

    /// Reads the body of a search; `None` where it is too long.
    pub(super) async fn search_body(&mut self) -> Option<Bytes> {
        self.body(Access::MAX_SEARCH_BODY).await.ok()
    }

    /// Reads the whole body, up to a limit.
    async fn body(&mut self, limit: usize) -> Judged<Bytes, S::Error> {
        let read = match std::mem::replace(&mut self.body, PendingBody::Taken) {
            PendingBody::Client(body) => Limited::new(body, limit).collect().await,
            PendingBody::Bytes(bytes) => return Ok(bytes),
            PendingBody::Taken => return Ok(Bytes::new()),
        };
        match read {
            Ok(body) => {
                self.body_is_unread = false;
                Ok(body.to_bytes())
            }
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Refusal::request_too_long(limit).into())
            }
            Err(_) => Err(Refusal::bad_request("the body of the request is incomplete").into()),
        }
    }
}

/// Checks that a resource can be judged, and names nothing that only the upstream server would find out.
pub(super) fn check_resource(text: &str) -> Result<(), Refusal> {
    BorrowedResource::parse(text)
        .map_err(|error| Refusal::bad_request(format!("the body cannot be judged: {error}")))?;
    let tree = Tree::parse(text).map_err(|_| Refusal::bad_request("the body cannot be judged"))?;
    check_references(&tree)
}

/// Checks that a JSON Patch which the upstream server applies puts no such reference into the resource.
pub(super) fn check_patch(patch: &str) -> Result<(), Refusal> {
    let no_patch = || Refusal::of_patch(patch::no_patch());
    let tree = patch::tree(patch).map_err(Refusal::of_patch)?;
    check_references(&tree)?;
    for operation in tree.marked().as_array().ok_or_else(no_patch)? {
        let path = operation.get("path").and_then(unmarked).ok_or_else(no_patch)?;
        if !path.ends_with("/reference") {
            continue;
        }
        if operation.get("from").is_some() {
            let text = "the patch copies or moves a reference: use `add` or `replace` with the reference itself";
            return Err(Refusal::bad_request(text));
        }
        let value = operation.get("value").cloned().unwrap_or_default();
        check_references(&Tree::of_marked(serde_json::json!({"reference": value})))?;
    }
    Ok(())
}

fn check_references(tree: &Tree) -> Result<(), Refusal> {
    if tree.has_list_of_references() {
        return Err(Refusal::bad_request("`reference` must be a string, not an array"));
    }
    match tree.has_reference(&is_condition) {
        true => Err(Refusal::bad_request(
            "conditional references are not supported: refer to the resource by its id",
        )),
        false => Ok(()),
    }
}

/// Reports whether a reference may be a search (R4 section 3.1.0.11.2). An absolute one may, too: it becomes a
/// relative one where the base of the server is taken off.
fn is_condition(reference: &str) -> bool {
    reference.contains('?')
}

/// The id that a resource brings along; empty where it is no text.
pub(super) fn id_of(resource: &str) -> Option<String> {
    let resource = BorrowedResource::parse(resource).ok()?;
    let id = ResourceRef::from(&resource).member("id")?;
    Some(id.string().unwrap_or_default().to_owned())
}

/// Returns the values of a header, as a list.
fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Refusal> {
    let values = headers.get_all(name).iter().map(|value| value.to_str());
    let values: Result<Vec<&str>, _> = values.collect();
    let unreadable = || Refusal::bad_request(format!("`{name}` is not a string"));
    let values = values.map_err(|_| unreadable())?;
    Ok((!values.is_empty()).then(|| values.join(", ")))
}
