//! A database as it is after some busy days: measured against an empty one, every index would be flat.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tandem_actors::clock::Clock;
use tandem_actors::store::{Job, Store, StoreSettings, WriterId};
use tandem_domain::ids::BrokerOrderId;

use crate::rows::{Copy, Follower, leader_event, leader_order, report, sizing};
use crate::support::protocol::{Kind, Order};

/// A request body as long as a real one.
const BODY: &str = r#"{"dhanClientId":"1000000202","correlationId":"tdm-abcdefghijklmnopqrst","transactionType":"BUY","exchangeSegment":"NSE_FNO","productType":"MARGIN","orderType":"LIMIT","validity":"DAY","securityId":"43125","quantity":65,"disclosedQuantity":0,"price":182.35,"triggerPrice":0.0,"afterMarketOrder":false}"#;

/// Leader orders with one copy each: 40,000 rows of orders and of events, 20,000 mappings and intents.
pub(crate) const ORDERS: u32 = 20_000;
const A_DAY: Duration = Duration::from_hours(24);

/// Makes such a database.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    let store = Store::open(&StoreSettings::at(path), |death| crate::floor::end(&death.reason))?;
    let yesterday = Clock::system().now().minus(A_DAY);
    let (follower, sizing) = (Follower::numbered(0)?, sizing()?);
    let (told, answers) = std::sync::mpsc::channel();
    let mut waiting = 0;
    for number in 0..ORDERS {
        let order = Order { number, kind: Kind::Option, quantity: 65, traded: 0 };
        let report = report(&order.text("1000000000"))?;
        let leader = leader_order(&report, yesterday.trading_day(), yesterday);
        let copy = Copy::new(&leader, &follower, sizing, Instant::now(), yesterday);
        let mut writes = leader_event(&leader, &follower, yesterday);
        writes.extend(copy.decision(yesterday));
        let broker_order_id = BrokerOrderId::new((400_000_000_000 + u64::from(number)).to_string())?;
        writes.extend(copy.answer(broker_order_id, BODY.to_owned(), yesterday, yesterday));
        let told = told.clone();
        store.handle.submit(Job {
            writer: WriterId { actor: "preload".into(), generation: 1 },
            writes,
            in_order: false,
            // Whoever waits is in this function.
            reply: Box::new(move |committed| drop(told.send(committed.result))),
        })?;
        waiting += 1;
        if waiting == 4_000 || number + 1 == ORDERS {
            for _ in 0..waiting {
                answers.recv().context("the writer ended")??;
            }
            waiting = 0;
        }
    }
    store.stop();
    ensure!(std::fs::metadata(path)?.len() > 1_000_000, "nothing was written");
    Ok(())
}
