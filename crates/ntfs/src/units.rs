//! Numbers that must not be mixed up.

use std::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit! {
    /// The number of a record in `$MFT`.
    RecordNumber
}
unit! {
    /// A cluster, counted from the start of the volume.
    Lcn
}
unit! {
    /// A cluster, counted from the start of an attribute's value.
    Vcn
}
