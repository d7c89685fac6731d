//! What waits over midnight is carried into the new day, before anything of that day is read (P29).

use anyhow::Context as _;
use tandem_actors::store::{CarriedOver, Store, Waiting, Write};
use tandem_domain::calendar::Calendar;
use tandem_domain::time::TradingDay;
use tracing::info;

use super::ground::commit;

/// Puts on record what is carried into this day. Done once it is durable; done again, it changes nothing.
pub(super) async fn carry_over(store: &Store, calendar: &Calendar, day: TradingDay) -> anyhow::Result<()> {
    let reader = store.reader.clone();
    let waiting = actix_rt::task::spawn_blocking(move || reader.waiting(day)).await?;
    let waiting = waiting.context("read what waits since days before")?;
    let carried: Vec<Write> = waiting
        .into_iter()
        .filter(|order| waits_still(order, calendar, day))
        .map(|order| {
            info!(order = %order.broker_order_id, of = %order.trading_day, %day,
                "an order of the leader's waits over midnight: it is followed on");
            Write::CarriedOver(CarriedOver {
                account: order.account,
                trading_day: order.trading_day,
                broker_order_id: order.broker_order_id,
                to: day,
            })
        })
        .collect();
    if !carried.is_empty() {
        commit(&store.handle, carried).await.context("carry over what waits")?;
    }
    Ok(())
}

/// Our rows may have missed the end of a session, and with it that of what waited for it.
fn waits_still(order: &Waiting, calendar: &Calendar, day: TradingDay) -> bool {
    order.is_forever || calendar.waits_into(order.segment, order.entered_at, day)
}
