//! Which names of an image a host directory can have.

/// What is wrong with a name, as seen by a host directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameFault {
    #[error("name is empty")]
    Empty,
    #[error("name should lead to an entry of its directory, but is {dots}")]
    Dots { dots: &'static str },
    #[error("name holds {byte:#04x} at position {position}, which the target cannot have")]
    Forbidden { byte: u8, position: usize },
}

/// Checks a name. `streams` if a colon would lead to a stream of a file.
pub(super) fn check(name: &[u8], streams: bool) -> Result<(), NameFault> {
    match name {
        b"" => Err(NameFault::Empty),
        b"." => Err(NameFault::Dots { dots: "\".\"" }),
        b".." => Err(NameFault::Dots { dots: "\"..\"" }),
        _ => match name.iter().position(|&b| is_forbidden(b, streams)) {
            Some(position) => {
                let byte = name.get(position).copied().unwrap_or_default();
                Err(NameFault::Forbidden { byte, position })
            }
            None => Ok(()),
        },
    }
}

const fn is_forbidden(byte: u8, streams: bool) -> bool {
    matches!(byte, 0 | b'/') || (streams && byte == b':')
}

/// Makes a similar name that is allowed; `number` keeps several of them apart.
pub(super) fn similar(name: &[u8], streams: bool, number: u32) -> Vec<u8> {
    let mut result: Vec<u8> = Vec::with_capacity(name.len() + 32);
    for &byte in name {
        if is_forbidden(byte, streams) {
            result.extend_from_slice("\u{fffd}".as_bytes());
        } else {
            result.push(byte);
        }
    }
    result.extend_from_slice(format!(" (invalid name {number})").as_bytes());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let text = |name: &[u8], streams| check(name, streams).unwrap_err().to_string();
        assert_eq!(text(b"", false), "name is empty");
        assert_eq!(
            text(b"..", false),
            "name should lead to an entry of its directory, but is \"..\""
        );
        assert_eq!(
            text(b"../x", false),
            "name holds 0x2f at position 2, which the target cannot have"
        );
        assert_eq!(check(b"a\0", false), Err(NameFault::Forbidden { byte: 0, position: 1 }));
        assert_eq!(check(b"a:b", true), Err(NameFault::Forbidden { byte: b':', position: 1 }));
        for fine in [&b"a:b"[..], b"...", b"a\\b", b"CON", b" "] {
            assert_eq!(check(fine, false), Ok(()));
        }
    }

    #[test]
    fn similar_names_are_allowed() {
        for bad in [&b""[..], b".", b"..", b"/", b"a/../b\0:"] {
            assert_eq!(check(&similar(bad, true, 1), true), Ok(()));
        }
        assert_eq!(similar(b"a/b", false, 7), "a\u{fffd}b (invalid name 7)".as_bytes());
    }
}
