//! An entry of a bundle, judged as a request by itself.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use serde::Deserialize;

use super::Judge;
use crate::authorization::Access;
use crate::confine::handling::Handling;
use crate::confine::pending_body::PendingBody;
use crate::confine::refusal::Refusal;
use crate::confine::sent_bundle::SentEntry;
use crate::confine::stop::{Judged, Stop};
use crate::confine::upstream::resolve;
use crate::fhir::InteractionKind as Kind;
use crate::jose::base64url;

/// A request that came as an entry, and was granted.
#[derive(Clone, Debug)]
pub(super) struct Single {
    pub(super) access: Access,
    pub(super) handling: Handling,
    request: Parts,
    body: Bytes,
}

/// The request around an entry, which waits for its turn.
pub(super) struct Outer<B> {
    access: Access,
    handling: Handling,
    request: Parts,
    body: PendingBody<B>,
}

/// A JSON Patch in a bundle comes in a Binary (R4 section 3.1.0.11.4).
#[derive(Deserialize)]
struct Binary {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(rename = "contentType")]
    content_type: String,
    data: String,
}

impl<S, B> Judge<S, B> {
    /// Judges an entry by its address.
    pub(super) fn single<E>(&self, entry: &SentEntry<'_>) -> Judged<Single, E> {
        let asked = &entry.request;
        let no_method = |_| Refusal::bad_request("`method` of an entry is not an HTTP method");
        let method = Method::from_bytes(asked.method.as_bytes()).map_err(no_method)?;
        let if_none_exist = asked.if_none_exist.as_deref();
        let access = self.access.authorize_entry(&method, &asked.url, if_none_exist);
        let access = access.map_err(Stop::Denied)?;
        let interaction = access.interaction();
        // Its parameters would be a form, and an entry can only carry a resource.
        if interaction.is_search_by_post() {
            return Err(Refusal::bad_request("a search in a bundle is a `GET`").into());
        }
        let address = match interaction.query() {
            Some(query) => format!("{}?{query}", interaction.path()),
            None => interaction.path().to_owned(),
        };
        let (mut request, ()) = Request::new(()).into_parts();
        request.method = method;
        request.version = self.request.version;
        request.uri = resolve(&self.request.uri, &address)
            .ok_or_else(|| Refusal::bad_request("`url` of an entry is not a URL"))?;
        request.headers = self.of_entries.clone();
        for (name, value) in [
            ("if-match", asked.if_match.as_deref()),
            ("if-none-match", asked.if_none_match.as_deref()),
            ("if-none-exist", if_none_exist),
        ] {
            let name = HeaderName::from_static(name);
            let Some(value) = value else { continue };
            let value = HeaderValue::from_str(value).map_err(|_| {
                Refusal::bad_request("a condition of an entry is not valid in a header")
            })?;
            request.headers.insert(name, value);
        }
        let patches = matches!(interaction.kind(), Kind::Patch | Kind::ConditionalPatch);
        let body = match entry.resource() {
            Some(binary) if patches => {
                let (content_type, patch) = patch_in(binary)?;
                request.headers.insert(CONTENT_TYPE, content_type);
                patch
            }
            Some(resource) => Bytes::copy_from_slice(resource.as_bytes()),
            None => Bytes::new(),
        };
        // The address of its status would be nowhere in the answer.
        let handling = match Handling::judged(&access) == Handling::Export {
            true => Handling::Refused,
            false => Handling::judged(&access),
        };
        Ok(Single { access, handling, request, body })
    }

    /// Goes on with an entry.
    pub(super) fn enter(&mut self, single: Single) -> Outer<B> {
        let Single { access, handling, request, body } = single;
        Outer {
            access: std::mem::replace(&mut self.access, access),
            handling: std::mem::replace(&mut self.handling, handling),
            request: std::mem::replace(&mut self.request, request),
            body: std::mem::replace(&mut self.body, PendingBody::Bytes(body)),
        }
    }

    /// Goes back to the request around it.
    pub(super) fn leave(&mut self, outer: Outer<B>) {
        let Outer { access, handling, request, body } = outer;
        (self.access, self.handling, self.request, self.body) = (access, handling, request, body);
    }
}

/// Returns the patch that is in a Binary, and its media type.
fn patch_in(binary: &str) -> Result<(HeaderValue, Bytes), Refusal> {
    let no_patch = || Refusal::bad_request("a patch in a bundle is a Binary with `data`");
    let binary: Binary = serde_json::from_str(binary).map_err(|_| no_patch())?;
    let data = binary.data.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let patch = base64url::decoded(&data).filter(|_| binary.resource_type == "Binary");
    let content_type = HeaderValue::from_str(&binary.content_type).map_err(|_| no_patch())?;
    Ok((content_type, patch.ok_or_else(no_patch)?.into()))
}
