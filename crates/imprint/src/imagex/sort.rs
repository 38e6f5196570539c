//! First pass: tells verb, options and other words apart.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::ImagexError;
use super::table::{COMMON, Flag, Valued, Verb, WORDS, Word};

/// The words, sorted.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) verb: Verb,
    /// The verb's name.
    pub(super) verb_name: &'static str,
    pub(super) flags: Vec<Flag>,
    pub(super) values: Vec<(Valued, &'static str, OsString)>,
    /// What is neither, in order.
    pub(super) words: Vec<OsString>,
}

/// Sorts the words and checks that the verb takes each option.
pub(super) fn sort(words: &[OsString]) -> Result<Sorted, ImagexError> {
    let mut verb = None;
    let (mut flags, mut values, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some((name, kind, attached)) = look_up(word)? else {
            others.push(word.clone());
            continue;
        };
        match kind {
            Word::Refused(why) => return Err(ImagexError::Unsupported { option: name, why }),
            Word::Valued(valued) => {
                let value = attached.or_else(|| rest.next().cloned());
                let value = value.ok_or(ImagexError::MissingValue { option: name })?;
                values.push((valued, name, value));
                seen.push(name);
            }
            _ if attached.is_some() => return Err(ImagexError::SurplusValue { option: name }),
            Word::Flag(flag) => {
                flags.push(flag);
                seen.push(name);
            }
            Word::Verb(found) => {
                if let Some((_, first)) = verb.replace((found, name)) {
                    return Err(ImagexError::TwoVerbs { first, second: name });
                }
            }
        }
    }
    let (verb, verb_name) = verb.ok_or(ImagexError::NoVerb)?;
    let taken = |option: &&str| verb.options().contains(option) || COMMON.contains(option);
    if let Some(option) = seen.into_iter().find(|option| !taken(option)) {
        return Err(ImagexError::NotForVerb { verb: verb_name, option });
    }
    Ok(Sorted { verb, verb_name, flags, values, words: others })
}

/// A known word, its kind, and the value attached to it by a colon.
type Known = (&'static str, Word, Option<OsString>);

/// Looks a word up; `None` if it is not an option at all.
fn look_up(word: &OsStr) -> Result<Option<Known>, ImagexError> {
    let bytes = word.as_bytes();
    let Some(name) = bytes.strip_prefix(b"/").or_else(|| bytes.strip_prefix(b"-")) else {
        return Ok(None);
    };
    let (name, value) = match name.iter().position(|&byte| byte == b':') {
        Some(colon) => {
            let (name, value) = name.split_at(colon);
            (name, Some(OsString::from_vec(value.get(1..).unwrap_or_default().to_vec())))
        }
        None => (name, None),
    };
    let known = WORDS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
    match known {
        Some(&(name, kind)) => Ok(Some((name, kind, value))),
        // A lone dash is nobody's option; other words with a dash are mistyped ones.
        None if bytes.starts_with(b"-") && bytes.len() > 1 => {
            Err(ImagexError::UnknownOption { word: word.to_string_lossy().into_owned() })
        }
        None => Ok(None),
    }
}
