//! ImageX's command line at work.

use crate::world::{Modes, World};

#[test]
fn a_session_in_the_words_of_imagex() {
    let world = World::with_tree();
    let imagex = |line: &str| {
        let words: Vec<&str> = std::iter::once("imagex").chain(line.split(' ')).collect();
        world.done(&words)
    };
    imagex("/capture src a.wim Base /compress none /boot /check /flags Pro /verify");
    world.write("src/new", b"new");
    imagex("-append src a.wim Second /scroll");
    imagex("/INFO a.wim 2 Zweite Beschreibung");
    imagex("/export a.wim 2 b.wim Nur /check");
    imagex("/apply b.wim Nur out /verify");
    assert_eq!(world.snapshot("out", Modes::Ignore), world.snapshot("src", Modes::Ignore));
    let before = world.read("a.wim").len();
    imagex("/delete a.wim 1");
    assert!(world.read("a.wim").len() > before - 10_000, "ImageX leaves the data");
    for file in ["a.wim", "b.wim"] {
        world.wimlib(&["verify", file]);
    }
    let info = world.wimlib(&["info", "a.wim"]);
    assert!(info.contains("Zweite") && info.contains("Beschreibung"), "{info}");
    assert!(imagex("/dir b.wim 1").out.contains("\\docs\\hello again.txt\n"));
}

#[test]
fn a_log_file_gets_what_is_printed() {
    let world = World::with_tree();
    world.write("log.txt", b"before\n");
    let words = ["imagex", "/capture", "src", "a.wim", "A", "/compress", "none", "/logfile"];
    let out = world.done(&[&words[..], &["log.txt"]].concat()).out;
    let ran = world.imprint(&["imagex", "/logfile", "log.txt", "/info", "a.wim", "7"]);
    assert_eq!(ran.status, Some(1));
    let log = String::from_utf8(world.read("log.txt")).unwrap();
    assert_eq!(log, format!("before\n{out}{}", ran.err));
}
