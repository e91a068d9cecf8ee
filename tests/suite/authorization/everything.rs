//! The right to do whatever a request holds that nobody sees, in each access mode.

use http::Request;
use serde_json::json;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Denial, Grant, RoleDefinitions, RolePolicy, ScopePolicy, authorize_fn,
};

use crate::support::{MODES, Server};

async fn server(mode: AccessMode) -> Server {
    let role = |name: &str, actions: &[&str], without: &[&str]| json!({"name": name, "dataActions": actions, "notDataActions": without, "scopes": ["/"]});
    let roles = json!({"roles": [
        role("all", &["*"], &["smart"]),
        role("almost", &["*"], &["hardDelete"]),
        role("mark", &["smart"], &[]),
    ]});
    let roles = RolePolicy::new(RoleDefinitions::parse(roles.to_string().as_bytes()).unwrap());
    let policy = AccessPolicy::new(mode, roles, ScopePolicy::new());
    Server::authorizing(authorize_fn(move |request| match policy.grants_everything(request) {
        true => Ok(Grant::by("everything")),
        false => Err(Denial::new("not everything")),
    }))
    .await
}

#[tokio::test]
async fn everything_is_each_data_action_or_all_letters_on_all_types_as_the_mode_has_it() {
    use AccessMode as M;
    for (roles, scope, granted_in) in [
        (vec!["all"], "", vec![M::Roles, M::RolesOrScopes, M::Microsoft]),
        (vec!["almost"], "", vec![]),
        (vec!["almost"], "system/*.cruds", vec![M::Scopes, M::RolesOrScopes]),
        (vec![], "system/*.cruds", vec![M::Scopes, M::RolesOrScopes]),
        (vec![], "user/*.cruds", vec![M::Scopes, M::RolesOrScopes]),
        (vec![], "system/*.cr user/*.uds", vec![M::Scopes, M::RolesOrScopes]),
        (vec![], "system/*.*", vec![M::Scopes, M::RolesOrScopes]),
        (vec![], "system/*.crud", vec![]),
        (vec![], "system/*.cruds?_id=1", vec![]),
        (vec![], "patient/*.cruds", vec![]),
        (vec![], "system/*.crud patient/*.s", vec![]),
        (vec![], "system/Patient.cruds system/Observation.cruds", vec![]),
        (vec!["all"], "system/*.cruds", MODES.to_vec()),
        (vec!["all"], "system/*.rs", vec![M::Roles, M::RolesOrScopes, M::Microsoft]),
        (vec!["all", "mark"], "", vec![M::Roles, M::RolesOrScopes]),
        (vec!["all", "mark"], "system/*.rs", vec![M::Roles, M::RolesOrScopes]),
        (vec!["all", "mark"], "system/*.cruds", MODES.to_vec()),
    ] {
        for mode in MODES {
            let server = server(mode).await;
            let token = server.token().claim("roles", json!(roles)).claim("scope", scope);
            let token = token.claim("patient", "1").sign().unwrap();
            let request = Request::post("/r4").header("authorization", format!("Bearer {token}"));
            let expected = if granted_in.contains(&mode) { 200 } else { 403 };
            let found = server.send(request).await.status;
            assert_eq!(found, expected, "{roles:?} {scope:?} in {}", mode.name());
        }
    }
}
