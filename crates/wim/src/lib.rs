//! The WIM container: reading, writing, appending.
#![forbid(unsafe_code)]

mod blob_reader;
mod blob_set;
mod blob_table;
mod chunk_map;
mod decode;
mod error;
mod header;
mod integrity;
pub mod layout;
pub mod metadata;
mod resource;
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
pub use writer::{BlobEnd, Copied, CreateOptions, FinishOptions, IntegrityChange, WimWriter};
pub use xml::{ImageInfo, WimInfo, WindowsInfo, WindowsVersion};
