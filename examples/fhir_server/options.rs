//! The command line.

use std::path::PathBuf;

const USAGE: &str =
    "usage: fhir_server [--config auth.toml] [--listen 127.0.0.1:8080] [--data DIR]";

pub(crate) struct Options {
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: String,
    pub(crate) data: Option<PathBuf>,
}

impl Options {
    pub(crate) fn from_command_line() -> Result<Self, String> {
        let mut options = Self { config: None, listen: "127.0.0.1:8080".to_owned(), data: None };
        options.read(lexopt::Parser::from_env()).map_err(|error| format!("{error}\n{USAGE}"))?;
        Ok(options)
    }

    fn read(&mut self, mut arguments: lexopt::Parser) -> Result<(), lexopt::Error> {
        use lexopt::prelude::*;
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("config") => self.config = Some(arguments.value()?.into()),
                Long("listen") => self.listen = arguments.value()?.string()?,
                Long("data") => self.data = Some(arguments.value()?.into()),
                other => return Err(other.unexpected()),
            }
        }
        Ok(())
    }
}
