//! Processes on loopback that end with this one: servers, and programs that answer line by line.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A command that the kernel ends when this program goes, however it goes.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// The first line that a program says of itself.
///
/// # Errors
///
/// When it does not start, or says nothing.
pub fn said(program: impl AsRef<OsStr>, argument: &str) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| {
        format!("{} is not installed: see benches/comparison/http/install", program.display())
    })?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.map(|line| line.trim().to_owned()).context("it does not tell its version")
}

/// A port that nobody listens on, for programs that cannot be given a socket.
///
/// # Errors
///
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Ends a process when it is dropped.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(mut command: Command) -> Result<Running> {
    let child = command.spawn();
    Ok(Running(child.with_context(|| format!("{}", command.get_program().display()))?))
}

/// A server that is running, until this is dropped.
#[derive(Debug)]
pub struct Server {
    running: Running,
    output: File,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(mut command: Command) -> Result<Self> {
        let output = tempfile::tempfile()?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output.try_clone()?);
        Ok(Self { running: spawn(command)?, output })
    }

    /// The time that all its threads have spent on a processor.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn cpu(&self) -> Result<Duration> {
        let id = Pid::from_raw(i32::try_from(self.running.0.id())?);
        Ok(clock_gettime(clock_getcpuclockid(id)?)?.into())
    }

    /// Looks whether it has ended by itself.
    ///
    /// # Errors
    ///
    /// With its last words, when it has.
    pub fn still_runs(&mut self) -> Result<()> {
        let ended = self.running.0.try_wait()?;
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

/// A program that answers each line with a line, until this is dropped.
#[derive(Debug)]
pub struct Dialogue {
    _running: Running,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Dialogue {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut running = spawn({
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            command
        })?;
        let questions = running.0.stdin.take().context("no way to ask")?;
        let answers = BufReader::new(running.0.stdout.take().context("no way to answer")?);
        Ok(Self { _running: running, questions, answers })
    }

    /// Asks a question of several fields, and waits for the answer.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn ask(&mut self, question: &[&str]) -> Result<String> {
        writeln!(self.questions, "{}", question.join("\t"))?;
        self.questions.flush()?;
        self.read()
    }

    /// Waits for a line.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the process has ended");
        }
        Ok(line.trim_end_matches('\n').to_owned())
    }
}
