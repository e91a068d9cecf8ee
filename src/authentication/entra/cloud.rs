//! The clouds of Microsoft Entra ID, and the names of their issuers ("National clouds").

use std::fmt;

/// The clouds that Microsoft Entra ID is in.
///
/// ```
/// use tower_fhir_auth::Entra;
/// use tower_fhir_auth::authentication::EntraCloud;
///
/// let entra = Entra::tenant(
///     "11111111-2222-3333-4444-555555555555",
///     "66666666-7777-8888-9999-000000000000",
/// )
/// .cloud(EntraCloud::UsGovernment);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntraCloud {
    /// The worldwide cloud.
    #[default]
    Global,
    /// The cloud of the government of the United States.
    UsGovernment,
    /// The cloud operated by 21Vianet in China.
    China,
}

/// The version of a token.
#[derive(Clone, Copy)]
pub(super) enum Version {
    One,
    Two,
}

impl EntraCloud {
    pub(super) fn login_host(self) -> &'static str {
        match self {
            Self::Global => "login.microsoftonline.com",
            Self::UsGovernment => "login.microsoftonline.us",
            Self::China => "login.partner.microsoftonline.cn",
        }
    }

    fn token_host(self) -> &'static str {
        match self {
            Self::Global | Self::UsGovernment => "sts.windows.net",
            Self::China => "sts.chinacloudapi.cn",
        }
    }

    /// Returns where the users of a tenant sign in.
    pub(super) fn authorization_uri(self, tenant: &str) -> String {
        format!("https://{}/{tenant}/oauth2/v2.0/authorize", self.login_host())
    }

    /// Returns the value of `cloud_instance_name`.
    pub(super) fn instance(self) -> &'static str {
        match self {
            Self::Global => "microsoftonline.com",
            Self::UsGovernment => "microsoftonline.us",
            Self::China => "partner.microsoftonline.cn",
        }
    }

    pub(super) fn issuer(self, version: Version, tenant: &str) -> String {
        match version {
            Version::One => format!("https://{}/{tenant}/", self.token_host()),
            Version::Two => format!("https://{}/{tenant}/v2.0", self.login_host()),
        }
    }
}

impl fmt::Display for EntraCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.login_host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_issuers() {
        let id = "11111111-2222-3333-4444-55555555555a";
        for (cloud, one, two) in [
            (EntraCloud::Global, "sts.windows.net", "login.microsoftonline.com"),
            (EntraCloud::UsGovernment, "sts.windows.net", "login.microsoftonline.us"),
            (EntraCloud::China, "sts.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
        ] {
            assert_eq!(cloud.issuer(Version::One, id), format!("https://{one}/{id}/"));
            assert_eq!(cloud.issuer(Version::Two, id), format!("https://{two}/{id}/v2.0"));
        }
    }
}
