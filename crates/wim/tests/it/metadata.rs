//! Metadata read and written again.

use imprint_wim::{Wim, metadata};

use super::fixtures::{self, WHOLE};

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let same = a.iter().zip(b).position(|(x, y)| x != y);
    same.or_else(|| (a.len() != b.len()).then_some(a.len().min(b.len())))
}

#[test]
fn what_wimlib_wrote_comes_back_byte_for_byte() {
    for dir in fs_err::read_dir("/var/tmp/wimnone").unwrap() {
        let path = dir.unwrap().path();
        let wim = Wim::open(fs_err::read(&path).unwrap());
        let wim = match wim {
            Ok(wim) => wim,
            Err(e) => {
                println!("{path:?} {e}");
                continue;
            }
        };
        for index in 1..=wim.image_count() {
            let before = wim.metadata_bytes(index).unwrap();
            let image = match metadata::read(&before, index) {
                Ok(i) => i,
                Err(e) => {
                    println!("{path:?} {e}");
                    continue;
                }
            };
            let after = metadata::write(&image.tree, &image.details).unwrap();
            if first_difference(&before, &after).is_some() {
                let n = path.file_name().unwrap().to_string_lossy().into_owned();
                fs_err::write(format!("/var/tmp/{n}.before"), &before).unwrap();
                fs_err::write(format!("/var/tmp/{n}.after"), &after).unwrap();
            }
            println!(
                "{path:?} {} {:?} {:?}",
                before.len(),
                first_difference(&before, &after),
                image.warnings
            );
        }
    }
}
