//! Programs of this workspace that run, as a user would start them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// An example that is running.
pub(crate) struct Example {
    process: Child,
    pub(crate) base: String,
    pub(crate) output: BufReader<std::process::ChildStdout>,
}

/// An example, which is to be run with these arguments.
pub(crate) fn command(example: &str, arguments: &[&str]) -> Command {
    run(&BUILT.join("examples"), example, arguments)
}

/// The program `fhir-auth`, which is to be run with these arguments.
pub(crate) fn fhir_auth(arguments: &[&str]) -> Command {
    run(&BUILT, "fhir-auth", arguments)
}

fn run(folder: &Path, name: &str, arguments: &[&str]) -> Command {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(folder.join(name));
    command.args(arguments);
    command
}

/// The folder of programs and examples, of the profile and in the target folder of this test. They are
/// built into it first: `cargo test` builds an example that has tests of its own only for these.
static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap();
    // The test is in `target/debug/deps`, or wherever the profile and `--target-dir` have it.
    let profile = test.parent().unwrap().parent().unwrap();
    let name = match profile.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        name => name,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--quiet",
            "--bins",
            "--examples",
            "--profile",
            name,
            "--target-dir",
        ])
        .arg(profile.parent().unwrap())
        .current_dir(root)
        .status()
        .unwrap();
    assert!(built.success(), "the examples do not build");
    profile.to_owned()
});

impl Example {
    /// Starts one, and reads on to the line that says where it listens.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_logging_to(command, Stdio::null())
    }

    /// The same, with its log in a file.
    pub(crate) fn start_logging_to(mut command: Command, log: impl Into<Stdio>) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let base = line.trim_end().strip_prefix("listening on ");
        let base = base.unwrap_or_else(|| panic!("unexpected: {line:?}")).to_owned();
        Self { process, base, output }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Sends a signal by its name and waits for the end.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Duration) {
        let start = Instant::now();
        self.signal(signal);
        let status = self.process.wait().unwrap();
        (status.code(), start.elapsed())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
