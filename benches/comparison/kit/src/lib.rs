//! The common ground of both comparisons: an issuer that everybody trusts, its tokens, the
//! processes that are compared, and the tables and bounds that come of it.

mod bound;
mod issuer;
mod key;
mod lockfile;
mod process;
mod table;
mod token;

pub use bound::{Bound, Limit, median, verdicts};
pub use issuer::{Issuer, Trust};
pub use lockfile::locked_version;
pub use process::{Dialogue, Server, command, free_port, said};
pub use table::{Column, Table};
pub use token::{Token, hs256, now};
