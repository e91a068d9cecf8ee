//! The ways in which judging ends without the answer of the server behind.

use super::answer::NoAnswer;
use super::query::NotAsked;
use super::upstream::Fault;
use crate::authorization::Denial;

/// The reason for which a request gets another answer than the one of the server behind.
pub(super) enum Stop<E> {
    Service(E),
    Denied(Denial),
    NoAnswer(NoAnswer),
}

pub(super) type Judged<T, E> = Result<T, Stop<E>>;

pub(super) fn unreadable<E>(why: &str) -> Stop<E> {
    Stop::NoAnswer(NoAnswer::unreadable(why))
}

impl<E> From<NoAnswer> for Stop<E> {
    fn from(answer: NoAnswer) -> Self {
        Self::NoAnswer(answer)
    }
}

impl<E> From<Fault<E>> for Stop<E> {
    fn from(fault: Fault<E>) -> Self {
        match fault {
            Fault::Service(error) => Self::Service(error),
            Fault::NoAnswer(answer) => Self::NoAnswer(answer),
        }
    }
}

impl<E> From<NotAsked> for Stop<E> {
    fn from(not_asked: NotAsked) -> Self {
        match not_asked {
            NotAsked::Denied(denial) => Self::Denied(denial),
            NotAsked::Otherwise(answer) => Self::NoAnswer(answer),
        }
    }
}
