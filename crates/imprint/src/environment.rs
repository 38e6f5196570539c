//! What comes from outside: the time and randomness. Everything below this program is given them.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use imprint_image::Entropy;
use imprint_winvalues::{FileTime, Guid};

/// The time now.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock for the date")]
pub(crate) fn now() -> FileTime {
    // A clock before 1970 is not set; any date is as good as another then.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(since.as_secs().try_into().unwrap_or(i64::MAX), since.subsec_nanos())
}

/// Random values for a new file.
pub(crate) fn entropy() -> anyhow::Result<Entropy> {
    let mut guid = [0; 16];
    getrandom::fill(&mut guid).context("failed to get random bytes")?;
    Ok(Entropy { guid: Guid::from_random(guid), unique: unique()? })
}

/// A random number.
pub(crate) fn unique() -> anyhow::Result<u64> {
    getrandom::u64().context("failed to get random bytes")
}

/// Random bytes for a GUID.
pub(crate) fn random() -> std::io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
