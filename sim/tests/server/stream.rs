//! The order stream: logins, frames, mischief, ends (`dhanhq-v2.md` section 5).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tandem_sim::{Casing, Fault, JoinStyle, LoginRefusal, Mute, SimSettings, SimVariants};

use crate::support::{Desk, FOLLOWER, Heard, LEADER, id, login, still};

const TOKEN_EXPIRED: [u8; 10] = [0x32, 0x0A, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x27, 0x03];

#[actix_rt::test]
async fn a_login_is_silent_and_frames_come_in_order_after_the_answer() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let mut leaders = desk.listen(LEADER).await;
    assert!(stream.hears_nothing().await);

    let (_, last) = desk.option();
    let order_id = desk.place(desk.order("BUY", (last * 1.1).round(), "cp-1")).await;
    let transit = stream.update().await;
    assert_eq!((&transit["orderNo"], &transit["status"]), (&json!(order_id), &json!("Transit")));
    let pending = stream.update().await;
    assert_eq!((&pending["status"], &pending["correlationId"]), (&json!("Pending"), &json!("cp-1")));
    assert_eq!(pending["symbol"].as_str().map(str::len), Some(15));
    assert!(pending.get("tradedQty").is_none(), "zero is left out");
    let traded = stream.update().await;
    assert_eq!((&traded["status"], &traded["tradedQty"]), (&json!("Traded"), &json!(65)));
    assert!(traded.get("remainingQuantity").is_none(), "zero is left out");
    assert!(leaders.hears_nothing().await, "every account has a stream of its own");
}

#[actix_rt::test]
async fn a_bad_login_is_refused_in_three_shapes() {
    let check = async |refusal: LoginRefusal, expect: &[Heard]| {
        let variants = SimVariants { login_refusal: refusal, ..SimVariants::default() };
        let desk = Desk::open(SimSettings { variants, ..still() });
        let mut stream = desk.connect().await.unwrap();
        stream.say(&login(FOLLOWER, "sim-token-none")).await;
        for heard in expect {
            assert_eq!(&stream.hear().await, heard, "{refusal:?}");
        }
    };
    check(LoginRefusal::Code50, &[Heard::Binary(TOKEN_EXPIRED.to_vec()), Heard::Closed]).await;
    check(LoginRefusal::Reset, &[Heard::Broken]).await;

    let desk = Desk::open(still());
    let refuse = |how| desk.sim.faults().inject(&id(FOLLOWER), Fault::StreamRefuseLogin { how });
    refuse(Some(LoginRefusal::Http429));
    assert_eq!(desk.connect().await.err(), Some(429));
    refuse(None);
    desk.listen(FOLLOWER).await;
}

#[actix_rt::test]
async fn a_dead_token_ends_every_connection_of_the_account() {
    let desk = Desk::open(still());
    let (mut first, mut second) = (desk.listen(FOLLOWER).await, desk.listen(FOLLOWER).await);
    let mut leaders = desk.listen(LEADER).await;
    desk.sim.faults().inject(&id(FOLLOWER), Fault::TokenRefused { refused: true });
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.hear().await, Heard::Binary(TOKEN_EXPIRED.to_vec()));
        assert_eq!(stream.hear().await, Heard::Closed);
    }
    let mut again = desk.connect().await.unwrap();
    again.say(&login(FOLLOWER, "sim-token-1000000202")).await;
    assert_eq!(again.hear().await, Heard::Binary(TOKEN_EXPIRED.to_vec()));
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.0, 401);
    leaders.ping().await;
    assert_eq!(leaders.hear().await, Heard::Pong);
    desk.sim.faults().inject(&id(FOLLOWER), Fault::TokenRefused { refused: false });
    desk.listen(FOLLOWER).await;
}

#[actix_rt::test]
async fn a_stream_can_be_closed_reset_and_muted() {
    let desk = Desk::open(still());
    let inject = |fault| assert!(desk.sim.faults().inject(&id(FOLLOWER), fault));

    let mut stream = desk.listen(FOLLOWER).await;
    inject(Fault::StreamClose);
    assert_eq!(stream.hear().await, Heard::Closed);
    desk.until(|desk| desk.sim.open_streams(&id(FOLLOWER)) == 0).await;

    let mut stream = desk.listen(FOLLOWER).await;
    inject(Fault::StreamReset);
    assert_eq!(stream.hear().await, Heard::Broken);
    desk.until(|desk| desk.sim.open_streams(&id(FOLLOWER)) == 0).await;

    let mut stream = desk.listen(FOLLOWER).await;
    inject(Fault::StreamMute { mute: Mute::Frames });
    desk.place(desk.resting("cp-1")).await;
    stream.ping().await;
    assert_eq!(stream.hear().await, Heard::Pong, "alive, but silent");
    inject(Fault::StreamMute { mute: Mute::Everything });
    stream.ping().await;
    assert!(stream.hears_nothing().await);
    inject(Fault::StreamMute { mute: Mute::Off });
    desk.place(desk.resting("cp-2")).await;
    let heard = stream.update().await;
    assert_eq!(heard["correlationId"], "cp-2", "what was muted never comes");
}

#[actix_rt::test]
async fn frames_come_twice_turned_round_joined_and_raw() {
    let desk = Desk::open(still());
    let inject = |fault| assert!(desk.sim.faults().inject(&id(FOLLOWER), fault));
    let mut stream = desk.listen(FOLLOWER).await;

    inject(Fault::StreamDuplicate { frames: 1 });
    desk.place(desk.resting("cp-1")).await;
    assert_eq!(stream.statuses(3).await, ["Transit", "Transit", "Pending"]);

    inject(Fault::StreamReorder { frames: 2 });
    desk.place(desk.resting("cp-2")).await;
    assert_eq!(stream.statuses(2).await, ["Pending", "Transit"]);

    inject(Fault::StreamJoin { frames: 2, style: JoinStyle::Concatenated });
    desk.place(desk.resting("cp-3")).await;
    let Heard::Text(joined) = stream.hear().await else { panic!("no text") };
    assert_eq!(joined.matches(r#""Type":"order_alert"}{"#).count(), 1, "{joined}");

    inject(Fault::StreamText { text: "429 too many requests".to_owned() });
    assert_eq!(stream.hear().await, Heard::Text("429 too many requests".to_owned()));
    inject(Fault::StreamBinary { bytes: vec![1, 2] });
    assert_eq!(stream.hear().await, Heard::Binary(vec![1, 2]));

    // Alone for too long, a frame goes out without company.
    inject(Fault::StreamReorder { frames: 3 });
    desk.place(desk.resting("cp-4")).await;
    assert_eq!(stream.statuses(2).await, ["Pending", "Transit"]);
}

#[actix_rt::test]
async fn frames_can_be_spelled_as_documented() {
    let variants = SimVariants { casing: Casing::Documented, ..SimVariants::default() };
    let desk = Desk::open(SimSettings { variants, ..still() });
    let mut stream = desk.listen(FOLLOWER).await;
    desk.place(desk.resting("cp-1")).await;
    let update = stream.update().await;
    assert_eq!((&update["Status"], &update["TradedQty"]), (&json!("TRANSIT"), &json!(0)));
}

#[actix_rt::test]
async fn a_token_that_dies_of_age_ends_its_streams() {
    let desk = Desk::open(SimSettings { token_hours: 1, ..still() });
    let mut stream = desk.listen(FOLLOWER).await;
    desk.sim.clock().run_for(Duration::from_hours(1)).finished().await.unwrap();
    assert_eq!(stream.hear().await, Heard::Binary(TOKEN_EXPIRED.to_vec()));
    assert_eq!(stream.hear().await, Heard::Closed);
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.0, 401);
}

#[actix_rt::test]
async fn many_callers_at_once_leave_one_order_of_events() {
    const ORDERS: usize = 60;
    let mut settings = SimSettings { rate_limits: false, ..still() };
    settings.accounts[1].capital_rupees = 100_000_000;
    let desk = Desk::open(settings);
    let mut stream = desk.listen(FOLLOWER).await;
    let bodies: Vec<_> = (0..ORDERS).map(|number| desk.resting(&format!("cp-{number}"))).collect();
    let placing = join_all(bodies.into_iter().map(|body| desk.place(body)));
    let listening = async {
        let mut heard = Vec::new();
        for _ in 0..2 * ORDERS {
            let update = stream.update().await;
            let text = |key: &str| update[key].as_str().unwrap().to_owned();
            heard.push((text("orderNo"), text("status")));
        }
        heard
    };
    let (placed, heard) = tokio::join!(placing, listening);

    let book = desk.sim.with_exchange(|exchange| {
        exchange.all_orders(&id(FOLLOWER)).into_iter().map(|order| order.id.to_string()).collect::<Vec<_>>()
    });
    let expect: Vec<_> = book
        .iter()
        .flat_map(|order| ["Transit", "Pending"].map(|status| (order.clone(), status.to_owned())))
        .collect();
    assert_eq!(heard, expect, "frames come in the order of the book");
    assert_eq!(placed.len(), ORDERS);
}
