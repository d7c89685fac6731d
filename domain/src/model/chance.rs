//! Numbers drawn from a seed: the same seed, the same day.

use super::exchange::{LOT, Order};

/// `SplitMix64` (Steele, Lea, Flood 2014): small, good enough, and nobody else's version to depend on.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// Other numbers, without drawing any of these.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.0 ^ 0x70CE_4E11)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`, which is not zero.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or(0)
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(u32::try_from(len).unwrap_or(1)) as usize
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    /// One of them, if there is any.
    pub(super) fn some(&mut self, numbers: &[usize]) -> Option<usize> {
        if numbers.is_empty() { None } else { Some(self.pick(numbers)) }
    }

    /// Takes one out, if there is any.
    pub(super) fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        if from.is_empty() { None } else { Some(from.swap_remove(self.index(from.len()))) }
    }

    /// The place of a weight, drawn in proportion to the weights.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut drawn = self.below(weights.iter().sum());
        for (at, weight) in weights.iter().enumerate() {
            if drawn < *weight {
                return at;
            }
            drawn -= weight;
        }
        0
    }
}

/// A lot of what is left of an order, or several, or all.
pub(super) fn lots_of(chance: &mut Chance, order: &Order) -> u32 {
    let left = (order.asked.units - order.filled).div_ceil(LOT).max(1);
    if chance.percent(30) { left * LOT } else { (1 + chance.below(left)) * LOT }
}
