//! `imprint disk` killed at any moment: each file under its name is the old one or the new one, what
//! is left over is named so that nobody takes it for a disk, and the same words again complete it.

use imprint_testkit::soak;

use super::chains::{chain, contents};
use super::sample::assert_same;
use crate::kill::{choose, killed_at, system_calls};
use crate::world::World;

/// A program to be killed, and what must hold then.
struct Trial<'a> {
    ending: &'a str,
    words: Vec<String>,
    /// Files that are what they were, byte for byte.
    untouched: Vec<String>,
    /// Holds after a kill.
    check: &'a dyn Fn(&World),
    /// Whether it is to be done again, after a kill that came before the end.
    goes_on: &'a dyn Fn(&World) -> bool,
    /// Holds after it was done again.
    done: &'a dyn Fn(&World),
}

/// Brings the directory to what it was.
fn restore(world: &World) {
    world.shell(&format!(
        "cd '{}' && find . -mindepth 1 -maxdepth 1 ! -name saved -exec rm -r {{}} + \
         && cp --archive --sparse=always saved/. .",
        world.path("").display()
    ));
}

fn run(world: &World, trial: &Trial<'_>) {
    world.shell(&format!(
        "cd '{}' && mkdir saved && find . -maxdepth 1 -type f -exec mv {{}} saved \\;",
        world.path("").display()
    ));
    restore(world);
    let known = world.names();
    let words: Vec<&str> = trial.words.iter().map(String::as_str).collect();
    let calls = system_calls(world, &words);
    let made = world.names();
    let count = usize::try_from(soak::rounds(5, 40)).unwrap();
    let mut killed = 0;
    for moment in choose(&calls, count) {
        restore(world);
        killed += usize::from(killed_at(world, moment, &words));
        for name in &trial.untouched {
            let before = world.read(&format!("saved/{name}"));
            assert!(world.read(name) == before, "{name} was touched at {moment:?}");
        }
        let left: Vec<String> = world.names();
        for name in left.iter().filter(|name| !known.contains(name) && !made.contains(name)) {
            let is_named = name.starts_with('.') && name.ends_with(".partial");
            assert!(is_named, "{name} is left over at {moment:?}");
            // The ending says nothing of a disk, and no chain leads to it.
            assert!(!name.ends_with(trial.ending));
        }
        (trial.check)(world);
        if (trial.goes_on)(world) {
            world.done(&words);
        }
        (trial.done)(world);
    }
    println!("{killed} kills of {words:?}");
    assert!(killed * 10 >= count * 8, "killed only {killed} times of {count}");
}

#[track_caller]
fn shows(world: &World, name: &str, model: &[u8]) {
    world.done(&["disk", "check", name]);
    assert_same(&contents(world, name), model);
}

/// The same, of a file that was killed while it changed: there may be something to mend, which the next
/// one who writes does.
#[track_caller]
fn still_shows(world: &World, name: &str, model: &[u8]) {
    const WARNINGS: i32 = 3;
    let checked = world.imprint(&["disk", "check", name]);
    assert!(matches!(checked.status, Some(0 | WARNINGS)), "{checked:?}");
    assert_same(&contents(world, name), model);
}

/// Tries a verb on a chain `base`, `one`, `two` of a format.
struct Scene {
    world: World,
    ending: &'static str,
    model: Vec<u8>,
}

impl Scene {
    fn new(ending: &'static str) -> Self {
        let world = World::new();
        let model = chain(&world, ending);
        fs_err::remove_file(world.path("in.img")).unwrap();
        Self { world, ending, model }
    }

    fn name(&self, stem: &str) -> String {
        format!("{stem}.{}", self.ending)
    }

    fn words(&self, verb: &str, files: &[&str], rest: &[&str]) -> Vec<String> {
        let files = files.iter().map(|stem| self.name(stem));
        let rest = rest.iter().map(|&word| word.to_owned());
        ["disk", verb].map(str::to_owned).into_iter().chain(files).chain(rest).collect()
    }
}

fn child(ending: &'static str) {
    let scene = Scene::new(ending);
    let [two, new] = ["two", "new"].map(|stem| scene.name(stem));
    let whole = |world: &World| shows(world, &new, &scene.model);
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("child", &["two", "new"], &[]),
            untouched: vec![scene.name("base"), scene.name("one"), two],
            check: &|world| {
                if world.has(&new) {
                    whole(world);
                }
            },
            goes_on: &|world| !world.has(&new),
            done: &whole,
        },
    );
}

fn merge(ending: &'static str) {
    let scene = Scene::new(ending);
    let [one, two] = ["one", "two"].map(|stem| scene.name(stem));
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("merge", &["two"], &[]),
            untouched: vec![scene.name("base")],
            check: &|world| {
                let shown = world.has(&two)
                    && world.imprint(&["disk", "convert", &two, "shown.img", "--force"]).status
                        == Some(0);
                if !shown {
                    // All is merged, and perhaps only the child is left to be removed.
                    world.done(&["disk", "convert", &one, "shown.img", "--force"]);
                }
                assert_same(&world.read("shown.img"), &scene.model);
            },
            goes_on: &|world| world.has(&two),
            done: &|world| shows(world, &one, &scene.model),
        },
    );
}

fn compact(ending: &'static str) {
    let scene = Scene::new(ending);
    let two = scene.name("two");
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("compact", &["base"], &[]),
            untouched: vec![scene.name("one"), two.clone()],
            check: &|world| shows(world, &two, &scene.model),
            goes_on: &|_| true,
            done: &|world| shows(world, &two, &scene.model),
        },
    );
}

fn repair(ending: &'static str) {
    let scene = Scene::new(ending);
    let base = scene.name("base");
    let model = contents(&scene.world, &base);
    fs_err::remove_file(scene.world.path("shown.img")).unwrap();
    let new = scene.name("new");
    let whole = |world: &World| shows(world, &new, &model);
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("check", &["base"], &["--repair", &new]),
            untouched: vec![base.clone(), scene.name("one"), scene.name("two")],
            check: &|world| {
                if world.has(&new) {
                    whole(world);
                }
            },
            goes_on: &|world| !world.has(&new),
            done: &whole,
        },
    );
}

fn resize(ending: &'static str) {
    let scene = Scene::new(ending);
    let base = scene.name("base");
    let mut model = contents(&scene.world, &base);
    for name in [scene.name("one"), scene.name("two"), "shown.img".to_owned()] {
        fs_err::remove_file(scene.world.path(&name)).unwrap();
    }
    let old = model.clone();
    model.resize(300 << 20, 0);
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("resize", &["base"], &["300M"]),
            untouched: Vec::new(),
            check: &|world| {
                let found = contents(world, &base);
                assert_same(&found, if found.len() == old.len() { &old } else { &model });
            },
            goes_on: &|_| true,
            done: &|world| shows(world, &base, &model),
        },
    );
}

fn rebase(ending: &'static str) {
    let scene = Scene::new(ending);
    let [base, one, moved] = ["base", "one", "moved"].map(|stem| scene.name(stem));
    let model = contents(&scene.world, &one);
    for name in [scene.name("two"), "shown.img".to_owned()] {
        fs_err::remove_file(scene.world.path(&name)).unwrap();
    }
    fs_err::copy(scene.world.path(&base), scene.world.path(&moved)).unwrap();
    run(
        &scene.world,
        &Trial {
            ending,
            words: scene.words("rebase", &["one", "moved"], &[]),
            untouched: vec![base.clone(), moved],
            check: &|world| still_shows(world, &one, &model),
            goes_on: &|_| true,
            done: &|world| {
                fs_err::remove_file(world.path(&base)).unwrap();
                shows(world, &one, &model);
            },
        },
    );
}

macro_rules! trials {
    ($($name:ident: $trial:ident($ending:literal);)*) => {
        $(
            #[test]
            fn $name() {
                $trial($ending);
            }
        )*
    };
}

trials! {
    a_killed_child_of_a_vhd_is_none_or_whole: child("vhd");
    a_killed_child_of_a_vhdx_is_none_or_whole: child("vhdx");
    a_killed_merge_of_a_vhd_goes_on: merge("vhd");
    a_killed_merge_of_a_vhdx_goes_on: merge("vhdx");
    a_vhd_killed_while_compacting_is_the_old_or_the_new: compact("vhd");
    a_vhdx_killed_while_compacting_is_the_old_or_the_new: compact("vhdx");
    a_killed_repair_of_a_vhd_is_none_or_whole: repair("vhd");
    a_killed_repair_of_a_vhdx_is_none_or_whole: repair("vhdx");
    a_vhd_killed_while_resizing_has_either_size: resize("vhd");
    a_vhdx_killed_while_resizing_has_either_size: resize("vhdx");
    a_vhd_killed_while_rebasing_has_either_parent: rebase("vhd");
    a_vhdx_killed_while_rebasing_has_either_parent: rebase("vhdx");
}
