//! `google.rpc.Status` with one `google.rpc.ErrorInfo`, for clients of gRPC that do not want to read a
//! sentence (<https://google.aip.dev/193>).
//!
//! The two messages have strings alone, but for one number: a crate for Protocol Buffers would be
//! many times what is written here.

use super::{Disclosure, Rejection};

/// The names of the reasons are unique within it.
const DOMAIN: &str = "tower-fhir-auth";

/// Encodes the status of a refusal (`google/rpc/status.proto`, `google/rpc/error_details.proto`):
///
/// ```text
/// Status    { int32 code = 1; string message = 2; repeated Any details = 3; }
/// Any       { string type_url = 1; bytes value = 2; }
/// ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
/// ```
pub(super) fn status(rejection: &Rejection) -> Vec<u8> {
    let mut info = Message::default();
    info.string(1, &rejection.kind().name().replace('-', "_").to_ascii_uppercase());
    info.string(2, DOMAIN);
    let check = rejection.check().filter(|_| rejection.disclosure() != Disclosure::Minimal);
    let scope = rejection.required_scope();
    for (name, value) in [("check", check.map(|check| check.name())), ("scope", scope.as_deref())] {
        if let Some(value) = value {
            let mut entry = Message::default();
            entry.string(1, name);
            entry.string(2, value);
            info.bytes(3, &entry.0);
        }
    }
    let mut any = Message::default();
    any.string(1, "type.googleapis.com/google.rpc.ErrorInfo");
    any.bytes(2, &info.0);
    let mut status = Message::default();
    status.number(1, rejection.kind().row().grpc_status.into());
    status.string(2, rejection.description());
    status.bytes(3, &any.0);
    status.0
}

/// A message of Protocol Buffers (<https://protobuf.dev/programming-guides/encoding/>).
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn string(&mut self, field: u8, string: &str) {
        self.bytes(field, string.as_bytes());
    }

    /// Adds a field whose length stands before it.
    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.0.push(field << 3 | 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, field: u8, number: u64) {
        self.0.push(field << 3);
        self.varint(number);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut rest: u64) {
        while rest > 0x7f {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }
}
