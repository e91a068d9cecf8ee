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
//! cannot be held to what was granted are refused with 403: other operations, deletions of histories.
//!
//! An export (`$export`) is of the types that were granted, whoever asks for it, and its owner's alone: the server's
//! addresses are sealed as `_operations/export/[sealed]`, with the owner and the types. Nothing of it is kept here:
//! after a `DELETE` the upstream server answers 404, and the status of the export is checked before each file, so that
//! files which that server still has are 404, too. Of files that may hold other types each line is looked at.
//!
//! `metadata` is fetched from the upstream server by one request at a time, and cached for 5 s for all callers without
//! a verified token.
//!
//! The upstream server is asked for uncompressed JSON, without conditions, and may ignore all that it is asked. Of the
//! headers of such a request go on `Accept-Language`, `Authorization`, `Host`, `traceparent`, `tracestate`,
//! `User-Agent`, `X-Correlation-Id` and `X-Request-Id`. Of no request go on those that override its method or its
//! address, and the preference `respond-async`; `X-Provenance` goes on with changes alone, where Provenance may be
//! created of everybody.
//!
//! # Changes
//!
//! ```text
//! PUT, PATCH, DELETE ─► read what is there ─► may it change? ─► may it become so? ─► If-Match of
//!                          404, 410              404, 403          403, 412         what was read
//! ```
//!
//! Of a token that is confined, the resource is judged as it is and as it would be, and the change goes on with
//! `If-Match` of the version that was judged, so that nobody slips another one in between. That holds where the
//! upstream server honours it: a type of which its CapabilityStatement does not say `versioned-update` is changed by
//! nobody who is confined, unless the [operator has checked](ConfineSettings::versions_checked) that it does. A JSON
//! Patch is applied here, and what comes of it is sent as an update. A condition is resolved here, among what the
//! caller may see, and its parameters are evaluated again on what was found. The answer is judged as that of a read. A
//! resource that is created loses the id that it brings included.
//!
//! A batch is taken apart: each entry is a request by itself, sent one after the other. A transaction passes whole,
//! with `ifMatch` of what was judged, or is refused whole; what it reads is asked for after it, by itself. A
//! placeholder is judged as what it will stand for; a conditional reference, and a condition on what another entry
//! creates, are refused with 400.
//!
//! # What a client can still find out
//!
//! A link to a next page is to one that shows something: the pages in between are looked at, up to 16 of them or
//! [as many bytes](ConfineSettings::max_body) as one answer may have. Where that was not enough, the link goes on
//! from there: a page that shows nothing and has a next one tells that there are as many hidden pages. How long an
//! answer takes grows with what is hidden. A page that shows something is asked for twice, unless it is the first or nothing of
//! the type is hidden from the token.
//!
//! Where one parameter says who belongs to the patient, a search is narrowed by it, and pages are full. Of a type with
//! several, such as Observation (`subject`, `performer`), pages are those of the upstream server with what is hidden
//! taken out: a page with fewer results than were asked for, which is not the last, tells how many hidden ones lie
//! between two of one's own in the order that was asked for, up to the size of 17 pages, and never whose they are or
//! what they say. If even their number must stay secret, let the upstream server narrow the searches itself.
//!
//! Of a change that the upstream server refuses for another resource (404, 409, 410, or a code that says so) the answer
//! is always the same 409: what a reference names may be hidden, absent or deleted. A server that checks references
//! tells by *accepting* one that there is such a resource: its id has to be known before.
//!
//! Who is confined to a patient or by a constraint gets the same 404 for a resource that is hidden, one that does not
//! exist, and one that cannot be read; operators are told of the last. An upstream server that answers 5xx for hidden
//! resources alone would tell them apart.
//!
//! # What a request may cost
//!
//! | | at most | beyond |
//! |---|---|---|
//! | bytes of an answer, as it comes and as it is written for the client | [`max_body`](ConfineSettings::max_body) | 502 `too-costly` |
//! | entries of an answer | 65,535 | 502 `too-costly` |
//! | resources that are looked up, for one that depends on them | 64 | hidden |
//! | resources that are looked up, for a request | 256 | 502 `too-costly` |
//! | requests to the upstream server | 4,096 | 413 |
//! | entries of a bundle that is sent | 1,000 | 413 |
//! | names and values of a resource that is judged | 65,535 | 400, read 404 |
//! | values of a patch | 65,535 | 413 |
//! | operations of a patch, and items of lists that they push included | 200; 1,048,576 | 413 |
//! | parameters of a condition, and values between their commas | 32; 64 | 400 |
//! | bytes of a placeholder of a transaction | 128 | 400 |
//! | values of the headers that go on | 32 | left out |
//!
//! Of a resource that was looked up the verdict alone is kept, one for all that point to it. Entries that are refused
//! take a line of the log for each kind of refusal, and not for each of them.

mod addresses;
mod answer;
mod attachment;
mod attachments;
mod binary;
mod body;
mod bounded;
mod bounded_list;
mod bundle;
mod caller;
mod capability;
mod chain;
mod confined;
mod entry;
mod entry_answer;
mod handling;
mod headers;
mod included;
mod job;
mod judge;
mod kick_off;
mod known;
mod layer;
mod lines;
mod link;
mod local;
mod manifest;
mod members;
mod metadata;
mod metadata_layer;
mod page;
mod passthrough;
mod patch;
mod pending_body;
mod preference;
mod query;
mod refused_entries;
mod request_body;
mod sent_bundle;
mod service;
mod settings;
mod statement;
mod statement_cache;
mod stop;
mod tree;
mod unambiguous;
mod upstream;
mod version;
mod view;

pub use crate::seal::{SealKey, SealKeyError};
pub use body::ConfinedBody;
pub use layer::{ConfineLayer, ConfinedLayer};
pub use lines::ReadByLine;
pub use local::Addresses;
pub use metadata_layer::{Metadata, MetadataLayer};
pub use request_body::RequestBody;
pub use service::{Confine, ConfineFuture};
pub use settings::ConfineSettings;
