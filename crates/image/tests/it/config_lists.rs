//! Capture configurations.

use imprint_image::config::{CaptureConfig, ConfigSection, ConfigWarningKind};

fn parse(text: &str) -> CaptureConfig {
    let (config, warnings) = CaptureConfig::parse(text.as_bytes());
    assert_eq!(warnings, []);
    config
}

/// Checks which paths are left out; a path that ends with a separator is a directory.
fn check(config: &CaptureConfig, excluded: &[&str], kept: &[&str]) {
    for path in excluded {
        assert!(config.excludes(path, path.ends_with('\\')), "{path} should be left out");
    }
    for path in kept {
        assert!(!config.excludes(path, path.ends_with('\\')), "{path} should be kept");
    }
}

#[test]
fn default_list_is_that_of_dism() {
    let config = CaptureConfig::default_list();
    check(
        &config,
        &[
            r"\$ntfs.log",
            r"\PAGEFILE.SYS",
            r"\hiberfil.sys",
            r"\swapfile.sys",
            "\\System Volume Information\\",
            "\\Recycler\\",
            "\\$Recycle.Bin\\",
            "\\windows\\csc\\",
            r"\Windows\CSC\v2.0.6\x",
        ],
        &["\\", r"\Windows\pagefile.sys", r"\pagefile.sys.bak", "\\Windows\\", r"\Windows\CSCx"],
    );
    for path in [r"\a\b.MP3", r"\x.zip", r"\x.cab", r"\Windows\INF\usb.PNF"] {
        assert!(config.compression_excluded(path), "{path}");
    }
    for path in [r"\a\b.mp", r"\Windows\INF\usb.inf", r"\inf\usb.pnf"] {
        assert!(!config.compression_excluded(path), "{path}");
    }
}

#[test]
fn patterns_are_anchored_by_a_separator() {
    let config = parse("[ExclusionList]\n\\a\\b*\n*.tmp\n/c/?/d\nname");
    check(
        &config,
        &[
            r"\a\bcd",
            r"\a\b\below\it",
            r"/A/B",
            r"\deep\er\x.TMP",
            "\\x.tmp\\",
            r"\x.tmp\below",
            r"\c\1\d",
            "\\somewhere\\NAME\\",
            r"\name\below",
        ],
        &[r"\x\a\b", "\\a\\", r"\a\x\b", r"\c\12\d", r"\c\d", r"\names", r"\x.tmp2"],
    );
}

#[test]
fn exceptions_win_and_keep_the_way_to_them() {
    let config = parse(
        "[ExclusionList]\n\\dir\n*.log\n[ExclusionException]\n\\dir\\sub\\keep*\n\\logs\nmain.log",
    );
    check(
        &config,
        &[r"\dir\x", r"\dir\sub\drop", r"\dir", r"\x\y.log", r"\dir\subx", "\\dir\\sub\\x\\"],
        &[
            "\\dir\\",
            "\\dir\\sub\\",
            r"\dir\sub\keep.txt",
            r"\dir\sub\keepers\below",
            r"\logs\y.log",
            r"\x\MAIN.LOG",
        ],
    );
}

#[test]
fn all_spellings_of_the_file_are_read() {
    let text = "[ExclusionList]\r\n; comment\r\n# comment\r\n\r\n  \"\\with space\"  \r\n'\\gr\u{fc}n'\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let forms = [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        [b"\xff\xfe", &utf16[..]].concat(),
        utf16,
    ];
    for bytes in forms {
        let (config, warnings) = CaptureConfig::parse(&bytes);
        assert_eq!(warnings, []);
        let patterns: Vec<String> = config.patterns(ConfigSection::Exclusion).collect();
        assert_eq!(patterns, [r"\with space", "\\gr\u{fc}n"]);
        assert!(config.excludes("\\GR\u{dc}N", false));
    }
}

#[test]
fn every_section_is_known_in_any_case() {
    let text: String = ConfigSection::ALL
        .iter()
        .map(|section| format!("[{}]\n*.{section:?}\n", section.name().to_uppercase()))
        .collect();
    let config = parse(&text);
    for section in ConfigSection::ALL {
        let expected = format!("*.{section:?}");
        assert_eq!(config.patterns(section).collect::<Vec<_>>(), [expected]);
        assert!(config.matches(section, &format!("\\x.{section:?}")));
        assert!(!config.matches(section, "\\"));
    }
}

#[test]
fn what_is_not_understood_is_warned_of() {
    let text = "stray\n[Unknown]\npassed over\n[ExclusionList]\nc:\\a\nb\\c\nd:e\n\\\n\"\"";
    let (config, warnings) = CaptureConfig::parse(text.as_bytes());
    let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "line 1: \"stray\" stands in no section",
            "line 2: section [Unknown] is not known",
            "line 5: \"c:\\a\" begins with a drive letter, which is left out",
            "line 6: \"b\\c\" should begin with a separator, and is read as if it did",
            "line 7: \"d:e\" begins with a drive letter, which is left out",
            "line 8: \"\\\" names nothing",
            "line 9: \"\" names nothing",
        ]
    );
    let patterns: Vec<String> = config.patterns(ConfigSection::Exclusion).collect();
    assert_eq!(patterns, [r"\a", r"\b\c", "e"]);

    let (config, warnings) = CaptureConfig::parse(b"[ExclusionList]\n\\gr\xfcn");
    assert_eq!(warnings[0].kind, ConfigWarningKind::Encoding);
    assert!(config.excludes("\\gr\u{fc}n", false));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_and_matched(
        text in r"(\PC|[\[\]\\*?;#\n]|\[ExclusionList\]\n){0,60}",
        path in r"(\PC|[\\/]){0,40}",
    ) {
        let (config, _) = CaptureConfig::parse(text.as_bytes());
        if config.excludes(&path, false) {
            proptest::prop_assert!(config.matches(ConfigSection::Exclusion, &path));
        }
    }
}

#[test]
fn any_bytes_are_read() {
    for bytes in
        [&b""[..], b"\xff\xfe", b"\xff\xfe\x00", b"[", b"[]", b"]\0[", b"\xef\xbb\xbf", b"a\0"]
    {
        let _parsed = CaptureConfig::parse(bytes);
    }
}
