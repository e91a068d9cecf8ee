//! The documents that a resource server publishes about itself, for everybody to read.
//!
//! The layer answers both well-known documents itself, without a token: that of the protected
//! resource (RFC 9728), which every challenge points to, and below the base URL
//! `.well-known/smart-configuration` (SMART App Launch 2.2), made of what the provider says, what
//! follows from the settings, and the members of a [`SmartConfiguration`]. The third,
//! [`capability_security`](crate::FhirAuthLayer::capability_security), belongs into the server's own
//! CapabilityStatement.

pub(crate) mod protected_resource;
pub(crate) mod smart_configuration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, Uri};

pub use smart_configuration::SmartConfiguration;

use self::protected_resource::ProtectedResource;
use crate::authentication::accepted_schemes::AcceptedSchemes;
use crate::authentication::advertisement::Advertisement;
use crate::fhir::BaseUrl;

/// The well-known documents of one API.
#[derive(Debug)]
pub(crate) struct WellKnown {
    protected_resource: ProtectedResource,
    smart_configuration: SmartConfiguration,
    smart_path: String,
}

impl WellKnown {
    pub(crate) fn new<'a>(
        base: &BaseUrl,
        issuers: impl Iterator<Item = &'a str>,
        offered: AcceptedSchemes,
        smart_configuration: SmartConfiguration,
    ) -> Self {
        Self {
            protected_resource: ProtectedResource::new(base, issuers, offered),
            smart_configuration,
            smart_path: format!("{}/.well-known/smart-configuration", base.path()),
        }
    }

    /// Answers a request for one of the documents; `None` for any other request.
    pub(crate) fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        advertised: &Advertisement,
    ) -> Option<Response<Bytes>> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let path = uri.path();
        let document = if path == self.protected_resource.path() {
            self.protected_resource.document()
        } else if path == self.smart_path && self.smart_configuration.is_published() {
            self.smart_configuration.document(advertised.provider()).into()
        } else {
            return None;
        };
        let body = if *method == Method::HEAD { Bytes::new() } else { document };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        Some(response)
    }

    pub(crate) fn smart_configuration(&self) -> &SmartConfiguration {
        &self.smart_configuration
    }
}
