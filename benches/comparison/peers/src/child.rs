//! A contender's process, which answers one question at a time.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::binaries::Binaries;
use crate::contenders::Contender;
use crate::provider::Provider;

/// It is ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: process::Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What came back for a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) has_challenge: bool,
}

impl Child {
    /// Starts a contender that trusts the provider.
    ///
    /// # Errors
    ///
    /// When it says that it cannot start, or ends.
    pub(crate) fn start(
        contender: &Contender,
        binaries: &Binaries,
        provider: &Provider,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(binaries.path(contender.program)?)
            .args([contender.argument, contender.backend])
            .args([provider.issuer(), provider.jwks_uri(), provider.audience()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("no way to ask")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no way to answer")?);
        let mut child = Self { process, questions, answers };
        match child.read()?.split_once('\t') {
            None => Ok(child),
            Some((_, why)) => Err(why.into()),
        }
    }

    /// Sends a token until it is let in.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub(crate) fn warm(mut self, authorization: &str) -> Result<Self, Failure> {
        match self.ask(&["warm", authorization])?.as_str() {
            "200" => Ok(self),
            status => Err(format!("answers the good token with {status}").into()),
        }
    }

    /// The CPU time of a number of requests with the same token.
    ///
    /// # Errors
    ///
    /// When one of them is refused.
    pub(crate) fn batch(
        &mut self,
        requests: u32,
        authorization: &str,
    ) -> Result<Duration, Failure> {
        let answer = self.ask(&["batch", &requests.to_string(), authorization])?;
        Ok(Duration::from_nanos(answer.parse()?))
    }

    /// The answer to one request.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub(crate) fn probe(&mut self, authorizations: &[String]) -> Result<Answer, Failure> {
        let mut question = vec!["probe"];
        question.extend(authorizations.iter().map(String::as_str));
        let answer = self.ask(&question)?;
        let (status, challenge) = answer.split_once('\t').ok_or("no status came back")?;
        Ok(Answer { status: status.parse()?, has_challenge: !challenge.is_empty() })
    }

    fn ask(&mut self, question: &[&str]) -> Result<String, Failure> {
        writeln!(self.questions, "{}", question.join("\t"))?;
        self.questions.flush()?;
        self.read()
    }

    fn read(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err("the process has ended".into()),
            _ => Ok(line.trim_end_matches('\n').to_owned()),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
