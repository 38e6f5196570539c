//! Random trees are captured, applied and captured again: nothing may differ, and wimlib must agree.
//! What ever failed is kept in `proptest-regressions` and runs first.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use imprint_testkit::census::census;
use imprint_testkit::{Kind, soak};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rustix::fs::{AtFlags, CWD, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};

use crate::world::World;

/// What is made next. Numbers choose among what is there, round and round.
#[derive(Clone, Debug)]
enum Step {
    Directory { parent: usize, name: String },
    File { parent: usize, name: String, kind: usize, size: usize, seed: u64 },
    Sparse { parent: usize, name: String, size: u64 },
    Link { parent: usize, name: String, file: usize },
    Symbolic { parent: usize, name: String, target: String },
    Mode { path: usize, mode: u32 },
    Owner { path: usize, user: u32, group: u32 },
    Attribute { path: usize, name: String, value: Vec<u8> },
    Time { path: usize, seconds: i64, hundreds: u32 },
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ._-]{1,12}",
        "[^/\\x00\\\\]{1,40}",
        "[\\u{4e00}-\\u{4eff}\\u{1f600}-\\u{1f640}]{1,30}",
        "[ab]{60,84}",
    ]
    .prop_filter("names of Linux", |name| name.len() <= 255 && name != "." && name != "..")
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0_usize),
        1..200_usize,
        (0..6_usize, -2..3_isize).prop_map(|(n, off)| (4096_usize << n).saturating_add_signed(off)),
        200..300_000_usize,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    prop_oneof![
        2 => (any(), name()).prop_map(|(parent, name)| Step::Directory { parent, name }),
        6 => (any(), name(), any(), size(), 0..6_u64).prop_map(|(parent, name, kind, size, seed)| {
            Step::File { parent, name, kind, size, seed }
        }),
        1 => (any(), name(), 0..3_000_000_u64)
            .prop_map(|(parent, name, size)| Step::Sparse { parent, name, size }),
        2 => (any(), name(), any())
            .prop_map(|(parent, name, file)| Step::Link { parent, name, file }),
        1 => (any(), name(), "(\\.\\./|[a-z]{1,9}/){0,4}[a-z]{1,9}")
            .prop_map(|(parent, name, target)| Step::Symbolic { parent, name, target }),
        1 => (any(), 0..0o1_0000_u32).prop_map(|(path, mode)| Step::Mode { path, mode }),
        1 => (any(), 0..70_000_u32, 0..70_000_u32)
            .prop_map(|(path, user, group)| Step::Owner { path, user, group }),
        1 => (any(), "user\\.[a-z.]{1,20}", proptest::collection::vec(proptest::num::u8::ANY, 0..300))
            .prop_map(|(path, name, value)| Step::Attribute { path, name, value }),
        2 => (any(), -2_000_000_000..8_000_000_000_i64, 0..10_000_000_u32)
            .prop_map(|(path, seconds, hundreds)| Step::Time { path, seconds, hundreds }),
    ]
}

/// Paths that a tree holds so far.
struct Made {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
    links: Vec<PathBuf>,
}

impl Made {
    fn all(&self, number: usize) -> &Path {
        let lists = [&self.directories, &self.files, &self.links];
        let number = number % lists.iter().map(|list| list.len()).sum::<usize>();
        lists.into_iter().flatten().nth(number).unwrap()
    }

    /// A free path; names that Windows takes for one name are not put side by side.
    fn place(&self, parent: usize, name: &str) -> Option<PathBuf> {
        let parent = &self.directories[parent % self.directories.len()];
        let taken = fs_err::read_dir(parent).unwrap().any(|entry| {
            let entry = entry.unwrap().file_name();
            String::from_utf8_lossy(entry.as_bytes()).to_uppercase() == name.to_uppercase()
        });
        let path = parent.join(name);
        (!taken && path.as_os_str().len() < 3000).then_some(path)
    }
}

fn build(root: &Path, steps: &[Step]) {
    fs_err::create_dir(root).unwrap();
    let mut made =
        Made { directories: vec![root.to_owned()], files: Vec::new(), links: Vec::new() };
    for step in steps {
        match step {
            Step::Directory { parent, name } => {
                let Some(path) = made.place(*parent, name) else { continue };
                fs_err::create_dir(&path).unwrap();
                made.directories.push(path);
            }
            Step::File { parent, name, kind, size, seed } => {
                let Some(path) = made.place(*parent, name) else { continue };
                fs_err::write(&path, Kind::ALL[kind % 5].bytes(*size, *seed)).unwrap();
                made.files.push(path);
            }
            Step::Sparse { parent, name, size } => {
                let Some(path) = made.place(*parent, name) else { continue };
                fs_err::File::create(&path).unwrap().set_len(*size).unwrap();
                made.files.push(path);
            }
            Step::Link { parent, name, file } => {
                let Some(path) = made.place(*parent, name) else { continue };
                let Some(file) = made.files.get(file % made.files.len().max(1)) else { continue };
                fs_err::hard_link(file, &path).unwrap();
                made.files.push(path);
            }
            Step::Symbolic { parent, name, target } => {
                let Some(path) = made.place(*parent, name) else { continue };
                symlink(target, &path).unwrap();
                made.links.push(path);
            }
            _ => set(&made, step),
        }
    }
}

/// Steps that change what is there.
fn set(made: &Made, step: &Step) {
    let follow = AtFlags::SYMLINK_NOFOLLOW;
    match step {
        Step::Mode { path, mode } => {
            let path = made.all(*path);
            if !path.is_symlink() {
                let mode = Mode::from_raw_mode(*mode);
                rustix::fs::chmodat(CWD, path, mode, AtFlags::empty()).unwrap();
            }
        }
        Step::Owner { path, user, group } => {
            let (user, group) = (Uid::from_raw(*user), Gid::from_raw(*group));
            rustix::fs::chownat(CWD, made.all(*path), Some(user), Some(group), follow).unwrap();
        }
        Step::Attribute { path, name, value } => {
            let path = made.all(*path);
            if !path.is_symlink() {
                rustix::fs::setxattr(path, name, value, XattrFlags::empty()).unwrap();
            }
        }
        Step::Time { path, seconds, hundreds } => {
            let time = Timespec { tv_sec: *seconds, tv_nsec: (hundreds * 100).into() };
            let times = Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(CWD, made.all(*path), &times, follow).unwrap();
        }
        _ => {}
    }
}

/// wimlib's listing of an image, without what the writer decides.
fn listing(world: &World, wim: &str) -> String {
    let text = world.wimlib(&["dir", wim, "1", "--detailed"]);
    let own = ["Offset in WIM", "Compressed size", "Link Group ID", "Last Access", "Creation"];
    let kept = |line: &&str| !own.iter().any(|label| line.starts_with(label));
    text.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

const COMPRESS: [&[&str]; 7] = [
    &["--compress=none"],
    &["--compress=xpress"],
    &["--compress=xpress:20", "--chunk-size=4K"],
    &["--compress=lzx"],
    &["--compress=lzx:20", "--chunk-size=64K"],
    &["--compress=lzx:100"],
    &["--compress=lzx", "--chunk-size=2M"],
];

fn config() -> ProptestConfig {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proptest-regressions/random.txt");
    ProptestConfig {
        cases: soak::rounds(24, 1000),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_trees_come_back_equal_and_wimlib_agrees(
        steps in proptest::collection::vec(step(), 0..60),
        compress in 0..COMPRESS.len(),
        threads in 1..4_u32,
        check in any::<bool>(),
    ) {
        let world = World::new();
        build(&world.path("src"), &steps);
        let src = census(&world.path("src"));
        let threads = format!("--threads={threads}");
        let check = if check { "--check" } else { "--nocheck" };
        let capture = |from: &str, to: &str| {
            let words = ["capture", from, to, "tree", "--unix-data", &threads, check];
            world.done(&[&words[..], COMPRESS[compress]].concat());
        };
        capture("src", "one.wim");
        world.wimlib(&["verify", "one.wim"]);
        world.done(&["apply", "one.wim", "out", "--unix-data", &threads]);
        src.assert_same(&census(&world.path("out")), "applied by us");
        capture("out", "two.wim");
        prop_assert_eq!(listing(&world, "one.wim"), listing(&world, "two.wim"));
        world.wimlib(&["apply", "two.wim", "1", "theirs", "--unix-data"]);
        src.assert_same(&census(&world.path("theirs")), "applied by wimlib");
    }
}
