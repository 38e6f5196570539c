//! What is odd about the programs that read volumes: everything here was observed, with ntfs-3g 2022.10.3, The Sleuth
//! Kit 4.11.1, 7-Zip 26.02 and dissect.ntfs 3.16.

use std::io::Read as _;
use std::path::Path;

use super::listing::{Facts, Listing, Program};

/// Why a program cannot read a volume at all; `None` if it should.
pub(super) fn refuses(program: Program, volume: &Path) -> Option<&'static str> {
    let mut boot = [0; 13];
    let file = fs_err::File::open(volume).and_then(|mut file| file.read_exact(&mut boot));
    file.unwrap_or_else(|error| panic!("{error}"));
    let odd = boot.last_chunk() != Some(&512_u16.to_le_bytes());
    (program == Program::SevenZip && odd).then_some("7-Zip knows sectors of 512 bytes only")
}

/// Why a program does not list a path that others list; `None` if it should.
pub(super) fn lacks(program: Program, path: &str, _: &[Listing]) -> Option<&'static str> {
    match program {
        Program::Sleuthkit | Program::SevenZip | Program::Expected if path == "/" => {
            Some("it does not list the root directory")
        }
        Program::SevenZip if path.contains('\\') => {
            Some("it prints names that are no text otherwise")
        }
        Program::Sleuthkit | Program::SevenZip if path.contains('<') => {
            Some("it prints names that are no text otherwise")
        }
        _ => None,
    }
}

/// Why a program lists a path that nobody else lists.
pub(super) fn invents(program: Program, path: &str) -> Option<&'static str> {
    let is_strange = path.contains(['^', '\u{fffd}', '_']);
    match program {
        Program::Sleuthkit | Program::SevenZip if is_strange => {
            Some("it prints names that are no text otherwise")
        }
        _ => None,
    }
}

/// Why what a program says of a field is not to be believed.
pub(super) fn differs(
    program: Program,
    field: &str,
    value: &str,
    all: &Facts<'_>,
) -> Option<&'static str> {
    match program {
        Program::SevenZip if value == "refused" => {
            let sparse = all.says("attributes", |bits| bits.len() > 4);
            (field.starts_with("sha1:") && sparse).then_some("7-Zip refuses some sparse files")
        }
        // An attribute whose header ends less than 64 bytes before the record does is not looked at. Here it is known
        // of files with so many names that their first record is full.
        Program::Dissect if field == "streams" && value.is_empty() => {
            let full = all.says("links", |links| links.find(' ').is_some_and(|at| at > 2));
            full.then_some("dissect.ntfs misses the last attribute of a full record")
        }
        Program::Imprint
            if field == "streams"
                && !value.split('|').any(|name| name == ":")
                && all.says("tag", |tag| tag != "0x0")
                && all.says("size:", |size| size == "0") =>
        {
            Some("an image keeps no empty main data of a reparse point")
        }
        _ => None,
    }
}
