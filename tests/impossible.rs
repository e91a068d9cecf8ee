//! Programs that must not compile, each beside its twin that does: the same lines but the last one.
//! So a line that is refused for another reason, or a name that is no more, is told from what it
//! shows. Error codes are compared where the toolchain allows it: `.ci/run` does.

/// Two programs: the lines that compile, and those with one more, which is an error of this code.
macro_rules! impossible {
    ($($(#[doc = $what:literal])+ $name:ident: $lines:literal, $code:literal, $line:literal;)+) => {$(
        $(#[doc = $what])+
        #[doc = concat!("\n```\n", $lines, "\n}\n```\n")]
        #[doc = concat!("```compile_fail,", $code, "\n", $lines, "\n", $line, "\n}\n```")]
        pub const $name: () = ();
    )+};
}

impossible! {
    /// A caller is made of a verified token, not of its parts.
    A_FORGED_PRINCIPAL: "use tower_fhir_auth::Principal;
        fn handler(caller: Principal) {", "E0423", "let _ = Principal(unreachable!());";

    /// Nor of nothing.
    A_CALLER_BY_DEFAULT: "use tower_fhir_auth::Principal;
        fn handler(caller: Principal) {", "E0277", "fn any<T: Default>() {} any::<Principal>();";

    /// Nor of JSON, which a proxy might send along.
    A_CALLER_FROM_JSON: "use tower_fhir_auth::Principal;
        fn handler(caller: Principal, json: &str) {",
        "E0277", "let _: Principal = serde_json::from_str(json).unwrap();";

    /// The claims of a caller are read, not written.
    A_CALLER_WITH_ANOTHER_SCOPE: "use tower_fhir_auth::Principal;
        fn handler(caller: Principal) { let _ = caller.smart_scopes().len();",
        "E0596", "caller.smart_scopes().reverse();";

    /// Access is granted by a rule, not made by a handler.
    AN_ACCESS_BY_HAND: "use tower_fhir_auth::Access;
        fn handler(access: Access) {", "E0277", "fn any<T: Default>() {} any::<Access>();";

    /// What a rule is asked holds a verified caller, and no token.
    A_RULE_THAT_SEES_THE_TOKEN: "use tower_fhir_auth::{AccessRequest, Denial, Grant};
        fn rule(request: &AccessRequest<'_>) { let _ = request.principal();",
        "E0599", "let _ = request.token();";

    /// A question to a rule needs such a caller, too.
    A_QUESTION_WITHOUT_A_CALLER: "use tower_fhir_auth::{AccessRequest, Interaction, Principal};
        fn ask(caller: &Principal, interaction: &Interaction) {
        let _ = AccessRequest::new(caller, interaction);",
        "E0061", "let _ = AccessRequest::new(interaction);";

    /// Claims, verified or not, are the crate's own affair.
    CLAIMS_WITHOUT_A_CALLER: "use tower_fhir_auth::Principal;
        fn handler() {", "E0603", "let _: tower_fhir_auth::authentication::claims::Claims<'_>;";

    /// A builder does not guard a service: it has to be built, and `build` tells what is missing.
    A_LAYER_THAT_WAS_NOT_BUILT: "use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder};
        use tower::Layer;
        fn around(layer: FhirAuthLayer, builder: FhirAuthLayerBuilder) { let _ = layer.layer(());",
        "E0599", "let _ = builder.layer(());";

    /// A closure is no rule by itself: `authorize_fn` makes it one, and the compiler says so.
    A_CLOSURE_AS_A_RULE: "use tower_fhir_auth::{FhirAuthLayer, authorize_fn, Denial, Grant};
        fn rule(layer: FhirAuthLayer) {
        let _ = layer.require(authorize_fn(|_| Ok(Grant::by(\"all\"))));",
        "E0277", "let _ = layer.require(|_| -> Result<Grant, Denial> { Ok(Grant::by(\"all\")) });";

    /// Nor is the name of a scope: it might be that of a role.
    A_NAME_AS_A_RULE: "use tower_fhir_auth::{FhirAuthLayer, require_scope};
        fn rule(layer: FhirAuthLayer) { let _ = layer.require(require_scope(\"orders.read\"));",
        "E0277", "let _ = layer.require(\"orders.read\");";

    /// The inner service is cloned; the compiler names the service that is not `Clone`.
    A_SERVICE_THAT_IS_NOT_CLONE: "use tower::Layer;
        use tower_fhir_auth::FhirAuthLayer;
        struct Unique;
        fn around(layer: FhirAuthLayer) { let _ = layer.layer(());", "E0277", "let _ = layer.layer(Unique);";

    /// A guarded router is no service of connections: `into_make_service` makes it one.
    A_SERVED_LAYER: "use tower::Layer;
        use tower_fhir_auth::{FhirAuthLayer, axum_support::into_make_service};
        fn serve(layer: FhirAuthLayer, listener: tokio::net::TcpListener, router: axum::Router) {
        let again = layer.layer(router.clone());
        let _ = axum::serve(listener, into_make_service(layer.layer(router)));
        let other: tokio::net::TcpListener = unimplemented!();",
        "E0277", "let _ = axum::serve(other, again);";

    /// No algorithm is symmetric, and none is `none`.
    A_SYMMETRIC_ALGORITHM: "use tower_fhir_auth::jose::Algorithm;
        fn algorithm() { let _ = Algorithm::Rs256;", "E0599", "let _ = Algorithm::Hs256;";

    /// Small exponents are accepted by `danger` alone, where a review sees it.
    A_DANGER_BY_ANOTHER_NAME: "use tower_fhir_auth::{keys::KeySettings, danger::accept_rsa_exponent_3};
        fn settings(settings: KeySettings) { let settings = accept_rsa_exponent_3(settings);",
        "E0599", "let _ = settings.accept_rsa_exponent_3();";
}

/// The blocks of the manual's page on composition, which name crates that no example is built with.
#[cfg(doctest)]
#[doc = include_str!("../src/manual/composition.md")]
pub const COMPOSITION: () = ();
