//! Second pass: makes the verb of what was sorted.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::vec;

use super::ImagexError;
use super::sort::Sorted;
use super::table::{Flag, Valued, Verb};
use crate::cli::low::{
    self, AppendArgs, ApplyArgs, CaptureArgs, CompressionArgs, DeleteArgs, DirArgs, ExportArgs,
    InfoArgs, IntegrityArgs, LinkArgs, PropertyArgs, ReferenceArgs,
};
use crate::cli::values::Compression;
use crate::cli::{Dialect, Style};

/// Makes the verb and the style of answering.
pub(super) fn build(sorted: Sorted) -> Result<(low::Verb, Style), ImagexError> {
    let options = Options::new(&sorted)?;
    let mut words = Words { verb: sorted.verb_name, rest: sorted.words.into_iter() };
    let style = Style {
        scroll: options.has(Flag::Scroll),
        dialect: Dialect::Imagex,
        log_file: options.log_file.clone().map(PathBuf::from),
    };
    let verb = match sorted.verb {
        Verb::Capture => low::Verb::Capture(capture(&mut words, options)?),
        Verb::Append => {
            let capture = capture(&mut words, options)?;
            low::Verb::Append(AppendArgs { capture, create: false })
        }
        Verb::Apply => low::Verb::Apply(apply(&mut words, options)?),
        Verb::Info => low::Verb::Info(info(&mut words, options)?),
        Verb::Dir => low::Verb::Dir(DirArgs {
            wim: words.file("FILE")?,
            image: words.text()?,
            ..DirArgs::default()
        }),
        Verb::Export => low::Verb::Export(export(&mut words, options)?),
        Verb::Delete => low::Verb::Delete(DeleteArgs {
            wim: words.file("FILE")?,
            image: words.needed_text("INDEX or NAME")?,
            // ImageX removes the image and leaves its data; /export makes the small file.
            soft: true,
            integrity: options.integrity(),
        }),
    };
    words.finish()?;
    Ok((verb, style))
}

fn capture(words: &mut Words, options: Options) -> Result<CaptureArgs, ImagexError> {
    Ok(CaptureArgs {
        source: words.directory("SOURCE")?,
        wim: words.file("FILE")?,
        image_name: words.text()?,
        image_desc: words.text()?,
        boot: options.has(Flag::Boot),
        integrity: options.integrity(),
        links: options.links(),
        compression: CompressionArgs { compress: options.compress, ..CompressionArgs::default() },
        config: options.config.map(PathBuf::from),
        properties: PropertyArgs { flags: options.edition, ..PropertyArgs::default() },
        ..CaptureArgs::default()
    })
}

fn apply(words: &mut Words, options: Options) -> Result<ApplyArgs, ImagexError> {
    Ok(ApplyArgs {
        wim: words.file("FILE")?,
        image_or_target: words.needed_text("INDEX or NAME")?.into(),
        target: Some(words.directory("DEST")?),
        check: options.has(Flag::Check),
        links: options.links(),
        references: ReferenceArgs { references: options.references },
        ..ApplyArgs::default()
    })
}

fn info(words: &mut Words, options: Options) -> Result<InfoArgs, ImagexError> {
    Ok(InfoArgs {
        wim: words.file("FILE")?,
        image: words.text()?,
        new_name: words.text()?,
        new_desc: words.text()?,
        boot: options.has(Flag::Boot),
        xml: options.has(Flag::Xml),
        integrity: options.integrity(),
        properties: PropertyArgs { flags: options.edition, ..PropertyArgs::default() },
        ..InfoArgs::default()
    })
}

fn export(words: &mut Words, options: Options) -> Result<ExportArgs, ImagexError> {
    Ok(ExportArgs {
        source: words.file("SRC")?,
        image: words.needed_text("INDEX or NAME")?,
        destination: words.file("DEST")?,
        dest_name: words.text()?,
        boot: options.has(Flag::Boot),
        integrity: options.integrity(),
        compression: CompressionArgs { compress: options.compress, ..CompressionArgs::default() },
        references: ReferenceArgs { references: options.references },
        ..ExportArgs::default()
    })
}

/// The options' values.
#[derive(Debug, Default)]
struct Options {
    flags: Vec<Flag>,
    compress: Option<Compression>,
    config: Option<OsString>,
    edition: Option<String>,
    log_file: Option<OsString>,
    references: Vec<String>,
}

impl Options {
    fn new(sorted: &Sorted) -> Result<Self, ImagexError> {
        let mut options = Self { flags: sorted.flags.clone(), ..Self::default() };
        for (valued, name, value) in &sorted.values {
            match valued {
                Valued::Compress => {
                    let value = text(value)?;
                    let parsed = value.parse().map_err(|source| ImagexError::Value {
                        option: name,
                        value: value.clone(),
                        source,
                    })?;
                    options.compress = Some(parsed);
                }
                Valued::Config => options.config = Some(value.clone()),
                Valued::Flags => options.edition = Some(text(value)?),
                Valued::LogFile => options.log_file = Some(value.clone()),
                Valued::Ref => options.references.push(text(value)?),
                Valued::Temp => {}
            }
        }
        Ok(options)
    }

    fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    fn integrity(&self) -> IntegrityArgs {
        IntegrityArgs { check: self.has(Flag::Check), ..IntegrityArgs::default() }
    }

    fn links(&self) -> LinkArgs {
        LinkArgs { norpfix: self.has(Flag::NoRpFix), ..LinkArgs::default() }
    }
}

/// The words that are not options, taken one after the other.
struct Words {
    verb: &'static str,
    rest: vec::IntoIter<OsString>,
}

impl Words {
    /// Takes a directory, which may be `/mnt`.
    fn directory(&mut self, what: &'static str) -> Result<PathBuf, ImagexError> {
        let missing = ImagexError::MissingWord { verb: self.verb, what };
        self.rest.next().map(PathBuf::from).ok_or(missing)
    }

    /// Takes a file. `/word` without a dot is a mistyped option rather than a file of the root
    /// directory.
    fn file(&mut self, what: &'static str) -> Result<PathBuf, ImagexError> {
        let path = self.directory(what)?;
        let name = path.as_os_str().as_bytes().strip_prefix(b"/");
        if name.is_some_and(|name| !name.contains(&b'/') && !name.contains(&b'.')) {
            return Err(ImagexError::UnknownOption { word: path.to_string_lossy().into_owned() });
        }
        Ok(path)
    }

    /// Takes a text if there is one. A text that begins with a slash is a mistyped option.
    fn text(&mut self) -> Result<Option<String>, ImagexError> {
        let Some(word) = self.rest.next() else { return Ok(None) };
        let word = text(&word)?;
        if word.starts_with('/') {
            return Err(ImagexError::UnknownOption { word });
        }
        Ok(Some(word))
    }

    fn needed_text(&mut self, what: &'static str) -> Result<String, ImagexError> {
        self.text()?.ok_or(ImagexError::MissingWord { verb: self.verb, what })
    }

    fn finish(mut self) -> Result<(), ImagexError> {
        self.rest.next().map_or(Ok(()), |word| {
            let word = word.to_string_lossy().into_owned();
            Err(ImagexError::SurplusWord { verb: self.verb, word })
        })
    }
}

fn text(word: &OsString) -> Result<String, ImagexError> {
    let not_text = || ImagexError::NotText { word: word.clone() };
    word.to_str().map(str::to_owned).ok_or_else(not_text)
}
