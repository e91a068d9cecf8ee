//! Other libraries, each a program that reads cases and prints a verdict for each.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::json;

use super::draft::{AUDIENCE, Case, ISSUER};

#[derive(Deserialize)]
pub(crate) struct Verdict {
    pub(crate) accepted: bool,
    pub(crate) reason: String,
}

pub(crate) struct Judge {
    pub(crate) name: &'static str,
    /// What is there when it is installed.
    installed: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

pub(crate) const ALL: &[Judge] = &[
    Judge {
        name: "jose",
        installed: "node/node_modules/jose",
        program: "node",
        arguments: &["node/judge.mjs", "jose"],
    },
    Judge {
        name: "oauth4webapi",
        installed: "node/node_modules/oauth4webapi",
        program: "node",
        arguments: &["node/judge.mjs", "oauth4webapi"],
    },
    Judge {
        name: "PyJWT",
        installed: "python/.venv/bin/python",
        program: "python/.venv/bin/python",
        arguments: &["python/judge.py", "PyJWT"],
    },
    Judge {
        name: "authlib",
        installed: "python/.venv/bin/python",
        program: "python/.venv/bin/python",
        arguments: &["python/judge.py", "authlib"],
    },
    Judge {
        name: "nimbus-jose-jwt",
        installed: "java/target/classes/Judge.class",
        program: "java",
        arguments: &["-cp", "java/target/classes:java/target/libraries/*", "Judge"],
    },
];

impl Judge {
    /// Asks the judge about all cases at once; nothing where it is not installed.
    pub(crate) fn verdicts(&self, cases: &[Case]) -> Option<Vec<Verdict>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential");
        if !folder.join(self.installed).exists() {
            return None;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let asked = json!({"issuer": ISSUER, "audience": AUDIENCE, "cases": cases});
        std::fs::write(file.path(), asked.to_string()).unwrap();
        let program = folder.join(self.program);
        let program = if program.is_file() { program } else { PathBuf::from(self.program) };
        let run = Command::new(program)
            .args(self.arguments)
            .arg(file.path())
            .current_dir(&folder)
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}: {complaint}", self.name);
        let verdicts: Vec<Verdict> = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}: {complaint}", self.name));
        assert_eq!(verdicts.len(), cases.len(), "{}", self.name);
        Some(verdicts)
    }
}
