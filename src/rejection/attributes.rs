//! Challenges by their scheme: what stands in each, whatever is refused, is written once.

use http::HeaderValue;

use crate::authentication::accepted_schemes::AcceptedSchemes;
use crate::authentication::bearer::Scheme;
use crate::display_safe::{is_safe, safe_character};
use crate::fhir::BaseUrl;

/// The challenges of a server, by scheme.
#[derive(Debug)]
pub(crate) struct Challenges {
    bearer: Frame,
    dpop: Frame,
}

/// The parts of a challenge that are the same in all of a scheme.
#[derive(Debug)]
struct Frame {
    /// The scheme, and what stands before an error.
    start: String,
    /// The attributes that stand behind it.
    end: String,
    /// The challenge without an error, where the scheme is offered.
    plain: Option<HeaderValue>,
}

impl Challenges {
    pub(crate) fn new(base: &BaseUrl, offered: AcceptedSchemes) -> Self {
        Self {
            bearer: Frame::new("Bearer ", base, None, offered.bearer),
            dpop: Frame::new("DPoP ", base, Some(algorithms()), offered.dpop),
        }
    }

    /// Returns the challenge of a scheme without an error, where the scheme is offered.
    pub(super) fn plain(&self, scheme: Scheme) -> Option<&HeaderValue> {
        self.frame(scheme).plain.as_ref()
    }

    /// Writes the challenge of a scheme, with these attributes.
    pub(super) fn with(
        &self,
        scheme: Scheme,
        add: impl FnOnce(&mut Attributes),
    ) -> Option<HeaderValue> {
        let Frame { start, end, .. } = self.frame(scheme);
        let mut challenge = Attributes(String::with_capacity(512));
        challenge.0.push_str(start);
        add(&mut challenge);
        challenge.0.push_str(end);
        HeaderValue::try_from(challenge.0).ok()
    }

    fn frame(&self, scheme: Scheme) -> &Frame {
        match scheme {
            Scheme::Bearer => &self.bearer,
            Scheme::Dpop => &self.dpop,
        }
    }
}

impl Frame {
    fn new(scheme: &str, base: &BaseUrl, algorithms: Option<String>, is_offered: bool) -> Self {
        let mut start = Attributes(scheme.to_owned());
        start.add("realm", base.as_str());
        if let Some(algorithms) = algorithms {
            start.add("algs", &algorithms);
        }
        let Attributes(start) = start;
        let mut whole = Attributes(start.clone());
        whole.add("resource_metadata", base.resource_metadata());
        let end = whole.0.get(start.len()..).unwrap_or_default().to_owned();
        let plain = HeaderValue::try_from(whole.0).ok().filter(|_| is_offered);
        Self { start, end, plain }
    }
}

fn algorithms() -> String {
    let names = AcceptedSchemes::proof_algorithms().iter().map(|algorithm| algorithm.name());
    Vec::from_iter(names).join(" ")
}

/// The attributes of a challenge, one after the other.
pub(super) struct Attributes(String);

impl Attributes {
    /// Adds a value as a quoted string that needs no escapes.
    pub(super) fn add(&mut self, name: &str, value: &str) {
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
