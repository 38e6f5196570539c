//! A larger tree for the trials, with what compressors and file systems trip over.

use std::os::unix::fs::symlink;

use imprint_testkit::{Kind, Random};

use crate::world::World;

/// Sizes around the chunks of all codings, and around what fits into none.
const SIZES: [usize; 20] = [
    0, 1, 2, 100, 4095, 4096, 4097, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 65_535, 65_536,
    65_537, 131_071, 131_073, 262_145, 2_097_153,
];

/// Names that some system does not like.
const NAMES: [&str; 12] = [
    "trailing dot.",
    " leading and trailing ",
    "CON",
    "aux.txt",
    "semi;colon'quote\"",
    "new\nline",
    "back\u{2216}slash",
    "\u{1f600}\u{10ffff}",
    "\u{e4}\u{308}",
    "UPPER",
    "$Extend",
    "percent%20",
];

impl World {
    /// Makes a tree of some 10 MB with files of every kind and of sizes around every chunk, equal
    /// files, names in several scripts, links of both kinds, special files, owners, permissions,
    /// extended attributes and times from 1601 to 2200. Needs root for owners.
    pub(crate) fn make_forest(&self, name: &str, seed: u64) {
        let mut random = Random::new(seed);
        for (number, &size) in SIZES.iter().enumerate() {
            for kind in Kind::ALL {
                // Of the largest, one: random data does not compress, and the rest is repetition.
                if size < 2_000_000 || kind == Kind::X86 {
                    let path = format!("{name}/sizes/{kind:?}/{number} of {size}.bin");
                    self.write(&path, kind.bytes(size, seed + number as u64));
                }
            }
        }
        for (number, odd) in NAMES.iter().enumerate() {
            self.write(&format!("{name}/names/{odd}/{odd}"), Kind::Text.bytes(number * 700, seed));
        }
        for number in 0..40 {
            let text = format!("shared {}", number % 5);
            self.write(&format!("{name}/equal/{}/{number}", number % 7), text);
        }
        fs_err::create_dir_all(self.path(&format!("{name}/empty/a/b/c"))).unwrap();
        self.make_links(name);
        self.shell(&format!(
            "cd '{}'
            mkfifo special-pipe && mknod special-device c 1 3
            chmod 0700 sizes && chmod 4755 sizes/X86/3* && chmod 0000 sizes/Text/4* && chmod 1777 empty
            chown 1000:1001 names && chown 12345:54321 equal/0/0 && chown -h 3:4 links/up
            setfattr -n user.one -v value equal && setfattr -n user.two -v 0x00ff00 equal/0/0
            setfattr -n user.empty equal/1/1 && setfattr -n security.trial -v x equal/2/2
            find . -exec touch -h -d '2024-02-29 12:34:56.1234567 UTC' {{}} +
            touch -d '1970-01-01 00:00:00 UTC' equal/0/0 && touch -d '1902-01-01 00:00:01.5 UTC' equal/0/7
            touch -d '2200-12-31 23:59:59.9999999 UTC' equal/0/14 && touch -d '1985-06-01 UTC' names",
            self.path(name).display()
        ));
        // What differs by the seed only: appended images share most, not all.
        self.write(&format!("{name}/seed"), random.next_u64().to_string());
    }

    fn make_links(&self, name: &str) {
        let path = |path: &str| self.path(&format!("{name}/{path}"));
        fs_err::create_dir_all(path("links/deep/er")).unwrap();
        for at in ["links/hard", "links/deep/hard", "names/hard"] {
            fs_err::hard_link(path("sizes/X86/7 of 16383.bin"), path(at)).unwrap();
        }
        fs_err::hard_link(path("sizes/Text/0 of 0.bin"), path("links/hard and empty")).unwrap();
        for (target, at) in [
            ("../sizes/X86", "links/up"),
            ("deep/er", "links/down"),
            ("nowhere/at all", "links/dangling"),
            ("/etc/hostname", "links/absolute"),
            ("gr\u{fc}n \u{1f600}", "links/scripts"),
            (".", "links/self"),
        ] {
            symlink(target, path(at)).unwrap();
        }
    }
}
