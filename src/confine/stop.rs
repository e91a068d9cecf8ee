//! The ways in which judging ends without the answer of the upstream server.

use super::query::QueryError;
use super::refusal::Refusal;
use super::upstream::UpstreamError;
use crate::authorization::Denial;

/// The reason for which a request gets another answer than the one of the upstream server.
pub(super) enum Stop<E> {
    Service(E),
    Denied(Denial),
    Refusal(Refusal),
}

pub(super) type Judged<T, E> = Result<T, Stop<E>>;

pub(super) fn unreadable<E>(why: &str) -> Stop<E> {
    Stop::Refusal(Refusal::unreadable(why))
}

impl<E> From<Refusal> for Stop<E> {
    fn from(answer: Refusal) -> Self {
        Self::Refusal(answer)
    }
}

impl<E> From<UpstreamError<E>> for Stop<E> {
    fn from(fault: UpstreamError<E>) -> Self {
        match fault {
            UpstreamError::Service(error) => Self::Service(error),
            UpstreamError::Refusal(answer) => Self::Refusal(answer),
        }
    }
}

impl<E> From<QueryError> for Stop<E> {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Denied(denial) => Self::Denied(denial),
            QueryError::Refused(answer) => Self::Refusal(answer),
        }
    }
}
