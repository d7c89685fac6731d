//! Which ids were perhaps meant.

use tandem_domain::ids::BrokerOrderId;

/// More would be no hint.
const HINTS_MAX: usize = 3;

/// The ids that differ least from this text, nearest first.
pub(super) fn to<'a>(text: &str, ids: &'a [BrokerOrderId]) -> Vec<&'a str> {
    let mut near: Vec<_> = ids.iter().map(|id| (distance(text, id.as_str()), id.as_str())).collect();
    near.sort_unstable();
    near.into_iter().take(HINTS_MAX).map(|(_, id)| id).collect()
}

/// Characters to insert, drop or replace to come from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, have) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (place, want) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(have != *want);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_the_number_of_slips() {
        for (from, to, slips) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("abc", "xabc", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), slips, "{from} {to}");
            assert_eq!(distance(to, from), slips, "{to} {from}");
        }
    }

    #[test]
    fn the_nearest_come_first_and_are_few() {
        let ids: Vec<_> =
            ["2212", "9999", "2213", "2222", "1"].map(|id| BrokerOrderId::new(id).unwrap()).into();
        assert_eq!(to("2214", &ids), ["2212", "2213", "2222"]);
    }
}
