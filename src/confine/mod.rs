//! A second layer that holds a FHIR server's answers to what was granted, for servers that enforce nothing
//! themselves.
//!
//! [`ConfinedLayer`] is a [`FhirAuthLayer`](crate::FhirAuthLayer) with a [`ConfineLayer`] inside:
//!
//! ```text
//! Request ─► FhirAuth ─► Confine ─► any service that speaks FHIR JSON
//!                           │
//!                 each answer judged with `Access`, entry by entry
//! ```
//!
//! A token that is granted everything on every type passes through untouched. Every other token gets reads,
//! versions, searches, histories and `$everything` of a Patient: what it may not see is taken out of them, and a
//! resource that is hidden looks as if there were none. What cannot be judged never leaves. Interactions that
//! cannot be held to what was granted are refused with 403: changes, bundles and other operations.
//!
//! An export (`$export`) is of the types that were granted, whoever asks for it, and its owner's alone: the
//! server's addresses are sealed as `_operations/export/[sealed]`, with the owner and the types. Nothing of it is
//! kept here: after an end (`DELETE`) it is the server behind that answers 404, and for files that it goes on to
//! show there is none. Of files that may hold other types each line is looked at.
//!
//! The server behind is asked for uncompressed JSON, without conditions, and may ignore all that it is asked. Of
//! the headers of such a request go on `Accept-Language`, `Authorization`, `Host`, `traceparent`, `tracestate`,
//! `User-Agent`, `X-Correlation-Id` and `X-Request-Id`. Of no request go on those that override its method or its
//! address, and the preference `respond-async`; `X-Provenance` goes on with changes alone.
//!
//! # What a client can still find out
//!
//! A link to a next page is to one that shows something: the pages in between are looked at, up to 16 of them or
//! [as many bytes](ConfineSettings::max_body) as one answer may have. Where that was not enough, the link goes on
//! from there: a page that shows nothing and has a next one tells that there are as many hidden pages. How long an
//! answer takes grows with what is hidden. A page that shows something is asked for twice, unless it is the first or nothing of the type is
//! hidden from the token.
//!
//! Who is confined to a patient or by a constraint gets the same 404 for a resource that is hidden, one that does
//! not exist, and one that cannot be read; operators are told of the last. A server behind that answers 5xx for
//! hidden resources alone would tell them apart.

mod answer;
mod attachment;
mod attachments;
mod binary;
mod body;
mod bundle;
mod caller;
mod entry;
mod headers;
mod job;
mod judge;
mod kick_off;
mod layer;
mod lines;
mod link;
mod local;
mod manifest;
mod members;
mod metadata;
mod page;
mod passed;
mod query;
mod request_body;
mod seal;
mod service;
mod settings;
mod statement;
mod stop;
mod upstream;
mod view;
mod way;

pub use body::ConfinedBody;
pub use layer::{ConfineLayer, ConfinedLayer};
pub use request_body::RequestBody;
pub use seal::{SealKey, SealKeyError};
pub use service::{Confine, ConfineFuture};
pub use settings::ConfineSettings;
