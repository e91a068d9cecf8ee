//! Tenants for customers, which have hosts of their own and issue version 2.0 alone.

use super::{Entra, is_guid};
use crate::authentication::audience::AudiencePolicy;
use crate::authentication::issuer::TrustedIssuer;
use crate::error::BuildError;

/// Collects what is needed to trust a tenant for customers: Azure AD B2C or Microsoft Entra
/// External ID. Made by [`Entra::b2c`] and [`Entra::external_id`].
///
/// ```
/// use tower_fhir_auth::Entra;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Entra::external_id("contoso")
///     .tenant("11111111-2222-3333-4444-555555555555")
///     .application("66666666-7777-8888-9999-000000000000")
///     .issuer()?;
/// # let _ = issuer;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct EntraCustomers {
    service: Service,
    /// The first label of the tenant's hosts.
    name: String,
    tenant: String,
    application: String,
    policy: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Service {
    B2c,
    ExternalId,
}

impl Entra {
    /// Trusts an Azure AD B2C tenant, by its name: `contoso` of `contoso.b2clogin.com`.
    ///
    /// ```
    /// use tower_fhir_auth::Entra;
    ///
    /// let issuer = Entra::b2c("contoso")
    ///     .policy("B2C_1_sign_in")
    ///     .tenant("11111111-2222-3333-4444-555555555555")
    ///     .application("66666666-7777-8888-9999-000000000000")
    ///     .issuer()?;
    /// assert_eq!(
    ///     issuer.name(),
    ///     "https://contoso.b2clogin.com/11111111-2222-3333-4444-555555555555/v2.0/"
    /// );
    /// # Ok::<(), tower_fhir_auth::BuildError>(())
    /// ```
    pub fn b2c(name: impl Into<String>) -> EntraCustomers {
        EntraCustomers::new(name.into(), Service::B2c)
    }

    /// Trusts a Microsoft Entra External ID tenant, by its name: `contoso` of
    /// `contoso.ciamlogin.com`.
    pub fn external_id(name: impl Into<String>) -> EntraCustomers {
        EntraCustomers::new(name.into(), Service::ExternalId)
    }
}

impl EntraCustomers {
    fn new(name: String, service: Service) -> Self {
        Self { service, name, tenant: String::new(), application: String::new(), policy: None }
    }

    /// Sets the id of the tenant, a GUID. Required.
    pub fn tenant(mut self, id: impl Into<String>) -> Self {
        self.tenant = id.into();
        self
    }

    /// Sets the application id (client id) of the API, which is the audience of its tokens: a
    /// GUID. Required.
    pub fn application(mut self, id: impl Into<String>) -> Self {
        self.application = id.into();
        self
    }

    /// Sets the user flow or custom policy that issues the tokens. Required for Azure AD B2C; there
    /// are none in External ID.
    pub fn policy(mut self, name: impl Into<String>) -> Self {
        self.policy = Some(name.into());
        self
    }

    /// Makes the issuer.
    ///
    /// # Errors
    ///
    /// [`BuildError::Entra`] for what is missing or malformed.
    pub fn issuer(&self) -> Result<TrustedIssuer, BuildError> {
        let well_known = "v2.0/.well-known/openid-configuration";
        let Self { name, tenant, application, .. } = self;
        self.check()?;
        let (issuer, discovery) = match self.service {
            Service::B2c => {
                let policy = self.policy.as_deref().unwrap_or_default();
                let host = format!("https://{name}.b2clogin.com");
                let discovery = format!("{host}/{name}.onmicrosoft.com/{policy}/{well_known}");
                (format!("{host}/{tenant}/v2.0/"), discovery)
            }
            Service::ExternalId => (
                format!("https://{tenant}.ciamlogin.com/{tenant}/v2.0"),
                format!("https://{name}.ciamlogin.com/{tenant}/{well_known}"),
            ),
        };
        let audience = AudiencePolicy::exact([application.as_str()]);
        Ok(TrustedIssuer::discover_at(issuer, discovery).of_entra(audience))
    }

    fn check(&self) -> Result<(), BuildError> {
        let is_label = |text: &str, marks: &[u8]| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
            !text.is_empty() && text.bytes().all(plain)
        };
        let policy = self.policy.as_deref().unwrap_or_default();
        let is_policy = match self.service {
            Service::B2c => is_label(policy, b"-_"),
            Service::ExternalId => self.policy.is_none(),
        };
        let (setting, found, expected) = if !is_label(&self.name, b"-") {
            ("tenant name", self.name.as_str(), "the first label of the tenant's host")
        } else if !is_guid(&self.tenant) {
            ("tenant", self.tenant.as_str(), "a tenant id (GUID)")
        } else if !is_guid(&self.application) {
            ("application id", self.application.as_str(), "a GUID")
        } else if !is_policy {
            ("policy", policy, "that of Azure AD B2C, such as `B2C_1_sign_in`, and none elsewhere")
        } else {
            return Ok(());
        };
        Err(BuildError::Entra { setting, found: found.to_owned(), expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const APPLICATION: &str = "66666666-7777-8888-9999-000000000000";

    #[test]
    fn each_service_has_its_issuer() {
        let of = |customers: EntraCustomers| {
            let complete = customers.tenant(TENANT).application(APPLICATION);
            complete.issuer().unwrap().name().to_owned()
        };
        assert_eq!(
            of(Entra::b2c("contoso").policy("B2C_1A_x")),
            format!("https://contoso.b2clogin.com/{TENANT}/v2.0/")
        );
        assert_eq!(
            of(Entra::external_id("contoso")),
            format!("https://{TENANT}.ciamlogin.com/{TENANT}/v2.0")
        );
    }

    #[test]
    fn what_is_missing_or_at_another_place_is_an_error() {
        let b2c =
            || Entra::b2c("contoso").policy("B2C_1_x").tenant(TENANT).application(APPLICATION);
        assert!(b2c().issuer().is_ok());
        for (customers, wrong) in [
            (Entra::b2c("contoso").tenant(TENANT).application(APPLICATION), "policy"),
            (Entra::b2c("contoso").policy("x").application(APPLICATION), "tenant"),
            (Entra::b2c("contoso").policy("x").tenant(TENANT), "application id"),
            (b2c().tenant("contoso"), "tenant"),
            (b2c().policy("a/b"), "policy"),
            (b2c().application("api://x"), "application id"),
            (Entra::b2c("").policy("x").tenant(TENANT).application(APPLICATION), "tenant name"),
            (Entra::b2c("a.b").policy("x").tenant(TENANT).application(APPLICATION), "tenant name"),
            (Entra::external_id("x").policy("x").tenant(TENANT).application(APPLICATION), "policy"),
        ] {
            let error = customers.issuer().unwrap_err();
            assert!(
                matches!(&error, BuildError::Entra { setting, .. } if *setting == wrong),
                "{error}"
            );
        }
    }
}
