//! Numbers that look random and are not: all of a made-up world hangs on hashes of its seed. Knows
//! nothing of what they are for.

/// The step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash of two numbers, bijective in the second (the finaliser of `SplitMix64`).
pub(super) fn mix(seed: u64, n: usize) -> u64 {
    let mut z = seed.wrapping_add((n as u64).wrapping_add(1).wrapping_mul(GOLDEN));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// A number below `end`, which is not 0, by a hash.
pub(super) fn below(hash: u64, end: usize) -> usize {
    usize::try_from(hash % end as u64).unwrap_or(0)
}

/// One of a list, by a hash.
pub(super) fn pick(list: &[&'static str], hash: u64) -> &'static str {
    list.get(below(hash, list.len())).copied().unwrap_or("")
}

/// The bits of the `n`-th GUID of a kind.
pub(super) fn bits(seed: u64, n: usize) -> u128 {
    u128::from(mix(seed, n)) << 64 | u128::from(mix(!seed, n))
}

/// The text of a GUID.
pub(super) fn guid(bits: u128) -> String {
    let mut text = String::with_capacity(36);
    for (n, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TenantId;

    #[test]
    fn a_guid_is_written_as_ids_are() {
        let bits = bits(1, 7);
        assert_eq!(guid(bits), TenantId::from_bits(bits).to_string());
    }
}
