//! The Windows Imaging format: WIM files read, written, and changed in place.
//!
//! No specification is complete. Sources: Microsoft's "Windows Imaging File Format" paper of 2007, what
//! wimlib 1.14.5 does and says, and files by WIMGAPI, DISM, wimlib and 7-Zip. Where the paper and real
//! files disagree, real files win; each such place says so.
//!
//! ```text
//!  ┌────────┬──────────────────────────────────┬────────────┬─────┬───────────┐
//!  │ header │ resources: blobs, and one        │ blob table │ XML │ integrity │
//!  │  208   │ metadata resource for each image │ 50 each    │     │ (some)    │
//!  └───┬────┴───────▲──────────────────────────┴──────┬─────┴─────┴───────────┘
//!      └────────────┼──────── says where ────────────►│
//!                   └──────── says where ─────────────┘ by SHA-1
//! ```
//! A *blob* is one content, kept once however many files have it. A *resource* is where it is stored,
//! whole or in compressed *chunks*; a *solid resource* holds several. *Metadata* is an image's tree of
//! names and files, which refer to blobs by hash.
//!
//! **Lifecycle.** Reading: [`Wim::open`] checks header, XML data and blob table once; then
//! [`Wim::read_tree`], [`Wim::blob_reader`], or for several threads [`Wim::chunk_map`] and one
//! [`ResourceDecoder`] each. Parts of a split set and reference files of a delta are searched together
//! in a [`BlobSet`]. Writing: [`WimWriter::create`] or [`WimWriter::append`], blobs, images,
//! [`WimWriter::finish`].
//!
//! **Contract.**
//! - Every input gives a result or an error that names the structure, the byte, what it should hold and
//!   what it holds; never a panic. Oddities that all readers pass over are data: [`TreeWarning`],
//!   [`TableNotes`].
//! - Memory for what a file says is there is taken only as far as bytes of the file stand behind it; for
//!   the rest there are [`Limits`]. Opening takes about the size of the tables.
//! - No byte that a file's header refers to is overwritten, and the header is replaced by one write
//!   after all else is durable: a writer stopped at any point leaves the file as it was.
//! - A tree that wimlib wrote comes back byte for byte if it is written with its [`TreeDetails`].
//! - Hashes: metadata is verified when it is read, blobs by [`Wim::read_blob`] and
//!   [`Wim::verify_blob`]; a [`BlobReader`] leaves that to its caller.
//!
//! **Limits and non-goals.** Solid resources, split parts and LZMS are read, not written (solid
//! resources that are there stay when a file is changed in place). wimlib's pipable variant and
//! encrypted ESD files are refused. No threads, files, clock or randomness: the caller has them.
#![forbid(unsafe_code)]

mod blob_reader;
mod blob_set;
mod blob_table;
mod chunk_map;
mod decode;
mod error;
mod header;
mod integrity;
mod io;
pub mod layout;
pub mod metadata;
mod resource;
mod tables;
mod wim;
mod writer;
mod xml;

pub use blob_reader::BlobReader;
pub use blob_set::BlobSet;
pub use blob_table::{Blob, BlobTable, Location, MetadataEntry, SolidResource, TableNotes};
pub use chunk_map::{Chunk, ChunkMap, SolidHeader};
pub use decode::ResourceDecoder;
pub use error::{
    Corruption, Expected, Fault, MetadataError, OpenError, PropertyError, ReadError, Refusal,
    SetError, Structure, WriteError, XmlFault,
};
pub use header::{HEADER_SIZE, Header, HeaderFlags, MAX_IMAGES, Version};
pub use integrity::{BadChunk, IntegrityTable};
pub use metadata::{ImageTree, TreeDetails, TreeWarning};
pub use resource::{Coding, ResourceFlags, ResourceHeader};
pub use wim::{Limits, Wim};
pub use writer::{
    BlobEnd, CompressChunks, Copied, CreateOptions, FinishOptions, IntegrityChange, WimWriter,
};
pub use xml::{ImageInfo, WimInfo, WindowsInfo, WindowsVersion};
