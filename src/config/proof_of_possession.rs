//! `[dpop]`, `[mtls]` and `sender_constraint`: tokens that are bound to their sender.

use super::reader::SectionReader;
use crate::authentication::{
    CertificateFormat, CertificateHeader, Dpop, MutualTls, SenderConstraint,
};
use crate::error::BuildError;

/// Reads `sender_constraint` of an issuer.
pub(super) fn sender_constraint(issuer: &mut SectionReader<'_>) -> Option<SenderConstraint> {
    let choices = [
        ("accept", SenderConstraint::Accept),
        ("require", SenderConstraint::Require),
        ("refuse", SenderConstraint::Refuse),
    ];
    issuer.choice("sender_constraint", &choices)
}

/// Reads `[dpop]`.
pub(super) fn dpop(root: &mut SectionReader<'_>) -> Dpop {
    let Some(mut section) = root.table("dpop") else { return Dpop::new() };
    let mut dpop = Dpop::new();
    if let Some(required) = section.flag("nonce") {
        dpop = dpop.nonce(required);
    }
    if let Some(age) = section.duration("max_age") {
        dpop = dpop.max_age(age);
        if let Err(BuildError::Setting { expected, .. }) = dpop.check() {
            section.reject("max_age", format!("expected {expected}"));
        }
    }
    section.finish();
    dpop
}

/// Reads `[mtls]`; `None` without it.
pub(super) fn mtls(root: &mut SectionReader<'_>) -> Option<MutualTls> {
    let mut section = root.table("mtls")?;
    let name = section.string("header");
    let formats = [
        ("client-cert", CertificateFormat::ClientCert),
        ("xfcc", CertificateFormat::Xfcc),
        ("pem", CertificateFormat::Pem),
    ];
    let has_format = section.has("format");
    let format = section.choice("format", &formats);
    let has_proxies = section.has("proxies");
    let proxies = section.strings("proxies");
    let settings = match name {
        None => {
            for key in ["format", "proxies"] {
                if (key == "format" && has_format) || (key == "proxies" && has_proxies) {
                    section.reject(key, "expected `header` beside it, which it is about");
                }
            }
            MutualTls::of_connections()
        }
        Some(name) => {
            let format = format.or_else(|| CertificateFormat::of_header(&name));
            if format.is_none() && !has_format {
                let expected =
                    "is required for this header: expected one of client-cert, xfcc, pem";
                section.reject("format", expected);
            }
            if !has_proxies {
                let expected = "is required: expected the networks of the proxies that set the \
                                header, such as \"127.0.0.1/32\"";
                section.reject("proxies", expected);
            }
            header(&section, &name, format, proxies)
        }
    };
    section.finish();
    Some(settings)
}

fn header(
    section: &SectionReader<'_>,
    name: &str,
    format: Option<CertificateFormat>,
    proxies: Option<Vec<String>>,
) -> MutualTls {
    // A format that is missing is told by itself; the rest is judged all the same.
    let judged = format.unwrap_or(CertificateFormat::Pem);
    let Some(proxies) = proxies else { return MutualTls::of_connections() };
    match CertificateHeader::new(name, judged, proxies) {
        Ok(header) => MutualTls::of_connections().header(header),
        Err(BuildError::Setting { setting, expected }) => {
            let key = setting.strip_prefix("mtls.").unwrap_or(setting);
            section.reject(key, format!("expected {expected}"));
            MutualTls::of_connections()
        }
        Err(error) => {
            section.reject("header", error.to_string());
            MutualTls::of_connections()
        }
    }
}
