//! A witness from outside the operating systems: GRUB's own module for NTFS, started by a BIOS in a virtual
//! machine, reads files from a volume we made on a partition.

use std::process::{Command, Stdio};

use imprint_testkit::{Kind, tools};

use crate::world::World;

/// What GRUB prints for these commands, with `disk` as its second disk.
fn grub(world: &World, disk: &str, commands: &str) -> String {
    let config = format!(
        "serial --unit=0\nterminal_output serial\necho BEGIN\n{commands}\necho END\nhalt\n"
    );
    world.write("grub.cfg", config);
    let _needed = tools::require("grub-mkimage");
    world.shell(
        "grub-mkimage -O i386-pc -p /none -c grub.cfg -o core.img \\
            biosdisk part_gpt ntfs ls cat echo serial terminal halt hashsum gcry_sha256
        cat /usr/lib/grub/i386-pc/boot.img core.img > boot.img && truncate -s 1M boot.img",
    );
    let drive = |file: &str| format!("file={},format=raw", world.path(file).display());
    // A machine that does not halt is stopped.
    let mut machine = Command::new(tools::require("timeout"));
    machine
        .arg("120")
        .arg(tools::require("qemu-system-x86_64"))
        .args(["-accel", "tcg", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .args(["-drive", &drive("boot.img"), "-drive", &drive(disk)])
        .stdin(Stdio::null());
    let output = tools::output(&mut machine);
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let errors = String::from_utf8_lossy(&output.stderr);
    let after = text.split_once("BEGIN").map(|(_, after)| after);
    let said = after.and_then(|after| after.split_once("END")).map(|(said, _)| said.to_owned());
    said.unwrap_or_else(|| panic!("GRUB did not come to its end: {text:?}, {errors:?}"))
}

#[test]
fn grub_reads_files_of_a_volume_we_made() {
    let world = World::new();
    for number in 0..500 {
        world.write(&format!("src/many/file {number:03}.txt"), format!("number {number}"));
    }
    let large = Kind::Random.bytes(3_000_000, 7);
    world.write("src/Windows/large.bin", &large);
    world.done(&["capture", "src", "a.wim", "--compress=lzx"]);
    world.shell(
        "truncate -s 96M disk.img
        printf 'label: gpt\\nstart=2048,size=16M\\nsize=64M\\n' | sfdisk -q disk.img",
    );
    world.done(&["apply", "a.wim", "1", "disk.img:2", "--format"]);
    let said = grub(
        &world,
        "disk.img",
        "ls (hd1,gpt2)/\ncat '(hd1,gpt2)/many/file 399.txt'\necho\n\
         hashsum --hash sha256 (hd1,gpt2)/Windows/large.bin",
    );
    for name in ["Windows/", "many/", "$MFTMirr"] {
        assert!(said.contains(name), "{said:?}");
    }
    assert!(said.lines().any(|line| line == "number 399"), "{said:?}");
    let hash = world.shell("sha256sum src/Windows/large.bin");
    let hash = hash.split_whitespace().next().unwrap();
    // The terminal breaks lines.
    assert!(said.replace('\n', "").contains(hash), "{hash}: {said:?}");
}
