//! Numbers as people read them.

/// A span of time, to three figures or so.
pub(in crate::cli) fn span(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (millis, seconds) = (micros / 1_000, micros / 1_000_000);
    match micros {
        0..10_000 => format!("{sign}{millis}.{:02} ms", micros % 1_000 / 10),
        10_000..1_000_000 => format!("{sign}{millis} ms"),
        1_000_000..60_000_000 => format!("{sign}{seconds}.{:02} s", micros % 1_000_000 / 10_000),
        60_000_000..3_600_000_000 => format!("{sign}{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{sign}{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A number of hundredths with its point: -274 is -2.74.
pub(crate) fn hundredths(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let number = number.unsigned_abs();
    format!("{sign}{}.{:02}", number / 100, number % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_readable_at_every_size() {
        for (micros, text) in [
            (0, "0.00 ms"),
            (640, "0.64 ms"),
            (-9_999, "-9.99 ms"),
            (41_500, "41 ms"),
            (1_234_000, "1.23 s"),
            (125_000_000, "2m05s"),
            (7_260_000_000, "2h01m"),
        ] {
            assert_eq!(span(micros), text);
        }
    }
}
