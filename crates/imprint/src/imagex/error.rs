//! What can be wrong with an ImageX command line.

use crate::cli::values::ValueError;

/// An ImageX command line cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImagexError {
    #[error("there is no verb such as /capture or /apply")]
    NoVerb,
    #[error("/{first} and /{second} cannot be done in one go")]
    TwoVerbs { first: &'static str, second: &'static str },
    #[error("{word} is not an option of ImageX")]
    UnknownOption { word: String },
    #[error("/{verb} does not take /{option}")]
    NotForVerb { verb: &'static str, option: &'static str },
    #[error("/{option} needs a value")]
    MissingValue { option: &'static str },
    #[error("/{option} takes no value")]
    SurplusValue { option: &'static str },
    #[error("/{verb} needs {what}")]
    MissingWord { verb: &'static str, what: &'static str },
    #[error("/{verb} takes no more words, but {word:?} follows")]
    SurplusWord { verb: &'static str, word: String },
    #[error("/{option} is not supported")]
    Unsupported { option: &'static str, why: &'static str },
    #[error("/{option} cannot be {value:?}")]
    Value {
        option: &'static str,
        value: String,
        #[source]
        source: ValueError,
    },
    #[error("{word:?} is not UTF-8 text")]
    NotText { word: std::ffi::OsString },
}

impl ImagexError {
    /// One line of what to do about it.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Unsupported { why, .. } => (*why).to_owned(),
            Self::NotForVerb { option, .. } => {
                format!("write /{option}/ if a directory is meant")
            }
            _ => "imprint imagex /? shows the verbs and options".to_owned(),
        }
    }
}
