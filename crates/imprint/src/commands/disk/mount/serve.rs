//! The process that serves a disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use imprint_blockio::BlockDevice;
use imprint_image::disk::{DiskError, Opened, children_of, open_chain, open_chain_for_writing};
use imprint_mount::{
    Failure, Mounted, Options, ReadOnly, Report, Reporter, Served, Unmount, Writable, serve_disk,
};
use imprint_partition::{Partition, PartitionTable, ReadError};
use imprint_vdisk::{Chain, WritableContainer};

use super::failures::Failures;
use super::stop::Stop;
use super::{Document, File};
use crate::cli::disk::MountArgs;
use crate::commands::disk::{file_options, fresh};
use crate::console::Console;
use crate::environment;
use crate::exit::Status;

/// Mounts the disk and serves it until it is unmounted.
pub(super) fn run(args: &MountArgs, console: &mut Console) -> anyhow::Result<Status> {
    if args.detached {
        // What ends the session of the user does not end this process.
        rustix::process::setsid().context("failed to begin a session")?;
    }
    let reporter =
        Reporter::new(environment::unique()?).context("failed to listen for those who unmount")?;
    let failures = Failures::default();
    let duty = Duty {
        args,
        source: reporter.source(&absolute(&args.file.file).to_string_lossy()),
        stop: Stop::new().context("failed to listen for signals")?,
        failures: failures.clone(),
    };
    let served = if args.write { duty.write(console) } else { duty.read(console) };
    let failed = failures.messages();
    // Nothing holds the disk from here on.
    reporter.tell(&report(&served, failed.clone()));
    let status = served?;
    if !args.detached {
        console.summary(&format_args!("unmounted {}", args.file.file.display()))?;
    }
    Ok(if failed.is_empty() { status } else { Status::Incomplete })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn report(served: &anyhow::Result<Status>, failed: Vec<String>) -> Report {
    match served {
        Ok(_) => Report { kept: true, messages: failed },
        Err(error) => {
            let messages = std::iter::once(format!("{error:#}")).chain(failed).collect();
            Report { kept: false, messages }
        }
    }
}

/// All that serving needs beside the disk.
struct Duty<'a> {
    args: &'a MountArgs,
    /// What the list of mounts calls it.
    source: String,
    stop: Stop,
    failures: Failures,
}

impl Duty<'_> {
    fn read(&self, console: &mut Console) -> anyhow::Result<Status> {
        let options = file_options(&self.args.file);
        let chain = open_chain(&self.args.file.file, &options)?.chain;
        let partitions = Partitions::of(&chain)?;
        self.serve(ReadOnly(chain), &partitions, Box::new(|| Ok(())), console)
    }

    fn write(&self, console: &mut Console) -> anyhow::Result<Status> {
        let (path, options) = (&self.args.file.file, file_options(&self.args.file));
        if !self.args.force {
            // Before it is opened for writing, which changes the file already.
            let chain = open_chain(path, &options)?.chain;
            let children = children_of(path, chain.leaf(), &options.folders)?;
            if !children.is_empty() {
                return Err(DiskError::HasChildren { path: path.clone(), children }.into());
            }
        }
        let ids = fresh().write_ids().context("failed to get random bytes")?;
        let Opened { chain, .. } = open_chain_for_writing(path, &options, ids)?;
        let chain = Arc::new(chain);
        let served = self.write_chain(&chain, console);
        let Some(chain) = Arc::into_inner(chain) else {
            // A thread died with it.
            return served;
        };
        let closed = chain.close();
        let status = served?;
        closed.context("failed to close the disk file")?;
        Ok(status)
    }

    fn write_chain(
        &self,
        chain: &Arc<Chain<dyn WritableContainer>>,
        console: &mut Console,
    ) -> anyhow::Result<Status> {
        let partitions = Partitions::of(chain)?;
        let device = Writable(Arc::clone(chain));
        let flushing = Arc::clone(chain);
        let flush = move || imprint_blockio::WriteAt::flush(&*flushing);
        self.serve(device, &partitions, Box::new(flush), console)
    }

    /// Serves until it is unmounted and flushed. Nothing holds the device afterwards.
    fn serve(
        &self,
        device: impl Served,
        partitions: &Partitions,
        flush: Box<dyn Fn() -> std::io::Result<()> + Send>,
        console: &mut Console,
    ) -> anyhow::Result<Status> {
        let writable = device.is_writable();
        let failures = self.failures.clone();
        let modified = fs_err::metadata(&self.args.file.file).and_then(|file| file.modified());
        let options = Options {
            modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
            source: self.source.clone(),
            on_failure: Box::new(move |failure: &Failure| failures.add(failure)),
            ..Options::default()
        };
        let mounted = serve_disk(device, &partitions.found, &self.args.directory, options)?;
        if self.args.detached {
            // The folder somebody happened to be in is not kept busy.
            std::env::set_current_dir("/")?;
        }
        self.stop.arm(mounted.unmounter(), flush);
        let document = self.document(&mounted, partitions, writable);
        let announced = document.announce(console);
        if announced.is_err() && mounted.unmount().is_err() {
            // Whoever wanted it has gone.
            let _goes_on = mounted.unmounter().unmount(Unmount::Detach);
        }
        let ended = mounted.wait();
        self.stop.disarm();
        ended?;
        announced?;
        Ok(document.status())
    }

    fn document(&self, mounted: &Mounted, partitions: &Partitions, writable: bool) -> Document {
        let files = mounted.files().iter();
        Document {
            path: self.args.file.file.to_string_lossy().into_owned(),
            at: mounted.path().to_string_lossy().into_owned(),
            writable,
            files: files.map(|(name, size)| File { name: name.clone(), size: *size }).collect(),
            warnings: partitions.warnings.clone(),
            partitions_unreadable: partitions.unreadable.clone(),
        }
    }
}

/// What the partition table says.
struct Partitions {
    found: Vec<Partition>,
    warnings: Vec<String>,
    /// Why there are none.
    unreadable: Option<String>,
}

impl Partitions {
    fn of(device: &impl BlockDevice) -> anyhow::Result<Self> {
        let (mut found, mut warnings, mut unreadable) = (Vec::new(), Vec::new(), None);
        match PartitionTable::read(device) {
            Ok(Some(table)) => {
                found = table.partitions().to_vec();
                warnings = table.warnings().iter().map(ToString::to_string).collect();
            }
            Ok(None) => {}
            Err(error @ ReadError::Io { .. }) => return Err(error.into()),
            // The disk can still be looked at, and mended.
            Err(error) => unreadable = Some(format!("{:#}", anyhow::Error::from(error))),
        }
        Ok(Self { found, warnings, unreadable })
    }
}
