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
//! Requests of a token that is granted everything on every type pass through. Every other token can read resources and
//! versions, search, get histories, and call `$everything` on a Patient: whatever it may not see is removed from the
//! answers, and a hidden resource looks as if it did not exist. An answer that cannot be judged is never forwarded.
//! Interactions that cannot be limited to what was granted, such as other operations and deletions of histories, are
//! refused with 403.
//!
//! An export (`$export`) covers only the types that were granted, whoever asks for it, and only its owner can follow
//! it: the upstream server's addresses are sealed as `_operations/export/[sealed]`, together with the owner and the
//! types. Nothing of it is kept here. The status of the export is checked before each file, so that after a `DELETE`,
//! to which the upstream server answers 404, files that it still has are 404, too. Each line of a file that may hold
//! other types is checked.
//!
//! `metadata` is fetched from the upstream server by one request at a time, and cached for 5 s for all callers without
//! a verified token.
//!
//! The upstream server is asked for uncompressed JSON, without conditions, and is not relied on to comply. Such a
//! request is forwarded with these headers only: `Accept-Language`, `Authorization`, `Host`, `traceparent`,
//! `tracestate`, `User-Agent`, `X-Correlation-Id` and `X-Request-Id`. Headers that override the method or the address,
//! and the preference `respond-async`, are never forwarded; `X-Provenance` is forwarded with changes alone, and only if
//! the token may create Provenance of all patients.
//!
//! # Changes
//!
//! ```text
//! PUT, PATCH, DELETE ─► read what is there ─► may it change? ─► may it become so? ─► If-Match of
//!                          404, 410              404, 403          403, 412         what was read
//! ```
//!
//! For a confined token, a change is judged by the resource as it is and as it would be, and is sent with an `If-Match`
//! of the version that was judged, so that no other change can come in between. This works only if the upstream server
//! honours `If-Match`: a confined token cannot change types for which its CapabilityStatement does not declare
//! `versioned-update`, unless the [operator has checked](ConfineSettings::versions_checked) that it does. A JSON Patch
//! is applied here, and the result is sent as an update. A condition is resolved here, among the resources that the
//! caller may see, and its parameters are evaluated again on the result. The answer is judged like that of a read. The
//! id in the body of a creation is dropped.
//!
//! A batch is split: its entries are sent one after the other, each as a request by itself. A transaction is sent as a
//! whole, with an `ifMatch` of each version that was judged, or refused as a whole; its reads are sent separately
//! afterwards. A placeholder is judged as the resource that it stands for. Conditional references, and conditions on
//! what another entry creates, are refused with 400.
//!
//! # What a client can still find out
//!
//! The link to the next page leads to the next page that shows something: the pages in between are read, up to 16 of
//! them or [as many bytes](ConfineSettings::max_body) as one answer may have. If that is not enough, the link continues
//! from there; a page that shows nothing but has a next one then reveals that so many pages are hidden. The time that
//! an answer takes grows with what is hidden. A page that shows something is requested twice, unless it is the first or
//! nothing of the type is hidden from the token.
//!
//! If a single parameter says who belongs to the patient, a search is narrowed by it, and pages are full. For a type
//! with several, such as Observation (`subject`, `performer`), pages are those of the upstream server with hidden
//! results removed: a page that is not the last and has fewer results than requested reveals how many hidden ones lie
//! between two of the caller's own in the requested order, up to the size of 17 pages, but never whose they are or what
//! they say. If even their number must stay secret, let the upstream server narrow the searches itself.
//!
//! If the upstream server refuses a change because of another resource (404, 409, 410, or a code that says so), the
//! answer is always the same 409: the resource that a reference names may be hidden, absent or deleted. A server that
//! checks references reveals, by *accepting* one, that the resource exists; its id has to be known beforehand.
//!
//! A caller who is confined to a patient or by a constraint gets the same 404 for a resource that is hidden, does not
//! exist, or cannot be read; operators get a warning of the last. An upstream server that answers 5xx for hidden
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
//! | operations of a patch, and items of lists that they shift | 200; 1,048,576 | 413 |
//! | parameters of a condition, and values between their commas | 32; 64 | 400 |
//! | bytes of a placeholder of a transaction | 128 | 400 |
//! | values of the headers that go on | 32 | left out |
//!
//! Only the verdict on a resource that was looked up is kept, and is shared by all resources that refer to it. Refused
//! entries are logged once for each kind of refusal, not once for each entry.

mod addresses;
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
mod localize_json;
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
mod refusal;
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
pub use addresses::Addresses;
pub use body::ConfinedBody;
pub use layer::{ConfineLayer, ConfinedLayer};
pub use lines::ReadByLine;
pub use metadata_layer::{Metadata, MetadataLayer};
pub use request_body::RequestBody;
pub use service::{Confine, ConfineFuture};
pub use settings::ConfineSettings;
