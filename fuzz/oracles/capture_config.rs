//! Capture configurations: any bytes are read, in time; whatever is left out is named by a pattern;
//! case never matters.
//!
//! The first byte is the length of a path, which follows; the rest is the configuration.

use imprint_image::config::{CaptureConfig, ConfigSection};

pub(crate) fn check(bytes: &[u8]) {
    let Some((&length, rest)) = bytes.split_first() else { return };
    let (path, config) = rest.split_at(rest.len().min(length.into()));
    let path = String::from_utf8_lossy(path);
    let (config, _warnings) = CaptureConfig::parse(config);
    for is_directory in [false, true] {
        let is_excluded = config.excludes(&path, is_directory);
        assert!(!is_excluded || config.matches(ConfigSection::Exclusion, &path));
        assert_eq!(is_excluded, config.excludes(&path.to_ascii_uppercase(), is_directory));
    }
    let patterns = config.patterns(ConfigSection::Exclusion).count();
    assert!(patterns > 0 || !config.matches(ConfigSection::Exclusion, &path));
}
