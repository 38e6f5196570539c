//! Which words are understood, and how.

use std::ffi::OsString;
use std::path::PathBuf;

use imprint_codec::{Format, Level};

use super::low::*;
use super::values::*;
use super::{Parsed, definition, parse};
use crate::error::UsageError;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(|word| OsString::from(word.replace("''", ""))).collect()
}

#[track_caller]
fn verb(line: &str) -> Verb {
    match parse(&words(line)) {
        Ok(Parsed::Run(invocation)) => invocation.verb,
        other => panic!("{line}: {other:?}"),
    }
}

/// The first line of what is said about a line that is not understood.
#[track_caller]
fn refusal(line: &str) -> String {
    match parse(&words(line)) {
        Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        Ok(parsed) => panic!("{line}: {parsed:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    definition().debug_assert();
}

#[test]
fn capture_takes_what_wimlib_takes() {
    let line = "capture src a.wim name text --boot --check --compress=LZX:100 --chunk-size=64K \
        --threads 3 --config=x.ini --flags=Pro --image-property A/B=1 --image-property=C=2 \
        --unix-data --strict-acls --norpfix --dereference --update-of=b.wim:-1";
    let property =
        |path: &str, value: &str| ImageProperty { path: path.into(), value: value.into() };
    let compress = Compression { format: Some(Format::Lzx), level: Some(Level(100)) };
    let expected = CaptureArgs {
        source: "src".into(),
        wim: "a.wim".into(),
        image_name: Some("name".into()),
        image_desc: Some("text".into()),
        boot: true,
        config: Some("x.ini".into()),
        dereference: true,
        update_of: Some(UpdateOf { wim: Some("b.wim".into()), image: "-1".into() }),
        properties: PropertyArgs {
            flags: Some("Pro".into()),
            properties: vec![property("A/B", "1"), property("C", "2")],
            ..PropertyArgs::default()
        },
        integrity: IntegrityArgs { check: true, ..IntegrityArgs::default() },
        compression: CompressionArgs {
            compress: Some(compress),
            chunk_size: Some(ChunkSize(65_536)),
            threads: Some(ThreadCount(3)),
        },
        metadata: MetadataArgs { unix_data: true, no_acls: false, strict_acls: true },
        links: LinkArgs { rpfix: false, norpfix: true },
    };
    assert_eq!(verb(line), Verb::Capture(expected));
}

#[test]
fn options_may_be_shortened_repeated_and_stand_anywhere() {
    let expected = verb("capture src a.wim --check --no-acls --compress=fast");
    assert_eq!(verb("capture --che src --no-a a.wim --comp fast"), expected);
    assert_eq!(
        verb("capture --check src --check --no-acls a.wim --compress=lzx --compress=fast"),
        expected
    );
}

#[test]
fn the_last_of_two_opposites_wins() {
    let integrity = |line| match verb(line) {
        Verb::Optimize(OptimizeArgs {
            integrity: IntegrityArgs { check, nocheck, .. }, ..
        }) => (check, nocheck),
        other => panic!("{other:?}"),
    };
    assert_eq!(integrity("optimize a.wim --check --nocheck"), (false, true));
    assert_eq!(integrity("optimize a.wim --nocheck --check"), (true, false));
    let links = |line| match verb(line) {
        Verb::Apply(ApplyArgs { links, .. }) => (links.rpfix, links.norpfix),
        other => panic!("{other:?}"),
    };
    assert_eq!(links("apply a.wim 1 dir --rpfix --norpfix"), (false, true));
    assert_eq!(links("apply a.wim 1 dir --norpfix --rpfix"), (true, false));
}

#[test]
fn names_and_values_may_be_empty_or_begin_with_a_dash() {
    let Verb::Capture(args) = verb("capture src a.wim ''") else { panic!() };
    assert_eq!(args.image_name.as_deref(), Some(""));
    let Verb::Capture(args) = verb("capture --boot -- -src -a.wim -name") else { panic!() };
    assert_eq!((args.source, args.image_name.as_deref()), ("-src".into(), Some("-name")));
    let Verb::Append(args) = verb("append src a.wim --update-of -2 --create") else { panic!() };
    let update_of = UpdateOf { wim: None, image: "-2".into() };
    assert_eq!((args.capture.update_of, args.create), (Some(update_of), true));
}

#[test]
fn apply_may_leave_the_image_out() {
    let words = |line| match verb(line) {
        Verb::Apply(args) => (args.wim, args.image_or_target, args.target),
        other => panic!("{other:?}"),
    };
    let apply = |wim: &str, image_or_target: &str, target: Option<&str>| {
        (PathBuf::from(wim), OsString::from(image_or_target), target.map(PathBuf::from))
    };
    assert_eq!(words("apply a.wim dir"), apply("a.wim", "dir", None));
    assert_eq!(words("apply a.wim 2 dir"), apply("a.wim", "2", Some("dir")));
    let Verb::Apply(args) = verb("apply --ref=a*.swm a.swm --ref b.wim 2 dir") else { panic!() };
    assert_eq!(args.references.references, ["a*.swm", "b.wim"]);
    assert_eq!(refusal("apply a.wim 1 dir more"), "error: unexpected argument 'more' found");
}

#[test]
fn options_of_every_verb_may_stand_before_it() {
    let global = |line| match parse(&words(line)) {
        Ok(Parsed::Run(invocation)) => (invocation.global.quiet, invocation.global.json),
        other => panic!("{other:?}"),
    };
    assert_eq!(global("info a.wim"), (false, false));
    assert_eq!(global("--quiet info a.wim --json"), (true, true));
    assert_eq!(global("--json --quiet imagex /info a.wim"), (true, true));
}

#[test]
fn what_is_not_supported_is_said_by_name() {
    let check = |line: &str, name: &str, why_begins: &str| {
        let (said, why) = match parse(&words(line)) {
            Err(UsageError::UnsupportedOption { option, why }) => (option, why),
            Err(UsageError::UnsupportedVerb { verb, instead }) => (verb, instead),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(said, name);
        assert!(why.starts_with(why_begins), "{why}");
    };
    check("capture src a.wim --solid", "--solid", "solid resources are read");
    check("capture src a.esd --solid-compress=lzms", "--solid-compress", "solid resources");
    check("export a.wim 1 b.wim --pipable", "--pipable", "pipable files");
    check("apply a.wim 1 dir --wimboot", "--wimboot", "files that point back");
    check("capture src a.wim --delta-from=b.wim", "--delta-from", "delta files");
    check("capture list a.wim --source-list", "--source-list", "capture one directory");
    check("append src a.wim --unsafe-compact", "--unsafe-compact", "use `imprint optimize`");
    check("mount a.wim 1 dir", "mount", "extract or apply");
    check("split a.wim b.swm 100", "split", "copy the whole file");
}

#[test]
fn options_that_change_nothing_are_taken() {
    assert_eq!(verb("optimize a.wim --not-pipable"), verb("optimize a.wim"));
    assert_eq!(verb("capture s a.wim --verbose"), verb("capture s a.wim"));
}

#[test]
fn what_is_wrong_is_said() {
    let check = |line: &str, said: &str| assert_eq!(refusal(line), said, "{line}");
    check("captur src a.wim", "error: unrecognized subcommand 'captur'");
    check("info a.wim --solid", "error: unexpected argument '--solid' found");
    check("capture src", "error: the following required arguments were not provided:");
    check("capture src a.wim --c", "error: unexpected argument '--c' found");
    check(
        "capture src a.wim --compress=zip",
        "error: invalid value 'zip' for '--compress <TYPE[:LEVEL]>': \
         compression should be none, xpress (fast) or lzx (maximum)",
    );
    check(
        "apply a.wim 1 dir --no-acls --strict-acls",
        "error: the argument '--no-acls' cannot be used with '--strict-acls'",
    );
    check("imagex /frob", "there is no verb such as /capture or /apply");
}
