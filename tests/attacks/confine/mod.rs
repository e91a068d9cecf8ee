//! The layer that confines, before a server that is hostile or merely careless: what of another patient is in
//! its answers, what of a request would reach another patient's data, and what tells that there is some.

mod answers;
mod links;
mod oracles;
mod requests;
pub(crate) mod world;
mod writes;

use crate::kit::Attack;

pub(crate) fn attacks() -> Vec<Attack> {
    let rows = answers::rows().into_iter().chain(oracles::rows());
    let rows = rows.chain(requests::rows()).chain(writes::rows());
    let mut attacks = crate::kit::table(rows, world::start, world::ask);
    let reference = "contract 6: versioned-update";
    attacks.push(Attack::new("a server that does not version", reference, writes::unversioned));
    attacks.extend(links::attacks());
    attacks
}
