//! A Keycloak in its development mode with the realm of `tests/providers`.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{Program, fetched, free_port};

pub(crate) struct Keycloak {
    _program: Program,
    _folder: TempDir,
    pub(crate) issuer: String,
}

impl Keycloak {
    pub(crate) async fn start() -> Self {
        let home = fetched(".keycloak/home");

        let import = home.join("data/import");
        std::fs::create_dir_all(&import)
            .unwrap_or_else(|error| panic!("not installed (`.ci/world apps` does it): {error}"));
        let text = include_str!("../providers/keycloak/clinic-realm.json");
        std::fs::write(import.join("clinic-realm.json"), text).unwrap();
        let origin = format!("http://127.0.0.1:{}", free_port());
        let issuer = format!("{origin}/realms/clinic");
        let mut command = Command::new(home.join("bin/kc.sh"));
        command
            .args(["start-dev", "--db=dev-mem", "--import-realm", "--http-host=127.0.0.1"])
            .arg(format!("--http-port={}", origin.rsplit(':').next().unwrap_or_default()))
            .arg(format!("--hostname={origin}"));
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("keycloak.log");
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        // It compiles itself at its first start, which takes long where others are at work.
        let program = Program::start(command, &log, &discovery, Duration::from_secs(900)).await;
        Self { _program: program, _folder: folder, issuer }
    }
}
