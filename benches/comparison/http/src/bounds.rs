//! What the layer must cost, in CPU of the server per request.

use crate::measure::{Contender, Row};
use crate::servers::Server;

/// A limit on what one server takes over what another one takes.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) server: Server,
    pub(crate) over: Server,
    pub(crate) limit: Limit,
}

#[derive(Clone, Copy)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

pub(crate) enum Verdict {
    Held(f64),
    Missed(f64),
    /// With the name of the server that is missing.
    NotJudged(&'static str),
}

/// Tokens have been seen before.
pub(crate) const BOUNDS: [Bound; 3] = [
    Bound { server: Server::LAYER, over: Server::AXUM, limit: Limit::AtMost(1.15) },
    Bound { server: Server::ENVOY_CACHED, over: Server::LAYER, limit: Limit::AtLeast(4.0) },
    Bound { server: Server::HAPROXY_VERIFY, over: Server::LAYER, limit: Limit::AtLeast(7.0) },
];

impl Bound {
    pub(crate) fn judge(&self, rows: &[Row]) -> Verdict {
        let (server, over) = match (measured(rows, self.server), measured(rows, self.over)) {
            (Some(server), Some(over)) => (server, over),
            (None, _) => return Verdict::NotJudged(self.server.name()),
            (_, None) => return Verdict::NotJudged(self.over.name()),
        };
        let ratio = server.cpu_over(over);
        let held = match self.limit {
            Limit::AtLeast(limit) => ratio >= limit,
            Limit::AtMost(limit) => ratio <= limit,
        };
        if held { Verdict::Held(ratio) } else { Verdict::Missed(ratio) }
    }
}

pub(crate) fn measured(rows: &[Row], server: Server) -> Option<&Contender> {
    rows.iter().find(|row| row.server == server)?.outcome.as_ref().ok()
}
