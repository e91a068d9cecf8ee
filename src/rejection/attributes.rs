//! Challenges by their scheme: what stands in each, whatever is refused.

use http::HeaderValue;

use crate::authentication::bearer::Scheme;
use crate::authentication::offered::Offered;
use crate::display_safe::{is_safe, safe_character};
use crate::fhir::BaseUrl;

/// The challenges of a server without an error, one for each scheme that it offers.
#[derive(Debug)]
pub(crate) struct PlainChallenges {
    bearer: Option<HeaderValue>,
    dpop: Option<HeaderValue>,
}

impl PlainChallenges {
    pub(crate) fn new(base: &BaseUrl, offered: Offered) -> Self {
        let of = |scheme| {
            let mut challenge = Attributes::of(scheme, base);
            challenge.add("resource_metadata", base.resource_metadata());
            challenge.value()
        };
        Self {
            bearer: offered.bearer.then(|| of(Scheme::Bearer)).flatten(),
            dpop: offered.dpop.then(|| of(Scheme::Dpop)).flatten(),
        }
    }

    pub(super) fn of(&self, scheme: Scheme) -> Option<&HeaderValue> {
        match scheme {
            Scheme::Bearer => self.bearer.as_ref(),
            Scheme::Dpop => self.dpop.as_ref(),
        }
    }
}

/// The attributes of a challenge, one after the other.
pub(super) struct Attributes(String);

impl Attributes {
    /// Begins a challenge.
    pub(super) fn of(scheme: Scheme, base: &BaseUrl) -> Self {
        let mut challenge = Self(String::with_capacity(512));
        challenge.0.push_str(match scheme {
            Scheme::Bearer => "Bearer ",
            Scheme::Dpop => "DPoP ",
        });
        challenge.add("realm", base.as_str());
        if scheme == Scheme::Dpop {
            let names = Offered::proof_algorithms().iter().map(|algorithm| algorithm.name());
            challenge.add("algs", &Vec::from_iter(names).join(" "));
        }
        challenge
    }

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

    pub(super) fn value(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.0).ok()
    }
}
