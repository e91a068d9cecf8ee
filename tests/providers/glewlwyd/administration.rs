//! A glewlwyd with a data base of its own, and its administration.

use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Program, free_port};
use crate::server::BASE;

const TABLES: &str = "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz";

pub(crate) struct Glewlwyd {
    _program: Program,
    _folder: TempDir,
    api: String,
    cookie: String,
    /// The newest first.
    keys: Vec<Value>,
    pub(crate) issuer: String,
}

impl Glewlwyd {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = format!("http://127.0.0.1:{}", free_port());
        let (database, file) = (folder.path().join("g.db"), folder.path().join("g.conf"));
        let made = Command::new("sh")
            .args(["-c", "gzip -dc \"$0\" | sqlite3 \"$1\"", TABLES])
            .arg(&database)
            .status();
        assert!(made.unwrap().success(), "no tables: `.ci/world providers glewlwyd` installs them");
        std::fs::write(&file, configuration(&origin, database.to_str().unwrap())).unwrap();
        let mut command = Command::new("glewlwyd");
        command.arg(format!("--config-file={}", file.display()));
        let api = format!("{origin}/api");
        let log = folder.path().join("log");
        let patience = Duration::from_secs(60);
        let program = Program::start(command, &log, &format!("{origin}/config"), patience).await;
        let issuer = format!("{api}/oidc");
        let mut glewlwyd = Self {
            _program: program,
            _folder: folder,
            api,
            cookie: String::new(),
            keys: vec![new_key("one")],
            issuer,
        };
        glewlwyd.sign_in().await;
        glewlwyd.set_up().await;
        glewlwyd
    }

    async fn sign_in(&mut self) {
        let administrator = json!({"username": "admin", "password": "password"});
        let request = reqwest::Client::new().post(format!("{}/auth/", self.api));
        let answer = request.json(&administrator).send().await.unwrap();
        let cookie = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    async fn set_up(&self) {
        let scope = json!({
            "name": "system/Patient.rs", "display_name": "x", "description": "x",
            "password_required": false, "scheme": {},
        });
        self.tell(Method::POST, "scope/", &scope).await;
        self.tell(Method::POST, "mod/plugin/", &self.plugin()).await;
        for id in ["svc", "fhir"] {
            let secret = format!("{id}-secret");
            let client = json!({
                "client_id": id, "name": id, "enabled": true, "confidential": true,
                "password": secret, "client_secret": secret,
                "token_endpoint_auth_method": ["client_secret_basic"], "redirect_uri": [],
                "authorization_type": ["client_credentials"], "resource": [BASE],
                "scope": ["system/Patient.rs"],
            });
            self.tell(Method::POST, "client/", &client).await;
        }
    }

    async fn tell(&self, method: Method, path: &str, what: &Value) {
        let request = reqwest::Client::new().request(method, format!("{}/{path}", self.api));
        let request = request.header(COOKIE, &self.cookie).json(what);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}: {:?}", answer.text().await);
    }

    fn plugin(&self) -> Value {
        json!({"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": {
            "iss": self.issuer, "jwks-private": json!({"keys": self.keys}).to_string(),
            "jwks-show": true, "jwt-type": "rsa", "jwt-key-size": "256", "allow-non-oidc": true,
            "access-token-duration": 600, "refresh-token-duration": 3600, "code-duration": 60,
            "auth-type-client-enabled": true, "auth-type-code-enabled": false,
            "auth-type-implicit-enabled": false, "auth-type-password-enabled": false,
            "auth-type-refresh-enabled": false, "auth-type-token-enabled": false,
            "auth-type-none-enabled": false, "auth-type-device-enabled": false,
            "introspection-revocation-allowed": true, "introspection-revocation-auth-scope": [],
            "introspection-revocation-allow-target-client": true, "resource-allowed": true,
            "resource-scope": {}, "resource-client-property": "resource",
            "resource-scope-and-client-property": false,
        }})
    }

    /// Signs with a new key from now on; the ones before stay published.
    pub(crate) async fn rotate(&mut self) {
        self.keys.insert(0, new_key("two"));
        self.tell(Method::PUT, "mod/plugin/oidc", &self.plugin()).await;
        self.tell(Method::PUT, "mod/plugin/oidc/reset/", &json!({})).await;
    }

    pub(crate) async fn token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("resource", BASE),
        ];
        let answer: Value = self.ask("token", &form).await.json().await.unwrap();
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    pub(crate) async fn revoke(&self, token: &str) {
        self.ask("revoke", &[("token", token)]).await;
    }

    async fn ask(&self, path: &str, form: &[(&str, &str)]) -> reqwest::Response {
        let request = reqwest::Client::new().post(format!("{}/{path}", self.issuer)).form(form);
        let answer = request.basic_auth("svc", Some("svc-secret")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answer
    }

    pub(crate) fn version() -> String {
        let said = Command::new("glewlwyd").arg("--version").output().unwrap();
        let said = [said.stdout, said.stderr].concat();
        String::from_utf8_lossy(&said).split_whitespace().last().unwrap_or_default().to_owned()
    }
}

/// A key by rnbyc, glewlwyd's own program for them.
fn new_key(id: &str) -> Value {
    let made =
        Command::new("rnbyc").args(["-j", "-g", "RSA2048", "-a", "RS256", "-k", id]).output();
    let set: Value = serde_json::from_slice(&made.unwrap().stdout).unwrap();
    set["keys"][0].clone()
}

fn configuration(origin: &str, database: &str) -> String {
    let port = origin.rsplit(':').next().unwrap();
    let modules: String = [
        ("user_module_path", "user"),
        ("user_middleware_module_path", "user_middleware"),
        ("client_module_path", "client"),
        ("user_auth_scheme_module_path", "scheme"),
        ("plugin_module_path", "plugin"),
    ]
    .iter()
    .map(|(name, folder)| format!("{name}=\"/usr/lib/glewlwyd/{folder}\"\n"))
    .collect();
    format!(
        "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"{origin}\"\napi_prefix=\"api\"\n\
         login_url=\"login.html\"\nlog_mode=\"console\"\nlog_level=\"WARNING\"\n\
         cookie_domain=\"127.0.0.1\"\nsession_key=\"GLEWLWYD2_SESSION_ID\"\n\
         admin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\nlogin_api_enabled=true\n{modules}\
         hash_algorithm=\"SHA512\"\ndatabase = {{ type = \"sqlite3\" path = \"{database}\" }};\n"
    )
}
