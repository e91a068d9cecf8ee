//! Proxies with the configurations of the manual as they are pasted, before a server that answers; and the same
//! without the sub-request to `fhir-auth decide`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kit::{Server, Trust, command, free_port, said};

use super::Running;
use super::axum::{self, Guard};

const PAGE: &str = include_str!("../../../../../src/manual/proxies.md");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Envoy,
    Caddy,
    Haproxy,
}

impl Proxy {
    pub(super) fn name(self, asks: bool) -> &'static str {
        match (self, asks) {
            (Self::Nginx, false) => "nginx before axum",
            (Self::Nginx, true) => "nginx, `auth_request`",
            (Self::Envoy, false) => "Envoy before axum",
            (Self::Envoy, true) => "Envoy, `ext_authz`",
            (Self::Caddy, false) => "Caddy before axum",
            (Self::Caddy, true) => "Caddy, `forward_auth`",
            (Self::Haproxy, false) => "HAProxy before axum",
            (Self::Haproxy, true) => "HAProxy, Lua",
        }
    }

    fn program(self) -> PathBuf {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
        };
        // Where `.ci/world proxies` puts those of Python's packages.
        let installed = root().join("tests/proxies/.venv/bin").join(name);
        if installed.exists() { installed } else { name.into() }
    }

    /// The row of `--for`.
    fn row(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Caddy | Self::Haproxy => "forward",
        }
    }

    pub(super) fn version(self) -> Result<String> {
        let version = |line: &str, at: &[char], nth: usize| {
            line.split(at).nth(nth).map(str::to_owned).context("an unknown form of version")
        };
        match self {
            // It says so on standard error.
            Self::Nginx => version(&nginx_says()?, &['/'], 1),
            Self::Envoy => {
                let line = said(self.program(), "--version")?;
                line.split('/')
                    .rev()
                    .nth(3)
                    .map(str::to_owned)
                    .context("an unknown form of version")
            }
            Self::Caddy => version(&said(self.program(), "version")?, &[' ', 'v'], 1),
            Self::Haproxy => version(&said(self.program(), "-v")?, &[' ', '-'], 2),
        }
    }
}

fn nginx_says() -> Result<String> {
    let output = std::process::Command::new("nginx").arg("-v").output().context("nginx")?;
    Ok(String::from_utf8(output.stderr)?.trim().to_owned())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

pub(super) fn start(proxy: Proxy, asks: bool, trust: &Trust) -> Result<Running> {
    let files = tempfile::tempdir()?;
    let upstream = axum::start(Guard::None, trust)?;
    let (port, decider) = (free_port()?, free_port()?);
    let real = |text: String| addressed(text, port, decider, upstream.port);
    let write = |name: &str, text: String| -> Result<PathBuf> {
        let path = files.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let mut command = command(proxy.program());
    match proxy {
        Proxy::Nginx => {
            let block = real(nginx(block("nginx")?, asks)?);
            let main = write("nginx.conf", whole_of_nginx(files.path(), &block))?;
            command.arg("-p").arg(files.path()).arg("-c").arg(main).args(["-e", "stderr"]);
        }
        Proxy::Envoy => {
            let file = write("envoy.yaml", real(envoy(block("yaml")?, asks)?))?;
            command.arg("-c").arg(file).args(["--concurrency", "1"]);
            command.args(["--disable-hot-restart", "--log-level", "error"]);
        }
        Proxy::Caddy => {
            let file = write("Caddyfile", real(caddy(block("caddyfile")?, asks)?))?;
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            command.env("XDG_CONFIG_HOME", files.path()).env("XDG_DATA_HOME", files.path());
            command.env("GOMAXPROCS", "1");
        }
        Proxy::Haproxy => {
            write("fhir_decide.lua", real(block("lua")?))?;
            let file = write("haproxy.cfg", real(haproxy(block("haproxy")?, asks)?))?;
            command.args(["-db", "-f"]).arg(file);
        }
    }
    command.current_dir(files.path());
    let helper = if asks { Some(decide(proxy, trust, decider, files.path())?) } else { None };
    let server = Server::start(command)?;
    Ok(Running { server, helper, port, _files: Some(files), _upstream: Some(upstream.server) })
}

/// `fhir-auth`, as cargo has built it for production.
pub(super) fn fhir_auth() -> Result<PathBuf> {
    let program = env::var_os("FHIR_AUTH")
        .map_or_else(|| root().join("target/release/fhir-auth"), PathBuf::from);
    let advice = "`cargo build --release -p fhir-auth` makes it";
    ensure!(program.exists(), "there is no {}: {advice}", program.display());
    Ok(program)
}

/// `fhir-auth decide`, which a proxy asks.
fn decide(proxy: Proxy, trust: &Trust, port: u16, folder: &Path) -> Result<Server> {
    let program = fhir_auth()?;
    let file = folder.join("auth.toml");
    let text = format!(
        "base_url = \"https://fhir.example.org/r4\"\naccess = \"roles-or-scopes\"\n\
         [[issuers]]\nissuer = \"{}\"\naudiences = [\"{}\"]\n\
         [roles]\ndefinitions = \"builtin:microsoft\"\n\
         [upstream]\nheaders = {{ issuer = \"x-fhir-issuer\", subject = \"x-fhir-subject\", \
         patient = \"x-fhir-patient\", scopes = \"x-fhir-scopes\" }}\n",
        trust.issuer, trust.audience
    );
    fs::write(&file, text)?;
    let mut command = command(program);
    command.args(["decide", "--for", proxy.row(), "--listen", &format!("127.0.0.1:{port}")]);
    command.arg("--config").arg(file).env("RUST_LOG", "error");
    Server::start(command)
}

/// The block of the manual in a language.
fn block(language: &str) -> Result<String> {
    let (_, rest) = PAGE.split_once(&format!("\n```{language}\n")).context("no such block")?;
    let (block, _) = rest.split_once("```\n").context("a block without an end")?;
    Ok(block.to_owned())
}

/// With the ports of this run in the place of those that the manual has.
fn addressed(block: String, port: u16, decider: u16, upstream: u16) -> String {
    [("8080", port), ("9000", decider), ("8081", upstream)].into_iter().fold(
        block,
        |block, (written, real)| {
            // Envoy writes the port apart, and Caddy the address.
            block
                .replace(&format!("127.0.0.1:{written}"), &format!("127.0.0.1:{real}"))
                .replace(&format!("port_value: {written} "), &format!("port_value: {real} "))
                .replace(&format!("//:{written} "), &format!("//:{real} "))
        },
    )
}

/// Everything but what stands between two texts, the second one stays.
fn without(block: &str, from: &str, to: &str) -> Result<String> {
    let (before, rest) = block.split_once(from).with_context(|| format!("no `{from}`"))?;
    let (_, after) = rest.split_once(to).with_context(|| format!("no `{to}`"))?;
    Ok(format!("{before}{to}{after}"))
}

fn nginx(block: String, asks: bool) -> Result<String> {
    if asks {
        return Ok(block);
    }
    let block = without(&block, "        auth_request /_decide;", "\n")?;
    let lines = block.lines().map(|line| match line.trim().strip_prefix("auth_request_set ") {
        Some(rest) => format!("set {} \"\";", rest.split(' ').next().unwrap_or_default()),
        None => line.to_owned(),
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn envoy(block: String, asks: bool) -> Result<String> {
    if asks {
        return Ok(block);
    }
    without(&block, "- name: envoy.filters.http.ext_authz", "- name: envoy.filters.http.router")
}

fn caddy(block: String, asks: bool) -> Result<String> {
    if asks {
        return Ok(block);
    }
    let block = without(&block, "\t\tforward_auth ", "\n\t\t}\n")?;
    Ok(block.replacen("\n\n\t\t}\n", "\n", 1))
}

fn haproxy(block: String, asks: bool) -> Result<String> {
    let block = block.replacen("global\n", "global\n    nbthread 1\n", 1);
    if asks { Ok(block) } else { without(&block, "    http-request lua.fhir_decide", "\n") }
}

/// What Debian's own `nginx.conf` does, in one process.
fn whole_of_nginx(folder: &Path, block: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nevents {{}}\nhttp {{\n\
         access_log off;\nkeepalive_requests 1000000000;\n\
         client_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\n\
         scgi_temp_path {folder}/scgi;\n{block}\n}}\n"
    )
}
