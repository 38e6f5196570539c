//! What is known of files, changed.

use std::borrow::Cow;

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::{ExtendedAttribute, Times};
use imprint_winvalues::{Attributes, WinName};
use zerocopy::IntoBytes;

use super::create::NOT_STORED;
use super::table::resident;
use super::{EditError, Editor};
use crate::encode::{NewAttribute, TimesFacts, ea_values};
use crate::facts::guid_length;
use crate::layout::ReparseDisk;
use crate::{AttributeKind, FileReference, RecordNumber};

/// The most bytes of a reparse point, its header included.
const MAX_REPARSE: usize = 16 << 10;
/// The most bytes of all extended attributes.
const MAX_EXTENDED: usize = 64 << 10;
/// `$Volume`.
const VOLUME: RecordNumber = RecordNumber(3);

impl<D: WriteAt> Editor<D> {
    /// Sets the times of a file.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn set_times(&mut self, file: FileReference, times: &Times) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            let mut information = inode.information()?;
            information.times = TimesFacts::new(times, editor.options.now).disk();
            inode.set_information(&information);
            editor.note(file);
            editor.save(&mut inode)
        })
    }

    /// Sets the file attributes of a file: those that say how it is stored stay as they are.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn set_attributes(
        &mut self,
        file: FileReference,
        attributes: Attributes,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            let mut information = inode.information()?;
            let stored = Attributes::from_bits_retain(information.attributes.get());
            let kept = stored.intersection(NOT_STORED).difference(Attributes::NORMAL);
            let new = attributes.difference(NOT_STORED).union(kept);
            information.attributes = (new.bits() & 0x0fff_ffff).into();
            inode.set_information(&information);
            editor.note(file);
            editor.save(&mut inode)
        })
    }

    /// Sets the security descriptor of a file, which is self-relative.
    ///
    /// # Errors
    /// [`EditError::Security`] if it is not well formed; [`EditError`].
    pub fn set_security(
        &mut self,
        file: FileReference,
        descriptor: &[u8],
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            let id = editor.security_id(Some(descriptor), inode.is_directory())?;
            let mut information = inode.information()?;
            information.security = id.into();
            inode.set_information(&information);
            // A descriptor of its own would hide the one in `$Secure`.
            if let Some(own) = inode.take(AttributeKind::SECURITY_DESCRIPTOR, &[]) {
                editor.release(&own.body);
            }
            editor.save(&mut inode)
        })
    }

    /// Makes a file a reparse point; `None` makes it none. `data` is what follows tag, length and reserved field.
    ///
    /// # Errors
    /// [`EditError::TooLarge`]; [`EditError`].
    pub fn set_reparse(
        &mut self,
        file: FileReference,
        reparse: Option<(u32, u16, &[u8])>,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            if let Some(old) = inode.take(AttributeKind::REPARSE_POINT, &[]) {
                let value = editor.volume.held_value(&inode, &old)?;
                let tag = value.first_chunk().map_or(0, |&tag| u32::from_le_bytes(tag));
                editor.leave_reparse(file, tag)?;
                editor.release(&old.body);
            }
            if let Some((tag, reserved, data)) = reparse {
                let value = reparse_value(tag, reserved, data)?;
                let upcase = editor.upcase.clone();
                let kind = AttributeKind::REPARSE_POINT;
                inode.put(NewAttribute::resident(kind, value), &upcase);
                editor.enter_reparse(file, tag)?;
            }
            let mut information = inode.information()?;
            let mut bits = Attributes::from_bits_retain(information.attributes.get());
            bits.set(Attributes::REPARSE_POINT, reparse.is_some());
            information.attributes = bits.bits().into();
            inode.set_information(&information);
            editor.note(file);
            editor.save(&mut inode)
        })
    }

    /// Gives a file an object id of 16 bytes, behind which may follow the 48 bytes of its birth; `None` takes it away.
    ///
    /// # Errors
    /// [`EditError::Exists`] if another file has it; [`EditError`].
    pub fn set_object_id(
        &mut self,
        file: FileReference,
        object: Option<&[u8]>,
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            if let Some(old) = inode.take(AttributeKind::OBJECT_ID, &[]) {
                let id = editor.volume.held_value(&inode, &old)?;
                editor.leave_object(id.get(..16).unwrap_or_default())?;
            }
            if let Some((id, birth)) = object.and_then(|object| object.split_first_chunk::<16>()) {
                if !editor.enter_object(file, id, birth)? {
                    return Err(EditError::Exists);
                }
                let upcase = editor.upcase.clone();
                inode.put(NewAttribute::resident(AttributeKind::OBJECT_ID, id.to_vec()), &upcase);
            }
            editor.save(&mut inode)
        })
    }

    /// Sets all extended attributes of a file.
    ///
    /// # Errors
    /// [`EditError::TooLarge`]; [`EditError`].
    pub fn set_extended(
        &mut self,
        file: FileReference,
        extended: &[ExtendedAttribute],
    ) -> Result<(), EditError> {
        self.attempt(|editor| {
            let mut inode = editor.user_inode(file)?;
            for kind in [AttributeKind::EA_INFORMATION, AttributeKind::EA] {
                if let Some(old) = inode.take(kind, &[]) {
                    editor.release(&old.body);
                }
            }
            if !extended.is_empty() {
                let (information, list) = ea_values(extended);
                if list.len() > MAX_EXTENDED {
                    let (most, actual) = (MAX_EXTENDED as u64, list.len() as u64);
                    return Err(EditError::TooLarge { what: "extended attributes", most, actual });
                }
                let upcase = editor.upcase.clone();
                let kind = AttributeKind::EA_INFORMATION;
                inode.put(NewAttribute::resident(kind, information.to_vec()), &upcase);
                inode.put(NewAttribute::resident(AttributeKind::EA, list), &upcase);
            }
            editor.note(file);
            editor.save(&mut inode)
        })
    }

    /// Sets the label of the volume, at most 32 UTF-16 units.
    ///
    /// # Errors
    /// [`EditError::TooLarge`]; [`EditError`].
    pub fn set_label(&mut self, label: &WinName) -> Result<(), EditError> {
        if label.len() > 32 {
            let actual = label.len() as u64 * 2;
            return Err(EditError::TooLarge { what: "label", most: 64, actual });
        }
        self.attempt(|editor| {
            let file = editor.volume.file(VOLUME)?;
            let Some(file) = file else { return Err(EditError::NotFound) };
            let mut inode = editor.volume.inode(file.reference)?;
            inode.take(AttributeKind::VOLUME_NAME, &[]);
            let upcase = editor.upcase.clone();
            let name = NewAttribute::named(
                AttributeKind::VOLUME_NAME,
                Cow::Owned(WinName::default()),
                resident(label.to_le_bytes()),
            );
            inode.put(name, &upcase);
            editor.save(&mut inode)
        })
    }
}

/// A `$REPARSE_POINT`.
fn reparse_value(tag: u32, reserved: u16, data: &[u8]) -> Result<Vec<u8>, EditError> {
    let guid = guid_length(tag);
    let length = data.len().checked_sub(guid);
    let whole = data.len() + size_of::<ReparseDisk>();
    let Some(length) = length.filter(|_| whole <= MAX_REPARSE) else {
        let (most, actual) = (MAX_REPARSE as u64, whole as u64);
        return Err(EditError::TooLarge { what: "reparse point", most, actual });
    };
    let header = ReparseDisk {
        tag: tag.into(),
        length: u16::try_from(length).unwrap_or(u16::MAX).into(),
        reserved: reserved.into(),
    };
    Ok([header.as_bytes(), data].concat())
}
