//! Making an empty volume.

use imprint_blockio::WriteAt;
use imprint_winvalues::FileTime;
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::geometry::{FIRST_CLUSTER, MAX_CLUSTERS, MIN_CLUSTERS};
use crate::layout::{BootDisk, EntryDisk, InfoDisk};
use crate::time::DosTime;
use crate::{FormatError, Structure};

/// What a new volume is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// Its label, which becomes upper case; may be empty.
    pub label: String,
    /// By which it is told apart; random.
    pub serial: u32,
    /// Sectors of the disk before the volume.
    pub hidden_sectors: u32,
    /// Bytes of a cluster; without it as Windows chooses.
    pub cluster_size: Option<u32>,
    /// The time now, for the label.
    pub now: FileTime,
}

/// What a volume of some size comes to be like, before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatPlan {
    sector_size: u32,
    cluster_size: u32,
    sectors: u32,
    reserved: u16,
    fat_sectors: u32,
    clusters: u32,
    label: [u8; 11],
    options: FormatOptions,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Sectors before the first FAT at least, as all programs make them.
const RESERVED: u64 = 32;
const FATS: u64 = 2;
const BACKUP: u16 = 6;
/// A label that is none.
const NO_NAME: [u8; 11] = *b"NO NAME    ";
const PIECE: usize = 1 << 20;

/// The cluster size Windows chooses for so many bytes. Source: Microsoft, KB 140365.
const fn usual_cluster(len: u64) -> u64 {
    if len <= 64 * MIB {
        512
    } else if len <= 128 * MIB {
        KIB
    } else if len <= 256 * MIB {
        2 * KIB
    } else if len <= 8 * GIB {
        4 * KIB
    } else if len <= 16 * GIB {
        8 * KIB
    } else if len <= 32 * GIB {
        16 * KIB
    } else {
        32 * KIB
    }
}

impl FormatPlan {
    /// Decides all measures of a volume of `len` bytes.
    ///
    /// # Errors
    /// [`FormatError`] if no FAT32 volume is like that.
    pub fn new(len: u64, sector_size: u32, options: FormatOptions) -> Result<Self, FormatError> {
        if !matches!(sector_size, 512 | 4096) {
            return Err(FormatError::SectorSize { sector_size });
        }
        let label = label(&options.label)?;
        let sector = u64::from(sector_size);
        let sectors =
            u32::try_from(len / sector).map_err(|_too_many| FormatError::TooLarge { len })?;
        let measured = |cluster| measure(sectors.into(), sector, cluster);
        let (cluster, measures) = match options.cluster_size {
            Some(cluster_size) => {
                let sectors = cluster_size / sector_size;
                let fits = sectors.is_power_of_two() && sectors <= 128 && cluster_size <= 65_536;
                if !fits || !cluster_size.is_multiple_of(sector_size) {
                    return Err(FormatError::ClusterSize { cluster_size });
                }
                (u64::from(cluster_size), measured(cluster_size.into()))
            }
            None => {
                let mut cluster = usual_cluster(len).max(sector);
                // The usual size is a little too large just above each step.
                while cluster > sector && measured(cluster).clusters < MIN_CLUSTERS.into() {
                    cluster /= 2;
                }
                (cluster, measured(cluster))
            }
        };
        if measures.clusters < MIN_CLUSTERS.into() {
            let least = (u64::from(MIN_CLUSTERS) + RESERVED) * cluster + MIB;
            return Err(FormatError::TooSmall { least, len });
        }
        let too_large = |_large| FormatError::TooLarge { len };
        if measures.clusters > MAX_CLUSTERS.into() {
            return Err(FormatError::TooLarge { len });
        }
        Ok(Self {
            sector_size,
            cluster_size: u32::try_from(cluster).map_err(too_large)?,
            sectors,
            reserved: u16::try_from(measures.reserved).map_err(too_large)?,
            fat_sectors: u32::try_from(measures.fat).map_err(too_large)?,
            clusters: u32::try_from(measures.clusters).map_err(too_large)?,
            label,
            options,
        })
    }

    /// Bytes of a cluster.
    #[must_use]
    pub const fn cluster_size(&self) -> u32 {
        self.cluster_size
    }

    /// How many clusters there are.
    #[must_use]
    pub const fn clusters(&self) -> u32 {
        self.clusters
    }

    /// Makes the volume. The boot sector is written last, so that cut anywhere before there is none.
    ///
    /// # Errors
    /// [`FormatError::Io`], [`FormatError::Flush`].
    pub fn perform(&self, device: &impl WriteAt) -> Result<(), FormatError> {
        let sector = u64::from(self.sector_size);
        let fats = u64::from(self.reserved) * sector;
        let fat_len = u64::from(self.fat_sectors) * sector;
        let data = fats + FATS * fat_len;
        // Everything before the data, and the root directory.
        zero(device, data + u64::from(self.cluster_size))?;
        flush(device)?;
        let entries = [0x0fff_fff8_u32, 0x0fff_ffff, 0x0fff_ffff].map(u32::to_le_bytes);
        for copy in 0..FATS {
            put(device, Structure::Fat, fats + copy * fat_len, entries.as_flattened())?;
        }
        if self.label != NO_NAME {
            let mut entry = EntryDisk::new_zeroed();
            entry.name = self.label;
            entry.attributes = EntryDisk::LABEL;
            let now = DosTime::new(self.options.now);
            entry.written_date = now.date.into();
            entry.written_time = now.time.into();
            put(device, Structure::Directory, data, entry.as_bytes())?;
        }
        let (boot, info) = (self.boot(), self.info());
        let backup = u64::from(BACKUP) * sector;
        put(device, Structure::Information, sector, info.as_bytes())?;
        put(device, Structure::Information, backup + sector, info.as_bytes())?;
        put(device, Structure::BootSector, backup, boot.as_bytes())?;
        // Boot programs may have a third sector, which is marked though it is empty.
        for start in [2 * sector, backup + 2 * sector] {
            let mark = BootDisk::MARK.to_le_bytes();
            put(device, Structure::BootSector, start + 510, &mark)?;
        }
        flush(device)?;
        put(device, Structure::BootSector, 0, boot.as_bytes())?;
        flush(device)
    }

    fn boot(&self) -> BootDisk {
        let mut boot = BootDisk::new_zeroed();
        boot.jump = [0xeb, 0x58, 0x90];
        boot.maker = *b"MSDOS5.0";
        boot.sector_size = u16::try_from(self.sector_size).unwrap_or(512).into();
        boot.sectors_per_cluster = u8::try_from(self.cluster_size / self.sector_size).unwrap_or(1);
        boot.reserved = self.reserved.into();
        boot.fats = 2;
        boot.media = 0xf8;
        boot.sectors_per_track = 63.into();
        boot.heads = 255.into();
        boot.hidden = self.options.hidden_sectors.into();
        boot.sectors = self.sectors.into();
        boot.fat_sectors = self.fat_sectors.into();
        boot.root = FIRST_CLUSTER.into();
        boot.info = 1.into();
        boot.backup = BACKUP.into();
        boot.drive = 0x80;
        boot.extended = 0x29;
        boot.serial = self.options.serial.into();
        boot.label = self.label;
        boot.kind = *b"FAT32   ";
        // Nothing to start: the firmware is to try the next disk.
        for (slot, byte) in boot.code.iter_mut().zip([0xcd, 0x18, 0xf4, 0xeb, 0xfd]) {
            *slot = byte;
        }
        boot.mark = BootDisk::MARK.into();
        boot
    }

    fn info(&self) -> InfoDisk {
        let mut info = InfoDisk::new_zeroed();
        info.first_mark = InfoDisk::FIRST_MARK.into();
        info.second_mark = InfoDisk::SECOND_MARK.into();
        // The root directory takes one.
        info.free = (self.clusters - 1).into();
        info.next = (FIRST_CLUSTER + 1).into();
        info.last_mark = InfoDisk::LAST_MARK.into();
        info
    }
}

/// Sectors of the parts of a volume.
struct Measures {
    reserved: u64,
    fat: u64,
    clusters: u64,
}

fn measure(sectors: u64, sector: u64, cluster: u64) -> Measures {
    let per_cluster = cluster / sector;
    // A FAT for all sectors has room for all clusters; the few entries too many do not matter.
    let most = sectors.saturating_sub(RESERVED) / per_cluster + u64::from(FIRST_CLUSTER);
    let fat = (most * 4).div_ceil(sector);
    // The data begins at a whole cluster, which saves flash memory work.
    let align = per_cluster.max(4096 / sector);
    let data = (RESERVED + FATS * fat).next_multiple_of(align);
    let clusters = sectors.saturating_sub(data) / per_cluster;
    Measures { reserved: data - FATS * fat, fat, clusters }
}

/// A label as it lies on the volume.
fn label(text: &str) -> Result<[u8; 11], FormatError> {
    if text.is_empty() {
        return Ok(NO_NAME);
    }
    let mut label = [b' '; 11];
    let legal = |byte: u8| {
        (byte == b' ' || byte.is_ascii_graphic()) && !br#"*?.,;:/\|+=<>[]""#.contains(&byte)
    };
    if text.len() > label.len() || text.starts_with(' ') || !text.bytes().all(legal) {
        return Err(FormatError::Label);
    }
    for (slot, byte) in label.iter_mut().zip(text.bytes()) {
        *slot = byte.to_ascii_uppercase();
    }
    Ok(label)
}

/// Writes zeros from the start of the volume to `end`.
fn zero(device: &impl WriteAt, end: u64) -> Result<(), FormatError> {
    let zeros = vec![0; PIECE];
    let mut at = 0;
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        put(device, Structure::Fat, at, zeros.get(..len).unwrap_or_default())?;
        at += len as u64;
    }
    Ok(())
}

fn put(
    device: &impl WriteAt,
    structure: Structure,
    offset: u64,
    bytes: &[u8],
) -> Result<(), FormatError> {
    device.write_all_at(bytes, offset).map_err(|source| FormatError::Io {
        structure,
        offset,
        length: bytes.len() as u64,
        source,
    })
}

fn flush(device: &impl WriteAt) -> Result<(), FormatError> {
    device.flush().map_err(FormatError::Flush)
}
