//! What the crash tests share.

use imprint_blockio::Sparse;
use imprint_progress::Progress;
use imprint_vdisk::{Format, Severity, check_vhd, check_vhdx};

/// Nothing is worse than wasted room, a log to be replayed or a footer to be restored.
#[track_caller]
pub(crate) fn no_errors(format: Format, file: &impl Sparse, what: &str) {
    let mut take = |finding: imprint_vdisk::Finding| {
        assert!(finding.severity() < Severity::Error, "{what}: {finding}");
    };
    match format {
        Format::Vhdx => check_vhdx(file, &Progress::new(), &mut take).unwrap(),
        Format::Vhd | Format::Raw => check_vhd(file, &Progress::new(), &mut take).unwrap(),
    };
}

#[track_caller]
pub(crate) fn same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    if found != expected {
        let first = found.iter().zip(expected).position(|(found, expected)| found != expected);
        panic!("{what}: first difference at {first:?}");
    }
}
