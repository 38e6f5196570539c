//! What `imprint dir --detailed --json` prints.

use serde::Deserialize;

use super::expected::{Entry, Images, Stream};

#[derive(Debug, Deserialize)]
struct Document {
    images: Vec<Image>,
}

#[derive(Debug, Deserialize)]
struct Image {
    index: u32,
    entries: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    path: String,
    short_name: Option<String>,
    attributes: u32,
    link_group_id: u64,
    /// In hexadecimal.
    security_descriptor: Option<String>,
    streams: Vec<ListedStream>,
}

#[derive(Debug, Deserialize)]
struct ListedStream {
    kind: String,
    name: String,
    blob: Option<Blob>,
}

#[derive(Debug, Deserialize)]
struct Blob {
    hash: String,
    size: Option<u64>,
}

/// Reads a listing into the form of the expectations.
pub(super) fn parse(text: &str) -> anyhow::Result<Images> {
    let document: Document = serde_json::from_str(text)?;
    let images = document.images.into_iter().map(|image| {
        let entries = image.entries.into_iter().map(|listed| (listed.path.clone(), listed.into()));
        (image.index, entries.collect())
    });
    Ok(images.collect())
}

impl From<Listed> for Entry {
    fn from(listed: Listed) -> Self {
        let descriptor = listed.security_descriptor.unwrap_or_default();
        let data = listed.streams.into_iter().filter(|stream| stream.kind == "data");
        Self {
            attributes: listed.attributes,
            short_name: listed.short_name.unwrap_or_default(),
            link_group: listed.link_group_id,
            security_len: descriptor.len() as u64 / 2,
            streams: data.filter_map(ListedStream::with_contents).collect(),
        }
    }
}

impl ListedStream {
    fn with_contents(self) -> Option<Stream> {
        let Blob { hash, size } = self.blob?;
        let size = size.unwrap_or_default();
        (size > 0).then_some(Stream { name: self.name, size, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_listing() {
        let text = r#"{"path": "a.wim", "images": [{"index": 1, "name": "one", "entries": [
            {"path": "/", "attributes": 16, "link_group_id": 0, "streams": []},
            {"path": "/b", "attributes": 32, "link_group_id": 5, "short_name": "B~1", "security_descriptor": "0100",
             "streams": [{"kind": "data", "name": "", "blob": {"hash": "ab", "size": 3}},
                         {"kind": "data", "name": "empty", "blob": null},
                         {"kind": "reparse", "name": "", "blob": {"hash": "cd", "size": 9}}]}]}]}"#;
        let images = parse(text).unwrap();
        let file = &images[&1]["/b"];
        assert_eq!((file.attributes, file.security_len, file.link_group), (32, 2, 5));
        assert_eq!(file.short_name, "B~1");
        assert_eq!(file.streams.len(), 1);
        assert_eq!(file.data().map(|data| data.size), Some(3));
    }
}
