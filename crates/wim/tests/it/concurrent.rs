//! One open file read by many threads, as the pipelines do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use imprint_blockio::ReadAt;
use imprint_testkit::{FailingFile, Fault, Limit};
use imprint_wim::{Blob, Chunk, Coding, Location, ReadError, ResourceDecoder, Wim};

use super::fixtures::{self, WHOLE};
use super::sample;

/// Decompresses chunks of a file on four threads and puts them together.
fn decode_all(wim: &Wim<Vec<u8>>, coding: Coding, chunks: &[Chunk]) -> Vec<u8> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut decoder = ResourceDecoder::new();
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = usize::try_from(index).ok().and_then(|i| chunks.get(i)) else {
                return done;
            };
            let mut stored = vec![0; chunk.stored as usize];
            wim.file().read_exact_at(&mut stored, chunk.offset).unwrap();
            let mut out = vec![0; chunk.size as usize];
            decoder.decode_chunk(coding, chunk, &stored, &mut out).unwrap();
            done.push((index, out));
        }
    };
    let mut pieces: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    pieces.sort();
    pieces.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

/// The stored bytes of an ordinary resource, decompressed at once.
fn decode_whole(wim: &Wim<Vec<u8>>, blob: &Blob) -> Option<Vec<u8>> {
    let Location::Resource(header) = blob.location else { return None };
    let mut stored = vec![0; usize::try_from(header.stored_size).unwrap()];
    wim.file().read_exact_at(&mut stored, header.offset).unwrap();
    let mut out = vec![0; usize::try_from(header.size).unwrap()];
    ResourceDecoder::new().decode(&header, wim.coding(), &stored, &mut out).unwrap();
    Some(out)
}

#[test]
fn chunks_decoded_on_many_threads_make_the_blobs() {
    let (mut ordinary, mut solid) = (0, 0);
    for (name, _) in WHOLE {
        let wim = Wim::open(fixtures::bytes(name)).unwrap();
        for blob in wim.blobs().iter() {
            if let Some(bytes) = decode_whole(&wim, blob) {
                assert_eq!(sample::hash(&bytes), blob.hash, "{name}");
            }
            let Location::Resource(header) = blob.location else { continue };
            if header.is_compressed() {
                let chunks: Vec<_> = wim.chunk_map(&header).unwrap().iter().collect();
                let bytes = decode_all(&wim, wim.coding().unwrap(), &chunks);
                assert_eq!(sample::hash(&bytes), blob.hash, "{name}");
                ordinary += 1;
            }
        }
        for (index, resource) in wim.blobs().solid_resources().iter().enumerate() {
            let chunks: Vec<_> = wim.solid_chunk_map(index).unwrap().iter().collect();
            let bytes = decode_all(&wim, resource.coding, &chunks);
            assert_eq!(bytes.len() as u64, resource.size);
            for blob in wim.blobs().iter() {
                let Location::Solid { resource, offset } = blob.location else { continue };
                if resource == index {
                    let start = usize::try_from(offset).unwrap();
                    let end = start + usize::try_from(blob.size).unwrap();
                    assert_eq!(sample::hash(&bytes[start..end]), blob.hash, "{name}");
                    solid += 1;
                }
            }
        }
    }
    assert!(ordinary > 10 && solid > 20, "{ordinary} ordinary, {solid} in solid resources");
}

#[test]
fn a_reader_goes_on_where_a_failure_stopped_it() {
    let bytes = fixtures::bytes("xpress-4k.wim");
    let blob = {
        let wim = Wim::open(bytes.clone()).unwrap();
        wim.blobs().iter().max_by_key(|blob| blob.size).unwrap().clone()
    };
    let mut failures = 0;
    for limit in 0..25 {
        let file = FailingFile::new(&bytes, Fault::Broken, Limit::Operations(limit));
        let Ok(wim) = Wim::open(file) else { continue };
        let mut reader = match wim.blob_reader(&blob) {
            Ok(reader) => reader,
            Err(error) => {
                assert!(error.to_string().starts_with("failed to read chunk table (36 bytes"));
                continue;
            }
        };
        let mut read = 0;
        let error = loop {
            match reader.next_chunk() {
                Ok(Some(chunk)) => read += chunk.len() as u64,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(reader.remaining(), blob.size - read);
        if let Some(error) = error {
            assert!(matches!(error, ReadError::Io { .. }), "{error}");
            assert!(error.to_string().starts_with("failed to read resource ("), "{error}");
            reader.next_chunk().unwrap_err();
            assert_eq!(reader.remaining(), blob.size - read);
            failures += 1;
        }
    }
    assert!(failures > 5, "{failures}");
}
