//! Whole files: everything there is can be asked for, and an image can be added if the file may be
//! changed, which keeps all bytes that were there and all blobs.

use imprint_blockio::MemoryFile;
use imprint_wim::{FinishOptions, ImageInfo, IntegrityChange, Limits, Location, Wim, WimWriter};

const LIMITS: Limits = Limits { metadata: 1 << 20, xml: 1 << 20, chunk: 1 << 20 };
/// Blobs larger than this are left alone, so that an input takes little time.
const LARGEST: u64 = 1 << 20;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(wim) = Wim::open_with(bytes.to_vec(), LIMITS) else { return };
    let mut tree = None;
    for index in 1..=wim.image_count().min(4) {
        if let Ok(image) = wim.read_tree(index) {
            tree = Some((image, wim.info().image(index).unwrap_or_default()));
        }
    }
    for blob in wim.blobs().iter().filter(|blob| blob.size <= LARGEST).take(16) {
        assert_eq!(wim.blobs().find(&blob.hash).map(|found| found.size), Some(blob.size));
        if wim.read_blob(blob, LARGEST).is_ok() {
            wim.verify_blob(blob).expect("what could be read can be verified");
        }
        if let Location::Solid { resource, .. } = blob.location {
            let _damaged = wim.solid_chunk_map(resource);
        }
    }
    let _damaged = wim.verify_integrity(|done, all| assert!(done <= all));
    if let Some((image, info)) = tree {
        append(bytes, &image, info);
    }
}

fn append(bytes: &[u8], image: &imprint_wim::ImageTree, mut info: ImageInfo) {
    let Ok(wim) = Wim::open_with(MemoryFile::new(bytes.to_vec()), LIMITS) else { return };
    let (images, blobs) = (wim.image_count(), wim.blobs().len());
    let Ok(mut writer) = WimWriter::append(wim) else { return };
    info.name.push_str(" once more");
    if writer.add_image_with(&image.tree, &image.details, info).is_err() {
        return;
    }
    let options = FinishOptions { integrity: IntegrityChange::Remove };
    let file = writer.finish(options).expect("memory takes everything");
    let new = Wim::open_with(file, LIMITS).expect("a changed file can be opened");
    assert_eq!((new.image_count(), new.blobs().len()), (images + 1, blobs));
    new.read_tree(images + 1).expect("what was added can be read");
}
