//! The formats of FHIR, and the choice among them by a client: `_format`, else `Accept` (R4 section
//! 3.1.0.1.11).

use http::header::ACCEPT;
use http::request::Parts;

/// A format of FHIR resources.
///
/// ```
/// use http::Request;
/// use tower_fhir_auth::fhir::Format;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::get("/r4/Patient/1").header("accept", "application/fhir+xml").body(())?;
/// let format = Format::wanted_by(&request.into_parts().0);
/// assert_eq!(format, Format::Xml);
/// assert_eq!(format.media_type(), "application/fhir+xml");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `application/fhir+json`
    Json,
    /// `application/fhir+xml`
    Xml,
}

impl Format {
    /// Returns the format that a client asks for: XML where it says so, else JSON.
    #[must_use]
    pub fn wanted_by(request: &Parts) -> Self {
        asked_for(request).unwrap_or_else(|| accepted(request))
    }

    /// Reports whether a client can do with JSON: it does not ask for XML by `_format`, and accepts JSON, or
    /// anything, or says nothing.
    #[cfg(feature = "confine")]
    pub(crate) fn takes_json(request: &Parts) -> bool {
        if let Some(format) = asked_for(request) {
            return format == Self::Json;
        }
        let values = request.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut ranges =
            values.flat_map(|value| value.split(',')).filter(|one| !one.trim().is_empty());
        let mut is_asked = false;
        let takes = |range: &str| {
            is_asked = true;
            let mut parameters = range.split(';');
            let media_type = parameters.next().unwrap_or_default();
            format_of(media_type) == Some(Self::Json)
                && parameters.find_map(quality).is_none_or(|quality| quality > 0.0)
        };
        ranges.any(takes) || !is_asked
    }

    /// Reports whether a client asks for a content type of its own rather than for JSON: for the content of a
    /// Binary, and not for the resource (R4 section 2.42.3). To accept anything is not to ask for it.
    #[cfg(feature = "confine")]
    pub(crate) fn wants_other(request: &Parts) -> bool {
        if asked_for(request).is_some() {
            return false;
        }
        let values = request.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let (mut other, mut json) = (0.0_f32, 0.0_f32);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parameters = range.split(';');
            let media_type = parameters.next().unwrap_or_default().trim();
            let quality = parameters.find_map(quality).unwrap_or(1.0);
            match format_of(media_type) {
                None if !media_type.is_empty() => other = other.max(quality),
                Some(Self::Json) if !media_type.ends_with('*') => json = json.max(quality),
                Some(_) | None => {}
            }
        }
        other > json
    }

    /// Returns its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json",
            Self::Xml => "application/fhir+xml",
        }
    }
}

/// Returns the format that the address asks for.
fn asked_for(request: &Parts) -> Option<Format> {
    let query = request.uri.query().unwrap_or_default();
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    let (_, value) = parameters.find(|(name, _)| name == "_format")?;
    format_of(&value)
}

fn accepted(request: &Parts) -> Format {
    let (mut json, mut xml, mut any) = (0.0_f32, 0.0_f32, 0.0_f32);
    for value in request.headers.get_all(ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let mut parameters = range.split(';');
            let media_type = parameters.next().unwrap_or_default();
            let quality = parameters.find_map(quality).unwrap_or(1.0);
            match format_of(media_type) {
                Some(Format::Xml) => xml = xml.max(quality),
                Some(Format::Json) if media_type.trim().ends_with('*') => any = any.max(quality),
                Some(Format::Json) => json = json.max(quality),
                None => {}
            }
        }
    }
    // What is named goes before what is only not excluded (RFC 9110 section 12.5.1).
    if xml > json && xml >= any { Format::Xml } else { Format::Json }
}

fn quality(parameter: &str) -> Option<f32> {
    let (name, value) = parameter.trim().split_once('=')?;
    name.eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
}

/// Reads FHIR's own types, the plain ones, and the short names that `_format` may have. In a query
/// the `+` of a type arrives as a space unless it was escaped. A wildcard leaves the choice to us.
fn format_of(media_type: &str) -> Option<Format> {
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase().replace(' ', "+");
    match media_type.as_str() {
        "xml" | "text/xml" | "application/xml" | "application/fhir+xml" => Some(Format::Xml),
        "json" | "text/json" | "application/json" | "application/fhir+json" => Some(Format::Json),
        "*/*" | "application/*" => Some(Format::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn format(uri: &str, accept: &[&str]) -> Format {
        let mut request = Request::get(uri);
        for value in accept {
            request = request.header(ACCEPT, *value);
        }
        Format::wanted_by(&request.body(()).unwrap().into_parts().0)
    }

    #[cfg(feature = "confine")]
    #[test]
    fn content_of_its_own_type_is_for_those_who_ask() {
        for (uri, accept, expected) in [
            ("/", &[][..], false),
            ("/", &["*/*"], false),
            ("/", &["application/fhir+json"], false),
            ("/", &["application/fhir+xml"], false),
            ("/", &["application/json, text/plain, */*"], false),
            ("/", &["application/pdf"], true),
            ("/", &["image/*"], true),
            ("/", &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], true),
            ("/", &["application/pdf, application/fhir+json;q=0.5"], true),
            ("/", &["application/pdf;q=0.5", "application/fhir+json"], false),
            ("/", &["application/pdf;q=0.5, */*"], true),
            ("/", &["application/pdf;q=0"], false),
            ("/?_format=json", &["application/pdf"], false),
        ] {
            let mut request = Request::get(uri);
            for value in accept {
                request = request.header(ACCEPT, *value);
            }
            let request = request.body(()).unwrap().into_parts().0;
            assert_eq!(Format::wants_other(&request), expected, "{uri} {accept:?}");
        }
    }

    #[test]
    fn xml_is_for_those_who_ask() {
        for (uri, accept, expected) in [
            ("/", &[][..], Format::Json),
            ("/", &["application/fhir+xml"], Format::Xml),
            ("/", &["text/html, application/xml;q=0.9, */*;q=0.8"], Format::Xml),
            ("/", &["application/fhir+xml;q=0.5, application/fhir+json"], Format::Json),
            ("/", &["application/fhir+xml, application/fhir+json"], Format::Json),
            ("/", &["text/plain", "application/xml"], Format::Xml),
            ("/", &["application/fhir+xml, */*"], Format::Xml),
            ("/", &["application/fhir+xml, text/plain, application/*"], Format::Xml),
            ("/", &["application/fhir+xml;q=0.5, */*"], Format::Json),
            ("/", &["application/fhir+xml, application/fhir+json, */*"], Format::Json),
            ("/", &["application/xml;q=0"], Format::Json),
            ("/", &["application/xml;q=x"], Format::Json),
            ("/?_format=xml", &["application/json"], Format::Xml),
            ("/?_format=application/fhir+xml", &[], Format::Xml),
            ("/?_format=application%2Ffhir%2Bxml", &[], Format::Xml),
            ("/?_format=json", &["application/xml"], Format::Json),
            ("/?_format=turtle", &["application/xml"], Format::Xml),
        ] {
            assert_eq!(format(uri, accept), expected, "{uri} {accept:?}");
        }
    }
}
