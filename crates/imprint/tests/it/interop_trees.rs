//! A whole tree through every coding, written and read by us, wimlib and 7-Zip in turn, and compared
//! by what the system says of the files.

use imprint_testkit::census::{Census, census};
use imprint_testkit::tools;

use crate::world::{Ran, World};

/// Every coding with the chunk sizes that are used: what we call it, and what wimlib calls it.
const CODINGS: [(&str, &[&str]); 8] = [
    ("none", &["--compress=none"]),
    ("xpress-4k", &["--compress=xpress", "--chunk-size=4K"]),
    ("xpress-16k", &["--compress=xpress", "--chunk-size=16K"]),
    ("xpress-32k", &["--compress=xpress", "--chunk-size=32K"]),
    ("xpress-64k", &["--compress=xpress", "--chunk-size=64K"]),
    ("lzx-32k", &["--compress=lzx", "--chunk-size=32K"]),
    ("lzx-128k", &["--compress=lzx", "--chunk-size=128K"]),
    ("lzx-2m", &["--compress=lzx", "--chunk-size=2M"]),
];

fn forest() -> (World, Census) {
    let world = World::new();
    world.make_forest("src", 1);
    let census = census(&world.path("src"));
    assert!(census.0.len() > 170, "{}", census.0.len());
    (world, census)
}

/// What 7-Zip restores of a tree on Linux: neither the root's time nor special files, and it makes
/// absolute links point into the directory it unpacks to.
pub(crate) fn as_7zip_restores(census: Census) -> Census {
    let census = census.ignore_owners().ignore_permissions().ignore_xattrs().ignore_links();
    census.without(|path, entry| {
        let left_out: [&[u8]; 3] = [b"", b"special-pipe", b"special-device"];
        left_out.contains(&path) || entry.target.starts_with(b"/")
    })
}

#[track_caller]
pub(crate) fn seven_zip(world: &World, words: &[&str]) -> String {
    let mut command = std::process::Command::new(tools::require("timeout"));
    command.args(["-k", "1", "100"]).arg(tools::require_any(&["7zz", "7z"]));
    command.current_dir(world.path("")).args(words);
    let ran = Ran::new(&tools::output(&mut command));
    assert_eq!(ran.status, Some(0), "7-Zip {words:?}: {ran:?}");
    ran.out
}

#[test]
fn wimlib_and_7zip_restore_what_we_write_in_every_coding() {
    let (world, src) = forest();
    for (name, options) in CODINGS {
        let file = format!("{name}.wim");
        world.done(&[&["capture", "src", &file, "--unix-data", "--check"], options].concat());
        world.wimlib(&["verify", &file]);
        world.wimlib(&["apply", &file, "1", "theirs", "--unix-data"]);
        src.assert_same(&census(&world.path("theirs")), &format!("{name} by wimlib"));
        world.done(&["apply", &file, "1", "ours", "--unix-data"]);
        src.assert_same(&census(&world.path("ours")), &format!("{name} by us"));
        seven_zip(&world, &["x", "-snld", "-sns-", "-y", "-oseven", &file]);
        let seven = as_7zip_restores(census(&world.path("seven")));
        as_7zip_restores(src.clone()).assert_same(&seven, &format!("{name} by 7-Zip"));
        world.shell("rm -rf theirs ours seven");
    }
}

#[test]
fn we_restore_what_wimlib_writes_in_every_coding() {
    let (world, src) = forest();
    let solid: [(&str, &[&str]); 4] = [
        ("solid-lzms", &["--solid"]),
        ("solid-lzx", &["--solid", "--solid-compress=lzx", "--solid-chunk-size=2M"]),
        ("solid-lzx-128k", &["--solid", "--solid-compress=lzx", "--solid-chunk-size=128K"]),
        ("solid-xpress", &["--solid", "--solid-compress=xpress", "--solid-chunk-size=64K"]),
    ];
    let more: [(&str, &[&str]); 2] =
        [("lzms-128k", &["--compress=lzms"]), ("lzms-2m", &["--compress=lzms", "--chunk-size=2M"])];
    for (name, options) in CODINGS.into_iter().chain(solid).chain(more) {
        let file = format!("{name}.wim");
        world.wimlib(&[&["capture", "src", &file, "--unix-data", "--check"], options].concat());
        world.done(&["verify", &file]);
        world.done(&["apply", &file, "1", "ours", "--unix-data", "--check"]);
        src.assert_same(&census(&world.path("ours")), name);
        world.shell("rm -rf ours");
    }
}

#[test]
fn we_restore_what_7zip_writes() {
    let (world, _) = forest();
    // It waits for the other end of a pipe for ever.
    fs_err::remove_file(world.path("src/special-pipe")).unwrap();
    let src = census(&world.path("src"));
    seven_zip(&world, &["a", "-twim", "-snl", "-snh", "seven.wim", "./src/*"]);
    world.done(&["apply", "seven.wim", "1", "ours"]);
    world.wimlib(&["apply", "seven.wim", "1", "theirs"]);
    let (ours, theirs) = (census(&world.path("ours")), census(&world.path("theirs")));
    theirs.assert_same(&ours, "written by 7-Zip, restored by wimlib and us");
    // It writes a symbolic link as a file with the target in it.
    let links: Vec<_> = src.0.iter().filter(|(_, entry)| !entry.target.is_empty()).collect();
    assert_eq!(links.len(), 6);
    let is_link = |path: &[u8]| links.iter().any(|(link, _)| path == link.as_slice());
    let ours = as_7zip_restores(ours).without(|path, _| is_link(path));
    let src = as_7zip_restores(src.clone()).without(|path, _| is_link(path));
    src.assert_same(&ours, "written by 7-Zip");
}
