//! Link targets of Linux as links of Windows, and back.
//!
//! | Linux | Windows (substitute name) |
//! |---|---|
//! | `a/b` | `a\b`, relative |
//! | `/a/b` | `\??\C:\a\b`, absolute; the drive is made up |
//!
//! `/` and `\` change places, so a target that holds a backslash comes back. Source: wimlib 1.14.5,
//! `reparse.c`; the drive letter makes readers on Windows adjust absolute links as they expect.

use imprint_winvalues::reparse::{Link, LinkKind};
use imprint_winvalues::{NameError, WinName};

/// What stands before an absolute target. The first four characters are not shown to people.
const DRIVE: &str = r"\??\C:";
/// Where the system's own names for devices begin; the next component is the device.
const DEVICE_PREFIXES: [&[u8]; 3] = [br"\??\", br"\DosDevices\", br"\Device\"];

/// Converts the target of a symbolic link. An empty target stands for the image's root.
///
/// # Errors
/// [`NameError`] if the target is not UTF-8.
pub(super) fn from_target(target: &[u8]) -> Result<Link, NameError> {
    let mut units: Vec<u16> = WinName::from_wtf8(target)?.units().to_vec();
    for unit in &mut units {
        *unit = swap_separators(*unit);
    }
    let relative = units.first().is_some_and(|&first| first != u16::from(b'\\'));
    let kind = LinkKind::SymbolicLink { relative };
    if relative {
        let name = WinName::from_units(&units);
        return Ok(Link { kind, substitute: name.clone(), print: name });
    }
    let full: Vec<u16> = DRIVE.encode_utf16().chain(units).collect();
    let print = WinName::from_units(full.get(4..).unwrap_or_default());
    Ok(Link { kind, substitute: WinName::from_units(&full), print })
}

/// Converts a link to the target of a symbolic link. `root` stands before the target of an absolute
/// link.
pub(super) fn to_target(link: &Link, root: &[u8]) -> Vec<u8> {
    let relative = link.kind == LinkKind::SymbolicLink { relative: true };
    let units: Vec<u16> = link.substitute.units().iter().map(|&u| swap_separators(u)).collect();
    let swapped = WinName::from_units(&units).to_wtf8();
    let target = if relative { swapped.as_slice() } else { without_device(&swapped) };
    let mut result = if relative { Vec::new() } else { root.to_vec() };
    result.extend_from_slice(target);
    // What leads to the image's root itself is stored empty, which Linux does not allow.
    if result.is_empty() {
        result.push(b'/');
    }
    result
}

/// Cuts `\??\C:` and the like off a target whose separators are already those of Linux.
fn without_device(target: &[u8]) -> &[u8] {
    for prefix in DEVICE_PREFIXES {
        let matches = target.len() >= prefix.len()
            && prefix
                .iter()
                .zip(target)
                .all(|(&p, &t)| if p == b'\\' { t == b'/' } else { p == t });
        if matches {
            let device = target.get(prefix.len()..).unwrap_or_default();
            let slashes = device.iter().take_while(|&&b| b == b'/').count();
            let device = device.get(slashes..).unwrap_or_default();
            let end = device.iter().position(|&b| b == b'/').unwrap_or(device.len());
            return device.get(end..).unwrap_or_default();
        }
    }
    target
}

fn swap_separators(unit: u16) -> u16 {
    match u8::try_from(unit) {
        Ok(b'/') => u16::from(b'\\'),
        Ok(b'\\') => u16::from(b'/'),
        _ => unit,
    }
}

/// Cuts the root off an absolute target that lies inside it; `None` if it lies outside.
///
/// `is_root` says whether a path leads to the root, so that other ways to it (links, doubled
/// separators) are found too. What is left begins with a separator or is empty.
pub(super) fn inside(target: &[u8], is_root: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        let rest = target.get(end..)?;
        end += rest.iter().take_while(|&&b| b == b'/').count();
        let rest = target.get(end..).filter(|rest| !rest.is_empty())?;
        end += rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
        let (prefix, suffix) = target.split_at_checked(end)?;
        if is_root(prefix) {
            return Some(suffix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, substitute: &str, print: &str) {
        let link = from_target(target.as_bytes()).unwrap();
        assert_eq!(link.substitute, substitute.into());
        assert_eq!(link.print, print.into());
        assert_eq!(String::from_utf8(to_target(&link, b"")).unwrap(), target);
    }

    #[test]
    fn targets_come_back() {
        check("a/../b", r"a\..\b", r"a\..\b");
        check(r"back\slash", "back/slash", "back/slash");
        check("/usr/lib", r"\??\C:\usr\lib", r"C:\usr\lib");
        check("//usr//", r"\??\C:\\usr\\", r"C:\\usr\\");
    }

    #[test]
    fn targets_of_windows_lose_their_device() {
        let target = |kind, substitute: &str, root: &str| {
            let link = Link { kind, substitute: substitute.into(), print: WinName::default() };
            String::from_utf8(to_target(&link, root.as_bytes())).unwrap()
        };
        let absolute = LinkKind::SymbolicLink { relative: false };
        assert_eq!(target(absolute, r"\??\C:\Users", ""), "/Users");
        assert_eq!(target(LinkKind::Junction, r"\??\C:\Users", "/mnt"), "/mnt/Users");
        assert_eq!(target(LinkKind::Junction, r"\??\Volume{12}\", ""), "/");
        assert_eq!(target(absolute, r"\Device\HarddiskVolume1\x", ""), "/x");
        assert_eq!(target(absolute, r"\??\C:", ""), "/");
        assert_eq!(target(absolute, r"\??\C:", "/mnt"), "/mnt");
        assert_eq!(target(absolute, r"D:\x", ""), "D:/x");
        assert_eq!(
            target(LinkKind::SymbolicLink { relative: true }, r"\??\C:\x", "/mnt"),
            "/??/C:/x"
        );
    }

    #[test]
    fn the_root_is_cut_off_targets_inside_it() {
        let cut = |target: &'static str| {
            inside(target.as_bytes(), |path| {
                path.ends_with(b"home/e") || path.ends_with(b"home//e")
            })
            .map(|rest| str::from_utf8(rest).unwrap())
        };
        assert_eq!(cut("/home/e/test"), Some("/test"));
        assert_eq!(cut("/home/e/test/"), Some("/test/"));
        assert_eq!(cut("//home//e//test//"), Some("//test//"));
        assert_eq!(cut("/home/e"), Some(""));
        assert_eq!(cut("/home/e/"), Some("/"));
        assert_eq!(cut("/usr/lib"), None);
        assert_eq!(cut("/"), None);
        assert_eq!(cut(""), None);
    }
}
