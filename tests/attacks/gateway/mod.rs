//! The gateway as a program: framing, addresses, headers, and what comes back through it.

mod answers;
mod headers;
mod lines;
mod world;

use crate::kit::{Attack, table};

pub(crate) fn attacks() -> Vec<Attack> {
    let rows = lines::rows().into_iter().chain(headers::rows()).chain(answers::rows());
    table(rows, world::start, world::ask)
}
