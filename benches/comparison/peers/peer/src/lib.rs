//! The common ground of all contenders: the service behind the layer, the request, the clock, and
//! the lines in which the runner asks and a contender answers.
//!
//! | question | answer |
//! |---|---|
//! | `warm`, `Authorization` | the status, once it is 200 or after a while |
//! | `batch`, number of requests, `Authorization` | nanoseconds of CPU that they took |
//! | `probe`, any number of `Authorization` | the status and, if there is one, `WWW-Authenticate` |
//!
//! Fields are parted by tabs. The first line of a contender says whether it has started: `ready`,
//! or `failed` and why.

mod clock;
mod exchange;
mod order;

use std::convert::Infallible;
use std::error;
use std::future::{Ready, ready};

use http::{Request, Response};
use tower::util::ServiceFn;

pub use exchange::answer_the_runner;
pub use order::{Order, Provider};

/// Whatever keeps a contender from starting.
pub type Error = Box<dyn error::Error + Send + Sync>;

/// The service behind every layer: 200 and an empty body.
pub type Inner<B, R> = ServiceFn<fn(Request<B>) -> Ready<Result<Response<R>, Infallible>>>;

/// The service behind the layer, for whatever bodies the layer wants.
pub fn inner<B, R: Default>() -> Inner<B, R> {
    tower::service_fn(|_| ready(Ok(Response::new(R::default()))))
}
