//! `imprint ntfs cp`, `mkdir`, `mv`, `rm`, and `apply` over what is there: volumes changed without a driver, looked at
//! through ntfs-3g's.

use imprint_testkit::volumes::{self, Strictness, judge};
use imprint_testkit::{Mount, ntfs_volume};

use crate::world::World;

fn volume() -> World {
    let world = World::with_tree();
    ntfs_volume(&world.path("volume"), 64);
    world
}

/// As [`judge`], for a volume that ntfs-3g has written to: it breaks some rules.
#[track_caller]
fn judge_leniently(world: &World) {
    assert_eq!(volumes::check(&world.path("volume"), 0, Strictness::Lenient), "");
    world.done(&["ntfs", "check", "volume"]);
    world.shell("ntfsfix -n volume > fix.log && ntfsresize -i -f -P volume > resize.log");
}

#[test]
fn interop_copies_are_what_was_copied() {
    let world = volume();
    world.shell(
        "mkdir -p many/deep/er && cd many && seq -f 'file %04g.txt' 1500 | xargs -d '\\n' touch",
    );
    world
        .shell("head -c 3000000 /dev/urandom > many/deep/large && echo small > many/deep/er/small");
    world.done(&["ntfs", "cp", "volume", "-r", "many", "/"]);
    world.done(&["ntfs", "mkdir", "volume", "-p", "/one/two"]);
    world.done(&["ntfs", "cp", "volume", "many/deep/large", "many/deep/er/small", "/one/two"]);
    world.done(&["ntfs", "cp", "volume", "many/deep/large", "/one/named"]);
    judge(&world.path("volume"));
    {
        let _at = Mount::ntfs(&world.path("volume"), &world.path("at"), "ro");
        world.shell("diff -r many at/many && diff many/deep/large at/one/named");
        world.shell(
            "diff many/deep/large at/one/two/large && diff many/deep/er/small at/one/two/small",
        );
    }
    world.done(&["ntfs", "cp", "volume", "--out", "-r", "/many", "out"]);
    world.shell("diff -r many out");
    world.done(&["ntfs", "rm", "volume", "-r", "/many"]);
    world.done(&["ntfs", "mv", "volume", "/one/named", "/one/NAMED"]);
    world.done(&["ntfs", "mv", "volume", "/one/two/small", "/one/two/large", "/"]);
    judge(&world.path("volume"));
    let _at = Mount::ntfs(&world.path("volume"), &world.path("at"), "ro");
    assert_eq!(
        world.shell("cd at && find . | sort"),
        ".\n./large\n./one\n./one/NAMED\n./one/two\n./small\n"
    );
}

#[test]
fn interop_a_file_that_is_written_to_keeps_the_rest() {
    let world = volume();
    let descriptor = "0x0100048014000000240000000000000034000000010200000000000520000000200200000102\
                      000000000005200000002002000002001c000100000000031400890012000101000000000001\
                      00000000";
    {
        let _at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw");
        world.shell(&format!(
            "cd at && echo old > file && setfattr -n user.stream -v kept file
            setfattr -h -n system.ntfs_acl -v {descriptor} file
            setfattr -h -n system.ntfs_dos_name -v SHORT~1 file && ln file second"
        ));
    }
    world.shell("seq 100000 > new");
    world.done(&["ntfs", "cp", "volume", "new", "/FILE"]);
    judge_leniently(&world);
    {
        let _at = Mount::ntfs(&world.path("volume"), &world.path("at"), "ro");
        world.shell("cmp new at/file && cmp new at/second");
        let say = "getfattr --only-values -n user.stream at/file; echo
            getfattr -h -e hex --only-values -n system.ntfs_acl at/file | xxd -p | tr -d '\\n'";
        let said = world.shell(say);
        assert!(said.starts_with("kept\n"), "{said}");
        let start = descriptor.strip_prefix("0x").and_then(|text| text.get(..58)).unwrap();
        assert!(said.contains(start), "{said}");
    }
    world.done(&["ntfs", "rm", "volume", "/file:stream"]);
    world.done(&["ntfs", "rm", "volume", "/second"]);
    assert_eq!(world.done(&["ntfs", "cat", "volume", "/short~1"]).out.lines().count(), 100_000);
    let ran = world.imprint(&["ntfs", "cat", "volume", "/file:stream"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    judge_leniently(&world);
}

#[test]
fn what_is_wrong_changes_nothing() {
    let world = volume();
    world.done(&["ntfs", "mkdir", "volume", "/folder", "/folder/inside"]);
    world.write("file", "data");
    let before = world.read("volume");
    let check = |words: &[&str], expected: &str| {
        let ran = world.imprint(&[&["ntfs"], words].concat());
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.contains(expected), "{ran:?}");
        assert!(world.read("volume") == before, "{words:?}");
    };
    check(&["rm", "volume", "/folder"], "directory is not empty");
    check(&["rm", "volume", "/nothing"], "has no file /nothing");
    check(&["rm", "volume", "/"], "the root directory");
    check(&["rm", "volume", "/$MFT"], "one of the volume's own files");
    check(&["rm", "volume", "/$Extend/$ObjId"], "one of the volume's own files");
    check(&["mkdir", "volume", "/FOLDER"], "name is taken");
    check(&["mkdir", "volume", "/a/b"], "has no file /a");
    check(&["mv", "volume", "/folder", "/folder/inside"], "would lie in itself");
    check(&["cp", "volume", "file", "/folder/inside/x/y"], "has no file");
    check(&["cp", "volume", "file", "/$Boot"], "one of the volume's own files");
    check(&["cp", "volume", "/", "/"], "is a directory");
    world.shell("head -c 80000000 /dev/zero > large");
    check(&["cp", "volume", "large", "/large"], "bytes free");
}

#[test]
fn interop_volumes_in_use_are_not_changed() {
    let world = volume();
    world.write("file", "data");
    // Without -n it marks the volume to be checked.
    world.shell("ntfsfix volume > log");
    let ran = world.imprint(&["ntfs", "cp", "volume", "file", "/"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("volume was not closed: it is marked as dirty"), "{ran:?}");
    world.done(&["ntfs", "cp", "volume", "--force", "file", "/"]);
    let info = world.done(&["ntfs", "info", "volume", "--json"]).out;
    assert!(info.contains("dirty"), "{info}");
    world.done(&["ntfs", "check", "volume", "--repair"]);
    world.done(&["ntfs", "rm", "volume", "/file"]);
    judge(&world.path("volume"));
}

#[test]
fn a_small_change_of_a_differencing_disk_is_small() {
    let world = World::with_tree();
    world.done(&["capture", "src", "a.wim"]);
    world.done(&["disk", "create", "base.vhdx", "--size=2G"]);
    world.done(&["disk", "partition", "base.vhdx", "--layout=uefi-storage"]);
    world.done(&["apply", "a.wim", "1", "base.vhdx:3", "--format"]);
    world.done(&["disk", "child", "base.vhdx", "child.vhdx"]);
    world.write("hosts", "127.0.0.1 localhost");
    let before = world.read("base.vhdx");
    world.done(&["ntfs", "cp", "child.vhdx:3", "hosts", "/hosts"]);
    world.done(&["ntfs", "check", "child.vhdx:3"]);
    assert_eq!(world.done(&["ntfs", "cat", "child.vhdx:3", "/hosts"]).out, "127.0.0.1 localhost");
    assert!(world.read("base.vhdx") == before);
    let stored: u64 = world.shell("du -k child.vhdx | cut -f1").trim().parse().unwrap();
    assert!(stored < 3 * 1024, "{stored} KiB");
    let ran = world.imprint(&["ntfs", "cp", "base.vhdx:3", "hosts", "/hosts"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("child.vhdx"), "{ran:?}");
}

#[test]
fn interop_an_image_is_laid_over_what_is_there() {
    let world = volume();
    world.done(&["capture", "src", "a.wim"]);
    {
        let _at = Mount::ntfs(&world.path("volume"), &world.path("at"), "rw");
        world.shell(
            "cd at && mkdir stays docs bin && echo stays > stays/file && echo other > hello.txt
            echo other > 'docs/hello again.txt' && seq 100000 > bin/tool && ln hello.txt stays/old",
        );
    }
    world.done(&["apply", "a.wim", "1", "volume"]);
    judge_leniently(&world);
    world.wimlib(&["capture", "volume", "b.wim", "--compress=none"]);
    world.wimlib(&["apply", "b.wim", "1", "back"]);
    assert_eq!(world.shell("cat back/stays/file back/stays/old"), "stays\nother\n");
    world.shell("rm -r back/stays && diff -r --no-dereference src back");
}
