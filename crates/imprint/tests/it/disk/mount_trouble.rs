//! Ends of a mount that are not `disk unmount`, and disks that cannot be mounted or written.

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::process::{Child, Command};

use imprint_testkit::{Mount, tools};

use super::mount_sample::{Place, chain, hashes, partitioned, send, start, wait_until};
use super::sample::{assert_same, change};
use crate::world::{Ran, World};

const ENOSPC: i32 = 28;

/// A VHDX with two partitions. Its blocks are small, so that writes behind the partitions need new ones,
/// which are lost with what says where they are.
fn single(world: &World) -> Vec<u8> {
    let model = partitioned(world, "in.img");
    world.done(&["disk", "convert", "in.img", "a.vhdx", "--block-size=1M"]);
    model
}

/// What a disk shows.
fn contents(world: &World, name: &str) -> Vec<u8> {
    world.done(&["disk", "convert", name, "shown.img", "--force", "--no-sync"]);
    world.read("shown.img")
}

/// Mounts in the foreground and waits until it says so.
fn foreground(place: &Place<'_>, options: &[&str]) -> Child {
    let words = ["disk", "mount", "a.vhdx", place.word(), "--foreground"];
    let child = start(place.world, &[&words, options].concat());
    wait_until("it is mounted", || !place.is_free());
    child
}

#[test]
fn a_signal_unmounts_and_flushes() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let world = World::new();
        let mut model = single(&world);
        let place = Place::new(&world);
        let child = foreground(&place, &["--write"]);
        let file = place.open("p2");
        file.file().write_all_at(&[5; 100_000], 7_000_000).unwrap();
        drop(file);
        let (start, _) = super::mount_sample::partition(&world, "in.img", 2);
        change(&mut model, &[(start as u64 + 7_000_000, &[5; 100_000])]);
        place.wait_until_unused();
        send(child.id(), signal);
        let ran = Ran::new(&child.wait_with_output().unwrap());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let at = place.word();
        let said = format!("mounted a.vhdx at {at}, to be written: disk p1 p2\nunmounted a.vhdx\n");
        assert_eq!((ran.out, ran.err), (said, String::new()));
        assert!(place.is_free());
        assert_same(&contents(&world, "a.vhdx"), &model);
        // In the background too.
        place.mount("a.vhdx", &["--write"]);
        place.open("disk").file().write_all_at(&[6; 100], 55 << 20).unwrap();
        change(&mut model, &[(55 << 20, &[6; 100])]);
        place.wait_until_unused();
        place.signal(signal);
        place.wait_until_over();
        assert_same(&contents(&world, "a.vhdx"), &model);
    }
}

/// While a program uses it, a signal makes everything durable and lets the directory go; the program can
/// go on, and what it writes is kept when it has ended.
#[test]
fn a_signal_while_it_is_used() {
    let world = World::new();
    let mut model = single(&world);
    let place = Place::new(&world);
    let mut child = foreground(&place, &["--write"]);
    let file = place.open("disk");
    file.file().write_all_at(&[1; 512], 50 << 20).unwrap();
    send(child.id(), "-TERM");
    wait_until("the directory is free", || place.is_free());
    let mut said = vec![0; 300];
    let len = child.stderr.as_mut().unwrap().read(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said[..len]).into_owned();
    assert!(said.contains("is in use: it ends when no program uses it any more"), "{said}");
    change(&mut model, &[(50 << 20, &[1; 512])]);
    fs_err::copy(world.path("a.vhdx"), world.path("copy.vhdx")).unwrap();
    assert_same(&contents(&world, "copy.vhdx"), &model);
    file.file().write_all_at(&[2; 512], 51 << 20).unwrap();
    change(&mut model, &[(51 << 20, &[2; 512])]);
    drop(file);
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_same(&contents(&world, "a.vhdx"), &model);
    // A second signal does not wait for the program, but for the disk.
    let child = foreground(&place, &["--write"]);
    let file = place.open("disk");
    file.file().write_all_at(&[3; 512], 52 << 20).unwrap();
    send(child.id(), "-TERM");
    wait_until("the directory is free", || place.is_free());
    file.file().write_all_at(&[4; 512], 53 << 20).unwrap();
    send(child.id(), "-TERM");
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(130), "{ran:?}");
    change(&mut model, &[(52 << 20, &[3; 512]), (53 << 20, &[4; 512])]);
    assert_same(&contents(&world, "a.vhdx"), &model);
}

#[test]
fn others_unmount() {
    for program in ["umount", "fusermount3 -u"] {
        let world = World::new();
        let mut model = single(&world);
        let place = Place::new(&world);
        place.mount("a.vhdx", &["--write"]);
        place.open("disk").file().write_all_at(&[6; 3_000_000], 50 << 20).unwrap();
        change(&mut model, &[(50 << 20, &[6; 3_000_000])]);
        place.wait_until_unused();
        world.shell(&format!("{program} m"));
        place.wait_until_over();
        assert_same(&contents(&world, "a.vhdx"), &model);
        let checked = world.done(&["disk", "check", "a.vhdx"]);
        assert_eq!(checked.out, "a.vhdx: nothing wrong\n", "closed, with nothing to be replayed");
        let ran = place.try_unmount();
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.starts_with("error: no disk is mounted at "), "{ran:?}");
    }
}

#[test]
fn a_disk_in_use_stays_mounted() {
    let world = World::new();
    single(&world);
    let place = Place::new(&world);
    place.mount("a.vhdx", &["--write"]);
    let file = place.open("p1");
    let ran = place.try_unmount();
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let at = place.word();
    assert!(ran.err.starts_with(&format!("error: {at} is in use\nadvice: leave ")), "{ran:?}");
    assert!(ran.err.contains(&format!("`fuser -vm {at}`")), "{ran:?}");
    // It goes on as before.
    file.file().write_all_at(b"still here", 0).unwrap();
    file.sync_all().unwrap();
    drop(file);
    place.unmount();
}

/// What was synced is there after the process was killed, the disk opens, and `unmount` says what is
/// lost.
#[test]
fn the_process_is_killed() {
    for ending in ["vhd", "vhdx"] {
        let world = World::new();
        let mut model = chain(&world, ending);
        let leaf = format!("leaf.{ending}");
        let parents = [format!("base.{ending}"), format!("middle.{ending}")];
        let parents: Vec<_> = parents.iter().map(String::as_str).collect();
        let before = hashes(&world, &parents);
        let place = Place::new(&world);
        place.mount(&leaf, &["--write"]);
        let file = place.open("disk");
        for round in 0..5_u8 {
            let bytes = [round + 1; 9000];
            let offset = (44 << 20) + u64::from(round) * 3_000_000;
            file.file().write_all_at(&bytes, offset).unwrap();
            file.sync_all().unwrap();
            change(&mut model, &[(offset, &bytes)]);
        }
        // This one nobody waited for: it may be there or not.
        file.file().write_all_at(&[77; 512], 60 << 20).unwrap();
        drop(file);
        place.wait_until_unused();
        place.signal("-KILL");
        wait_until("it is dead", || place.server().is_none());
        let again = place.try_mount(&leaf, &["--write"]);
        assert_eq!(again.status, Some(1), "{again:?}");
        assert!(again.err.contains("`imprint disk unmount` frees it"), "{again:?}");
        let ran = place.try_unmount();
        assert_eq!(ran.status, Some(1), "{ran:?}");
        let at = place.word();
        let said = format!("error: {at} was unmounted, but the process that served it is gone");
        assert!(ran.err.starts_with(&said) && ran.out.is_empty(), "{ran:?}");
        assert!(ran.err.contains("what was written since the last fsync is lost"), "{ran:?}");
        assert!(place.is_free());
        let mut found = contents(&world, &leaf);
        let unsynced = &mut found[60 << 20..][..512];
        assert!([model[60 << 20], 77].contains(&unsynced[0]));
        unsynced.copy_from_slice(&model[60 << 20..][..512]);
        assert_same(&found, &model);
        assert_eq!(hashes(&world, &parents), before);
        // It goes on being usable.
        place.mount(&leaf, &["--write"]);
        place.unmount();
        // A disk that was only read has lost nothing.
        place.mount(&leaf, &[]);
        place.signal("-KILL");
        wait_until("it is dead", || place.server().is_none());
        place.unmount();
    }
}

/// Writes 3,000,000 times the byte 6 at 50 MiB. This process opens nothing: those that other tests start
/// would have the file open too, and closing it waits for the process that serves, which is stopped.
fn write_elsewhere(world: &World) {
    world.shell(
        "head -c 3000000 /dev/zero | tr '\\0' '\\6' >six
         dd if=six of=m/disk bs=1M seek=50 conv=notrunc status=none",
    );
}

/// The process dies between the unmounting and the last flush: that is no success.
#[test]
fn the_process_is_killed_while_it_is_waited_for() {
    let world = World::new();
    single(&world);
    let place = Place::new(&world);
    place.mount("a.vhdx", &["--write"]);
    write_elsewhere(&world);
    place.signal("-STOP");
    let child = start(&world, &["disk", "unmount", place.word()]);
    wait_until("it is unmounted", || place.is_free());
    place.signal("-KILL");
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("is gone without a word"), "{ran:?}");
    world.done(&["disk", "convert", "a.vhdx", "shown.img"]);
}

/// `unmount` ends only when the disk file is closed, however long that takes.
#[test]
fn unmounting_waits_for_the_process() {
    let world = World::new();
    let mut model = single(&world);
    let place = Place::new(&world);
    place.mount("a.vhdx", &["--write"]);
    write_elsewhere(&world);
    change(&mut model, &[(50 << 20, &[6; 3_000_000])]);
    place.signal("-STOP");
    let mut child = start(&world, &["disk", "unmount", place.word()]);
    wait_until("it is unmounted", || place.is_free());
    let mut note = [0; 14];
    child.stderr.as_mut().unwrap().read_exact(&mut note).unwrap();
    assert_eq!(&note, b"note: waiting ");
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    place.signal("-CONT");
    let ran = Ran::new(&child.wait_with_output().unwrap());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_same(&contents(&world, "a.vhdx"), &model);
}

/// The storage is full: the program that writes sees it, what was synced before stays, and whoever
/// unmounts is told.
#[test]
fn the_storage_is_full() {
    let world = World::new();
    partitioned(&world, "in.img");
    let small = Mount::tmpfs(&world.path("small"), "size=16m");
    world.done(&["disk", "convert", "in.img", "small/a.vhdx", "--block-size=1M"]);
    let place = Place::new(&world);
    place.mount("small/a.vhdx", &["--write"]);
    let file = place.open("disk");
    file.file().write_all_at(&[1; 1 << 20], 50 << 20).unwrap();
    file.sync_all().unwrap();
    let mut refused = None;
    for block in 25..40_u64 {
        if let Err(error) = file.file().write_all_at(&[2; 1 << 20], block << 20) {
            refused = error.raw_os_error();
            break;
        }
    }
    assert_eq!(refused, Some(ENOSPC));
    drop(file);
    let mut dd = Command::new(tools::require("dd"));
    dd.args(["if=/dev/urandom", "bs=1M", "count=15", "conv=notrunc", "seek=25"]);
    let dd = Ran::new(&tools::output(dd.arg(format!("of={}", place.file("disk").display()))));
    assert_eq!(dd.status, Some(1), "{dd:?}");
    assert!(dd.err.contains("No space left on device"), "{dd:?}");
    place.wait_until_unused();
    let ran = place.try_unmount();
    // The writes were refused; whether the last flush still had room is the file system's choice.
    assert!(matches!(ran.status, Some(1 | 3)), "{ran:?}");
    assert!(ran.err.contains("failed to write disk (") && ran.err.contains("No space"), "{ran:?}");
    place.wait_until_over();
    fs_err::copy(world.path("small/a.vhdx"), world.path("a.vhdx")).unwrap();
    assert!(contents(&world, "a.vhdx")[50 << 20..51 << 20] == [1; 1 << 20]);
    drop(small);
}

/// The last flush fails: `unmount` does not say that all is well.
#[test]
fn the_last_flush_fails() {
    for detour in ["", "umount"] {
        let world = World::new();
        let mut model = partitioned(&world, "in.img");
        let small = Mount::tmpfs(&world.path("small"), "size=32m");
        world.done(&["disk", "convert", "in.img", "small/a.vhdx", "--block-size=1M"]);
        let place = Place::new(&world);
        place.mount("small/a.vhdx", &["--write"]);
        let file = place.open("disk");
        file.file().write_all_at(&[1; 1 << 20], 50 << 20).unwrap();
        drop(file);
        place.wait_until_unused();
        // The data has its place, but what says where it is has not.
        world.shell("dd if=/dev/zero of=small/rest bs=4k status=none 2>/dev/null || true");
        if detour.is_empty() {
            let ran = place.try_unmount();
            assert_eq!(ran.status, Some(1), "{ran:?}");
            assert!(ran.err.contains("was unmounted, but not all that was written"), "{ran:?}");
            assert!(ran.err.contains("No space left on device"), "{ran:?}");
            assert!(ran.err.contains("advice: what was written since the last fsync"), "{ran:?}");
        } else {
            world.shell("umount m");
        }
        place.wait_until_over();
        fs_err::remove_file(world.path("small/rest")).unwrap();
        let found = contents(&world, "small/a.vhdx");
        if found[50 << 20] == 1 {
            change(&mut model, &[(50 << 20, &[1; 1 << 20])]);
        }
        assert_same(&found, &model);
        drop(small);
    }
}

/// Nobody can be told that it is mounted: it does not stay behind.
#[test]
fn nobody_hears_of_the_mount() {
    let world = World::new();
    single(&world);
    let place = Place::new(&world);
    for options in ["--foreground", "--foreground --detached --json"] {
        let words = ["disk", "mount", "a.vhdx", place.word(), "--write"];
        let words: Vec<_> = words.into_iter().chain(options.split(' ')).collect();
        let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = world.imprint_command(&words);
        let ran = Ran::new(&command.stdout(full.into_file()).output().unwrap());
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.starts_with("error: No space left on device"), "{ran:?}");
        assert!(place.is_free());
        world.done(&["disk", "compact", "a.vhdx"]);
    }
}

#[test]
fn a_mounted_disk_is_locked() {
    let world = World::new();
    single(&world);
    let place = Place::new(&world);
    fs_err::create_dir(world.path("m2")).unwrap();
    for options in [&[][..], &["--write"]] {
        place.mount("a.vhdx", options);
        for words in [
            &["disk", "mount", "a.vhdx", "m2", "--write"][..],
            &["disk", "compact", "a.vhdx"],
            &["disk", "resize", "a.vhdx", "80M"],
        ] {
            let ran = world.imprint(words);
            assert_eq!(ran.status, Some(1), "{words:?} {ran:?}");
            assert!(ran.err.contains("a.vhdx is in use by another program"), "{ran:?}");
            assert!(ran.err.contains("`imprint disk unmount`"), "{ran:?}");
        }
        place.unmount();
        world.done(&["disk", "compact", "a.vhdx"]);
    }
    // Readers do not disturb each other.
    place.mount("a.vhdx", &[]);
    world.done(&["disk", "mount", "a.vhdx", "m2"]);
    world.shell("cmp m/disk m2/disk");
    world.done(&["disk", "unmount", "m2"]);
    place.unmount();
}

/// Nothing is mounted then, and no process is left.
#[test]
fn what_cannot_be_mounted() {
    let world = World::new();
    let place = Place::new(&world);
    single(&world);
    world.done(&["disk", "child", "a.vhdx", "child.vhdx"]);
    world.write("full/file", "x");
    world.write("broken.vhdx", [&b"vhdxfile"[..], &[0; 3 << 20]].concat());
    fs_err::create_dir(world.path("away")).unwrap();
    fs_err::copy(world.path("child.vhdx"), world.path("away/alone.vhdx")).unwrap();
    let before = hashes(&world, &["a.vhdx", "child.vhdx"]);
    let at = place.word();
    for (words, said) in [
        (&["a.vhdx", "full"][..], "full is not an empty directory\nadvice: name an empty"),
        (&["a.vhdx", "in.img"], "in.img is not an empty directory"),
        (&["a.vhdx", "nowhere"], "nowhere"),
        (&["nothing.vhdx", at], "nothing.vhdx"),
        (&["broken.vhdx", at], "broken.vhdx: "),
        (&["broken.vhdx", at, "--write"], "broken.vhdx: "),
        (&["away/alone.vhdx", at], "parent of away/alone.vhdx"),
        (&["a.vhdx", at, "--format=vhd"], "a.vhdx: "),
        (&["a.vhdx", at, "--write"], "a.vhdx has children: ./child.vhdx\nadvice: write to a child"),
    ] {
        for foreground in [&[][..], &["--foreground"]] {
            let ran = world.imprint(&[&["disk", "mount"], words, foreground].concat());
            assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{words:?} {ran:?}");
            assert!(ran.err.starts_with("error: ") && ran.err.contains(said), "{words:?} {ran:?}");
            place.wait_until_over();
        }
    }
    assert_eq!(hashes(&world, &["a.vhdx", "child.vhdx"]), before);
    // What the user may say against it.
    place.mount("away/alone.vhdx", &["--parent-dir=."]);
    place.unmount();
    place.mount("a.vhdx", &["--format=raw"]);
    world.shell("cmp m/disk a.vhdx");
    place.unmount();
    place.mount("a.vhdx", &["--write", "--force"]);
    place.unmount();
    let refused = world.imprint(&["disk", "mount", "a.vhdx", at, "--force"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    let ran = world.imprint(&["disk", "unmount", "full"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("no disk is mounted at"), "{ran:?}");
    let ran = world.imprint(&["disk", "unmount", "nowhere/m"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
}
