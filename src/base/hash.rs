//! FNV-1a: marks and ids that are kept are made with it, because it is the same in every build of gt and in every town.

/// 32 bits.
pub fn fnv32(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// 64 bits.
pub fn fnv64(text: &str) -> u64 {
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_are_on_disks() {
        assert_eq!((fnv32([]), fnv32(*b"foobar")), (0x811c_9dc5, 0xbf9c_f968));
        assert_eq!((fnv64(""), fnv64("foobar")), (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8));
    }
}
