//! Files with several images and several parts: both programs write on in what the other began.

use imprint_testkit::Random;
use imprint_testkit::census::{Census, census};

use crate::world::World;

/// The states of a tree that changes from image to image.
struct States {
    world: World,
    random: Random,
    seen: Vec<Census>,
}

impl States {
    fn new() -> Self {
        let world = World::new();
        world.make_forest("src", 5);
        // Most of the size, of no further use here.
        world.shell("rm src/sizes/*/19*");
        Self { world, random: Random::new(5), seen: Vec::new() }
    }

    /// Changes, adds, moves and removes a few files, and notes how the tree is then.
    fn next(&mut self) -> String {
        let number = self.seen.len();
        for at in ["equal/0/0", "names/CON/CON", "new/file"] {
            let mut data = vec![0; self.random.index(80_000)];
            self.random.fill(&mut data);
            self.world.write(&format!("src/{at} {number}"), data);
        }
        self.world.write("src/seed", number.to_string());
        if number == 2 {
            self.world
                .shell("rm -r src/equal/3 && mv src/sizes/X86 src/moved && ln src/seed src/s");
        }
        self.seen.push(census(&self.world.path("src")));
        format!("image {number}")
    }

    /// Every image must be as it was when it was captured, whoever applies it.
    #[track_caller]
    fn check(&self, file: &str, more: &[&str]) {
        for (number, state) in self.seen.iter().enumerate() {
            let name = format!("image {number}");
            let words = [&["apply", file, &name, "out", "--unix-data"], more].concat();
            self.world.done(&words);
            state.assert_same(&census(&self.world.path("out")), &format!("{file} {name} by us"));
            self.world.shell("rm -rf out");
            self.world.wimlib(&words);
            state
                .assert_same(&census(&self.world.path("out")), &format!("{file} {name} by wimlib"));
            self.world.shell("rm -rf out");
        }
    }
}

#[test]
fn images_appended_by_us_and_wimlib_in_turn_all_stay() {
    for (coding, we_begin) in [("none", true), ("xpress", false), ("lzx", true), ("lzx", false)] {
        let mut states = States::new();
        let compress = format!("--compress={coding}");
        for number in 0..5_u32 {
            let name = states.next();
            let verb = if number == 0 { "capture" } else { "append" };
            let mut words = vec![verb, "src", "a.wim", &name, "--unix-data", "--check"];
            if number == 0 {
                words.push(&compress);
            }
            if (number % 2 == 0) == we_begin {
                states.world.done(&words);
            } else {
                states.world.wimlib(&words);
            }
            states.world.wimlib(&["verify", "a.wim"]);
            states.world.done(&["verify", "a.wim"]);
        }
        states.check("a.wim", &[]);
        // Taken out and packed anew by either, the others stay.
        states.world.done(&["delete", "a.wim", "image 1"]);
        states.world.wimlib(&["delete", "a.wim", "image 3"]);
        states.seen.remove(3);
        states.seen.remove(1);
        states.world.done(&["info", "a.wim", "2", "image 1"]);
        states.world.wimlib(&["info", "a.wim", "3", "image 2"]);
        states.world.done(&["optimize", "a.wim"]);
        states.world.wimlib(&["optimize", "a.wim"]);
        states.world.wimlib(&["verify", "a.wim"]);
        states.world.done(&["export", "a.wim", "all", "b.wim", "--check"]);
        states.world.wimlib(&["verify", "b.wim"]);
        states.check("a.wim", &[]);
        states.check("b.wim", &[]);
    }
}

#[test]
fn solid_files_of_wimlib_with_several_images_are_read() {
    for options in [&["--solid"][..], &["--solid", "--solid-compress=lzx", "--solid-chunk-size=1M"]]
    {
        let mut states = States::new();
        for verb in ["capture", "append", "append"] {
            let name = states.next();
            let words = [verb, "src", "a.esd", &name, "--unix-data", "--check"];
            states.world.wimlib(&[&words[..], options].concat());
        }
        states.world.done(&["verify", "a.esd"]);
        states.check("a.esd", &[]);
        states.world.done(&["export", "a.esd", "all", "b.wim", "--check"]);
        states.world.wimlib(&["verify", "b.wim"]);
        states.check("b.wim", &[]);
    }
}

#[test]
fn sets_split_by_wimlib_are_read_with_all_images() {
    let mut states = States::new();
    for verb in ["capture", "append", "append"] {
        let name = states.next();
        states.world.done(&[verb, "src", "a.wim", &name, "--unix-data"]);
    }
    states.world.wimlib(&["split", "a.wim", "p.swm", "0.3", "--check"]);
    let parts = states.world.names().iter().filter(|name| name.ends_with(".swm")).count();
    assert!(parts >= 4, "{parts} parts");
    states.world.done(&["verify", "p.swm", "--ref=p*.swm"]);
    states.check("p.swm", &["--ref=p*.swm"]);
    states.world.done(&["export", "p.swm", "all", "joined.wim", "--ref=p*.swm", "--check"]);
    states.world.wimlib(&["verify", "joined.wim"]);
    states.check("joined.wim", &[]);
}
