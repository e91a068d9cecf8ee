//! `[upstream] seal_key_file`: what the keys are made of that seal page links.

use super::reader::SectionReader;
use crate::jose::base64url;
use crate::watched_file;

/// The fewest bytes that a key is made of.
const FEWEST: usize = 32;

/// Reads the file, one key a line. No line of it is told.
pub(super) fn read(section: &mut SectionReader<'_>) -> Vec<Vec<u8>> {
    const KEY: &str = "seal_key_file";
    let Some(path) = section.path(KEY) else { return Vec::new() };
    let file = path.display();
    let text = match watched_file::read(&path) {
        Ok(text) => text,
        Err(error) => {
            section.reject(KEY, format!("expected a readable file: {file}: {error}"));
            return Vec::new();
        }
    };
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    let mut keys = Vec::new();
    for (number, line) in lines {
        match base64url::decode_either_alphabet(line).filter(|key| key.len() >= FEWEST) {
            Some(key) => keys.push(key),
            None => {
                let line = number + 1;
                let expected = format!("expected the base64 of {FEWEST} bytes or more");
                section.reject(KEY, format!("{file}: line {line}: {expected}"));
            }
        }
    }
    if text.trim().is_empty() {
        section.reject(KEY, format!("{file}: expected a key a line, found none"));
    }
    keys
}
