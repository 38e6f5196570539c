//! What a signal leaves behind.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::world::{Ran, World};

/// Starts a capture that takes long: 8 GiB of nothing, which takes no space until it is written.
fn start(world: &World, words: &[&str]) -> Child {
    world.shell("mkdir -p long && truncate -s 8G long/file");
    world
        .imprint_command(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until the handler of signals is set: before that, a signal ends the program at once.
fn wait_for_handler(child: &Child) {
    let began = Instant::now();
    loop {
        let status = fs_err::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        // Bit 1 is SIGINT.
        if u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no handler");
        std::thread::yield_now();
    }
}

#[test]
fn a_cancelled_capture_leaves_no_file() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let world = World::new();
        let child = start(&world, &["capture", "long", "a.wim"]);
        wait_for_handler(&child);
        send(&child, signal);
        let ran = Ran::new(&child.wait_with_output().unwrap());
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{signal} {ran:?}");
        assert!(ran.err.contains("error: cancelled before the work was finished\n"), "{ran:?}");
        assert_eq!(world.names(), ["long"], "{signal}");
    }
}

#[test]
fn a_cancelled_append_leaves_the_file_as_it_was() {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim", "First", "--compress=none"]);
    let before = world.done(&["dir", "a.wim", "--detailed"]).out;
    let size = |world: &World| fs_err::metadata(world.path("a.wim")).unwrap().len();
    let size_before = size(&world);
    let child = start(&world, &["append", "long", "a.wim"]);
    wait_for_handler(&child);
    send(&child, "-INT");
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(world.done(&["dir", "a.wim", "--detailed"]).out, before);
    assert_eq!(size(&world), size_before, "what was written is cut off again");
    world.wimlib(&["verify", "a.wim"]);
    world.done(&["append", "src", "a.wim", "Second"]);
    world.wimlib(&["verify", "a.wim"]);
    assert_eq!(world.names(), ["a.wim", "long", "src"]);
}
