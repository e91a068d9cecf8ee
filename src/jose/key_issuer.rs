//! The issuer that an entry of a shared key set belongs to.
//!
//! Microsoft Entra ID publishes one set for all tenants of a cloud, and names in each entry the
//! issuer it is for. Accepting a key of one tenant for another would let that tenant sign for it
//! (Microsoft identity platform, "Access tokens", "Validate the signing key issuer").

use super::json::Document;

/// The members `issuer` and `cloud_instance_name` of an entry; absent in other providers' sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct KeyIssuer {
    /// An issuer, or a template of one with `{tenantid}`.
    issuer: Option<Box<str>>,
    cloud: Option<Box<str>>,
}

/// The tenant that a key must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedKeyIssuer {
    pub(crate) tenant: String,
    /// The issuers of the tenant, one for each version of its tokens.
    pub(crate) issuers: Vec<String>,
    pub(crate) cloud: &'static str,
}

impl KeyIssuer {
    /// Reads an entry; the error is the member that is malformed.
    pub(super) fn read(jwk: &Document<'_>) -> Result<Self, &'static str> {
        let string = |name| jwk.string(name).map(|value| value.map(Box::from)).map_err(|_| name);
        Ok(Self { issuer: string("issuer")?, cloud: string("cloud_instance_name")? })
    }

    /// Reports whether a key of this issuer may sign for the expected one.
    pub(crate) fn admits(&self, expected: &ExpectedKeyIssuer) -> bool {
        let issuer = self.issuer.as_deref().is_none_or(|issuer| {
            let issuer = issuer.replace("{tenantid}", &expected.tenant);
            expected.issuers.iter().any(|own| own.eq_ignore_ascii_case(&issuer))
        });
        let cloud = self.cloud.as_deref().is_none_or(|cloud| cloud == expected.cloud);
        issuer && cloud
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_its_issuer_and_its_cloud_alone() {
        let expected = ExpectedKeyIssuer {
            tenant: "t1".to_owned(),
            issuers: vec!["https://v1/t1/".to_owned(), "https://v2/t1/v2.0".to_owned()],
            cloud: "global",
        };
        for (issuer, cloud, admitted) in [
            (None, None, true),
            (Some("https://v2/{tenantid}/v2.0"), None, true),
            (Some("https://v1/{tenantid}/"), Some("global"), true),
            (Some("https://V2/T1/v2.0"), None, true),
            (Some("https://v2/t2/v2.0"), None, false),
            (Some("https://other/{tenantid}/v2.0"), None, false),
            (Some(""), None, false),
            (Some("https://v2/{tenantid}/v2.0"), Some("china"), false),
            (None, Some("china"), false),
        ] {
            let key = KeyIssuer { issuer: issuer.map(Box::from), cloud: cloud.map(Box::from) };
            assert_eq!(key.admits(&expected), admitted, "{key:?}");
        }
    }
}
