//! Killed at any moment: the old images stay, and nothing half made looks whole.
//!
//! `strace` counts our system calls and kills us on entering the one we choose, so the moments are
//! the same in every run.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use imprint_testkit::{Kind, soak, tools};

use crate::world::World;

/// Runs `imprint` under `strace` with these options; answers whether it came to its end.
fn traced(world: &World, options: &[&str], words: &[&str]) -> bool {
    let imprint = world.imprint_command(words);
    let mut command = Command::new(tools::require("strace"));
    command.current_dir(world.path("")).args(["-f", "-qq"]).args(options);
    command.arg(imprint.get_program()).args(words).stdin(Stdio::null());
    tools::output(&mut command).status.success()
}

/// A system call of a run: its name and how manieth of that name it is.
pub(crate) type Moment = (String, usize);

/// Lists the system calls that the first thread of a run makes: it does all the work, and `strace`
/// counts for each thread, and for each name, by itself.
pub(crate) fn system_calls(world: &World, words: &[&str]) -> Vec<Moment> {
    assert!(traced(world, &["-o", "trace.txt"], words), "{words:?}");
    let trace = String::from_utf8(world.read("trace.txt")).unwrap();
    fs_err::remove_file(world.path("trace.txt")).unwrap();
    let mut counts = HashMap::new();
    let mut first = None;
    let mut moments = Vec::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let name = call.trim_start().split('(').next().unwrap_or_default();
        let is_call = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // The program itself is started, and ends, with these.
        if *first.get_or_insert(thread) != thread || !is_call || name.starts_with("ex") {
            continue;
        }
        let count = counts.entry(name.to_owned()).or_insert(0);
        *count += 1;
        moments.push((name.to_owned(), *count));
    }
    moments
}

/// Runs `imprint` and kills it on entering a system call. Answers whether that came: a run may make a
/// few calls less than the one that was listed.
pub(crate) fn killed_at(world: &World, (name, number): &Moment, words: &[&str]) -> bool {
    let inject = format!("inject={name}:signal=SIGKILL:when={number}");
    !traced(world, &["-o", "/dev/null", "-e", "trace=all", "-e", &inject], words)
}

/// `count` of the calls, a third of them the last ones, where files are finished and named; the rest
/// evenly spread.
pub(crate) fn choose(calls: &[Moment], count: usize) -> Vec<&Moment> {
    let last = calls.len().saturating_sub(count / 3);
    let spread = count - (calls.len() - last);
    let (early, late) = calls.split_at(last);
    (0..spread).map(|n| &early[n * early.len() / spread]).chain(late).collect()
}

fn tree(world: &World) {
    for number in 0..60_u64 {
        let data = Kind::X86.bytes(20_000 + 1_000 * usize::try_from(number).unwrap(), number);
        world.write(&format!("src/{}/{number}", number % 7), data);
    }
    world.write("src/large", Kind::Random.bytes(3_000_000, 99));
}

/// Everything in the directory that says it is a whole WIM must be one.
fn check_strays(world: &World, known: &[&str]) {
    for name in world.names().iter().filter(|name| !known.contains(&name.as_str())) {
        let verified = world.imprint(&["verify", name]);
        assert_ne!(verified.status, Some(0), "{name} is left over and looks whole");
        assert_ne!(world.try_wimlib(&["verify", name]).status, Some(0), "{name}");
        fs_err::remove_file(world.path(name)).unwrap();
    }
}

#[test]
fn a_killed_capture_leaves_no_wim_or_a_whole_one() {
    let world = World::new();
    tree(&world);
    let words = ["capture", "src", "new.wim", "--compress=xpress:20", "--threads=1", "--check"];
    let calls = system_calls(&world, &words);
    fs_err::remove_file(world.path("new.wim")).unwrap();
    let count = usize::try_from(soak::rounds(12, 100)).unwrap();
    let mut killed = 0;
    for moment in choose(&calls, count) {
        killed += usize::from(killed_at(&world, moment, &words));
        if world.has("new.wim") {
            world.done(&["verify", "new.wim"]);
            world.wimlib(&["verify", "new.wim"]);
            fs_err::remove_file(world.path("new.wim")).unwrap();
        }
        check_strays(&world, &["src"]);
    }
    assert!(killed * 10 >= count * 8, "killed only {killed} times of {count}");
}

#[test]
fn a_killed_append_leaves_the_old_images() {
    let world = World::new();
    tree(&world);
    world.done(&["capture", "src", "old.wim", "one", "--compress=xpress:20", "--check"]);
    world.write("src/more", Kind::Random.bytes(2_500_000, 7));
    fs_err::remove_file(world.path("src/large")).unwrap();
    let before = world.snapshot("src", crate::world::Modes::Ignore);
    fs_err::copy(world.path("old.wim"), world.path("w.wim")).unwrap();
    let words = ["append", "src", "w.wim", "two", "--threads=1"];
    let calls = system_calls(&world, &words);
    let count = usize::try_from(soak::rounds(12, 100)).unwrap();
    let mut killed = 0;
    for moment in choose(&calls, count) {
        fs_err::copy(world.path("old.wim"), world.path("w.wim")).unwrap();
        killed += usize::from(killed_at(&world, moment, &words));
        world.done(&["verify", "w.wim"]);
        world.wimlib(&["verify", "w.wim"]);
        check_strays(&world, &["src", "old.wim", "w.wim"]);
        let images = world.done(&["info", "w.wim", "--json"]).json();
        let images = images["images"].as_array().unwrap().len();
        assert!((1..=2).contains(&images), "{images} images");
        // What the killed run left behind does not stand in the way.
        world.done(&["append", "src", "w.wim", "three", "--threads=1"]);
        world.wimlib(&["verify", "w.wim"]);
        world.done(&["apply", "w.wim", "three", "out"]);
        assert_eq!(world.snapshot("out", crate::world::Modes::Ignore), before);
        fs_err::remove_dir_all(world.path("out")).unwrap();
    }
    assert!(killed * 10 >= count * 8, "killed only {killed} times of {count}");
}
