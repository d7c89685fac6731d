//! E11: frames that cannot be read. The order that such a frame may have told of is read from the book instead.

use serde_json::json;
use tandem_domain::ids::BrokerOrderId;
use tandem_domain::order::Product;
use tandem_sim::{Fault, Mute};

use crate::harness::{ASHA, Broker, LEADER, Setup, Stage, buy};

/// The book is read when a frame gives reason to, and not on a period.
fn stage() -> Stage {
    Setup::new().set("leader.book_poll_ms = 600000").stage()
}

/// The leader places an order, and all the stream says of it is this text.
fn tell_only(broker: &Broker, text: impl FnOnce(&BrokerOrderId) -> String) -> BrokerOrderId {
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Frames });
    let order = broker.lead(buy(broker.option(), 130));
    broker.inject(LEADER, Fault::StreamMute { mute: Mute::Off });
    broker.inject(LEADER, Fault::StreamText { text: text(&order) });
    order
}

#[test]
fn e11_malformed_frames() {
    let Stage { broker, mut daemon } = stage();
    daemon.expects("a frame of the leader's stream could not be read");
    let texts = [
        "no json at all",
        r#"{"Data":{"orderNo":"341261201000001","status":"Tra"#,
        r#"{"Data":{"orderNo":"1","clientId":"1000000101","status":"Traded","quantity":"many"},"Type":"order_alert"}"#,
        r#"{"Data":{"status":"Traded","clientId":"1000000101"},"Type":"order_alert"}"#,
        r#"{"Data":[1,2,3],"Type":"order_alert"}"#,
        "\u{0}\u{1}\u{fffd}{{{{",
    ];
    for text in texts {
        let order = tell_only(&broker, |_| text.to_owned());
        daemon.until_filled(&order, "asha", 65);
    }
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), texts.len());
    assert_eq!(daemon.log_count("leader's book merged: live"), 1, "the stream was never lost");
    daemon.end();
}

/// A whole frame of a market order for 130 units, but for its status.
fn frame_with_status(broker: &Broker, order: &BrokerOrderId, status: &str) -> String {
    json!({ "Type": "order_alert", "Data": {
        "exchange": "NSE", "segment": "D", "source": "W", "securityId": broker.option().security_id.to_string(),
        "clientId": LEADER, "exchOrderNo": "1100000000000001", "orderNo": order.as_str(), "product": "M",
        "txnType": "B", "orderType": "MKT", "validity": "DAY", "quantity": 130, "remainingQuantity": 130,
        "offMktFlag": "0", "orderDateTime": "2026-12-01 09:15:01", "exchOrderTime": "2026-12-01 09:15:01",
        "lastUpdatedTime": "2026-12-01 09:15:01", "remarks": " ", "legNo": 1, "productName": "MARGIN",
        "status": status, "lotSize": 65, "algoId": "0", "multiplier": 1, "correlationId": "NA",
    } })
    .to_string()
}

#[test]
fn e11_unknown_status() {
    let Stage { broker, mut daemon } = stage();
    daemon.expects("Frobnicated");
    let order = tell_only(&broker, |order| frame_with_status(&broker, order, "Frobnicated"));
    daemon.until_filled(&order, "asha", 65);

    // The same frame with a word that is known would have done.
    let known = tell_only(&broker, |order| frame_with_status(&broker, order, "Pending"));
    daemon.until_filled(&known, "asha", 65);
    broker.quiet();
    assert_eq!(broker.orders(ASHA).len(), 2);
    daemon.end();
}

#[test]
fn e11_huge_and_binary_frames() {
    let Stage { broker, mut daemon } = stage();
    daemon.expects("leader stream ended");
    let option = broker.option();

    // Five megabytes end the connection; what was missed is in the book at the next.
    let huge = tell_only(&broker, |_| format!("{{\"Data\":\"{}\"}}", "x".repeat(5 << 20)));
    daemon.until_live(2);
    daemon.until_filled(&huge, "asha", 65);

    // A binary frame refuses a login; the token is looked at, found good, and used again.
    broker.inject(LEADER, Fault::StreamBinary { bytes: vec![0xff, 0x00, 0x13, 0x37] });
    daemon.until_live(3);
    let next = broker.lead(buy(option, 130));
    daemon.until_filled(&next, "asha", 65);
    broker.quiet();
    assert_eq!(broker.position(ASHA, option, Product::Margin), 130);
    assert!(daemon.incidents().is_empty());
    daemon.end();
}
