//! Requests, made from a seed: each one depends on the seed and its number alone.

use fastrand::Rng;

use crate::callers::{BASE, Caller};
use crate::changes::Changes;
use crate::data::Data;
use crate::parameters::Include;
use crate::reads::Reads;

/// A request, and who makes it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) kind: &'static str,
    /// The number of its caller.
    pub(crate) caller: usize,
    pub(crate) method: &'static str,
    /// Below the base, as it is sent.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
}

impl Request {
    /// Makes the request of a number.
    pub(crate) fn new(
        (seed, number): (u64, u64),
        data: &Data,
        callers: &[Caller],
        changes: bool,
    ) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        // Half of the requests by those who may see the most.
        let wide: Vec<usize> = (0..callers.len()).filter(|at| callers[*at].is_wide()).collect();
        let caller =
            if rng.bool() { wide[rng.usize(..wide.len())] } else { rng.usize(..callers.len()) };
        let own = &callers[caller];
        let mut request = if changes && rng.u8(..3) == 0 {
            Changes { rng: &mut rng, data, caller: own, number }.request()
        } else {
            Reads { caller: own, rng, data }.request()
        };
        request.caller = caller;
        request
    }

    /// Reports whether its answer is a bundle, of which there may be more pages.
    pub(crate) fn is_of_several(&self) -> bool {
        matches!(self.method, "GET" | "HEAD") && !matches!(self.kind, "read" | "version" | "forged")
            || self.kind == "search by POST"
    }

    /// Reports whether a parameter is in its query or its body.
    pub(crate) fn asks_for(&self, parameter: &str) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').chain(self.body.as_deref().unwrap_or_default().split('&'));
        pairs.into_iter().any(|pair| pair.starts_with(parameter))
    }

    /// What it wants to come along with results.
    pub(crate) fn includes(&self) -> impl Iterator<Item = Include<'_>> {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').chain(self.body.as_deref().unwrap_or_default().split('&'));
        pairs.filter_map(Include::parse)
    }

    /// The one type that is searched, where there is one.
    pub(crate) fn only_type(&self) -> Option<&str> {
        let path = self.path.split('?').next()?.trim_end_matches("/_search");
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (self.kind, segments.as_slice()) {
            ("search" | "search by POST", [of]) | ("compartment", [_, _, of]) => Some(*of),
            _ => None,
        }
        .filter(|of| of.starts_with(char::is_uppercase))
    }

    /// All that is sent, but for the token.
    pub(crate) fn text(&self) -> String {
        let headers: Vec<String> =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let body = self.body.as_deref().unwrap_or_default();
        format!("{} {} [{}] {body}", self.method, self.path, headers.join("; "))
    }
}

/// What a link of an answer names below the base.
pub(crate) fn below_base(link: &str) -> Option<&str> {
    link.strip_prefix(BASE)
}
