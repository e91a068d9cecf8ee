//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "usage: fhir_server [--config auth.toml | --unprotected] [--listen 127.0.0.1:8080] [--data DIR]";

pub(crate) struct Options {
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: String,
    pub(crate) data: Option<PathBuf>,
    /// The store alone, without the layer.
    pub(crate) unprotected: bool,
}

impl Options {
    /// `None` when only help was asked for.
    pub(crate) fn from_command_line() -> Result<Option<Self>, String> {
        Self::read(lexopt::Parser::from_env()).map_err(|error| format!("{error}\n{USAGE}"))
    }

    fn read(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::*;
        let mut options = Self {
            config: None,
            listen: "127.0.0.1:8080".to_owned(),
            data: None,
            unprotected: false,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Long("config") => options.config = Some(arguments.value()?.into()),
                Long("listen") => options.listen = arguments.value()?.string()?,
                Long("data") => options.data = Some(arguments.value()?.into()),
                Long("unprotected") => options.unprotected = true,
                Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        if options.unprotected && options.config.is_some() {
            return Err(
                "--unprotected enforces nothing, so that --config would mean nothing".into()
            );
        }
        Ok(Some(options))
    }
}
