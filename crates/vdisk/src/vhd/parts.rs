//! What a file is made of, checked once.

use imprint_blockio::{Expected, ReadAt};
use zerocopy::IntoBytes;

use super::footer::Footer;
use super::header::Header;
use super::layout::{FOOTER_BYTES, HEADER_BYTES};
use super::locator::read_link;
use crate::{Corruption, Kind, OpenError, ParentLink, Structure};

/// The parts of a file. Beyond it nothing of this is checked again.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// The footer that counts.
    pub(crate) footer: Footer,
    /// Where the footer at the end stands; `None` if it is missing or damaged.
    pub(crate) end: Option<u64>,
    /// Whether the copy at the start is as it should be.
    pub(crate) copied: bool,
    /// The dynamic header of all but fixed disks.
    pub(crate) header: Option<Header>,
    /// What a differencing disk says of its parent.
    pub(crate) link: Option<ParentLink>,
    /// Damage that reading can do without.
    pub(crate) warnings: Vec<Corruption>,
    /// The damage among it that writing cannot do without.
    pub(crate) unwritable: Option<Corruption>,
    /// Bytes of the file.
    pub(crate) length: u64,
}

/// What stands where a footer should be.
struct Found {
    at: u64,
    footer: Result<Footer, Corruption>,
    /// The same without regard to the checksum.
    fields: Option<Footer>,
    /// Written by a program so old that its footers have 511 bytes.
    short: bool,
}

impl Parts {
    /// Reads everything but the block allocation table.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(crate) fn read(file: &(impl ReadAt + ?Sized)) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            structure: Structure::Footer,
            offset: 0,
            length: FOOTER_BYTES,
            source,
        };
        let length = file.len().map_err(io)?;
        let last = find_last(file, length)?;
        let first = read_footer(file, 0, length, false)?;
        let mut warnings = Vec::new();
        let mut unwritable = None;
        let (footer, end) = match (&last.footer, &first.footer, agreed(&last, &first)) {
            (Ok(footer), ..) => (*footer, Some(last.at)),
            // The first sector of a fixed disk is the guest's: what looks like a footer there is none.
            (Err(fault), Ok(copy), _) if copy.kind != Kind::Fixed => {
                warnings.push(fault.clone());
                (*copy, None)
            }
            // Both were edited by a program that knows no checksums: each vouches for the other.
            // Observed in: files of the dfvfs project.
            (Err(fault), Err(_), Some(footer)) => {
                warnings.push(fault.clone());
                unwritable = Some(fault.clone());
                (footer, Some(last.at))
            }
            (Err(fault), Err(other), None) if is_no_footer(fault) && !is_no_footer(other) => {
                return Err(other.clone().into());
            }
            (Err(fault), ..) => return Err(fault.clone().into()),
        };
        if end.is_some() && last.short {
            let expected = Expected::Exactly(FOOTER_BYTES);
            let fault = Corruption::number(
                Structure::Footer,
                last.at,
                "length",
                expected,
                FOOTER_BYTES - 1,
            );
            warnings.push(fault.clone());
            unwritable = Some(fault);
        }
        let mut parts = Self {
            footer,
            end,
            copied: true,
            header: None,
            link: None,
            warnings,
            unwritable,
            length,
        };
        if footer.kind == Kind::Fixed {
            parts.check_fixed()?;
        } else {
            parts.compare(&first);
            parts.read_header(file)?;
        }
        Ok(parts)
    }

    /// Bytes of the file that may belong to blocks.
    pub(crate) fn limit(&self) -> u64 {
        self.end.unwrap_or(self.length)
    }

    /// The sectors of a fixed disk must be there.
    fn check_fixed(&self) -> Result<(), Corruption> {
        let (limit, size) = (self.limit(), self.footer.size());
        if size <= limit {
            return Ok(());
        }
        Err(Corruption::past_end(Structure::Footer, limit + 48, "disk", limit, size))
    }

    /// Notes how the copy at the start differs from the footer.
    fn compare(&mut self, first: &Found) {
        let fault = match &first.footer {
            Err(fault) => fault.clone(),
            Ok(copy) => {
                let pairs = copy.disk.as_bytes().iter().zip(self.footer.disk.as_bytes());
                let Some((offset, (&copy, &original))) =
                    pairs.enumerate().find(|(_, (copy, original))| copy != original)
                else {
                    return;
                };
                let expected = Expected::Exactly(original.into());
                let at = offset as u64;
                Corruption::code(Structure::Footer, at, "byte of the copy", expected, copy.into())
            }
        };
        self.copied = false;
        self.warnings.push(fault);
    }

    fn read_header(&mut self, file: &(impl ReadAt + ?Sized)) -> Result<(), OpenError> {
        let structure = Structure::DynamicHeader;
        let at = self.footer.header_at();
        let end = at.saturating_add(HEADER_BYTES);
        if end > self.length {
            let place = self.end.unwrap_or(0) + 16;
            let field = "dynamic header";
            let fault = Corruption::past_end(Structure::Footer, place, field, self.length, end);
            return Err(fault.into());
        }
        let mut bytes = [0; 1024];
        file.read_exact_at(&mut bytes, at).map_err(|source| OpenError::Io {
            structure,
            offset: at,
            length: HEADER_BYTES,
            source,
        })?;
        let (header, damage) = Header::parse(&bytes, at, self.footer.size(), self.length)?;
        if let Some(fault) = damage {
            self.warnings.push(fault.clone());
            self.unwritable.get_or_insert(fault);
        }
        if self.footer.kind == Kind::Differencing {
            let warnings = &mut self.warnings;
            self.link = Some(read_link(file, self.length, &header.disk, at, warnings)?);
        }
        self.header = Some(header);
        Ok(())
    }
}

/// The footer of a file whose footers are equal and legal but for the checksum.
fn agreed(last: &Found, first: &Found) -> Option<Footer> {
    let (a, b) = (last.fields?, first.fields?);
    (a.kind != Kind::Fixed && a.disk.as_bytes() == b.disk.as_bytes()).then_some(a)
}

/// Reads the footer at the end: 512 bytes or, of very old programs, 511.
fn find_last(file: &(impl ReadAt + ?Sized), length: u64) -> Result<Found, OpenError> {
    let last = read_footer(file, length.saturating_sub(FOOTER_BYTES), length, false)?;
    let Some(at) = length.checked_sub(FOOTER_BYTES - 1) else { return Ok(last) };
    if last.footer.as_ref().is_err_and(is_no_footer) {
        let short = read_footer(file, at, length, true)?;
        if !short.footer.as_ref().is_err_and(is_no_footer) {
            return Ok(short);
        }
    }
    Ok(last)
}

fn read_footer(
    file: &(impl ReadAt + ?Sized),
    at: u64,
    length: u64,
    short: bool,
) -> Result<Found, OpenError> {
    let mut bytes = [0; 512];
    let there = length.saturating_sub(at).min(FOOTER_BYTES);
    let wanted = if short { FOOTER_BYTES - 1 } else { FOOTER_BYTES };
    if there < wanted {
        let structure = Structure::Footer;
        let fault = Corruption::past_end(structure, at, "footer", length, at + FOOTER_BYTES);
        return Ok(Found { at, footer: Err(fault), fields: None, short });
    }
    let part = bytes.get_mut(..usize::try_from(wanted).unwrap_or(0)).unwrap_or_default();
    file.read_exact_at(part, at).map_err(|source| OpenError::Io {
        structure: Structure::Footer,
        offset: at,
        length: wanted,
        source,
    })?;
    let fields = Footer::parse_fields(&bytes, at).ok();
    Ok(Found { at, footer: Footer::parse(&bytes, at), fields, short })
}

/// Whether the fault is that nothing there looks like a footer.
fn is_no_footer(fault: &Corruption) -> bool {
    match &fault.fault {
        imprint_blockio::FieldFault::Code { field, .. } => *field == "cookie",
        imprint_blockio::FieldFault::PastEnd { .. } => true,
        _ => false,
    }
}
