//! Damaged input never panics, never turns into silence: whatever is done to a frame's text, decoding ends with a
//! report, an error, or the knowledge that nothing of ours was in it.

use proptest::prelude::*;
use tandem_dhan::wire::{ForeverOrderRow, OrderBookRow, SuperOrderRow, decode_frame, decode_rows};
use tandem_dhan::{instruments, parse, refusal};

const FRAMES: [&str; 4] = [
    include_str!("fixtures/frames/pending.json"),
    include_str!("fixtures/frames/array.json"),
    include_str!("fixtures/frames/two_concatenated.json"),
    include_str!("fixtures/frames/documented.json"),
];

fn frame() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(&FRAMES[..]).prop_map(|text| text.as_bytes().to_vec())
}

/// A few bytes overwritten, removed or inserted, and perhaps the end cut off.
fn damaged(text: Vec<u8>) -> impl Strategy<Value = String> {
    let edits =
        prop::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), any::<bool>()), 0..6);
    (edits, any::<Option<prop::sample::Index>>()).prop_map(move |(edits, cut)| {
        let mut bytes = text.clone();
        for (at, byte, insert) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match byte {
                Some(byte) if insert => bytes.insert(at, byte),
                Some(byte) => bytes[at] = byte,
                None => {
                    bytes.remove(at);
                }
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_frame_is_read_or_named(text in frame().prop_flat_map(damaged)) {
        let frame = decode_frame(&text);
        let something = !frame.items.is_empty() || frame.other_types > 0;
        prop_assert!(something || text.trim().is_empty() || text.trim().starts_with('['), "{}", text);
        for update in frame.items.into_iter().flatten() {
            let _ = parse::order_update(&update);
        }
    }

    #[test]
    fn any_text_at_all_is_survived(text in any::<String>()) {
        for update in decode_frame(&text).items.into_iter().flatten() {
            let _ = parse::order_update(&update);
        }
        if let Ok(rows) = decode_rows::<OrderBookRow>(text.as_bytes()) {
            for row in &rows.rows {
                let _ = parse::order_row(row);
            }
        }
        for row in decode_rows::<SuperOrderRow>(text.as_bytes()).iter().flat_map(|rows| &rows.rows) {
            let _ = parse::super_row(row);
        }
        for row in decode_rows::<ForeverOrderRow>(text.as_bytes()).iter().flat_map(|rows| &rows.rows) {
            let _ = parse::forever_row(row);
        }
        let _ = refusal::read(400, text.as_bytes());
        let _ = instruments::load(text.as_bytes());
    }

    #[test]
    fn a_cut_frame_still_names_the_orders_it_showed(cut in 400usize..900) {
        let text: String = FRAMES[0].chars().take(cut).collect();
        let frame = decode_frame(&text);
        prop_assert_eq!(frame.items.len(), 1);
        let error = frame.items[0].clone().unwrap_err();
        let order = error.order.unwrap();
        prop_assert_eq!(order.as_str(), "221261123048117");
    }
}
