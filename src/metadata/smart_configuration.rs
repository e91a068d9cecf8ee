//! `.well-known/smart-configuration` (SMART App Launch 2.2, "Conformance"): where apps begin.

use serde_json::{Map, Value, json};

/// The document for apps: the metadata of the first issuer that they are sent to, the capabilities
/// that follow from it, and the operator's own members, which take precedence over both.
///
/// ```
/// use tower_fhir_auth::metadata::SmartConfiguration;
/// use tower_fhir_auth::FhirAuthLayer;
///
/// let document = SmartConfiguration::new()
///     .member("capabilities", ["launch-ehr", "permission-patient", "permission-v2"])
///     .member("management_endpoint", "https://idp.example.org/manage");
/// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .smart_configuration(document);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SmartConfiguration {
    published: bool,
    scopes_count: bool,
    cors: bool,
    members: Map<String, Value>,
}

/// Members that have the same meaning here as in a discovery document.
const TAKEN_OVER: [&str; 9] = [
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "scopes_supported",
    "response_types_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
];

impl SmartConfiguration {
    /// Makes a document of what is known, for a server where SMART scopes count.
    pub fn new() -> Self {
        Self { published: true, scopes_count: true, cors: false, members: Map::new() }
    }

    /// Makes no document: the inner service answers the path, as any other public path.
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    /// use tower_fhir_auth::metadata::SmartConfiguration;
    ///
    /// // A handler of the application answers `/.well-known/smart-configuration`.
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .smart_configuration(SmartConfiguration::unpublished());
    /// ```
    pub fn unpublished() -> Self {
        Self { published: false, ..Self::new() }
    }

    /// Sets whether SMART scopes count on this server. Default: they do.
    pub fn scopes_count(mut self, scopes_count: bool) -> Self {
        self.scopes_count = scopes_count;
        self
    }

    /// Declares that the server answers CORS preflights and sends CORS headers, as the `security`
    /// of its CapabilityStatement then says. The layer does neither. Default: no.
    pub(crate) fn cors(mut self, cors: bool) -> Self {
        self.cors = cors;
        self
    }

    /// Sets a member of the document, over the value known otherwise.
    pub fn member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.insert(name.into(), value.into());
        self
    }

    pub(crate) fn is_published(&self) -> bool {
        self.published
    }

    pub(crate) fn document(&self, provider: Option<Map<String, Value>>) -> String {
        Value::Object(self.members(provider)).to_string()
    }

    /// Returns all members, of a provider's discovery document and of the operator.
    pub(crate) fn members(&self, provider: Option<Map<String, Value>>) -> Map<String, Value> {
        let provider = provider.unwrap_or_default();
        let mut document = Map::new();
        for name in TAKEN_OVER {
            if let Some(value) = provider.get(name) {
                document.insert(name.to_owned(), value.clone());
            }
        }
        if has_single_sign_on(&provider) {
            for name in ["issuer", "jwks_uri"] {
                document.extend(provider.get(name).map(|value| (name.to_owned(), value.clone())));
            }
        }
        let grants = provider.get("grant_types_supported").cloned();
        let grants = grants.unwrap_or_else(|| json!(["authorization_code"]));
        document.insert("grant_types_supported".to_owned(), grants);
        document
            .insert("code_challenge_methods_supported".to_owned(), challenge_methods(&provider));
        document.insert("capabilities".to_owned(), self.capabilities(&provider).into());
        document.extend(self.members.clone());
        document
    }

    /// Returns the capabilities that are known to be there.
    fn capabilities(&self, provider: &Map<String, Value>) -> Vec<&'static str> {
        let scope = |name| is_listed(provider, "scopes_supported", name);
        let method = |name| is_listed(provider, "token_endpoint_auth_methods_supported", name);
        let has_token_endpoint = provider.contains_key("token_endpoint");
        // Discovery 1.0 section 3: where nothing is listed, it is `client_secret_basic`.
        let unlisted = !provider.contains_key("token_endpoint_auth_methods_supported");
        let secret = method("client_secret_basic") || method("client_secret_post") || unlisted;
        let known = [
            (self.scopes_count, "permission-v1"),
            (self.scopes_count, "permission-v2"),
            (self.scopes_count, "permission-patient"),
            (self.scopes_count, "permission-user"),
            (scope("offline_access"), "permission-offline"),
            (scope("online_access"), "permission-online"),
            (scope("launch"), "launch-ehr"),
            (scope("launch/patient"), "launch-standalone"),
            (scope("launch/patient"), "context-standalone-patient"),
            (has_single_sign_on(provider), "sso-openid-connect"),
            (method("none"), "client-public"),
            (has_token_endpoint && secret, "client-confidential-symmetric"),
            (method("private_key_jwt"), "client-confidential-asymmetric"),
        ];
        known.into_iter().filter(|(is_known, _)| *is_known).map(|(_, name)| name).collect()
    }

    /// Returns the `security` of `CapabilityStatement.rest`, to be merged into the server's own
    /// statement (SMART App Launch 2.2, "Conformance"; the extension is that of earlier versions).
    pub(crate) fn capability_security(&self, provider: Option<Map<String, Value>>) -> Value {
        let members = self.members(provider);
        let endpoints = [
            ("token", "token_endpoint"),
            ("authorize", "authorization_endpoint"),
            ("register", "registration_endpoint"),
            ("manage", "management_endpoint"),
            ("introspect", "introspection_endpoint"),
            ("revoke", "revocation_endpoint"),
        ];
        let known = endpoints.into_iter().filter_map(|(url, member)| {
            let address = members.get(member)?.as_str()?;
            Some(json!({"url": url, "valueUri": address}))
        });
        let mut security = json!({
            "service": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
            }]}],
        });
        let known: Vec<Value> = known.collect();
        if let Some(members) = security.as_object_mut() {
            if self.cors {
                members.insert("cors".to_owned(), true.into());
            }
            if !known.is_empty() {
                let url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
                members.insert("extension".to_owned(), json!([{"url": url, "extension": known}]));
            }
        }
        security
    }
}

impl Default for SmartConfiguration {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the challenge methods that the provider lists, without `plain`; where it lists none,
/// those that SMART requires.
fn challenge_methods(provider: &Map<String, Value>) -> Value {
    match provider.get("code_challenge_methods_supported").and_then(Value::as_array) {
        Some(listed) => listed.iter().filter(|name| *name != "plain").cloned().collect(),
        None => json!(["S256"]),
    }
}

/// Reports whether apps can verify an ID token by these metadata. With a template (`{tenantid}`)
/// they cannot: no token has it as its issuer.
fn has_single_sign_on(provider: &Map<String, Value>) -> bool {
    let issuer = provider.get("issuer").and_then(Value::as_str).unwrap_or_default();
    is_listed(provider, "scopes_supported", "openid") && !issuer.contains('{')
}

fn is_listed(provider: &Map<String, Value>, member: &str, name: &str) -> bool {
    let listed = provider.get(member).and_then(Value::as_array);
    listed.is_some_and(|listed| listed.iter().any(|one| one == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Map<String, Value> {
        let Value::Object(members) = json!({
            "issuer": "https://idp", "jwks_uri": "https://idp/keys",
            "authorization_endpoint": "https://idp/auth", "token_endpoint": "https://idp/token",
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "scopes_supported": ["openid", "launch/patient", "offline_access"],
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }) else {
            panic!("an object")
        };
        members
    }

    #[test]
    fn the_document_is_what_the_provider_says_and_what_follows() {
        let document = SmartConfiguration::new().members(Some(provider()));
        assert_eq!(document["token_endpoint"], "https://idp/token");
        assert_eq!(document["issuer"], "https://idp");
        assert_eq!(document["grant_types_supported"][1], "client_credentials");
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert!(!document.contains_key("id_token_signing_alg_values_supported"));
        let expected = json!([
            "permission-v1",
            "permission-v2",
            "permission-patient",
            "permission-user",
            "permission-offline",
            "launch-standalone",
            "context-standalone-patient",
            "sso-openid-connect",
            "client-public",
            "client-confidential-asymmetric",
        ]);
        assert_eq!(document["capabilities"], expected);
    }

    #[test]
    fn what_nobody_knows_is_left_out() {
        let document = SmartConfiguration::new().scopes_count(false).members(None);
        let expected = json!({
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": [],
        });
        assert_eq!(Value::Object(document), expected);
        let mut silent = provider();
        silent.remove("scopes_supported");
        let document = SmartConfiguration::new().members(Some(silent));
        assert!(!document.contains_key("issuer") && !document.contains_key("jwks_uri"));
    }

    #[test]
    fn a_template_is_nobodys_issuer() {
        let mut template = provider();
        template.insert("issuer".to_owned(), json!("https://idp/{tenantid}/v2.0"));
        let document = SmartConfiguration::new().members(Some(template));
        assert!(!document.contains_key("issuer") && !document.contains_key("jwks_uri"));
        assert_eq!(document["token_endpoint"], "https://idp/token");
        let capabilities = document["capabilities"].as_array().unwrap();
        assert!(!capabilities.contains(&json!("sso-openid-connect")), "{capabilities:?}");
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let document = SmartConfiguration::new()
            .member("token_endpoint", "https://mine/token")
            .member("capabilities", ["launch-ehr"])
            .members(Some(provider()));
        assert_eq!(document["token_endpoint"], "https://mine/token");
        assert_eq!(document["capabilities"], json!(["launch-ehr"]));
    }

    #[test]
    fn the_security_of_a_capability_statement_names_the_endpoints() {
        let security = SmartConfiguration::new().capability_security(Some(provider()));
        assert_eq!(security["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
        let endpoints = &security["extension"][0]["extension"];
        assert_eq!(endpoints[0], json!({"url": "token", "valueUri": "https://idp/token"}));
        assert_eq!(endpoints[1], json!({"url": "authorize", "valueUri": "https://idp/auth"}));
        let unknown = SmartConfiguration::new().capability_security(None);
        assert!(unknown.get("extension").is_none());
        assert!(unknown.get("cors").is_none(), "said only by who does it");
        let said = SmartConfiguration::new().cors(true).capability_security(None);
        assert_eq!(said["cors"], true);
    }
}
