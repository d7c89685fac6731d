//! The simulator's own books as JSON: what tests compare with.

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::broker::accounts::AccountEntry;
use crate::server::rows;
use crate::settings::SimVariants;

/// Orders, trades, positions and funds of every account, late visibility or not.
pub(crate) fn books(broker: &Broker) -> Value {
    let accounts: serde_json::Map<String, Value> =
        broker.accounts.iter().map(|entry| (entry.client_id.to_string(), book(broker, entry))).collect();
    json!({ "now": broker.exchange.now().to_string(), "now_us": broker.exchange.now().micros(), "accounts": accounts })
}

fn book(broker: &Broker, entry: &AccountEntry) -> Value {
    let exchange = &broker.exchange;
    let account = &entry.client_id;
    let orders: Vec<_> =
        exchange.all_orders(account).into_iter().map(|of| rows::order(of, exchange)).collect();
    let trades: Vec<_> =
        exchange.all_trades(account).into_iter().map(|of| rows::trade(of, exchange)).collect();
    let positions: Vec<_> =
        exchange.positions(account).iter().map(|of| rows::position(account.as_str(), of, exchange)).collect();
    let funds = exchange.funds(account).map(|funds| {
        json!({
            "available": funds.available.to_string(),
            "utilised": funds.utilised.to_string(),
            "start_of_day": funds.start_of_day.to_string(),
        })
    });
    let supers = rows::super_orders(&exchange.super_orders(account), exchange, &SimVariants::default());
    let forever = rows::forever_orders(&exchange.forever_orders(account), exchange);
    json!({ "name": entry.name, "orders": orders, "super_orders": supers, "forever_orders": forever, "trades": trades, "positions": positions, "funds": funds })
}
