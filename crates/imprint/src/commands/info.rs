//! `imprint info`: shows or changes what a WIM file says of itself and its images.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::File;
use imprint_blockio::ReadAt;
use imprint_image::{change_wim, open_wim};
use imprint_wim::Wim;
use serde::Serialize;

use super::open;
use crate::cli::hi::{self, Integrity, Properties};
use crate::cli::low::InfoArgs;
use crate::cli::{Dialect, values::ImageProperty};
use crate::console::Console;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::report::blob::BlobFacts;
use crate::report::header::HeaderFacts;
use crate::report::image::ImageFacts;
use crate::report::metadata::MetadataFacts;
use crate::report::wim::WimFacts;
use crate::selector::Selector;
use crate::watch::watch;

/// What to show or change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Option<String>,
    boot: bool,
    properties: Properties,
    integrity: Integrity,
    show: Show,
}

/// What to show besides, or instead of, the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Show {
    header: bool,
    blobs: bool,
    metadata: bool,
    xml: bool,
    extract_xml: Option<PathBuf>,
}

impl Show {
    const fn is_usual(&self) -> bool {
        !(self.header || self.blobs || self.metadata || self.xml) && self.extract_xml.is_none()
    }
}

impl Job {
    pub(super) fn new(args: InfoArgs) -> Result<Self, UsageError> {
        let job = Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: args.image,
            boot: args.boot,
            properties: Properties::new(args.new_name, args.new_desc, args.properties)?,
            integrity: Integrity::from(&args.integrity),
            show: Show {
                header: args.header,
                blobs: args.blobs,
                metadata: args.metadata,
                xml: args.xml,
                extract_xml: args.extract_xml,
            },
        };
        if job.changes_something() && !job.show.is_usual() {
            let (first, second) = ("an option that shows", "one that changes");
            return Err(UsageError::Conflict { first, second });
        }
        Ok(job)
    }

    /// As in wimlib `--check` alone changes nothing.
    fn changes_something(&self) -> bool {
        self.boot || !self.properties.is_empty()
    }
}

/// Shows or changes.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    if job.changes_something() {
        change(job, console)?;
    } else {
        show(job, console)?;
    }
    Ok(Status::Done)
}

fn change(job: &Job, console: &mut Console) -> anyhow::Result<()> {
    let wim = open_wim(&job.wim)?;
    open::check_integrity(&wim, &job.wim, job.integrity.check_first, console)?;
    let index = image_to_change(job, &wim)?;
    drop(wim);
    let failed = || format!("failed to change {}", job.wim.display());
    let integrity = open::integrity_change(job.integrity.table);
    watch(console.progress(), |progress| {
        change_wim(&job.wim, integrity, progress, |writer| {
            if job.boot {
                writer.set_boot_index(index).with_context(failed)?;
            }
            for ImageProperty { path, value } in elements(&job.properties) {
                writer.info_mut().set_property(index, &path, &value).with_context(failed)?;
            }
            anyhow::Ok(())
        })
    })?;
    console.summary(&format_args!("changed {}", job.wim.display()))?;
    Ok(())
}

/// Finds the image to change; 0, which only `--boot` takes, is none.
fn image_to_change(job: &Job, wim: &Wim<File>) -> anyhow::Result<u32> {
    if job.image.as_deref() == Some("0") && job.properties.is_empty() {
        return Ok(0);
    }
    let selector = Selector::new(job.image.clone());
    Ok(selector.resolve_one(&job.wim, &open::image_names(wim), "a change")?)
}

/// Name and description are elements like the others.
fn elements(properties: &Properties) -> impl Iterator<Item = ImageProperty> {
    let named = |path: &str, value: &Option<String>| {
        value.clone().map(|value| ImageProperty { path: path.to_owned(), value })
    };
    let name = named("NAME", &properties.name);
    let description = named("DESCRIPTION", &properties.description);
    name.into_iter().chain(description).chain(properties.elements.clone())
}

fn show(job: &Job, console: &mut Console) -> anyhow::Result<()> {
    let wim = open_wim(&job.wim)?;
    open::check_integrity(&wim, &job.wim, job.integrity.check_first, console)?;
    let images = images_to_show(job, &wim)?;
    if let Some(file) = &job.show.extract_xml {
        fs_err::write(file, xml_bytes(&job.wim, &wim)?)?;
    }
    if console.json() {
        return Ok(console.print_json(&document(job, &wim, &images)?)?);
    }
    if job.show.is_usual() {
        print_usual(job, &wim, &images, console)?;
    }
    if job.show.header {
        HeaderFacts::from(wim.header()).write_text(console)?;
    }
    for blob in blobs(job, &wim) {
        blob.write_text(console)?;
    }
    for metadata in metadata(job, &wim, &images)? {
        metadata.write_text(console)?;
    }
    if job.show.xml {
        let bytes = xml_bytes(&job.wim, &wim)?;
        match console.dialect() {
            Dialect::Wimlib => console.write_all(&bytes)?,
            Dialect::Imagex => console.print(&format_args!("{}\n", xml_text(&bytes)))?,
        }
    }
    Ok(())
}

/// All images unless one is chosen; a file may also have none.
fn images_to_show(job: &Job, wim: &Wim<File>) -> Result<Vec<u32>, CommandError> {
    let selector = job.image.clone().map_or(Selector::All, |text| Selector::new(Some(text)));
    selector.resolve(&job.wim, &open::image_names(wim))
}

fn print_usual(
    job: &Job,
    wim: &Wim<File>,
    images: &[u32],
    console: &mut Console,
) -> anyhow::Result<()> {
    match (&job.image, images) {
        (Some(_), &[index]) => {
            let title = format!("Information for Image {index}");
            console.print(&format_args!("{title}\n{}\n", "-".repeat(title.len())))?;
        }
        _ => {
            WimFacts::new(&job.wim, wim).write_text(console)?;
            console.print(&"Available Images:\n-----------------\n")?;
        }
    }
    for facts in image_facts(wim, images) {
        facts.write_text(console)?;
    }
    Ok(())
}

fn image_facts(wim: &Wim<File>, images: &[u32]) -> Vec<ImageFacts> {
    let fact = |&index: &u32| Some(ImageFacts::new(index, wim.info().image(index)?));
    images.iter().filter_map(fact).collect()
}

/// Metadata resources first, then blobs in the order of the table.
fn blobs(job: &Job, wim: &Wim<File>) -> Vec<BlobFacts> {
    if !job.show.blobs {
        return Vec::new();
    }
    let part = wim.header().part_number;
    let metadata = wim.blobs().all_metadata().iter();
    let metadata = metadata.map(|entry| BlobFacts::of_metadata(part, entry));
    metadata.chain(wim.blobs().iter().map(|blob| BlobFacts::new(wim, blob))).collect()
}

fn metadata(job: &Job, wim: &Wim<File>, images: &[u32]) -> anyhow::Result<Vec<MetadataFacts>> {
    let images = if job.show.metadata { images } else { &[] };
    images
        .iter()
        .map(|&index| {
            let failed = || format!("failed to read image {index} of {}", job.wim.display());
            let entry = wim.metadata_entry(index).with_context(failed)?;
            let resource = BlobFacts::of_metadata(wim.header().part_number, entry);
            let image = wim.read_tree(index).with_context(failed)?;
            Ok(MetadataFacts::new(index, resource, &image))
        })
        .collect()
}

/// The XML document as it is stored.
fn xml_bytes(path: &Path, wim: &Wim<File>) -> anyhow::Result<Vec<u8>> {
    let place = &wim.header().xml;
    if place.is_compressed() {
        return Ok(wim.info().to_bytes());
    }
    // Its size was checked against the file's when the file was opened.
    let mut bytes = vec![0; usize::try_from(place.size)?];
    let read = wim.file().read_exact_at(&mut bytes, place.offset);
    read.with_context(|| format!("failed to read the XML data of {}", path.display()))?;
    Ok(bytes)
}

fn xml_text(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    String::from_utf16_lossy(units.strip_prefix(&[0xfeff]).unwrap_or(&units))
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    wim: WimFacts,
    images: Vec<ImageFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<HeaderFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<Vec<BlobFacts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Vec<MetadataFacts>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xml: Option<String>,
}

fn document(job: &Job, wim: &Wim<File>, images: &[u32]) -> anyhow::Result<Document> {
    let xml = job.show.xml.then(|| xml_bytes(&job.wim, wim)).transpose()?;
    Ok(Document {
        wim: WimFacts::new(&job.wim, wim),
        images: image_facts(wim, images),
        header: job.show.header.then(|| HeaderFacts::from(wim.header())),
        blobs: job.show.blobs.then(|| blobs(job, wim)),
        metadata: if job.show.metadata { Some(metadata(job, wim, images)?) } else { None },
        xml: xml.map(|bytes| xml_text(&bytes)),
    })
}
