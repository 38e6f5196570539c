//! The rules of a sound volume, by the words that reports and programs know them by.

use std::fmt;

use super::report::Severity;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $severity:ident;)+) => {
        /// A rule of a sound volume.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $name,)+
        }

        impl Rule {
            /// How bad it is to break it.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)+
                }
            }

            /// The word for it in reports.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            /// All there are.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

rules! {
    /// All bytes can be had.
    Unread, "unread", Damage;

    /// The boot sector describes a volume.
    BootSector, "boot-sector", Damage;
    /// Fields of the boot sector that Windows does not need are as Windows writes them.
    BootFields, "boot-fields", Inconsistent;
    /// The last sector is a copy of the boot sector.
    BackupBootSector, "backup-boot-sector", Inconsistent;
    /// `$MFT` is where the boot sector says, and whole.
    Mft, "mft", Damage;
    /// `$MFTMirr` has the first records of `$MFT`.
    Mirror, "mirror", Inconsistent;

    /// A record in use begins with `FILE`.
    Signature, "signature", Damage;
    /// The sectors of a record or block were written together.
    UpdateSequence, "update-sequence", Damage;
    /// A record that is not in use is a record, or zeros.
    FreeRecord, "free-record", Note;
    /// The header of a record is sound.
    RecordHeader, "record-header", Damage;
    /// The header of an attribute is sound, and its type defined.
    Attribute, "attribute", Damage;
    /// Attributes are in their order.
    AttributeOrder, "attribute-order", Inconsistent;
    /// Attributes of a record have numbers of their own.
    Instance, "instance", Inconsistent;
    /// Values stand in the record or in clusters as their type demands.
    Residence, "residence", Inconsistent;
    /// Values are as long as `$AttrDef` allows.
    Length, "length", Inconsistent;
    /// Runs are inside the volume, and as many clusters as the header says.
    Runs, "runs", Damage;
    /// The sizes of a value agree with one another and with its clusters.
    Size, "size", Inconsistent;
    /// An attribute list names all attributes of the file, and no others.
    AttributeList, "attribute-list", Damage;
    /// An attribute list is in order.
    ListOrder, "list-order", Inconsistent;
    /// A record that continues a file is named by the attribute list of that file.
    Extension, "extension", Damage;
    /// A file has the attributes every file has.
    FileAttributes, "file-attributes", Inconsistent;
    /// A file has as many names as its record says.
    Links, "links", Inconsistent;
    /// A record that says so is a directory, and no other.
    Directory, "directory", Damage;
    /// `$EA` and `$EA_INFORMATION` agree.
    ExtendedAttributes, "extended-attributes", Inconsistent;

    /// Records in use are marked in `$MFT:$BITMAP`: else the next file is written over them.
    UnmarkedRecord, "unmarked-record", Damage;
    /// Records that are not in use are not marked.
    LostRecord, "lost-record", Inconsistent;
    /// A cluster belongs to one value.
    SharedCluster, "shared-cluster", Damage;
    /// Clusters in use are marked in `$Bitmap`: else the next file is written over them.
    UnmarkedCluster, "unmarked-cluster", Damage;
    /// Clusters that belong to nothing are not marked.
    LostCluster, "lost-cluster", Inconsistent;
    /// `$Bitmap` is as long as the volume needs, and all bits behind the last cluster are set.
    BitmapEnd, "bitmap-end", Inconsistent;

    /// The volume's own files are there, and where they should be.
    SystemFile, "system-file", Damage;
    /// The volume was left in order: not marked as dirty, its log closed.
    Unclean, "unclean", Inconsistent;
    /// No Windows sleeps that goes on with what it knows of the volume.
    Asleep, "asleep", Note;
    /// `$UpCase` is a table of upper case.
    UpCase, "upcase", Damage;
    /// `$UpCase:$Info` describes the table.
    UpCaseInfo, "upcase-info", Inconsistent;
    /// `$AttrDef` defines attributes.
    Definitions, "definitions", Inconsistent;
    /// `$BadClus:$Bad` is as long as the volume.
    BadClusters, "bad-clusters", Inconsistent;

    /// The root of an index describes it.
    IndexRoot, "index-root", Damage;
    /// A node of an index is sound.
    IndexNode, "index-node", Damage;
    /// An entry of an index leads to a block of its own.
    IndexChild, "index-child", Damage;
    /// All leaves of an index are at the same depth.
    IndexDepth, "index-depth", Inconsistent;
    /// The keys of an index are in their order.
    IndexOrder, "index-order", Damage;
    /// Blocks of an index in use are marked in its `$BITMAP`.
    UnmarkedBlock, "unmarked-block", Damage;
    /// Blocks that are not in use are not marked.
    LostBlock, "lost-block", Inconsistent;

    /// A name is a name.
    Name, "name", Damage;
    /// No two names of a directory differ in case alone.
    NameUnique, "name-unique", Inconsistent;
    /// A short name is one, and beside its long one.
    DosName, "dos-name", Inconsistent;
    /// A name says in which directory it is.
    Parent, "parent", Damage;
    /// Every directory is below the root.
    Unreachable, "unreachable", Damage;
    /// Every name is in its directory.
    MissingEntry, "missing-entry", Damage;
    /// Every entry of a directory is a name of a file.
    StrayEntry, "stray-entry", Inconsistent;
    /// An entry leads to a record that can be read.
    DamagedEntry, "damaged-entry", Damage;
    /// An entry leads to the file as it is now, and its key to its directory.
    EntryReference, "entry-reference", Damage;
    /// Names and entries of directories say that they are.
    EntryKind, "entry-kind", Inconsistent;
    /// An entry has the file attributes of its file.
    EntryAttributes, "entry-attributes", Note;
    /// An entry has the times of its file.
    EntryTimes, "entry-times", Note;
    /// An entry has the sizes of its file.
    EntrySizes, "entry-sizes", Note;
    /// An entry has the reparse tag of its file.
    EntryReparse, "entry-reparse", Note;

    /// The security descriptors and their two indexes agree.
    Security, "security", Inconsistent;
    /// A security descriptor has the hash that stands beside it.
    SecurityHash, "security-hash", Inconsistent;
    /// Security descriptors have a copy.
    SecurityMirror, "security-mirror", Inconsistent;
    /// A file's security id is that of a descriptor.
    SecurityId, "security-id", Damage;
    /// A file has a security descriptor.
    NoSecurity, "no-security", Note;
    /// `$Reparse:$R` has all reparse points and no others.
    Reparse, "reparse", Inconsistent;
    /// `$ObjId:$O` has all object ids and no others.
    ObjectId, "object-id", Inconsistent;
    /// The two indexes of `$Quota` agree.
    Quota, "quota", Inconsistent;
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_a_word_of_its_own() {
        let words: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.word()).collect();
        assert_eq!(words.len(), Rule::ALL.len());
    }
}
