//! A table of ImageX command lines and what they mean in this program's own words.

use std::ffi::OsString;

use super::{ImagexError, Parsed, parse};
use crate::cli::{self, Dialect, Style};

/// Splits a line at blanks; double quotes keep words together.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (position, part) in line.split('"').enumerate() {
        if position % 2 == 1 {
            words.push(part.into());
        } else {
            words.extend(part.split_whitespace().map(OsString::from));
        }
    }
    words
}

/// What a line in the program's own syntax means.
#[track_caller]
fn own(line: &str) -> cli::low::Verb {
    match cli::parse(&words(line)) {
        Ok(cli::Parsed::Run(invocation)) => invocation.verb,
        other => panic!("{line}: {other:?}"),
    }
}

/// ImageX's line, and the line of this program that means the same.
const SAME: &[(&str, &str)] = &[
    ("/capture src a.wim \"My image\"", "capture src a.wim \"My image\""),
    ("/capture src a.wim \"A\" \"B c\"", "capture src a.wim A \"B c\""),
    ("/capture src a.wim", "capture src a.wim"),
    ("/CAPTURE src a.wim A /BOOT /Check", "capture src a.wim A --boot --check"),
    ("-capture src a.wim A -boot -check", "capture src a.wim A --boot --check"),
    ("/boot -check /capture src a.wim A", "capture src a.wim A --boot --check"),
    ("/capture /boot src /check a.wim A", "capture src a.wim A --boot --check"),
    ("/config c.ini /capture /mnt/c /srv/a.wim A", "capture /mnt/c /srv/a.wim A --config=c.ini"),
    ("/capture /mnt a.wim A /config:c.ini", "capture /mnt a.wim A --config=c.ini"),
    ("/compress fast /capture s a.wim A", "capture s a.wim A --compress=fast"),
    ("/capture s a.wim A /compress maximum", "capture s a.wim A --compress=lzx"),
    ("/capture s a.wim A /COMPRESS NONE", "capture s a.wim A --compress=none"),
    ("/compress:none /capture s a.wim A", "capture s a.wim A --compress=none"),
    ("/flags \"Enterprise N\" /capture s a.wim A", "capture s a.wim A --flags \"Enterprise N\""),
    ("/capture s a.wim A /norpfix /verify /scroll", "capture s a.wim A --norpfix"),
    ("/capture s a.wim A /temp /tmp/x /logfile l.txt", "capture s a.wim A"),
    ("/capture /boot/ a.wim A", "capture /boot/ a.wim A"),
    ("/capture s a.wim \"\" \"\"", "capture s a.wim \"\" \"\""),
    ("/append src a.wim \"Two\"", "append src a.wim Two"),
    (
        "/append /boot /check src a.wim Two \"D\" /flags Pro",
        "append src a.wim Two D --boot --check --flags=Pro",
    ),
    ("/append src a.wim Two /config c.ini /verify", "append src a.wim Two --config=c.ini"),
    ("/apply a.wim 1 /mnt/d", "apply a.wim 1 /mnt/d"),
    ("/apply a.wim 1 /mnt", "apply a.wim 1 /mnt"),
    ("/apply a.wim \"My image\" d", "apply a.wim \"My image\" d"),
    ("/check /verify /apply a.wim 1 d", "apply a.wim 1 d --check"),
    ("/ref a*.swm /apply a.swm 1 d", "apply a.swm 1 d --ref=a*.swm"),
    (
        "/apply a.swm 1 d /ref a2.swm /ref /srv/a3.swm",
        "apply a.swm 1 d --ref=a2.swm --ref=/srv/a3.swm",
    ),
    ("/apply a.wim 1 d /norpfix", "apply a.wim 1 d --norpfix"),
    ("/apply -- 1 d", ""),
    ("/info a.wim", "info a.wim"),
    ("/info a.wim 1", "info a.wim 1"),
    ("/info a.wim 1 \"New name\" \"New text\"", "info a.wim 1 \"New name\" \"New text\""),
    ("/info /boot a.wim 2 /check", "info a.wim 2 --boot --check"),
    ("/xml /info a.wim", "info a.wim --xml"),
    ("/info a.wim 1 N /flags Ultimate", "info a.wim 1 N --flags=Ultimate"),
    ("/dir a.wim 1", "dir a.wim 1"),
    ("/dir /a.wim \"My image\"", "dir /a.wim \"My image\""),
    ("/delete a.wim 1", "delete a.wim 1 --soft"),
    ("/delete /check a.wim Old", "delete a.wim Old --soft --check"),
    ("/export a.wim 1 b.wim", "export a.wim 1 b.wim"),
    ("/export a.wim 1 b.wim \"Name\" /boot /check", "export a.wim 1 b.wim Name --boot --check"),
    ("/export /compress maximum a.wim * b.wim", "export a.wim * b.wim --compress=lzx"),
    ("/ref a*.swm /export a.swm 2 b.wim", "export a.swm 2 b.wim --ref=a*.swm"),
];

#[test]
fn lines_mean_what_they_mean_in_our_own_syntax() {
    for (imagex, native) in SAME {
        if native.is_empty() {
            assert!(parse(&words(imagex)).is_err(), "{imagex}");
            continue;
        }
        match parse(&words(imagex)) {
            Ok(Parsed::Run(verb, _)) => assert_eq!(*verb, own(native), "{imagex}"),
            other => panic!("{imagex}: {other:?}"),
        }
    }
}

#[test]
fn output_follows_imagex() {
    let style = |line: &str| match parse(&words(line)) {
        Ok(Parsed::Run(_, style)) => style,
        other => panic!("{line}: {other:?}"),
    };
    let usual = Style { scroll: false, dialect: Dialect::Imagex, log_file: None };
    assert_eq!(style("/dir a.wim 1"), usual);
    let line = "/scroll /logfile /tmp/l.txt /dir a.wim 1";
    let log_file = Some("/tmp/l.txt".into());
    assert_eq!(style(line), Style { scroll: true, log_file, ..usual });
}

#[test]
fn help_is_asked_for_in_three_ways() {
    for line in ["/?", "-?", "--help", "/capture /?"] {
        assert_eq!(parse(&words(line)), Ok(Parsed::Help), "{line}");
    }
}

/// A line and what is wrong with it.
const WRONG: &[(&str, &str)] = &[
    ("", "there is no verb such as /capture or /apply"),
    ("a.wim /boot", "there is no verb such as /capture or /apply"),
    ("/capture /append s a.wim A", "/capture and /append cannot be done in one go"),
    ("/capture s a.wim A -frob", "-frob is not an option of ImageX"),
    ("--capture s a.wim A", "--capture is not an option of ImageX"),
    ("/capture s a.wim A /frob", "/frob is not an option of ImageX"),
    ("/capture s /chek a.wim A", "/chek is not an option of ImageX"),
    ("/capture s", "/capture needs FILE"),
    ("/capture", "/capture needs SOURCE"),
    ("/apply a.wim", "/apply needs INDEX or NAME"),
    ("/apply a.wim 1", "/apply needs DEST"),
    ("/export a.wim 1", "/export needs DEST"),
    ("/delete a.wim", "/delete needs INDEX or NAME"),
    ("/apply a.wim 1 d e", "/apply takes no more words, but \"e\" follows"),
    ("/capture s a.wim A B C", "/capture takes no more words, but \"C\" follows"),
    ("/apply a.wim 1 /boot", "/apply does not take /boot"),
    ("/append s a.wim A /compress fast", "/append does not take /compress"),
    ("/dir a.wim 1 /ref x", "/dir does not take /ref"),
    ("/capture s a.wim A /xml", "/capture does not take /xml"),
    ("/capture s a.wim A /compress", "/compress needs a value"),
    ("/capture s a.wim A /boot:yes", "/boot takes no value"),
    ("/capture s a.wim A /compress zip", "/compress cannot be \"zip\""),
    ("/capture s a.wim A /compress recovery", "/compress cannot be \"recovery\""),
    ("/mount a.wim 1 d", "/mount is not supported"),
    ("/MOUNTRW a.wim 1 d", "/mountrw is not supported"),
    ("/unmount /commit d", "/unmount is not supported"),
    ("/split a.wim a.swm 600", "/split is not supported"),
];

#[test]
fn what_is_wrong_is_said() {
    for (line, said) in WRONG {
        let error = parse(&words(line)).map_err(|error| error.to_string());
        assert_eq!(error, Err((*said).to_owned()), "{line}");
    }
}

#[test]
fn advice_fits_the_mistake() {
    let advice = |line: &str| parse(&words(line)).map_err(|error| error.advice());
    let says = |text: &str| Err(text.to_owned());
    assert_eq!(advice("/apply a.wim 1 /boot"), says("write /boot/ if a directory is meant"));
    let general = "imprint imagex /? shows the verbs and options";
    assert_eq!(advice("/capture s"), says(general));
    assert!(matches!(
        parse(&words("/split a b")),
        Err(ImagexError::Unsupported { option: "split", .. })
    ));
}
