//! What `--help` shows below the options: a few commands to start from, and what the words mean.

/// For the program.
pub(crate) const PROGRAM: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but incomplete (each item left out is listed).

Examples:
  imprint capture /mnt/pc1 pc1.wim \"Room 12\"       make a WIM file of a directory
  imprint apply pc1.wim 1 /mnt/pc2                 put it into another
  imprint capture --help                           options and examples of one verb";

/// For `capture`.
pub(crate) const CAPTURE: &str = "\
Examples:
  imprint capture /mnt/pc1 pc1.wim
  imprint capture /mnt/pc1 pc1.wim \"Windows 11\" \"Room 12, spring\" --check --boot
  imprint capture /mnt/pc1 pc1.wim --compress=fast --threads=2
  imprint capture disk.vhdx:3 pc1.wim
  imprint capture /mnt/pc1 pc1.wim --config=exclude.ini --flags=Professional
  imprint capture /srv/data data.wim --unix-data --update-of=old.wim:-1";

/// For `append`.
pub(crate) const APPEND: &str = "\
A WIM file has one compression for all its images: --compress may set the level, not another type.

Examples:
  imprint append /mnt/pc1 pc1.wim \"After the updates\"
  imprint append /srv/data data.wim --update-of=-1
  imprint append /srv/data data.wim --create";

/// For `apply`.
pub(crate) const APPLY: &str = "\
Files that are in TARGET but not in the image stay. Image all goes into one directory per image.

Examples:
  imprint apply pc1.wim /mnt/pc2
  imprint apply pc1.wim 2 /mnt/pc2 --check
  imprint apply pc1.swm 1 /mnt/pc2 --ref=\"pc1*.swm\"
  imprint apply pc1.wim 1 disk.vhdx:3 --format --label=Windows";

/// For `info`.
pub(crate) const INFO: &str = "\
Examples:
  imprint info pc1.wim
  imprint info pc1.wim 1 --json
  imprint info pc1.wim 1 \"New name\" \"New description\" --boot
  imprint info pc1.wim 1 --image-property WINDOWS/VERSION/MAJOR=10
  imprint info pc1.wim --xml > pc1.xml";

/// For `dir`.
pub(crate) const DIR: &str = "\
Examples:
  imprint dir pc1.wim 1
  imprint dir pc1.wim 1 --path=/Windows/System32 --detailed
  imprint dir pc1.wim 1 --path=/Windows/explorer.exe --one-file-only --detailed --json";

/// For `extract`.
pub(crate) const EXTRACT: &str = "\
Paths start at the image's root; slashes and backslashes both separate, * and ? match within a name.

Examples:
  imprint extract pc1.wim 1 /Windows/explorer.exe
  imprint extract pc1.wim 1 \"/Windows/Fonts/*.ttf\" --dest-dir=fonts
  imprint extract pc1.wim 1 /Windows/win.ini --to-stdout
  imprint extract pc1.wim 1 @files.txt --dest-dir=out";

/// For `export`.
pub(crate) const EXPORT: &str = "\
Examples:
  imprint export all.wim 2 one.wim
  imprint export all.wim \"Windows 11\" one.wim \"New name\" --boot
  imprint export install.esd all install.wim --compress=lzx --check";

/// For `delete`.
pub(crate) const DELETE: &str = "\
The file is written anew without the data that only this image used, unless --soft is given.

Examples:
  imprint delete pc1.wim 1
  imprint delete pc1.wim \"Old state\" --soft";

/// For `optimize`.
pub(crate) const OPTIMIZE: &str = "\
Examples:
  imprint optimize pc1.wim
  imprint optimize pc1.wim --compress=lzx:100 --check";

/// For `verify`.
pub(crate) const VERIFY: &str = "\
Examples:
  imprint verify pc1.wim
  imprint verify pc1.swm --ref=\"pc1*.swm\" --json";

/// For `disk`.
pub(crate) const DISK: &str = "\
A differencing disk holds what differs from its parent; parents are looked for beside their child and
in the folders that --parent-dir names, never where the file says.

Examples:
  imprint disk create base.vhdx --size=127G
  imprint disk child base.vhdx pc1.vhdx
  imprint disk convert disk.img base.vhdx";

/// For `disk create`.
pub(crate) const DISK_CREATE: &str = "\
Examples:
  imprint disk create base.vhdx --size=127G
  imprint disk create data.vhd --size=40G --kind=fixed --preallocate
  imprint disk create new.vhdx --size=2T --sector-size=4096 --block-size=1M";

/// For `disk child`.
pub(crate) const DISK_CHILD: &str = "\
Examples:
  imprint disk child base.vhdx update.vhdx
  imprint disk child images/base.vhd pc1.vhd";

/// For `disk info`.
pub(crate) const DISK_INFO: &str = "\
Examples:
  imprint disk info pc1.vhdx
  imprint disk info pc1.vhdx --parent-dir=images --json";

/// For `disk convert`.
pub(crate) const DISK_CONVERT: &str = "\
Holes and zeros are not written.

Examples:
  imprint disk convert disk.img disk.vhdx
  imprint disk convert disk.vhdx disk.vhd --kind=fixed --preallocate
  imprint disk convert pc1.vhdx pc1.img";

/// For `disk flatten`.
pub(crate) const DISK_FLATTEN: &str = "\
Examples:
  imprint disk flatten update3.vhdx base-new.vhdx";

/// For `disk merge`.
pub(crate) const DISK_MERGE: &str = "\
If it is stopped, the chain shows what it showed before; merge again to complete it.

Examples:
  imprint disk merge update.vhdx";

/// For `disk compact`.
pub(crate) const DISK_COMPACT: &str = "\
Examples:
  imprint disk compact base.vhdx";

/// For `disk resize`.
pub(crate) const DISK_RESIZE: &str = "\
The partitions on the disk stay as they are.

Examples:
  imprint disk resize base.vhdx 200G";

/// For `disk rebase`.
pub(crate) const DISK_REBASE: &str = "\
Examples:
  imprint disk rebase pc1.vhdx images/base.vhdx";

/// For `disk check`.
pub(crate) const DISK_CHECK: &str = "\
Exit status: 0 nothing wrong, 1 errors were found, 3 only warnings, or not all could be saved.

Examples:
  imprint disk check base.vhdx
  imprint disk check damaged.vhd --repair=saved.vhd";

/// For `disk map`.
pub(crate) const DISK_MAP: &str = "\
Examples:
  imprint disk map pc1.vhdx
  imprint disk map pc1.vhdx --json";

/// For `disk partition`.
pub(crate) const DISK_PARTITION: &str = "\
Layouts:
  uefi-windows  ESP (FAT32), MSR, Windows, recovery
  uefi-storage  ESP (FAT32), MSR, storage for virtual disks
  bios-windows  MBR with an active system partition, Windows, recovery

Anything else is a file (one named like a layout is given as ./uefi-windows):
  table = \"gpt\"               # or \"mbr\"
  [[partition]]
  type = \"esp\"                # msr, basic-data, recovery, linux, a GUID; mbr: ntfs, fat32, \"0x07\"
  size = \"260 MiB\"            # or \"20 %\", or \"rest\"
  name = \"EFI system\"         # gpt only; with mbr: active = true
  format = \"fat32\"            # none, fat32, ntfs
  label = \"SYSTEM\"

Partitions with format ntfs are left empty.

Examples:
  imprint disk partition base.vhdx --layout=uefi-windows
  imprint disk partition /dev/sdb --layout=layout.toml --dry-run";

/// For `disk partitions`.
pub(crate) const DISK_PARTITIONS: &str = "\
Examples:
  imprint disk partitions pc1.vhdx
  imprint disk partitions /dev/sda --json";

/// For `disk mount`.
pub(crate) const DISK_MOUNT: &str = "\
DIR then holds the file `disk` and, for each partition, `p1`, `p2` and so on. A process in the
background serves them until `imprint disk unmount DIR`. fsync makes durable what was written.
Exit status: 3 if the partition table cannot be read, so that only `disk` is there.

Examples:
  imprint disk mount pc1.vhdx /mnt/pc1
  ntfs-3g -o ro /mnt/pc1/p2 /mnt/windows
  imprint disk mount pc1.vhdx /mnt/pc1 --write
  imprint disk mount disk.img /mnt/disk --foreground";

/// For `disk unmount`.
pub(crate) const DISK_UNMOUNT: &str = "\
It ends when the disk file is closed and can be copied. Exit status: 1 if the disk is in use, or not
all that was written could be kept; 3 if something failed while it was mounted.

Examples:
  imprint disk unmount /mnt/pc1";

/// For `ntfs`.
pub(crate) const NTFS: &str = "\
VOLUME is a disk file (raw, VHD or VHDX, with its parents), a device, or DISK:PARTITION, the
partition by its number. No driver, mount or root is needed.";

/// For `ntfs info`.
pub(crate) const NTFS_INFO: &str = "\
Examples:
  imprint ntfs info pc1.vhdx:3
  imprint ntfs info /dev/sda2 --json";

/// For `ntfs check`.
pub(crate) const NTFS_CHECK: &str = "\
Exit status: 0 nothing wrong, or only notes; 1 something is damaged; 3 everything can be read, but not all of it agrees.
With --repair that is of what is wrong still when all is done.

Examples:
  imprint ntfs check pc1.vhdx:3
  imprint ntfs check pc1.vhdx:3 --repair
  imprint ntfs check /dev/sda2 --json";

/// For `ntfs ls`.
pub(crate) const NTFS_LS: &str = "\
Exit status: 3 if a directory or a file could not be read.

Examples:
  imprint ntfs ls pc1.vhdx:3
  imprint ntfs ls pc1.vhdx:3 /Windows/System32/config -l
  imprint ntfs ls volume.img -R --json";

/// For `ntfs stat`.
pub(crate) const NTFS_STAT: &str = "\
Examples:
  imprint ntfs stat pc1.vhdx:3 /Windows/notepad.exe
  imprint ntfs stat volume.img --record=5";

/// For `ntfs cat`.
pub(crate) const NTFS_CAT: &str = "\
Compressed files come out plain.

Examples:
  imprint ntfs cat pc1.vhdx:3 /Windows/System32/config/SOFTWARE > SOFTWARE
  imprint ntfs cat volume.img /setup.exe:Zone.Identifier";

/// For `ntfs cp`.
pub(crate) const NTFS_CP: &str = "\
A file that is there keeps its names, descriptor and streams, and gets new data.
Nothing is changed before everything is ready: cut off anywhere, the volume is as
before or as after, or the next use of it finishes the work.

Examples:
  imprint ntfs cp pc1.vhdx:3 hosts /Windows/System32/drivers/etc/hosts
  imprint ntfs cp pc1.vhdx:3 -r Drivers /
  imprint ntfs cp pc1.vhdx:3 --out /Windows/System32/config/SOFTWARE .";

/// For `ntfs mkdir`.
pub(crate) const NTFS_MKDIR: &str = "\
Examples:
  imprint ntfs mkdir pc1.vhdx:3 /Drivers
  imprint ntfs mkdir volume.img -p /a/b/c";

/// For `ntfs mv`.
pub(crate) const NTFS_MV: &str = "\
Examples:
  imprint ntfs mv pc1.vhdx:3 /unattend.xml /Windows/Panther
  imprint ntfs mv volume.img /old /new";

/// For `ntfs rm`.
pub(crate) const NTFS_RM: &str = "\
Examples:
  imprint ntfs rm pc1.vhdx:3 /pagefile.sys /swapfile.sys
  imprint ntfs rm volume.img -r /Windows.old
  imprint ntfs rm volume.img /setup.exe:Zone.Identifier";

/// For `ntfs format`.
pub(crate) const NTFS_FORMAT: &str = "\
Examples:
  imprint ntfs format base.vhdx:4 --label=Storage
  imprint ntfs format volume.img --cluster-size=64K --force";
