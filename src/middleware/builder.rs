//! The settings of a layer, and how it is built of them.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use super::active_gate::ActiveGate;
use super::gate::Gate;
use super::layer::FhirAuthLayer;
#[cfg(feature = "confine")]
use super::layer_parts::InnerSettings;
use super::layer_parts::{LayerId, LayerParts};
use super::paths::{DEFAULT_PUBLIC, OutsideBase, Paths};
#[cfg(feature = "client")]
use crate::authentication::Entra;
use crate::authentication::{AudiencePolicy, Authenticator, AuthenticatorBuilder, TrustedIssuer};
use crate::authorization::{
    Authorizer, ConstraintEvaluation, ConstraintMatcher, Enforcement, Handlers, Policy, StepUp,
    StepUpRules,
};
use crate::danger::PlainHttp;
use crate::error::BuildError;
use crate::fhir::{BaseUrl, PatientCompartment, ResourceTypes};
use crate::metadata::{SmartConfiguration, WellKnown};
use crate::rejection::{
    Challenges, DefaultResponder, Disclosure, RejectionResponder, ServerIdentity,
};
use crate::secure_url;
use crate::telemetry::log;
use crate::telemetry::meter::LayerMeter;
use crate::time::Clock;

/// Collects the settings of a [`FhirAuthLayer`].
///
/// ```
/// use tower_fhir_auth::{FhirAuthLayer, ScopePolicy, TrustedIssuer};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(TrustedIssuer::discover("https://idp.example.org/realms/fhir"))
///     .authorizer(ScopePolicy::new())
///     .public(["/metadata", "/health"])
///     .token_cache_capacity(50_000)
///     .build()?;
/// # let _ = layer;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct FhirAuthLayerBuilder {
    base_url: String,
    pub(super) authenticator: AuthenticatorBuilder,
    authorizer: Option<Arc<dyn Authorizer>>,
    pub(super) handlers: Handlers,
    pub(super) paths: Paths,
    resource_types: Vec<String>,
    disclosure: Disclosure,
    responder: Box<dyn RejectionResponder>,
    smart_configuration: SmartConfiguration,
    cors: bool,
    plain_http: PlainHttp,
    names_callers: bool,
    name: Option<String>,
    pub(super) step_up: Vec<StepUp>,
    pub(super) step_up_by_address_alone: bool,
    /// The layer whose place the new one is to take.
    pub(super) predecessor: Option<ActiveGate>,
    #[cfg(feature = "confine")]
    pub(super) inner_settings: Option<InnerSettings>,
}

impl FhirAuthLayer {
    /// Starts the configuration of a layer. `base_url` is the URL by which clients address the API;
    /// its path is where requests are matched, and it is the audience of issuers that set none.
    pub fn builder(base_url: impl Into<String>) -> FhirAuthLayerBuilder {
        FhirAuthLayerBuilder::new(base_url.into())
    }
}

impl FhirAuthLayerBuilder {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            authenticator: Authenticator::builder(),
            authorizer: None,
            handlers: Handlers::default(),
            paths: Paths {
                public: DEFAULT_PUBLIC.map(str::to_owned).to_vec(),
                optional: Vec::new(),
                public_outside: Vec::new(),
                outside_base: OutsideBase::default(),
            },
            resource_types: Vec::new(),
            disclosure: Disclosure::default(),
            responder: Box::new(DefaultResponder),
            smart_configuration: SmartConfiguration::new(),
            cors: false,
            plain_http: PlainHttp::default(),
            names_callers: false,
            name: None,
            step_up: Vec::new(),
            step_up_by_address_alone: false,
            predecessor: None,
            #[cfg(feature = "confine")]
            inner_settings: None,
        }
    }

    /// Trusts an issuer. At least one is needed.
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.authenticator = self.authenticator.issuer(issuer);
        self
    }

    /// Trusts several issuers.
    ///
    /// ```
    /// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer};
    ///
    /// let names = ["https://idp.example.org/staff", "https://idp.example.org/patients"];
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .issuers(names.map(TrustedIssuer::discover));
    /// ```
    pub fn issuers(mut self, issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        self.authenticator = self.authenticator.issuers(issuers);
        self
    }

    /// Trusts the tenants of a preset for Microsoft Entra ID. An error of it is one of
    /// [`build`](Self::build).
    #[cfg(feature = "client")]
    pub fn entra(mut self, entra: Entra) -> Self {
        self.authenticator = self.authenticator.entra(entra);
        self
    }

    /// Sets the authorizer, which decides who may do what. Required;
    /// [`authenticated()`](crate::authenticated) lets in everybody with a valid token.
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Declares what the handlers behind the layer enforce. Default: nothing, so that a grant which
    /// leaves something to them is a refusal.
    pub fn handlers_enforce(mut self, enforcement: Enforcement) -> Self {
        self.handlers.enforcement = enforcement;
        self
    }

    /// Sets the rules by which a resource belongs to a patient. Default: those of R4, with a few
    /// changes that [`PatientCompartment`] describes.
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    /// use tower_fhir_auth::fhir::PatientCompartment;
    ///
    /// let rules = PatientCompartment::builder().shared(["Organization", "Location"]).build()?;
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4").patient_compartment(rules);
    /// # Ok::<(), tower_fhir_auth::fhir::CompartmentError>(())
    /// ```
    pub fn patient_compartment(mut self, compartment: PatientCompartment) -> Self {
        self.handlers.compartment = compartment;
        self
    }

    /// Evaluates the constraints of scopes. Default: by the official definitions of R4's search parameters,
    /// as a [`Criterion`](crate::fhir::search::Criterion) does; composite and special parameters are not
    /// supported, and what cannot be evaluated from the resource alone is not shown.
    pub fn constraint_matcher(mut self, matcher: impl ConstraintMatcher) -> Self {
        self.handlers.constraints = ConstraintEvaluation::Own(Arc::new(matcher));
        self
    }

    /// Declares resource types beside those of R4: those of R4B or R5 that the application has, and
    /// types of its own. An address that names any other is no interaction, and is refused. A
    /// declared type belongs to no patient's compartment.
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    ///
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .resource_types(["NutritionIntake", "TriageNote"]);
    /// ```
    pub fn resource_types<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.resource_types.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets how much refusals reveal. Default: [`Disclosure::Reason`].
    pub fn disclosure(mut self, disclosure: Disclosure) -> Self {
        self.disclosure = disclosure;
        self
    }

    /// Makes the responses of refusals. Default: [`DefaultResponder`].
    pub fn responder(mut self, responder: impl RejectionResponder) -> Self {
        self.responder = Box::new(responder);
        self
    }

    /// Reads "now" from another clock. Default:
    /// [`SystemClock`](crate::authentication::SystemClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.authenticator = self.authenticator.clock(clock);
        self
    }

    /// Sets how many verified tokens are cached, see
    /// [`AuthenticatorBuilder::token_cache_capacity`](crate::authentication::AuthenticatorBuilder::token_cache_capacity).
    /// Default: 10,000.
    pub fn token_cache_capacity(mut self, tokens: usize) -> Self {
        self.authenticator = self.authenticator.token_cache_capacity(tokens);
        self
    }

    /// Loads the keys of the issuer that a token names, and no others: for tools that look at one
    /// token, see [`AuthenticatorBuilder::load_keys_only_for`](crate::authentication::AuthenticatorBuilder::load_keys_only_for).
    pub fn load_keys_only_for(mut self, token: &str) -> Self {
        self.authenticator = self.authenticator.load_keys_only_for(token);
        self
    }

    /// Asks no provider for keys, see
    /// [`AuthenticatorBuilder::offline`](crate::authentication::AuthenticatorBuilder::offline).
    pub fn offline(mut self) -> Self {
        self.authenticator = self.authenticator.offline();
        self
    }

    /// Sets the document `.well-known/smart-configuration`, which this layer serves below the base
    /// URL.
    pub fn smart_configuration(mut self, document: SmartConfiguration) -> Self {
        self.smart_configuration = document;
        self
    }

    /// Declares in [`capability_security`](FhirAuthLayer::capability_security) that the server
    /// answers CORS preflights and sends CORS headers. The application does so, with a layer
    /// outside this one (`CorsLayer` of tower-http). Default: nothing is declared.
    pub fn cors(mut self, cors: bool) -> Self {
        self.cors = cors;
        self
    }

    /// Allows origins that are reached without TLS, for the base URL and for the keys of issuers, see
    /// [`PlainHttp`]. Default: none but loopback.
    pub fn plain_http(mut self, origins: PlainHttp) -> Self {
        self.plain_http = origins;
        self
    }

    /// Puts the [`Principal`](crate::Principal) and the [`Access`](crate::Access) of each request that is
    /// let in into the extensions of its response, too, for layers outside: access logs, traces, limits by
    /// caller. Refusals have a [`Rejection`](crate::Rejection) there, which knows its
    /// [`caller`](crate::Rejection::caller). Default: `false`, for it costs three allocations.
    ///
    /// ```
    /// use http::Response;
    /// use tower_fhir_auth::{Access, Principal, Rejection};
    ///
    /// /// What an access log says of the caller.
    /// fn caller<B>(response: &Response<B>) -> String {
    ///     let extensions = response.extensions();
    ///     let refused = extensions.get::<Rejection>().and_then(Rejection::caller);
    ///     let Some(caller) = extensions.get::<Principal>().or(refused) else {
    ///         return "-".to_owned();
    ///     };
    ///     let rule = extensions.get::<Access>().map(|access| access.granted_by().to_string());
    ///     format!("{} by {}", caller.subject().unwrap_or("?"), rule.as_deref().unwrap_or("no rule"))
    /// }
    /// # assert_eq!(caller(&Response::new(())), "-");
    /// ```
    pub fn callers_in_responses(mut self, names_callers: bool) -> Self {
        self.names_callers = names_callers;
        self
    }

    /// Names the layer in metrics (`layer`), to tell several of one process apart. Default: its base URL.
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    ///
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4").name("clinic");
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Checks the settings and starts to load keys in the background, which needs a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The first setting that cannot work. A provider that is down is not an error.
    pub fn build(self) -> Result<FhirAuthLayer, BuildError> {
        let before = self.predecessor.as_ref().map(ActiveGate::keep);
        let gate = self.gate(LayerId::new(), before.as_deref())?;
        Ok(FhirAuthLayer { active_gate: ActiveGate::new(gate) })
    }

    /// Makes what decides by these settings, for a layer. It takes over from one before what may go on.
    pub(super) fn gate(self, layer: LayerId, before: Option<&Gate>) -> Result<Gate, BuildError> {
        let invalid = |_| BuildError::BaseUrl(secure_url::without_user(&self.base_url));
        let base_url = BaseUrl::parse_with(&self.base_url, &self.plain_http).map_err(invalid)?;
        let authorizer = self.authorizer.ok_or(BuildError::NoAuthorizer)?;
        let resource_types = ResourceTypes::r4()
            .with(self.resource_types)
            .map_err(|error| BuildError::ResourceType(error.name))?;
        self.paths.check(&base_url, &resource_types)?;
        self.step_up.iter().try_for_each(|step_up| step_up.check(&resource_types))?;
        if self.disclosure == Disclosure::Full {
            log::warn!("refusals reveal every detail (disclosure `full`): for development only");
        }
        let audience = AudiencePolicy::exact([base_url.as_str()]);
        let authenticator = self
            .authenticator
            .audience(audience)
            .resource_types(resource_types.clone())
            .plain_http(self.plain_http)
            .base_url(base_url.clone())
            .build_after(before.map(|before| &before.authenticator))?;
        let step_up = StepUpRules::new(self.step_up, &authenticator);
        let step_up = Arc::new(step_up.by_address_alone(self.step_up_by_address_alone));
        let offered = authenticator.offered();
        let challenges = Challenges::new(&base_url, offered);
        let well_known = WellKnown::new(
            &base_url,
            authenticator.advertised().names(),
            offered,
            self.smart_configuration.cors(self.cors),
        );
        let meter = LayerMeter::new(self.name.as_deref().unwrap_or(base_url.as_str()));
        let layer_parts = Arc::new(LayerParts {
            layer,
            #[cfg(feature = "confine")]
            authorizer: Arc::clone(&authorizer),
            paths: self.paths,
            resource_types,
            well_known,
            advertised: Arc::clone(authenticator.advertised()),
            responder: self.responder,
            server: Arc::new(ServerIdentity { base_url, disclosure: self.disclosure, challenges }),
            meter,
            #[cfg(feature = "confine")]
            clock: authenticator.clock(),
            #[cfg(feature = "confine")]
            inner_settings: self.inner_settings,
        });
        let layer: Arc<dyn Any + Send + Sync> = Arc::<LayerParts>::clone(&layer_parts);
        let handlers = Handlers { clock: authenticator.clock(), ..self.handlers };
        let policy = Arc::new(Policy::new(authorizer, handlers, step_up, layer));
        Ok(Gate { authenticator, policy, layer_parts, names_callers: self.names_callers })
    }
}
