//! Advice about addresses that are no interaction: never to grant anything.

use super::side::Advice;
use crate::display_safe::sanitize;
use crate::fhir::{AddressFault, AddressProblem};

/// Says how the request is put right, most likely first.
pub(super) fn advice(fault: &AddressFault) -> Vec<Advice> {
    let client = |text: &str| Advice::client(text);
    let server = |text: &str| Advice::server(text);
    let intended = fault.intended().map(|path| client(&format!("send it to `{}`", sanitize(path))));
    let other = match fault.problem() {
        AddressProblem::OutsideBase { base } => {
            let base = sanitize(base);
            let proxy = "if a proxy takes the path of the base URL away, let it pass the path on \
                         as it came";
            let below = client(&format!("address the FHIR API by its base URL `{base}`"));
            return intended.into_iter().chain([below, server(proxy)]).collect();
        }
        AddressProblem::UnknownType { name, .. } => {
            let name = name.as_deref().map(|name| format!("`{}`", sanitize(name)));
            let name = name.unwrap_or_else(|| "it".to_owned());
            let declare = format!(
                "declare {name} with `resource_types`, if this application has such resources"
            );
            let known = client("name a resource type that this server has, after the base URL");
            return vec![known, server(&declare)];
        }
        AddressProblem::BaseRepeated => client("write the base URL once"),
        AddressProblem::TrailingSlash | AddressProblem::EmptySegment => {
            client("write one slash between two segments, and none at the end")
        }
        AddressProblem::DotSegment => client("resolve `.` and `..` before sending the request"),
        AddressProblem::PercentEncoding | AddressProblem::Undecodable => {
            client("write the path without percent-encoding")
        }
        AddressProblem::TypeInOtherCase { resource_type } => {
            client(&format!("spell the resource type `{}`", sanitize(resource_type)))
        }
        AddressProblem::IdCharacter { .. } | AddressProblem::IdLength { .. } => client(
            "address the resource by its logical id: 1 to 64 letters, digits, `-` and `.`; search \
             by `identifier` for any other name",
        ),
        AddressProblem::Method { allowed } => {
            client(&format!("use another method at this address: {}", allowed.join(", ")))
        }
        AddressProblem::QueryMissing => {
            client("say with a query which resources are meant, or name one by its id")
        }
        AddressProblem::Shape => {
            client("look up the interaction in the specification: R4 has none at such an address")
        }
        AddressProblem::LeadingSlash
        | AddressProblem::Fragment
        | AddressProblem::OtherBase
        | AddressProblem::Unreadable => client(
            "write the URL relative to the base URL, such as `Patient/1` or `Patient?name=x`",
        ),
    };
    vec![intended.unwrap_or(other)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_an_entry_that_is_none_is_to_be_written_relative_to_the_base() {
        let text =
            "write the URL relative to the base URL, such as `Patient/1` or `Patient?name=x`";
        for problem in [
            AddressProblem::LeadingSlash,
            AddressProblem::Fragment,
            AddressProblem::OtherBase,
            AddressProblem::Unreadable,
        ] {
            let message = format!("{problem:?}");
            assert_eq!(advice(&problem.into()), [Advice::client(text)], "{message}");
        }
    }
}
