//! The issuer that an entry of a shared key set belongs to.
//!
//! Microsoft Entra ID publishes one set for all tenants of a cloud, and names in each entry the
//! issuer it is for. Accepting a key of one tenant for another would let that tenant sign for it
//! (Microsoft identity platform, "Access tokens", "Validate the signing key issuer").

use super::json::Document;

/// The members `issuer` and `cloud_instance_name` of an entry; absent in other providers' sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyOwner {
    /// An issuer, or a template of one with `{tenantid}`.
    issuer: Option<Box<str>>,
    cloud: Option<Box<str>>,
}

/// The tenant that a key must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyHolder {
    pub(crate) tenant: String,
    /// The issuers of the tenant, one for each version of its tokens.
    pub(crate) issuers: Vec<String>,
    pub(crate) cloud: &'static str,
}

impl KeyOwner {
    /// Reads an entry; the error is the member that is malformed.
    pub(super) fn read(jwk: &Document<'_>) -> Result<Self, &'static str> {
        let text = |name: &'static str| match jwk.text(name) {
            Ok(text) => Ok(text.map(Box::from)),
            Err(_) => Err(name),
        };
        Ok(Self { issuer: text("issuer")?, cloud: text("cloud_instance_name")? })
    }

    /// Reports whether a key with this owner may sign for a holder.
    pub(crate) fn admits(&self, holder: &KeyHolder) -> bool {
        let issuer = self.issuer.as_deref().is_none_or(|issuer| {
            let issuer = issuer.replace("{tenantid}", &holder.tenant);
            holder.issuers.iter().any(|own| own.eq_ignore_ascii_case(&issuer))
        });
        let cloud = self.cloud.as_deref().is_none_or(|cloud| cloud == holder.cloud);
        issuer && cloud
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_for_its_issuer_and_its_cloud_alone() {
        let holder = KeyHolder {
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
            let owner = KeyOwner { issuer: issuer.map(Box::from), cloud: cloud.map(Box::from) };
            assert_eq!(owner.admits(&holder), admitted, "{owner:?}");
        }
    }
}
