//! Search parameters of R4 and what they find (<https://hl7.org/fhir/R4/search.html>).
//!
//! A [`Criterion`] is one parameter with its value, and tells whether a resource matches. It reads what the
//! official definition of the parameter names, and nothing that is not in the resource itself: chains,
//! `_has`, `_filter`, composite parameters and modifiers but the type of a reference are errors.
//!
//! A [`SearchParameter`] is the definition alone: for capability statements, and for includes, which follow
//! what it names.

mod criterion;
mod date;
mod elements;
mod escapes;
mod number;
mod parameter;
mod prefix;
mod reference;
mod string;
mod token;

pub use criterion::{Criterion, CriterionError};
pub use parameter::SearchParameter;
pub(crate) use parameter::{is_known, is_plain};
