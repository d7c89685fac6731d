//! The columns of the rows that the tests write by position. What a later schema adds stands at its default.

/// Table and columns.
const COLUMNS: [(&str, &str); 14] = [
    (
        "orders",
        "account, trading_day, broker_order_id, role, client_order_id, exchange_order_id, tag, \
         segment, security_id, side, product, order_type, time_in_force, quantity, disclosed, price, \
         trigger_price, after_market, leg, status, terminal, cumulative, average_price, reason, \
         source, ts_event, ts_first_event, ts_exchange, first_seen_at, updated_at, form, \
         parent_order_id, exited, last_price",
    ),
    (
        "order_events",
        "account, trading_day, broker_order_id, fingerprint, role, status, order_type, time_in_force, \
         quantity, disclosed, price, trigger_price, cumulative, average_price, reason, ts_event, \
         ts_init, form, exited",
    ),
    (
        "trades",
        "account, trading_day, broker_order_id, trade_id, segment, security_id, side, product, \
         quantity, price, ts_event, ts_init",
    ),
    (
        "copy_mappings",
        "trading_day, leader_account, leader_order_id, follower_id, outcome, reason, note, strategy, \
         ratio_numerator, ratio_denominator, inputs, target_quantity, copied_quantity, \
         filled_quantity, leader_average, follower_average, slippage_money, slippage_ticks, \
         slippage_bps_x100, fill_delay_us, created_at, updated_at, closing_quantity",
    ),
    (
        "intents",
        "client_order_id, kind, serial, part, trading_day, leader_account, leader_order_id, \
         follower_id, leg, slice, attempt, account, event_fingerprint, purpose, state, segment, \
         security_id, side, product, order_type, time_in_force, quantity, disclosed, price, \
         trigger_price, after_market, form, broker_order_id, refusal_http, refusal_code, \
         refusal_text, request, response, ts_leader_event, ts_received, ts_decided, ts_committed, \
         ts_sent, ts_answered, added_latency_us, created_at, updated_at",
    ),
    (
        "copy_gaps",
        "trading_day, leader_account, leader_order_id, follower_id, kind, units, result, text, \
         opened_at, updated_at",
    ),
    (
        "ledger_openings",
        "follower_id, trading_day, segment, security_id, leader_units, copied_units, own_units, \
         symbol, expiry, recorded_at",
    ),
    (
        "trading_states",
        "follower_id, state, cause, since, resumed_at, is_squaring_off, updated_at, stopped_at",
    ),
    ("position_snapshots", "account, trading_day, taken_at"),
    (
        "positions",
        "account, trading_day, segment, security_id, product, net_quantity, buy_average, \
         sell_average, realised, unrealised, ts_event, carried_quantity",
    ),
    ("incidents", "id, opened_at, kind, follower_id, segment, security_id, text, closed_at"),
    ("audit_log", "id, recorded_at, actor, event, subject, details, previous_hash, hash"),
    ("health", "actor, generation, reported_at, snapshot"),
    ("config", "version, key, value, loaded_at"),
];

/// The same SQL, with the columns of each row named.
pub(crate) fn named(sql: &str) -> String {
    COLUMNS.iter().fold(sql.to_owned(), |sql, (table, columns)| {
        let plain = format!("INSERT INTO {table} ");
        let is_by_position = |rest: &str| {
            rest.starts_with("VALUES") || (rest.starts_with("SELECT") && !rest.starts_with("SELECT *"))
        };
        let mut parts = sql.split(&plain);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |done, rest| {
            let columns = if is_by_position(rest) { format!("({columns}) ") } else { String::new() };
            format!("{done}{plain}{columns}{rest}")
        })
    })
}
