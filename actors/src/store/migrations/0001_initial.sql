CREATE TABLE order_events (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    broker_order_id   TEXT    NOT NULL CHECK (broker_order_id <> ''),
    fingerprint       INTEGER NOT NULL,
    role              TEXT    NOT NULL CHECK (role IN ('leader', 'follower', 'external')),
    status            TEXT    NOT NULL,
    order_type        TEXT    NOT NULL CHECK (order_type IN ('LIMIT', 'MARKET', 'STOP_LOSS', 'STOP_LOSS_MARKET')),
    time_in_force     TEXT    NOT NULL CHECK (time_in_force IN ('DAY', 'IOC')),
    quantity          INTEGER NOT NULL CHECK (quantity >= 0),
    disclosed         INTEGER NOT NULL CHECK (disclosed >= 0),
    price             INTEGER NOT NULL CHECK (price >= 0),
    trigger_price     INTEGER NOT NULL CHECK (trigger_price >= 0),
    cumulative        INTEGER NOT NULL CHECK (cumulative >= 0),
    average_price     INTEGER NOT NULL CHECK (average_price >= 0),
    reason            TEXT,
    ts_event          INTEGER NOT NULL,
    ts_init           INTEGER NOT NULL,
    UNIQUE (account, trading_day, broker_order_id, fingerprint)
) STRICT;

CREATE TABLE orders (
    account           TEXT    NOT NULL CHECK (account <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    broker_order_id   TEXT    NOT NULL CHECK (broker_order_id <> ''),
    role              TEXT    NOT NULL CHECK (role IN ('leader', 'follower', 'external')),
    client_order_id   TEXT    CHECK (length(client_order_id) BETWEEN 5 AND 25),
    exchange_order_id TEXT,
    tag               TEXT,
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    side              TEXT    NOT NULL CHECK (side IN ('BUY', 'SELL')),
    product           TEXT    NOT NULL CHECK (product IN ('CNC', 'INTRADAY', 'MARGIN', 'MTF', 'CO', 'BO')),
    order_type        TEXT    NOT NULL CHECK (order_type IN ('LIMIT', 'MARKET', 'STOP_LOSS', 'STOP_LOSS_MARKET')),
    time_in_force     TEXT    NOT NULL CHECK (time_in_force IN ('DAY', 'IOC')),
    quantity          INTEGER NOT NULL CHECK (quantity >= 0),
    disclosed         INTEGER NOT NULL CHECK (disclosed >= 0),
    price             INTEGER NOT NULL CHECK (price >= 0),
    trigger_price     INTEGER NOT NULL CHECK (trigger_price >= 0),
    after_market      INTEGER NOT NULL CHECK (after_market IN (0, 1)),
    leg               TEXT    NOT NULL CHECK (leg IN ('single', 'entry', 'stop_loss', 'target')),
    status            TEXT    NOT NULL,
    terminal          INTEGER NOT NULL CHECK (terminal IN (0, 1)),
    cumulative        INTEGER NOT NULL CHECK (cumulative >= 0),
    average_price     INTEGER NOT NULL CHECK (average_price >= 0),
    reason            TEXT,
    source            TEXT    CHECK (source IN ('stream', 'book')),
    ts_event          INTEGER NOT NULL,
    ts_first_event    INTEGER NOT NULL,
    ts_exchange       INTEGER,
    first_seen_at     INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (account, trading_day, broker_order_id)
) STRICT;

CREATE UNIQUE INDEX orders_by_client_order_id ON orders (client_order_id) WHERE client_order_id IS NOT NULL;

CREATE INDEX orders_working ON orders (trading_day, account) WHERE terminal = 0;
CREATE INDEX orders_of_leaders ON orders (trading_day) WHERE role = 'leader';

CREATE TABLE trades (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    broker_order_id   TEXT    NOT NULL CHECK (broker_order_id <> ''),
    trade_id          TEXT    NOT NULL CHECK (trade_id <> ''),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    side              TEXT    NOT NULL CHECK (side IN ('BUY', 'SELL')),
    product           TEXT    NOT NULL CHECK (product IN ('CNC', 'INTRADAY', 'MARGIN', 'MTF', 'CO', 'BO')),
    quantity          INTEGER NOT NULL CHECK (quantity > 0),
    price             INTEGER NOT NULL CHECK (price >= 0),
    ts_event          INTEGER NOT NULL,
    ts_init           INTEGER NOT NULL,
    UNIQUE (account, trading_day, broker_order_id, trade_id)
) STRICT;

CREATE TABLE copy_mappings (
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    outcome           TEXT    NOT NULL CHECK (outcome IN ('awaiting_leader', 'waiting', 'sent', 'skipped', 'voided')),
    reason            TEXT    CHECK (reason <> ''),
    strategy          TEXT,
    ratio_numerator   INTEGER CHECK (ratio_numerator >= 0),
    ratio_denominator INTEGER CHECK (ratio_denominator > 0),
    inputs            TEXT    CHECK (json_valid(inputs)),
    target_quantity   INTEGER NOT NULL CHECK (target_quantity >= 0),
    copied_quantity   INTEGER NOT NULL DEFAULT 0 CHECK (copied_quantity >= 0),
    filled_quantity   INTEGER NOT NULL DEFAULT 0 CHECK (filled_quantity >= 0),
    leader_average    INTEGER CHECK (leader_average >= 0),
    follower_average  INTEGER CHECK (follower_average >= 0),
    slippage_money    INTEGER,
    slippage_ticks    INTEGER,
    slippage_bps_x100 INTEGER,
    fill_delay_us     INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (trading_day, leader_account, leader_order_id, follower_id),
    FOREIGN KEY (leader_account, trading_day, leader_order_id)
        REFERENCES orders (account, trading_day, broker_order_id),
    CHECK (outcome NOT IN ('skipped', 'voided') OR reason IS NOT NULL),
    CHECK ((ratio_numerator IS NULL) = (ratio_denominator IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    client_order_id   TEXT    NOT NULL CHECK (length(client_order_id) BETWEEN 5 AND 25),
    kind              TEXT    NOT NULL CHECK (kind IN ('place', 'modify', 'cancel')),
    serial            INTEGER NOT NULL CHECK ((kind = 'place') = (serial = 0) AND serial >= 0),
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL,
    leg               INTEGER NOT NULL CHECK (leg BETWEEN 0 AND 3),
    slice             INTEGER NOT NULL CHECK (slice >= 0),
    attempt           INTEGER NOT NULL CHECK (attempt >= 1),
    account           TEXT    NOT NULL CHECK (account <> ''),
    event_fingerprint INTEGER,
    purpose           TEXT    NOT NULL CHECK (purpose IN ('exit', 'entry')),
    state             TEXT    NOT NULL CHECK (state IN
        ('PLANNED', 'SENDING', 'ACKED', 'REFUSED', 'UNKNOWN', 'NOT_SENT', 'VOIDED', 'ABSENT')),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    side              TEXT    NOT NULL CHECK (side IN ('BUY', 'SELL')),
    product           TEXT    NOT NULL CHECK (product IN ('CNC', 'INTRADAY', 'MARGIN', 'MTF', 'CO', 'BO')),
    order_type        TEXT    NOT NULL CHECK (order_type IN ('LIMIT', 'MARKET', 'STOP_LOSS', 'STOP_LOSS_MARKET')),
    time_in_force     TEXT    NOT NULL CHECK (time_in_force IN ('DAY', 'IOC')),
    quantity          INTEGER NOT NULL CHECK (quantity > 0),
    disclosed         INTEGER NOT NULL CHECK (disclosed BETWEEN 0 AND quantity),
    price             INTEGER NOT NULL CHECK (price >= 0),
    trigger_price     INTEGER NOT NULL CHECK (trigger_price >= 0),
    after_market      INTEGER NOT NULL CHECK (after_market IN (0, 1)),
    broker_order_id   TEXT    CHECK (broker_order_id <> ''),
    refusal_http      INTEGER,
    refusal_code      TEXT,
    refusal_text      TEXT,
    request           TEXT,
    response          TEXT,
    ts_leader_event   INTEGER,
    ts_received       INTEGER,
    ts_decided        INTEGER,
    ts_committed      INTEGER,
    ts_sent           INTEGER,
    ts_answered       INTEGER,
    added_latency_us  INTEGER CHECK (added_latency_us >= 0),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (client_order_id, kind, serial),
    FOREIGN KEY (trading_day, leader_account, leader_order_id, follower_id)
        REFERENCES copy_mappings (trading_day, leader_account, leader_order_id, follower_id),
    FOREIGN KEY (leader_account, trading_day, leader_order_id, event_fingerprint)
        REFERENCES order_events (account, trading_day, broker_order_id, fingerprint),
    CHECK (state <> 'ACKED' OR broker_order_id IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX intents_key
    ON intents (trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt, kind, serial);

CREATE UNIQUE INDEX intents_one_in_flight ON intents (client_order_id) WHERE state = 'SENDING';


CREATE VIEW child_orders AS
SELECT i.trading_day, i.leader_account, i.leader_order_id, i.follower_id, i.leg, i.slice, i.attempt, i.client_order_id,
       i.state, o.broker_order_id, o.status, o.cumulative,
       CASE WHEN i.state IN ('PLANNED', 'SENDING', 'UNKNOWN', 'NOT_SENT') THEN 1
            WHEN i.state = 'ACKED' THEN o.terminal IS NOT 1
            ELSE 0 END AS live,
       CASE WHEN i.state IN ('PLANNED', 'SENDING', 'UNKNOWN', 'NOT_SENT') THEN i.quantity
            WHEN i.state = 'ACKED' AND o.terminal IS NOT 1 THEN COALESCE(o.quantity, i.quantity)
            ELSE COALESCE(o.cumulative, 0) END AS exposure
FROM intents AS i LEFT JOIN orders AS o ON o.client_order_id = i.client_order_id
WHERE i.kind = 'place';

CREATE TRIGGER intents_guard_insert BEFORE INSERT ON intents
WHEN NEW.kind = 'place' AND NEW.state NOT IN ('REFUSED', 'VOIDED', 'ABSENT')
BEGIN
    SELECT RAISE(ABORT, 'P2: an earlier attempt of this child order may still be alive')
    FROM child_orders AS c
    WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
      AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id
      AND c.leg = NEW.leg AND c.slice = NEW.slice AND c.attempt <> NEW.attempt AND c.live = 1;
    SELECT RAISE(ABORT, 'P5: the quantity would pass the target')
    WHERE NEW.quantity + (
        SELECT COALESCE(SUM(c.exposure), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
    ) > (
        SELECT m.target_quantity FROM copy_mappings AS m
        WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
          AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
    );
END;

CREATE TRIGGER intents_guard_sending BEFORE UPDATE OF state ON intents
WHEN NEW.kind = 'place' AND NEW.state = 'SENDING'
BEGIN
    SELECT RAISE(ABORT, 'P2: another attempt of this child order may still be alive')
    FROM child_orders AS c
    WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
      AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id
      AND c.leg = NEW.leg AND c.slice = NEW.slice AND c.attempt <> NEW.attempt AND c.live = 1;
    SELECT RAISE(ABORT, 'P5: the quantity would pass the target')
    WHERE NEW.quantity + (
        SELECT COALESCE(SUM(c.exposure), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
          AND c.client_order_id <> NEW.client_order_id
    ) > (
        SELECT m.target_quantity FROM copy_mappings AS m
        WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
          AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
    );
END;

CREATE TABLE position_snapshots (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL,
    taken_at          INTEGER NOT NULL,
    PRIMARY KEY (account, trading_day)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL,
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    product           TEXT    NOT NULL CHECK (product IN ('CNC', 'INTRADAY', 'MARGIN', 'MTF', 'CO', 'BO')),
    net_quantity      INTEGER NOT NULL,
    buy_average       INTEGER NOT NULL CHECK (buy_average >= 0),
    sell_average      INTEGER NOT NULL CHECK (sell_average >= 0),
    realised          INTEGER NOT NULL,
    unrealised        INTEGER NOT NULL,
    ts_event          INTEGER NOT NULL,
    PRIMARY KEY (account, trading_day, segment, security_id, product),
    FOREIGN KEY (account, trading_day) REFERENCES position_snapshots (account, trading_day)
) STRICT, WITHOUT ROWID;

CREATE TABLE funds (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL,
    taken_at          INTEGER NOT NULL,
    mark              TEXT    NOT NULL CHECK (mark IN ('start_of_day', 'refresh')),
    available         INTEGER NOT NULL,
    utilised          INTEGER NOT NULL,
    start_of_day      INTEGER NOT NULL,
    collateral        INTEGER NOT NULL,
    withdrawable      INTEGER NOT NULL,
    PRIMARY KEY (account, taken_at)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX funds_one_start_of_day ON funds (account, trading_day) WHERE mark = 'start_of_day';

CREATE TABLE day_capital (
    trading_day       TEXT    NOT NULL,
    account           TEXT    NOT NULL,
    capital           INTEGER NOT NULL CHECK (capital >= 0),
    recorded_at       INTEGER NOT NULL,
    PRIMARY KEY (trading_day, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE instrument_days (
    day               TEXT    NOT NULL PRIMARY KEY,
    source            TEXT    NOT NULL,
    instruments       INTEGER NOT NULL CHECK (instruments > 0),
    loaded_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instruments (
    day               TEXT    NOT NULL,
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    kind              TEXT    NOT NULL,
    symbol            TEXT    NOT NULL,
    underlying        TEXT    NOT NULL,
    lot_size          INTEGER NOT NULL CHECK (lot_size > 0),
    tick              INTEGER NOT NULL CHECK (tick >= 0),
    expiry            TEXT,
    option_type       TEXT    CHECK (option_type IN ('CE', 'PE')),
    strike            INTEGER CHECK (strike >= 0),
    freeze_quantity   INTEGER CHECK (freeze_quantity > 0),
    PRIMARY KEY (day, segment, security_id),
    CHECK ((option_type IS NULL) = (strike IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (id <> ''),
    opened_at         INTEGER NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind <> ''),
    follower_id       TEXT,
    segment           TEXT,
    security_id       INTEGER,
    text              TEXT    NOT NULL,
    closed_at         INTEGER,
    CHECK ((segment IS NULL) = (security_id IS NULL)),
    CHECK (closed_at >= opened_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE health (
    actor             TEXT    NOT NULL PRIMARY KEY,
    generation        INTEGER NOT NULL CHECK (generation >= 0),
    reported_at       INTEGER NOT NULL,
    snapshot          TEXT    NOT NULL CHECK (json_valid(snapshot))
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    recorded_at       INTEGER NOT NULL,
    actor             TEXT    NOT NULL CHECK (actor <> ''),
    event             TEXT    NOT NULL CHECK (event <> ''),
    subject           TEXT,
    details           TEXT    NOT NULL CHECK (json_valid(details))
) STRICT;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TABLE config (
    version           TEXT    NOT NULL CHECK (version <> ''),
    key               TEXT    NOT NULL CHECK (key <> ''),
    value             TEXT    NOT NULL,
    loaded_at         INTEGER NOT NULL,
    PRIMARY KEY (version, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE writer_epoch (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch             INTEGER NOT NULL CHECK (epoch >= 0),
    pid               INTEGER NOT NULL
) STRICT;

CREATE VIEW active_orders AS SELECT * FROM orders WHERE terminal = 0;

CREATE VIEW latest_positions AS
SELECT p.*, s.taken_at
FROM position_snapshots AS s JOIN positions AS p ON p.account = s.account AND p.trading_day = s.trading_day
WHERE s.trading_day = (SELECT MAX(n.trading_day) FROM position_snapshots AS n WHERE n.account = s.account);

CREATE VIEW latest_funds AS
SELECT f.* FROM funds AS f
WHERE f.taken_at = (SELECT MAX(n.taken_at) FROM funds AS n WHERE n.account = f.account);
