//! Values of options: what is typed becomes a type, once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use imprint_codec::{Format, Level};

/// The value of `--compress`: a format, or none, and how hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compression {
    /// `None` stores data as it is.
    pub(crate) format: Option<Format>,
    /// `None` leaves the level at its default.
    pub(crate) level: Option<Level>,
}

/// The value of `--chunk-size`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkSize(pub(crate) u32);

/// A size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteCount(pub(crate) u64);

/// The value of `--threads`; zero is "as many as there are processors".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadCount(pub(crate) usize);

/// The value of `--image-property`: a place in the XML document and what to put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageProperty {
    /// Element names joined by slashes, each with an optional index: `WINDOWS/LANGUAGES/LANGUAGE[2]`.
    pub(crate) path: String,
    /// Empty removes the element.
    pub(crate) value: String,
}

/// The value of `--update-of`: the image that this one is a later state of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpdateOf {
    /// The file that holds it; `None` means the file being appended to.
    pub(crate) wim: Option<PathBuf>,
    /// Index, name, or a negative index counted from the end.
    pub(crate) image: String,
}

/// A value of an option cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("compression should be none, xpress (fast) or lzx (maximum)")]
    CompressionType,
    #[error("LZMS (recovery) can be read, but not written")]
    LzmsIsReadOnly,
    #[error("compression level should be a number from 1 to {limit}", limit = MAX_LEVEL)]
    CompressionLevel,
    #[error("without compression there is no level")]
    LevelWithoutCompression,
    #[error("chunk size should be a number of bytes, or one with K, M or G, below 4 GiB")]
    ChunkSize,
    #[error("size should be a number of bytes, or one with K, M, G or T")]
    ByteCount,
    #[error("number of threads should be a number from 1 to 1024, or 0 for one per processor")]
    Threads,
    #[error("image property should be NAME=VALUE, such as WINDOWS/VERSION/MAJOR=10")]
    ImageProperty,
    #[error("image to be an update of should be WIMFILE:IMAGE or IMAGE")]
    UpdateOf,
}

/// wimlib takes any number and treats those above 100 alike; a limit catches slips of the finger.
const MAX_LEVEL: u32 = 1000;

impl FromStr for Compression {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let format = match name.to_ascii_lowercase().as_str() {
            "none" => None,
            "xpress" | "fast" => Some(Format::Xpress),
            "lzx" | "maximum" => Some(Format::Lzx),
            "lzms" | "recovery" => return Err(ValueError::LzmsIsReadOnly),
            _ => return Err(ValueError::CompressionType),
        };
        let level = level.map(parse_level).transpose()?;
        if format.is_none() && level.is_some() {
            return Err(ValueError::LevelWithoutCompression);
        }
        Ok(Self { format, level })
    }
}

fn parse_level(text: &str) -> Result<Level, ValueError> {
    let level = text.parse().ok().filter(|level| (1..=MAX_LEVEL).contains(level));
    level.map(Level).ok_or(ValueError::CompressionLevel)
}

/// Reads a number with K, M, G or T behind it.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl FromStr for ChunkSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = parse_bytes(text).and_then(|bytes| bytes.try_into().ok());
        number.map(Self).ok_or(ValueError::ChunkSize)
    }
}

impl FromStr for ByteCount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_bytes(text).map(Self).ok_or(ValueError::ByteCount)
    }
}

impl FromStr for ThreadCount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().ok().filter(|count| *count <= 1024).map(Self).ok_or(ValueError::Threads)
    }
}

impl FromStr for ImageProperty {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or(ValueError::ImageProperty)?;
        if path.is_empty() {
            return Err(ValueError::ImageProperty);
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }
}

impl UpdateOf {
    /// Splits at the last colon, as file names may hold colons more often than image names do.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, ValueError> {
        let bytes = text.as_bytes();
        let (wim, image) = match bytes.iter().rposition(|&byte| byte == b':') {
            Some(colon) => {
                let (wim, image) = bytes.split_at(colon);
                (Some(PathBuf::from(OsStr::from_bytes(wim))), image.get(1..).unwrap_or_default())
            }
            None => (None, bytes),
        };
        let image = std::str::from_utf8(image).ok().filter(|image| !image.is_empty());
        let image = image.ok_or(ValueError::UpdateOf)?.to_owned();
        if wim.as_ref().is_some_and(|wim| wim.as_os_str().is_empty()) {
            return Err(ValueError::UpdateOf);
        }
        Ok(Self { wim, image })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_takes_wimlibs_names_and_levels() {
        let check = |text: &str, format, level: Option<u32>| {
            let expected = Compression { format, level: level.map(Level) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        };
        check("none", None, None);
        check("XPRESS", Some(Format::Xpress), None);
        check("fast:20", Some(Format::Xpress), Some(20));
        check("LZX", Some(Format::Lzx), None);
        check("Maximum:100", Some(Format::Lzx), Some(100));
    }

    #[test]
    fn wrong_compression_says_what_is_wrong() {
        let check = |text: &str, error| {
            assert_eq!(text.parse::<Compression>(), Err(error), "{text}");
        };
        check("zip", ValueError::CompressionType);
        check("", ValueError::CompressionType);
        check("lzms", ValueError::LzmsIsReadOnly);
        check("recovery:50", ValueError::LzmsIsReadOnly);
        check("lzx:", ValueError::CompressionLevel);
        check("lzx:0", ValueError::CompressionLevel);
        check("lzx:1001", ValueError::CompressionLevel);
        check("lzx:-5", ValueError::CompressionLevel);
        check("none:5", ValueError::LevelWithoutCompression);
    }

    #[test]
    fn chunk_sizes_take_units() {
        let check = |text: &str, bytes| assert_eq!(text.parse(), Ok(ChunkSize(bytes)), "{text}");
        check("32768", 32_768);
        check("32K", 32_768);
        check("64KiB", 65_536);
        check("2m", 2 << 20);
        check("1G", 1 << 30);
        for text in ["", "K", "32KB", "4G", "-1", "1.5M", "99999999999", "K32"] {
            assert_eq!(text.parse::<ChunkSize>(), Err(ValueError::ChunkSize), "{text}");
        }
    }

    #[test]
    fn update_of_splits_at_the_last_colon() {
        let check = |text: &str, wim: Option<&str>, image: &str| {
            let expected = UpdateOf { wim: wim.map(PathBuf::from), image: image.to_owned() };
            assert_eq!(UpdateOf::parse(text.as_ref()), Ok(expected), "{text}");
        };
        check("-1", None, "-1");
        check("a.wim:2", Some("a.wim"), "2");
        check("x:y.wim:My image", Some("x:y.wim"), "My image");
        for text in ["", "a.wim:", ":1"] {
            assert_eq!(UpdateOf::parse(text.as_ref()), Err(ValueError::UpdateOf), "{text}");
        }
    }

    #[test]
    fn image_properties_have_a_name() {
        let property =
            |path: &str, value: &str| ImageProperty { path: path.into(), value: value.into() };
        assert_eq!("A/B=c=d".parse(), Ok(property("A/B", "c=d")));
        assert_eq!("FLAGS=".parse(), Ok(property("FLAGS", "")));
        assert_eq!("FLAGS".parse::<ImageProperty>(), Err(ValueError::ImageProperty));
        assert_eq!("=x".parse::<ImageProperty>(), Err(ValueError::ImageProperty));
    }
}
