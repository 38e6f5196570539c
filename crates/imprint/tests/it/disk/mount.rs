//! Disks as files: what is read, what is written, and that it is in the disk file afterwards.

use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;

use imprint_testkit::{Random, tools};

use super::mount_sample::{Place, chain, hashes, partition, partitioned};
use super::sample::{assert_same, change, qemu_contents, raw};
use crate::world::World;

const EROFS: i32 = 30;

#[test]
fn reading_shows_what_flattening_writes() {
    for ending in ["vhd", "vhdx"] {
        let world = World::new();
        let model = chain(&world, ending);
        let name = |name: &str| format!("{name}.{ending}");
        let names = [name("base"), name("middle"), name("leaf")];
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let before = hashes(&world, &names);
        world.done(&["disk", "flatten", &name("leaf"), "flat.img"]);
        assert_same(&world.read("flat.img"), &model);
        let place = Place::new(&world);
        let ran = place.mount(&name("leaf"), &[]);
        let at = place.word();
        assert_eq!(ran.out, format!("mounted leaf.{ending} at {at}, read-only: disk p1 p2\n"));
        world.shell("cmp m/disk flat.img; test \"$(ls m | xargs)\" = 'disk p1 p2'");
        for number in [1, 2] {
            let (start, len) = partition(&world, "flat.img", number);
            let found = fs_err::read(place.file(&format!("p{number}"))).unwrap();
            assert_same(&found, &model[start..start + len]);
        }
        let refused = fs_err::OpenOptions::new().write(true).open(place.file("p1")).unwrap_err();
        assert!(refused.to_string().contains("Read-only file system"), "{refused}");
        let refused = std::fs::create_dir(place.file("new")).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(EROFS));
        place.unmount();
        assert_eq!(hashes(&world, &names), before, "no byte of any file has changed");
    }
}

#[test]
fn a_disk_without_a_table_is_one_file() {
    let world = World::new();
    let model = raw(&world, "in.img");
    let place = Place::new(&world);
    place.mount("in.img", &[]);
    world.shell("test \"$(ls m)\" = disk");
    assert_same(&fs_err::read(place.file("disk")).unwrap(), &model);
    place.unmount();
}

/// File systems are made and filled in partitions of a chain; others find the files there afterwards.
#[test]
fn writing_changes_the_leaf_only() {
    for ending in ["vhd", "vhdx"] {
        let world = World::new();
        chain(&world, ending);
        let (base, middle, leaf) =
            (format!("base.{ending}"), format!("middle.{ending}"), format!("leaf.{ending}"));
        let before = hashes(&world, &[&base, &middle]);
        let place = Place::new(&world);
        let ran = place.mount(&leaf, &["--write"]);
        assert!(ran.out.contains("to be written: disk p1 p2"), "{ran:?}");
        let _all = ["mkfs.ext4", "debugfs", "mkntfs", "ntfscp"].map(tools::require);
        world.shell(
            "export PATH=$PATH:/usr/sbin:/sbin
             head -c 3000000 /dev/urandom > file
             mkfs.ext4 -q m/p1
             debugfs -w -R 'write file in-ext4' m/p1 2>/dev/null
             mkntfs -F -Q -q -s 512 -p 0 m/p2 2>/dev/null
             ntfscp m/p2 file in-ntfs 2>/dev/null",
        );
        let disk = fs_err::read(place.file("disk")).unwrap();
        place.unmount();
        assert_eq!(hashes(&world, &[&base, &middle]), before);
        world.done(&["disk", "check", &leaf]);
        // Another process sees it through another mount,
        place.mount(&leaf, &[]);
        assert_same(&fs_err::read(place.file("disk")).unwrap(), &disk);
        world.shell(
            "export PATH=$PATH:/usr/sbin:/sbin
             e2fsck -fn m/p1 >/dev/null 2>&1
             debugfs -R 'cat in-ext4' m/p1 2>/dev/null | cmp - file
             ntfsfix -n m/p2 >/dev/null
             ntfscat m/p2 in-ntfs | cmp - file",
        );
        place.unmount();
        // and another program in the flattened disk.
        let flat = format!("flat.{ending}");
        world.done(&["disk", "flatten", &leaf, &flat]);
        let format = if ending == "vhd" { "vpc" } else { "vhdx" };
        assert_same(&qemu_contents(&world, format, &flat), &disk);
    }
}

/// Bytes of any place and length are in the disk file when `unmount` has ended.
#[test]
fn what_is_written_is_in_the_file() {
    for (format, name) in [("raw", "in.img"), ("vpc", "a.vhd"), ("vhdx", "a.vhdx")] {
        let world = World::new();
        let mut model = partitioned(&world, "in.img");
        if format != "raw" {
            world.done(&["disk", "convert", "in.img", name]);
        }
        let place = Place::new(&world);
        place.mount(name, &["--write"]);
        let (start, len) = partition(&world, "in.img", 2);
        let mut random = Random::new(5);
        let (disk, part) = (place.open("disk"), place.open("p2"));
        for _ in 0..60 {
            let mut bytes = vec![0; usize::try_from(random.below(200_000)).unwrap() + 1];
            random.fill(&mut bytes);
            let place = random.below((len - bytes.len()) as u64);
            part.file().write_all_at(&bytes, place).unwrap();
            change(&mut model, &[(start as u64 + place, &bytes)]);
            // Behind all partitions.
            let place = (50 << 20) + random.below(10 << 20);
            disk.file().write_all_at(&bytes, place).unwrap();
            change(&mut model, &[(place, &bytes)]);
        }
        assert_same(&fs_err::read(place.file("disk")).unwrap(), &model);
        drop((disk, part));
        place.unmount();
        assert_same(&qemu_contents(&world, format, name), &model);
    }
}

/// A copy that is made of the file after fsync, while the disk is still mounted, has what was written.
#[test]
fn fsync_reaches_the_file() {
    for ending in ["vhd", "vhdx"] {
        let world = World::new();
        let mut model = chain(&world, ending);
        let (leaf, copy) = (format!("leaf.{ending}"), format!("copy.{ending}"));
        let place = Place::new(&world);
        place.mount(&leaf, &["--write"]);
        let file = place.open("disk");
        let bytes = [9; 70_000];
        file.file().write_all_at(&bytes, 45 << 20).unwrap();
        file.sync_all().unwrap();
        change(&mut model, &[(45 << 20, &bytes)]);
        fs_err::copy(world.path(&leaf), world.path(&copy)).unwrap();
        world.done(&["disk", "flatten", &copy, "copy.img"]);
        assert_same(&world.read("copy.img"), &model);
        drop(file);
        place.unmount();
    }
}

#[test]
fn many_read_at_once() {
    let world = World::new();
    let model = chain(&world, "vhdx");
    let place = Place::new(&world);
    place.mount("leaf.vhdx", &[]);
    let (place, model) = (&place, &model);
    thread::scope(|scope| {
        for seed in 0..8 {
            scope.spawn(move || {
                let file = fs_err::File::open(place.file("disk")).unwrap();
                let mut random = Random::new(seed);
                let mut found = vec![0; 300_000];
                for _ in 0..150 {
                    let offset = random.below((model.len() - found.len()) as u64);
                    file.file().read_exact_at(&mut found, offset).unwrap();
                    let start = usize::try_from(offset).unwrap();
                    assert!(found == model[start..start + found.len()], "at {offset}");
                }
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                assert!(fs_err::read(place.file("disk")).unwrap() == *model);
            });
        }
    });
    place.unmount();
}

/// The words of both verbs as documents.
#[test]
fn documents() {
    let world = World::new();
    partitioned(&world, "in.img");
    world.done(&["disk", "convert", "in.img", "a.vhdx"]);
    let place = Place::new(&world);
    let mounted = place.mount("a.vhdx", &["--write", "--json"]).json();
    let expected = serde_json::json!({
        "path": "a.vhdx",
        "at": place.word(),
        "writable": true,
        "files": [
            { "name": "disk", "size": 64 << 20 },
            { "name": "p1", "size": 20 << 20 },
            { "name": "p2", "size": 20 << 20 },
        ],
        "warnings": [],
    });
    assert_eq!(mounted, expected);
    let unmounted = world.done(&["disk", "unmount", "m", "--json"]).json();
    let path = fs_err::canonicalize(world.path("a.vhdx")).unwrap();
    let expected = serde_json::json!({ "at": place.word(), "path": path, "failures": [] });
    assert_eq!(unmounted, expected);
    let quiet = place.mount("a.vhdx", &["--quiet"]);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    place.unmount();
}

/// A table that cannot be read keeps nobody from looking at the disk.
#[test]
fn a_damaged_table_leaves_the_disk() {
    let world = World::new();
    let mut bytes = partitioned(&world, "in.img");
    let len = bytes.len();
    // Both copies of the GPT, so that their checksums are wrong.
    bytes[512 + 40] ^= 1;
    bytes[len - 512 + 40] ^= 1;
    world.write("in.img", &bytes);
    let place = Place::new(&world);
    let ran = place.try_mount("in.img", &[]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.starts_with("warning: partitions are left out: "), "{ran:?}");
    world.shell("cmp m/disk in.img; test \"$(ls m)\" = disk");
    place.unmount();
    // One copy is enough, and the user hears of the other.
    bytes[len - 512 + 40] ^= 1;
    world.write("in.img", &bytes);
    let ran = place.mount("in.img", &[]);
    assert!(ran.err.starts_with("note: primary GPT is damaged: "), "{ran:?}");
    world.shell("test \"$(ls m | xargs)\" = 'disk p1 p2'");
    place.unmount();
}

/// As somebody who is not root, with the program that mounts for such people.
#[test]
fn an_ordinary_user_mounts() {
    let world = World::new();
    partitioned(&world, "in.img");
    let _all = ["setpriv", "fusermount3", "pgrep"].map(tools::require);
    fs_err::copy(env!("CARGO_BIN_EXE_imprint"), world.path("imprint")).unwrap();
    world.write(
        "user.sh",
        "set -e
         ./imprint disk mount in.img m --write
         grep -q ' imprint:.*user_id=65534' /proc/self/mountinfo
         yes new | head -c 100000 | dd of=m/p1 bs=512 conv=notrunc,fsync status=none
         ! (cd m; ../imprint disk unmount .)
         ! PATH=/nowhere ./imprint disk unmount m
         ./imprint disk unmount m
         ./imprint disk mount in.img m
         yes new | head -c 100000 | cmp -n 100000 - m/p1
         kill -KILL $(pgrep -u 65534 -f -- --detached)
         while pgrep -u 65534 -f -- --detached; do sleep 0.01; done
         ./imprint disk unmount m
         test \"$(ls m)\" = ''
         ./imprint disk mount in.img m --write
         yes root | head -c 100000 | dd of=m/p1 bs=512 conv=notrunc status=none
         echo done",
    );
    // The device and the mounts of this test are nobody else's.
    world.write(
        "root.sh",
        "set -e
         mkdir m dev
         mount -t tmpfs tmpfs dev
         mknod dev/fuse c 10 229
         mount --bind dev/fuse /dev/fuse
         chmod 755 .
         chown 65534 in.img m
         user='setpriv --reuid=65534 --regid=65534 --clear-groups'
         ! $user ./imprint disk mount in.img m
         chmod 666 dev/fuse
         $user sh user.sh
         ./imprint disk unmount m",
    );
    let mut command = Command::new(tools::require("timeout"));
    command.args(["100", "unshare", "-m", "sh", "root.sh"]).current_dir(world.path(""));
    let ran = crate::world::Ran::new(&tools::output(&mut command));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for said in [
        "advice: the kernel needs FUSE",
        "m is in use\nadvice: leave the directory",
        "error: failed to start fusermount3",
        "advice: install it: apt-get install fuse3",
    ] {
        assert!(ran.err.contains(said), "{said}: {ran:?}");
    }
    assert!(ran.out.contains("done\n") && ran.out.ends_with("is in the file\n"), "{ran:?}");
    let (start, _) = partition(&world, "in.img", 1);
    assert_eq!(world.read("in.img")[start..start + 5], *b"root\n");
}
