//! Every word ImageX knows.

/// What a word after a slash is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Verb(Verb),
    /// An option without a value.
    Flag(Flag),
    /// An option whose value is the next word, or follows a colon.
    Valued(Valued),
    /// Known, but not taken: why.
    Refused(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Append,
    Apply,
    Capture,
    Delete,
    Dir,
    Export,
    Info,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Boot,
    Check,
    NoRpFix,
    Scroll,
    Verify,
    Xml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Valued {
    Compress,
    Config,
    Flags,
    LogFile,
    Ref,
    Temp,
}

const MOUNT: &str = "apply the image to a directory, change it there, and append it";

/// The words in lower case.
pub(super) const WORDS: &[(&str, Word)] = &[
    ("append", Word::Verb(Verb::Append)),
    ("apply", Word::Verb(Verb::Apply)),
    ("capture", Word::Verb(Verb::Capture)),
    ("delete", Word::Verb(Verb::Delete)),
    ("dir", Word::Verb(Verb::Dir)),
    ("export", Word::Verb(Verb::Export)),
    ("info", Word::Verb(Verb::Info)),
    ("boot", Word::Flag(Flag::Boot)),
    ("check", Word::Flag(Flag::Check)),
    ("norpfix", Word::Flag(Flag::NoRpFix)),
    ("scroll", Word::Flag(Flag::Scroll)),
    ("verify", Word::Flag(Flag::Verify)),
    ("xml", Word::Flag(Flag::Xml)),
    ("compress", Word::Valued(Valued::Compress)),
    ("config", Word::Valued(Valued::Config)),
    ("flags", Word::Valued(Valued::Flags)),
    ("logfile", Word::Valued(Valued::LogFile)),
    ("ref", Word::Valued(Valued::Ref)),
    ("temp", Word::Valued(Valued::Temp)),
    ("cleanup", Word::Refused(MOUNT)),
    ("commit", Word::Refused(MOUNT)),
    ("mount", Word::Refused(MOUNT)),
    ("mountrw", Word::Refused(MOUNT)),
    ("remount", Word::Refused(MOUNT)),
    ("unmount", Word::Refused(MOUNT)),
    ("split", Word::Refused("copy the whole file, or split the copy by other means")),
];

impl Verb {
    /// The options this verb takes, besides those every verb takes.
    pub(super) const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Capture => &["boot", "compress", "config", "flags", "norpfix"],
            Self::Append => &["boot", "config", "flags", "norpfix"],
            Self::Apply => &["norpfix", "ref"],
            Self::Export => &["boot", "compress", "ref"],
            Self::Info => &["boot", "flags", "xml"],
            Self::Delete | Self::Dir => &[],
        }
    }
}

/// Options every verb takes, as they do no harm where they mean nothing.
pub(super) const COMMON: &[&str] = &["check", "logfile", "scroll", "temp", "verify"];
