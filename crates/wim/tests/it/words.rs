//! The words of every error and warning.

use std::io;

use imprint_wim::{
    Corruption, Expected, Fault, MetadataError, OpenError, PropertyError, ReadError, Refusal,
    SetError, Structure, TreeWarning, WriteError, XmlFault,
};
use imprint_winvalues::tree::NameId;
use imprint_winvalues::{BlobHash, Guid};

fn broken() -> io::Error {
    io::Error::other("disk is gone")
}

/// An error and its causes, as programs print them.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

fn corruption(structure: Structure, fault: Fault) -> Corruption {
    // Fields are public, but the type may grow: it is made from a real one.
    let mut corruption = imprint_wim::Header::parse(&[]).unwrap_err();
    corruption.structure = structure;
    corruption.offset = 0x1f;
    corruption.fault = fault;
    corruption
}

#[test]
fn structures_have_names() {
    let field = Fault::NoCompressionFormat;
    let name = |structure| {
        let text = corruption(structure, field.clone()).to_string();
        text.split(": ").next().unwrap().to_owned()
    };
    for (structure, expected) in [
        (Structure::Header, "WIM header"),
        (Structure::BlobTable, "blob table"),
        (Structure::ChunkTable, "chunk table"),
        (Structure::SolidResource, "solid resource"),
        (Structure::Resource, "resource"),
        (Structure::Metadata { image: 0 }, "metadata"),
        (Structure::Metadata { image: 7 }, "metadata of image 7"),
        (Structure::Xml, "XML data"),
        (Structure::IntegrityTable, "integrity table"),
    ] {
        assert_eq!(name(structure), expected);
    }
}

#[test]
fn expectations_read_well_in_both_bases() {
    for (expected, decimal, hexadecimal) in [
        (Expected::Exactly(16), "16", "0x10"),
        (Expected::Either(16, 17), "16 or 17", "0x10 or 0x11"),
        (Expected::AtMost(16), "at most 16", "at most 0x10"),
        (Expected::AtLeast(16), "at least 16", "at least 0x10"),
        (Expected::Within(1, 16), "from 1 to 16", "from 0x1 to 0x10"),
        (Expected::MultipleOf(16), "a multiple of 16", "a multiple of 0x10"),
    ] {
        assert_eq!(
            (expected.to_string().as_str(), format!("{expected:#}").as_str()),
            (decimal, hexadecimal)
        );
    }
}

#[test]
fn faults_say_what_should_be_and_what_is() {
    let field = "count";
    let (expected, actual) = (Expected::AtMost(5), 6);
    for (fault, text) in [
        (Fault::Number { field, expected, actual }, "count should be at most 5, but is 6"),
        (Fault::Code { field, expected, actual }, "count should be at most 0x5, but is 0x6"),
        (
            Fault::PastEnd { field, limit: 16, end: 17 },
            "count should end at or before 0x10, but ends at 0x11",
        ),
        (
            Fault::Hash { expected: BlobHash([1; 20]), actual: BlobHash([2; 20]) },
            "SHA-1 should be 0101010101010101010101010101010101010101, but is \
             0202020202020202020202020202020202020202",
        ),
        (
            Fault::NoCompressionFormat,
            "resource is marked as compressed, but the file has no compression format",
        ),
        (Fault::Overlap { field }, "count overlaps the one before it"),
        (Fault::Cycle, "directories contain each other or share their entries"),
        (
            Fault::RootNotADirectory { attributes: 0x20 },
            "root should be a directory, but has attributes 0x00000020",
        ),
        (Fault::Xml(XmlFault::Root), "root element should be WIM"),
        (Fault::Xml(XmlFault::TooDeep { limit: 9 }), "elements should be nested at most 9 deep"),
        (
            Fault::Xml(XmlFault::ImageCount { expected: 2, actual: 1 }),
            "number of IMAGE elements should be 2, but is 1",
        ),
        (
            Fault::Xml(XmlFault::UnknownEntity),
            "entity is not one of XML's own five or a character number",
        ),
    ] {
        assert_eq!(
            corruption(Structure::Resource, fault.clone()).to_string(),
            format!("resource: {text} (at offset 0x1f)")
        );
        assert_eq!(
            corruption(Structure::Metadata { image: 1 }, fault).to_string(),
            format!("metadata of image 1: {text} (at offset 0x1f of the uncompressed metadata)")
        );
    }
}

#[test]
fn causes_are_named_once() {
    let mut decompressor =
        imprint_codec::Decompressor::new(imprint_codec::Format::Lzx, 32_768).unwrap();
    let source = decompressor.decompress(&[0xff; 8], &mut [0; 100]).unwrap_err();
    assert_eq!(
        chain(&corruption(Structure::Resource, Fault::Chunk(source))),
        format!("resource: chunk cannot be decompressed (at offset 0x1f): {source}")
    );
    let coding =
        imprint_codec::NewCodecError::ChunkSize { format: imprint_codec::Format::Lzx, size: 5 };
    assert_eq!(
        chain(&WriteError::from(coding)),
        "compression cannot be set up: LZX chunk size should be a power of two from 32768 to \
         2097152, but is 5"
    );
    let (structure, offset, length) = (Structure::Header, 0, 208);
    let text = "WIM header (208 bytes at offset 0x0): disk is gone";
    for (error, verb) in [
        (chain(&OpenError::Io { structure, offset, length, source: broken() }), "read"),
        (chain(&ReadError::Io { structure, offset, length, source: broken() }), "read"),
        (chain(&WriteError::Io { structure, offset, length, source: broken() }), "write"),
    ] {
        assert_eq!(error, format!("failed to {verb} {text}"));
    }
    let read = ReadError::Io { structure, offset, length, source: broken() };
    assert_eq!(chain(&WriteError::from(read)), format!("failed to read {text}"));
    let read = ReadError::Io { structure, offset, length, source: broken() };
    assert_eq!(chain(&OpenError::from(read)), format!("failed to read {text}"));
}

#[test]
fn everything_else_is_said_in_one_line() {
    let path = || r"\a\b".to_owned();
    let what = "name";
    for (error, text) in [
        (OpenError::Pipable.to_string(), "pipable WIM files are not supported"),
        (OpenError::Encrypted.to_string(), "encrypted WIM files are not supported"),
        (
            OpenError::Unfinished.to_string(),
            "WIM file is incomplete: writing it was never finished",
        ),
        (
            ReadError::NoSuchImage { index: 4, count: 3 }.to_string(),
            "image should be one of 1 to 3, but is 4",
        ),
        (
            ReadError::MetadataElsewhere { part: 2, total: 3 }.to_string(),
            "metadata is not in this file, which is part 2 of 3",
        ),
        (
            ReadError::MissingBlob { hash: BlobHash([0xab; 20]) }.to_string(),
            "blob abababababababababababababababababababab is missing",
        ),
        (
            ReadError::OutOfMemory { what: "chunk", size: 9 }.to_string(),
            "no memory for chunk of 9 bytes",
        ),
        (
            SetError::ForeignPart { part: 2, expected: Guid([0; 16]), actual: Guid([1; 16]) }
                .to_string(),
            "part 2 has GUID 01010101-0101-0101-0101-010101010101, but the set has \
             00000000-0000-0000-0000-000000000000",
        ),
        (
            WriteError::Refused(Refusal::ResourceBehindTables { end: 32, limit: 16 }).to_string(),
            "file cannot be changed in place: a resource ends at 0x20, behind the tables, which end \
             at 0x10",
        ),
        (
            WriteError::TooManyImages { limit: 3 }.to_string(),
            "a WIM file should have at most 3 images",
        ),
        (WriteError::Order { expected: "ended" }.to_string(), "blob should be ended at this call"),
        (
            MetadataError::TooLong { what, path: path(), limit: 5, actual: 6 }.to_string(),
            r"name of \a\b should be at most 5, but is 6",
        ),
        (
            MetadataError::Unhashed { path: path(), stream: 1, name: NameId::ROOT }.to_string(),
            r"stream 1 of \a\b has no hash yet",
        ),
        (
            PropertyError::NameInUse { name: "x".to_owned(), index: 2 }.to_string(),
            r#"name "x" is used by image 2"#,
        ),
        (
            TreeWarning::TaggedItems { name: NameId::ROOT, offset: 16 }.to_string(),
            "damaged tagged items were ignored (at offset 0x10)",
        ),
        (
            TreeWarning::ChildrenOfFile { name: NameId::ROOT, offset: 16 }.to_string(),
            "children of a file that cannot have any were ignored (at offset 0x10)",
        ),
        (
            TreeWarning::InconsistentLinks { name: NameId::ROOT, group: 5, offset: 16 }.to_string(),
            "entries of link group 5 with different data were kept apart (at offset 0x10)",
        ),
    ] {
        assert_eq!(error, text);
        assert!(!error.ends_with('.') && !error.contains('\n'));
    }
}
