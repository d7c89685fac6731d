//! Answers that get lost, come late or come wrong: what happened to the order, and what the caller sees.

use std::time::{Duration, Instant};

use awc::error::{ConnectError, SendRequestError};
use serde_json::json;
use tandem_sim::{AnswerFault, Down, Fault, Operation};

use crate::support::{Desk, FOLLOWER, LEADER, id, still};

/// Spoils one placement; answers with what the caller sees and how many orders there are.
async fn spoiled(answer: AnswerFault) -> (Result<u16, SendRequestError>, usize) {
    let desk = Desk::open(still());
    // A warm connection, as a daemon has it.
    desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert!(desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Place, 1, answer));
    let seen = desk.try_call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1"))).await;
    let orders = desk.sim.with_exchange(|exchange| exchange.all_orders(&id(FOLLOWER)).len());

    let (status, _) = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-2"))).await;
    assert_eq!(status, 200, "a fault happens once");
    (seen.map(|(status, _)| status), orders)
}

fn is_lost(seen: &Result<u16, SendRequestError>) -> bool {
    matches!(seen, Err(SendRequestError::Connect(ConnectError::Disconnected)))
}

#[actix_rt::test]
async fn an_answer_lost_before_acceptance_leaves_no_order() {
    let (seen, orders) = spoiled(AnswerFault::LoseBefore).await;
    assert!(is_lost(&seen), "{seen:?}");
    assert_eq!(orders, 0);
}

#[actix_rt::test]
async fn an_answer_lost_after_acceptance_leaves_an_order() {
    let (seen, orders) = spoiled(AnswerFault::LoseAfter).await;
    assert!(is_lost(&seen), "{seen:?}");
    assert_eq!(orders, 1);
}

#[actix_rt::test]
async fn errors_come_before_or_after_acceptance() {
    let (seen, orders) = spoiled(AnswerFault::ErrorBefore { status: 503 }).await;
    assert_eq!((seen.unwrap(), orders), (503, 0));
    let (seen, orders) = spoiled(AnswerFault::ErrorAfter { status: 504 }).await;
    assert_eq!((seen.unwrap(), orders), (504, 1));
    let (seen, orders) = spoiled(AnswerFault::Busy).await;
    assert_eq!((seen.unwrap(), orders), (429, 0));
}

/// Spoils one change or cancel of a resting order; answers with what the caller sees and what the book then says.
async fn spoiled_write(operation: Operation, answer: AnswerFault) -> (Result<u16, SendRequestError>, String) {
    let desk = Desk::open(still());
    let order_id = desk.place(desk.resting("cp-1")).await;
    let path = format!("/orders/{order_id}");
    desk.sim.faults().next_answers(&id(FOLLOWER), operation, 1, answer);
    let seen = if operation == Operation::Modify {
        let change = json!({"orderType": "LIMIT", "validity": "DAY", "quantity": 130});
        desk.try_call(FOLLOWER, "PUT", &path, Some(change)).await
    } else {
        desk.try_call(FOLLOWER, "DELETE", &path, None).await
    };
    let (_, row) = desk.call(FOLLOWER, "GET", &path, None).await;
    let state = format!("{} {}", row[0]["orderStatus"].as_str().unwrap(), row[0]["quantity"]);
    (seen.map(|(status, _)| status), state)
}

#[actix_rt::test]
async fn changes_and_cancels_get_lost_before_or_after_they_are_made() {
    for (operation, done) in [(Operation::Modify, "PENDING 130"), (Operation::Cancel, "CANCELLED 65")] {
        let undone = "PENDING 65";
        for (fault, status, expect) in [
            (AnswerFault::LoseBefore, None, undone),
            (AnswerFault::LoseAfter, None, done),
            (AnswerFault::ErrorBefore { status: 500 }, Some(500), undone),
            (AnswerFault::ErrorAfter { status: 502 }, Some(502), done),
            (AnswerFault::Busy, Some(429), undone),
            (AnswerFault::Delay { ms: 20 }, Some(200), done),
        ] {
            let (seen, state) = spoiled_write(operation, fault).await;
            assert_eq!(
                (seen.as_ref().ok().copied(), state.as_str()),
                (status, expect),
                "{operation:?} {fault:?}"
            );
            assert!(status.is_some() || is_lost(&seen), "{seen:?}");
        }
    }
}

#[actix_rt::test]
async fn a_list_has_a_row_that_nobody_can_read() {
    let desk = Desk::open(still());
    for placed in [0, 1] {
        desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Read, 1, AnswerFault::OddRow);
        let (status, rows) = desk.call(FOLLOWER, "GET", "/orders", None).await;
        assert_eq!((status, rows.as_array().unwrap().len()), (200, placed + 1));
        assert_eq!(rows[placed], json!({"row": "odd"}));
        desk.place(desk.resting(&format!("cp-{placed}"))).await;
    }
}

#[actix_rt::test]
async fn the_first_order_of_a_list_has_a_quantity_that_nobody_can_read() {
    let desk = Desk::open(still());
    desk.place(desk.resting("cp-1")).await;
    desk.place(desk.resting("cp-2")).await;
    let (_, known) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Read, 1, AnswerFault::OddOrder);
    let (status, rows) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!((status, &rows[0]["orderId"], &rows[1]), (200, &known[0]["orderId"], &known[1]));
    assert_eq!(rows[0]["quantity"], "odd");
}

#[actix_rt::test]
async fn a_late_answer_holds_up_no_frames() {
    let desk = Desk::open(still());
    let mut stream = desk.listen(FOLLOWER).await;
    let delay = Duration::from_millis(300);
    desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Place, 1, AnswerFault::Delay { ms: 300 });
    let began = Instant::now();
    let placing = desk.call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1")));
    let listening = async {
        let statuses = stream.statuses(2).await;
        (statuses, began.elapsed())
    };
    let ((status, _), (statuses, heard_after)) = tokio::join!(placing, listening);
    assert_eq!((status, statuses), (200, vec!["Transit".to_owned(), "Pending".to_owned()]));
    assert!(began.elapsed() >= delay);
    assert!(heard_after < began.elapsed(), "the frames were there first");
}

#[actix_rt::test]
async fn an_account_that_is_down_is_alone() {
    let desk = Desk::open(still());
    let stream = desk.listen(FOLLOWER).await;
    desk.sim.faults().inject(&id(FOLLOWER), Fault::AccountDown { down: Down::Refuse });
    let seen = desk.try_call(FOLLOWER, "GET", "/orders", None).await.map(|(status, _)| status);
    assert!(is_lost(&seen), "{seen:?}");
    assert_eq!(desk.call(LEADER, "GET", "/orders", None).await.0, 200);
    desk.until(|desk| desk.sim.open_streams(&id(FOLLOWER)) == 0).await;
    drop(stream);

    desk.sim.faults().inject(&id(FOLLOWER), Fault::AccountDown { down: Down::Errors });
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.0, 500);
    desk.sim.faults().clear(&id(FOLLOWER));
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await.0, 200);
}

#[actix_rt::test]
async fn late_visibility_and_rejections_come_from_the_books() {
    let desk = Desk::open(still());
    desk.sim.faults().inject(&id(FOLLOWER), Fault::LateVisibility { ms: 3000 });
    let order_id = desk.place(desk.resting("cp-late")).await;
    let path = format!("/orders/{order_id}");
    assert_eq!(desk.call(FOLLOWER, "GET", &path, None).await, (200, json!([])));
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders/external/cp-late", None).await.0, 404);
    desk.sim.clock().run_for(Duration::from_secs(3)).finished().await.unwrap();
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders/external/cp-late", None).await.0, 200);

    desk.sim.faults().clear(&id(FOLLOWER));
    let text = "RMS:<id>:Price not in range".to_owned();
    desk.sim.faults().inject(&id(FOLLOWER), Fault::RejectNext { count: 1, text });
    let order_id = desk.place(desk.resting("cp-bad")).await;
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!(row[0]["orderStatus"], "REJECTED");
    assert_eq!(row[0]["omsErrorDescription"], json!(format!("RMS:{order_id}:Price not in range")));
}

#[actix_rt::test]
async fn a_stale_book_shows_what_it_showed() {
    let desk = Desk::open(still());
    desk.sim.faults().inject(&id(FOLLOWER), Fault::StaleBook { on: true });
    let order_id = desk.place(desk.resting("cp-new")).await;
    assert_eq!(desk.call(FOLLOWER, "GET", "/orders", None).await, (200, json!([])));
    let (_, row) = desk.call(FOLLOWER, "GET", &format!("/orders/{order_id}"), None).await;
    assert_eq!(row[0]["correlationId"], "cp-new");
    desk.sim.faults().inject(&id(FOLLOWER), Fault::StaleBook { on: false });
    let (_, rows) = desk.call(FOLLOWER, "GET", "/orders", None).await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
}

#[actix_rt::test]
async fn requests_are_on_record_with_what_became_of_them() {
    let desk = Desk::open(still());
    desk.sim.faults().next_answers(&id(FOLLOWER), Operation::Place, 1, AnswerFault::LoseAfter);
    let _ = desk.try_call(FOLLOWER, "POST", "/orders", Some(desk.resting("cp-1"))).await;
    desk.place(desk.resting("cp-2")).await;
    let placed: Vec<_> =
        desk.sim.requests().into_iter().filter(|record| record.operation == Operation::Place).collect();
    assert_eq!(placed.len(), 2);
    assert!(placed[0].body.contains("cp-1") && placed[1].body.contains("cp-2"));
    assert_eq!((placed[0].answered, placed[0].executed), (None, true));
    assert_eq!((placed[1].answered, placed[1].executed), (Some(200), true));
    assert!(placed[0].arrived_ns < placed[1].arrived_ns);
}
