//! Processes on loopback that end with this one, and their CPU time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A server that is running. It is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    output: File,
}

/// A command that the kernel ends when this program goes, however it goes.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// The first line that a program says of itself.
pub(crate) fn said(program: impl AsRef<OsStr>, argument: &str) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program).arg(argument).output().with_context(|| {
        format!("{} does not start: see benches/http/install", program.display())
    })?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.map(|line| line.trim().to_owned()).context("it does not tell its version")
}

/// A port that nobody listens on, for programs that cannot be given a socket.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let output = tempfile::tempfile()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()
            .with_context(|| format!("{}", command.get_program().display()))?;
        Ok(Self { child, output })
    }

    /// The time that all its threads have spent on a processor.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let id = Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(clock_gettime(clock_getcpuclockid(id)?)?.into())
    }

    /// An error with its last words, when it has ended by itself.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "it has ended: {}", self.last_words());
        Ok(())
    }

    fn last_words(&mut self) -> String {
        let mut text = String::new();
        let read = self.output.rewind().and_then(|()| self.output.read_to_string(&mut text));
        match (read, text.lines().rfind(|line| !line.trim().is_empty())) {
            (Ok(_), Some(line)) => line.to_owned(),
            _ => "it said nothing".to_owned(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
