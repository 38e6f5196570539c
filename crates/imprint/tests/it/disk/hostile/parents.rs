//! Children whose parents are loops, or paths to what is not theirs.

use std::os::unix::fs::symlink;

use super::forge::vhd::{HEADER, LOCATORS};
use super::forge::vhdx::{LOCATOR, METADATA, locator};
use super::forge::{Forged, vhd, vhdx};
use super::trial::{Refused, Sample, Trial};
use crate::disk::sample::write;
use crate::world::World;

/// A child by the program.
fn child(ending: &str) -> (Vec<u8>, Vec<u8>) {
    let world = World::new();
    let [base, child] = ["base", "child"].map(|name| format!("{name}.{ending}"));
    world.done(&["disk", "create", &base, "--size=4M"]);
    write(&world, &base, &[(0, &[7; 5000])]);
    world.done(&["disk", "child", &base, &child]);
    write(&world, &child, &[(1 << 20, &[8; 5000])]);
    (world.read(&base), world.read(&child))
}

/// The child with these paths to its parent: relative and absolute.
fn with_paths(ending: &str, bytes: &[u8], relative: &str, absolute: &str) -> Vec<u8> {
    let mut forged = Forged { bytes: bytes.to_vec() };
    if ending == "vhdx" {
        // What the child says of its parent's identity stays.
        let text: Vec<u8> = "parent_linkage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let place = forged.bytes[LOCATOR..LOCATOR + 4096].windows(text.len());
        let start = LOCATOR + place.into_iter().position(|window| window == text).unwrap();
        let value: Vec<u16> = forged.bytes[start + text.len()..start + text.len() + 76]
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let linkage = String::from_utf16(&value).unwrap();
        let mut values = vec![("parent_linkage", linkage.as_str())];
        values.extend([("relative_path", relative), ("absolute_win32_path", absolute)]);
        let bytes = locator(&values);
        forged.put(LOCATOR, &bytes);
        forged.put(METADATA + 32 + 5 * 32 + 20, &u32::try_from(bytes.len()).unwrap().to_le_bytes());
        return forged.sealed_vhdx();
    }
    forged.put(HEADER + 64, &[0; 512]);
    let name: Vec<u8> = relative.encode_utf16().flat_map(u16::to_be_bytes).collect();
    forged.put(HEADER + 64, &name);
    // Between the last block and the footer, where nobody minds.
    let footer = forged.bytes.split_off(forged.bytes.len() - 512);
    for (index, (code, path)) in [(b"W2ru", relative), (b"W2ku", absolute)].into_iter().enumerate()
    {
        let text: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let at = LOCATORS + index * 24;
        let place = forged.bytes.len();
        forged.bytes.resize(place + 512, 0);
        forged.put(place, &text);
        forged.put(at, code);
        forged.put(at + 4, &512_u32.to_be_bytes());
        forged.put(at + 8, &u32::try_from(text.len()).unwrap().to_be_bytes());
        forged.put(at + 12, &[0; 4]);
        forged.put(at + 16, &(place as u64).to_be_bytes());
    }
    forged.bytes.extend(footer);
    forged.sealed_vhd()
}

/// Paths that lead somewhere else on one system or the other.
const ELSEWHERE: [&str; 16] = [
    "/etc/passwd",
    "/outside/file",
    "../outside/file",
    r"..\outside\file",
    r"..\..\..\..\..\..\..\etc\passwd",
    r"\\?\C:\..",
    r"\\?\C:\..\..\etc\passwd",
    r"\\.\PhysicalDrive0",
    r"\\?\GLOBALROOT\Device\HarddiskVolume1",
    r"\\server\share\base.vhdx",
    "file:///etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/proc/self/environ",
    "CON",
    "..",
];

#[test]
fn paths_in_a_file_lead_nowhere() {
    for ending in ["vhd", "vhdx"] {
        let (_, bytes) = child(ending);
        let mut trial = Trial::new();
        let file = &format!("child.{ending}");
        for (index, path) in ELSEWHERE.into_iter().enumerate() {
            let bytes = with_paths(ending, &bytes, path, path);
            let what = format!("a parent at {path}");
            let sample = Sample { what: &what, file, bytes: &bytes, refused: Refused::ByReaders };
            if index < 2 { trial.check_all(&sample) } else { trial.check(&sample) }
        }
        trial.end(ending);
        insta::assert_snapshot!(format!("paths_{ending}"), trial.said.join("\n"));
    }
}

/// A disk whose first block lies over its table.
fn over_its_table(ending: &str, base: &[u8]) -> Vec<u8> {
    let mut forged = Forged { bytes: base.to_vec() };
    match ending {
        "vhd" => forged.put(vhd::BAT, &3_u32.to_be_bytes()),
        _ => forged.put(vhdx::BAT, &(6 | 3_u64 << 20).to_le_bytes()),
    };
    forged.bytes
}

#[test]
fn what_lies_beside_a_child_is_looked_at_with_care() {
    for ending in ["vhd", "vhdx"] {
        let (base, bytes) = child(ending);
        let mut trial = Trial::new();
        trial.world.shell("mkfifo keep/pipe; mkdir keep/folder; touch keep/empty");
        trial.world.shell(
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"keep/socket\")'",
        );
        trial.world.write("keep/text", b"root:x:0:0:root:/root:/bin/bash\n");
        trial.beside(&format!("damaged.{ending}"), &base[..100_000]);
        let tangled = &format!("tangled.{ending}");
        trial.beside(tangled, &over_its_table(ending, &base));
        trial.link("dangling", "nowhere");
        trial.link("itself", "itself");
        trial.link("device", "/dev/zero");
        trial.link("terminal", "/dev/tty");
        let file = &format!("child.{ending}");
        let damaged = &format!("damaged.{ending}");
        for name in [
            "pipe", "folder", "socket", "text", "empty", damaged, tangled, "dangling", "itself",
            "device", "terminal", file,
        ] {
            let bytes = with_paths(ending, &bytes, &format!(r".\{name}"), &format!(r"D:\{name}"));
            let what = format!("a parent that is {name}");
            // Half a VHD opens, and checking a child does not check its parent.
            let half = name == "damaged.vhd";
            let refused = if half { Refused::Perhaps } else { Refused::ByReaders };
            let sample = Sample { what: &what, file, bytes: &bytes, refused };
            trial.check(&sample);
        }
        trial.end(ending);
        insta::assert_snapshot!(format!("beside_{ending}"), trial.said.join("\n"));
    }
}

/// Disks of which each has the next as parent, and the last the first.
fn ring(ending: &str, count: usize) -> Vec<(String, Vec<u8>)> {
    let (base, bytes) = child(ending);
    let own = if ending == "vhd" { identity(&bytes) } else { linkage(&bytes) };
    let theirs = if ending == "vhd" { identity(&base) } else { linkage(&base) };
    assert_ne!(own, theirs);
    (0..count)
        .map(|number| {
            let parent = format!("ring{}.{ending}", (number + 1) % count);
            let made =
                with_paths(ending, &bytes, &format!(r".\{parent}"), &format!(r"D:\{parent}"));
            let made = renamed(ending, made, number, (number + 1) % count);
            (format!("ring{number}.{ending}"), made)
        })
        .collect()
}

fn identity(bytes: &[u8]) -> [u8; 16] {
    *bytes[bytes.len() - 512 + 68..].first_chunk().unwrap()
}

fn linkage(bytes: &[u8]) -> [u8; 16] {
    *bytes[(64 << 10) + 32..].first_chunk().unwrap()
}

/// Gives a disk and its parent made up identities.
fn renamed(ending: &str, bytes: Vec<u8>, own: usize, parent: usize) -> Vec<u8> {
    let [own, parent] = [own, parent].map(|number| [0xA0 | u8::try_from(number).unwrap(); 16]);
    let mut forged = Forged { bytes };
    if ending == "vhd" {
        forged.footer(68, &own).put(HEADER + 40, &parent);
        return forged.sealed_vhd();
    }
    forged.header(32, &own);
    let text: Vec<u8> = "{".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let place = forged.bytes[LOCATOR..LOCATOR + 4096].windows(2).position(|two| two == text);
    let digit = format!("{:02x}", parent[0]);
    let number = [
        "{",
        &digit.repeat(4),
        "-",
        &digit.repeat(2),
        "-",
        &digit.repeat(2),
        "-",
        &digit.repeat(2),
    ];
    let number = format!("{}-{}}}", number.concat(), digit.repeat(6));
    let number: Vec<u8> = number.encode_utf16().flat_map(u16::to_le_bytes).collect();
    forged.put(LOCATOR + place.unwrap(), &number);
    forged.sealed_vhdx()
}

#[test]
fn disks_that_are_their_own_parents() {
    for ending in ["vhd", "vhdx"] {
        for count in 1..=3 {
            let mut trial = Trial::new();
            let ring = ring(ending, count);
            for (name, bytes) in &ring[1..] {
                trial.beside(name, bytes);
            }
            let (file, bytes) = &ring[0];
            let what = format!("a ring of {count}");
            trial.check_all(&Sample { what: &what, file, bytes, refused: Refused::ByReaders });
            trial.end(&what);
            insta::assert_snapshot!(format!("ring_{ending}_{count}"), trial.said.join("\n"));
        }
    }
}

/// A chain that is longer than any chain may be: every disk is the child of the next.
#[test]
fn a_chain_without_end() {
    let world = World::new();
    world.done(&["disk", "create", "0.vhdx", "--size=1M"]);
    for level in 1..64 {
        let [parent, child] = [level - 1, level].map(|level| format!("{level}.vhdx"));
        world.done(&["disk", "child", &parent, &child]);
    }
    world.done(&["disk", "convert", "63.vhdx", "a.img"]);
    let ran = world.imprint(&["disk", "child", "63.vhdx", "64.vhdx"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.err.contains("at most 64 disks"), "{ran:?}");
    assert!(!world.has("64.vhdx"));
}

/// Folders for parents are the user's word, and so are the links in them: what a link leads to still
/// has to be the parent.
#[test]
fn folders_the_user_names_are_searched() {
    for ending in ["vhd", "vhdx"] {
        let (base, bytes) = child(ending);
        let world = World::new();
        let [base_name, child] = ["base", "child"].map(|name| format!("{name}.{ending}"));
        world.write(&format!("elsewhere/{base_name}"), &base);
        world.write(&child, &bytes);
        let convert = |folder: &str| {
            let folder = format!("--parent-dir={folder}");
            world.imprint(&["disk", "convert", &child, "a.img", "--force", &folder])
        };
        assert_eq!(world.imprint(&["disk", "convert", &child, "a.img"]).status, Some(1));
        assert_eq!(convert("nowhere").status, Some(1));
        let found = convert("elsewhere");
        assert_eq!(found.status, Some(0), "{found:?}");
        fs_err::create_dir(world.path("links")).unwrap();
        symlink(
            world.path(&format!("elsewhere/{base_name}")),
            world.path(&format!("links/{base_name}")),
        )
        .unwrap();
        let found = convert("links");
        assert_eq!(found.status, Some(0), "{found:?}");
        // A link to something else is refused like the thing itself.
        fs_err::create_dir(world.path("traps")).unwrap();
        symlink("/etc/passwd", world.path(&format!("traps/{base_name}"))).unwrap();
        let trapped = convert("traps");
        assert_eq!(trapped.status, Some(1), "{trapped:?}");
        assert!(!trapped.err.contains("root:"), "{trapped:?}");
    }
}
