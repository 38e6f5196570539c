//! Disks that are mounted.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use imprint_testkit::tools;

use crate::world::{Ran, World};

/// No step of these tests takes longer, unless something hangs.
pub(super) const LONG: Duration = Duration::from_secs(120);

/// The directory `m` of a world, with or without something mounted. It is freed when this goes away.
pub(super) struct Place<'a> {
    pub(super) world: &'a World,
    pub(super) at: PathBuf,
}

impl<'a> Place<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let at = world.path("m");
        fs_err::create_dir_all(&at).unwrap();
        Self { world, at }
    }

    /// The path as a word. It is absolute, so that no other process has it among its words.
    pub(super) fn word(&self) -> &str {
        self.at.to_str().unwrap()
    }

    /// Tries to mount.
    pub(super) fn try_mount(&self, file: &str, options: &[&str]) -> Ran {
        self.world.imprint(&[&["disk", "mount", file, self.word()], options].concat())
    }

    /// Mounts, which must succeed.
    #[track_caller]
    pub(super) fn mount(&self, file: &str, options: &[&str]) -> Ran {
        let ran = self.try_mount(file, options);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran
    }

    /// Waits until no process has a file of the mount open: one that another test starts has those of
    /// this one until it becomes its program.
    #[track_caller]
    pub(super) fn wait_until_unused(&self) {
        wait_until("nobody uses it", || {
            let processes = fs_err::read_dir("/proc").unwrap();
            // Processes end while we look.
            let files = processes
                .filter_map(|entry| fs_err::read_dir(entry.unwrap().path().join("fd")).ok());
            let mut files = files.flatten().filter_map(Result::ok);
            !files.any(|file| {
                fs_err::read_link(file.path()).is_ok_and(|target| target.starts_with(&self.at))
            })
        });
    }

    pub(super) fn try_unmount(&self) -> Ran {
        self.world.imprint(&["disk", "unmount", self.word()])
    }

    /// Unmounts, which must succeed.
    #[track_caller]
    pub(super) fn unmount(&self) {
        self.wait_until_unused();
        let ran = self.try_unmount();
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(ran.err, "");
        assert!(self.is_free());
        // The disk is closed; the process has nothing left to do but to end.
        wait_until("the process has ended", || self.server().is_none());
    }

    /// A mounted file.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    pub(super) fn open(&self, name: &str) -> fs_err::File {
        fs_err::OpenOptions::new().read(true).write(true).open(self.file(name)).unwrap()
    }

    /// Whether nothing is mounted.
    pub(super) fn is_free(&self) -> bool {
        let mounts = fs_err::read_to_string("/proc/self/mounts").unwrap();
        !mounts.contains(&format!(" {} ", self.word()))
    }

    /// The process in the background.
    pub(super) fn server(&self) -> Option<u32> {
        let mut found = fs_err::read_dir("/proc").unwrap().filter_map(|entry| {
            let entry = entry.unwrap();
            let id = entry.file_name().to_str()?.parse().ok()?;
            // Processes end while we look.
            let words = fs_err::read_to_string(entry.path().join("cmdline")).ok()?;
            let words: Vec<_> = words.split('\0').collect();
            (words.contains(&"--detached") && words.contains(&self.word())).then_some(id)
        });
        found.next()
    }

    /// Sends a signal to the process in the background.
    #[track_caller]
    pub(super) fn signal(&self, signal: &str) {
        send(self.server().unwrap(), signal);
    }

    /// Waits until nothing is mounted and no process serves it.
    #[track_caller]
    pub(super) fn wait_until_over(&self) {
        wait_until("the mount is gone", || self.is_free() && self.server().is_none());
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_free() {
            let freed = Command::new("umount").arg("-l").arg(&self.at).status();
            assert!(thread::panicking(), "still mounted: {freed:?}");
        }
    }
}

#[track_caller]
pub(super) fn send(process: u32, signal: &str) {
    tools::run(&tools::require("kill"), [signal, &process.to_string()]);
}

/// Waits until something is so.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub(super) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}: not after {LONG:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Makes a raw disk of 64 MiB with two partitions of 20 MiB and bytes in both; answers with what it holds.
pub(super) fn partitioned(world: &World, name: &str) -> Vec<u8> {
    world.shell(&format!(
        "truncate -s 64M {name}
         printf 'label: gpt\\nsize=20M\\nsize=20M\\n' | sfdisk -q {name}
         yes first | head -c 300000 | dd of={name} bs=512 seek=2048 conv=notrunc status=none
         yes second | head -c 5000000 | dd of={name} bs=512 seek=43100 conv=notrunc status=none"
    ));
    world.read(name)
}

/// The first byte and the length of a partition, as sfdisk sees it.
pub(super) fn partition(world: &World, image: &str, number: usize) -> (usize, usize) {
    let json =
        tools::run(&tools::require("sfdisk"), ["--json", world.path(image).to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let entry = &json["partitiontable"]["partitions"][number - 1];
    let sectors = |key: &str| usize::try_from(entry[key].as_u64().unwrap()).unwrap() * 512;
    (sectors("start"), sectors("size"))
}

/// A base with partitions, a child and a leaf; answers with what the leaf shows.
pub(super) fn chain(world: &World, ending: &str) -> Vec<u8> {
    let mut model = partitioned(world, "in.img");
    let names = ["base", "middle", "leaf"].map(|name| format!("{name}.{ending}"));
    world.done(&["disk", "convert", "in.img", &names[0]]);
    world.done(&["disk", "child", &names[0], &names[1]]);
    let changes: [(u64, &[u8]); 2] = [(1 << 20, &[7; 5000]), (50 << 20, &[8; 3 << 20])];
    super::sample::write(world, &names[1], &changes);
    super::sample::change(&mut model, &changes);
    world.done(&["disk", "child", &names[1], &names[2]]);
    model
}

/// Hashes of files, by a program that is not ours.
pub(super) fn hashes(world: &World, names: &[&str]) -> String {
    world.shell(&format!("sha256sum {}", names.join(" ")))
}

/// Starts `imprint` and lets it run.
pub(super) fn start(world: &World, words: &[&str]) -> std::process::Child {
    let mut command = world.imprint_command(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}
