//! `[[require]]`: step-up (RFC 9470).

use super::reader::SectionReader;
use crate::authorization::{StepUp, StepUpCallers};
use crate::error::BuildError;
use crate::fhir::ResourceTypes;

/// Reads all blocks.
pub(super) fn read_all(root: &mut SectionReader<'_>) -> Vec<StepUp> {
    let blocks = root.tables("require").unwrap_or_default();
    blocks.into_iter().filter_map(read).collect()
}

fn read(mut block: SectionReader<'_>) -> Option<StepUp> {
    const ON: &str = "`Type.letter`, `*.letter` or `$operation`";
    if !block.has("on") {
        block.reject("on", format!("is required: expected {ON}"));
    }
    let on = block.strings("on");
    let acr = block.non_empty_strings("acr");
    let age = block.duration("max_auth_age");
    let callers = [("all", StepUpCallers::All), ("users", StepUpCallers::Users)];
    let callers = block.choice("callers", &callers).unwrap_or_default();
    let read = on.and_then(|on| match StepUp::on(&on) {
        Ok(step_up) => Some(step_up.callers(callers)),
        Err(error) => report(&block, &error, &format!(", found {}", on.join(" "))),
    });
    let read = read.map(|step_up| match (acr, age) {
        (Some(acr), Some(age)) => step_up.acr(acr).max_auth_age(age),
        (Some(acr), None) => step_up.acr(acr),
        (None, Some(age)) => step_up.max_auth_age(age),
        (None, None) => step_up,
    });
    let read = read.and_then(|step_up| match step_up.check(&ResourceTypes::r4()) {
        Ok(()) => Some(step_up),
        Err(error) => report(&block, &error, ""),
    });
    block.finish();
    read
}

fn report(block: &SectionReader<'_>, error: &BuildError, found: &str) -> Option<StepUp> {
    let BuildError::Setting { setting, expected } = error else { return None };
    let key = setting.strip_prefix("require.").unwrap_or("acr");
    block.fail(key, format!("expected {expected}{found}"))
}
