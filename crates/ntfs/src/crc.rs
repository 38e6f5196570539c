//! CRC-64/NVME: the polynomial of Rocksoft, reflected, ones before and after.
//!
//! Observed in: `$UpCase:$Info` of a volume made by mkntfs.

const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x9a6c_9329_ac4b_c9b5 } else { crc >> 1 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "256 values for an array of 256")]
        {
            table[byte] = crc;
        }
        byte += 1;
    }
    table
};

/// The checksum of some bytes.
pub(crate) fn crc64(bytes: &[u8]) -> u64 {
    let step = |crc: u64, &byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        TABLE.get(usize::from(low ^ byte)).copied().unwrap_or(0) ^ crc >> 8
    };
    !bytes.iter().fold(u64::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_nvme() {
        // The check value of CRC-64/NVME.
        assert_eq!(crc64(b"123456789"), 0xae8b_1486_0a79_9888);
    }
}
