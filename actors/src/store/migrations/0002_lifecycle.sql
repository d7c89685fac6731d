-- The order's whole life: changes and cancels, super and forever orders, legs, detached copies, copy gaps.

ALTER TABLE order_events ADD COLUMN form TEXT CHECK (json_valid(form));
ALTER TABLE order_events ADD COLUMN exited INTEGER NOT NULL DEFAULT 0 CHECK (exited >= 0);
ALTER TABLE orders ADD COLUMN form TEXT CHECK (json_valid(form));
ALTER TABLE orders ADD COLUMN parent_order_id TEXT CHECK (parent_order_id <> '');
ALTER TABLE orders ADD COLUMN exited INTEGER NOT NULL DEFAULT 0 CHECK (exited >= 0);
ALTER TABLE orders ADD COLUMN last_price INTEGER CHECK (last_price >= 0);
CREATE INDEX orders_by_parent ON orders (account, trading_day, parent_order_id) WHERE parent_order_id IS NOT NULL;

-- CHECKs change, so both tables are built anew and filled from the old ones. The guards come last: rows that stand are
-- not judged again.
DROP TRIGGER intents_guard_insert;
DROP TRIGGER intents_guard_sending;
DROP VIEW child_orders;
DROP INDEX intents_key;
DROP INDEX intents_one_in_flight;
ALTER TABLE intents RENAME TO intents_before;
ALTER TABLE copy_mappings RENAME TO copy_mappings_before;

CREATE TABLE copy_mappings (
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    outcome           TEXT    NOT NULL CHECK (outcome IN
        ('awaiting_leader', 'waiting', 'sent', 'skipped', 'voided', 'detached')),
    reason            TEXT    CHECK (reason <> ''),
    note              TEXT    CHECK (note <> ''),
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

INSERT INTO copy_mappings (
    trading_day, leader_account, leader_order_id, follower_id, outcome, reason, strategy, ratio_numerator,
    ratio_denominator, inputs, target_quantity, copied_quantity, filled_quantity, leader_average, follower_average,
    slippage_money, slippage_ticks, slippage_bps_x100, fill_delay_us, created_at, updated_at)
SELECT
    trading_day, leader_account, leader_order_id, follower_id, outcome, reason, strategy, ratio_numerator,
    ratio_denominator, inputs, target_quantity, copied_quantity, filled_quantity, leader_average, follower_average,
    slippage_money, slippage_ticks, slippage_bps_x100, fill_delay_us, created_at, updated_at
FROM copy_mappings_before;

CREATE TABLE intents (
    client_order_id   TEXT    NOT NULL CHECK (length(client_order_id) BETWEEN 5 AND 25),
    kind              TEXT    NOT NULL CHECK (kind IN ('place', 'modify', 'cancel')),
    serial            INTEGER NOT NULL CHECK ((kind = 'place') = (serial = 0) AND serial >= 0),
    part              TEXT    CHECK (part IN ('whole', 'entry', 'target', 'stop_loss')),
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL,
    leg               INTEGER NOT NULL CHECK (leg IN (0, 1)),
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
    quantity          INTEGER NOT NULL CHECK (quantity >= 0),
    disclosed         INTEGER NOT NULL CHECK (disclosed >= 0),
    price             INTEGER NOT NULL CHECK (price >= 0),
    trigger_price     INTEGER NOT NULL CHECK (trigger_price >= 0),
    after_market      INTEGER NOT NULL CHECK (after_market IN (0, 1)),
    form              TEXT    CHECK (json_valid(form)),
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
    PRIMARY KEY (client_order_id, serial),
    FOREIGN KEY (trading_day, leader_account, leader_order_id, follower_id)
        REFERENCES copy_mappings (trading_day, leader_account, leader_order_id, follower_id),
    FOREIGN KEY (leader_account, trading_day, leader_order_id, event_fingerprint)
        REFERENCES order_events (account, trading_day, broker_order_id, fingerprint),
    CHECK (state <> 'ACKED' OR broker_order_id IS NOT NULL),
    CHECK ((kind = 'place') = (part IS NULL)),
    CHECK (kind = 'cancel' OR (quantity > 0 AND disclosed <= quantity))
) STRICT;

CREATE UNIQUE INDEX intents_key
    ON intents (trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt, serial);
CREATE UNIQUE INDEX intents_one_in_flight ON intents (client_order_id) WHERE state = 'SENDING';

INSERT INTO intents (
    client_order_id, kind, serial, trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt,
    account, event_fingerprint, purpose, state, segment, security_id, side, product, order_type, time_in_force,
    quantity, disclosed, price, trigger_price, after_market, broker_order_id, refusal_http, refusal_code,
    refusal_text, request, response, ts_leader_event, ts_received, ts_decided, ts_committed, ts_sent, ts_answered,
    added_latency_us, created_at, updated_at, part)
SELECT
    client_order_id, kind,
    CASE kind WHEN 'place' THEN 0 ELSE ROW_NUMBER() OVER (
        PARTITION BY client_order_id, kind = 'place' ORDER BY created_at, kind DESC, serial) END,
    trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt, account, event_fingerprint,
    purpose, state, segment, security_id, side, product, order_type, time_in_force, quantity, disclosed, price,
    trigger_price, after_market, broker_order_id, refusal_http, refusal_code, refusal_text, request, response,
    ts_leader_event, ts_received, ts_decided, ts_committed, ts_sent, ts_answered, added_latency_us, created_at,
    updated_at,
    CASE kind WHEN 'place' THEN NULL ELSE 'whole' END
FROM intents_before;

DROP TABLE intents_before;
DROP TABLE copy_mappings_before;

CREATE VIEW child_orders AS
SELECT i.trading_day, i.leader_account, i.leader_order_id, i.follower_id, i.leg, i.slice, i.attempt, i.client_order_id,
       i.state, o.broker_order_id, o.status, o.cumulative,
       CASE WHEN i.state IN ('PLANNED', 'SENDING', 'UNKNOWN', 'NOT_SENT') THEN 1
            WHEN i.state = 'ACKED' THEN o.terminal IS NOT 1
            ELSE 0 END AS live,
       CASE WHEN i.state IN ('PLANNED', 'SENDING', 'UNKNOWN', 'NOT_SENT') OR (i.state = 'ACKED' AND o.terminal IS NOT 1)
            THEN MAX(COALESCE(o.quantity, i.quantity), COALESCE(o.cumulative, 0), COALESCE((
                SELECT MAX(c.quantity) FROM intents AS c
                WHERE c.client_order_id = i.client_order_id AND c.kind = 'modify' AND (c.state IN ('SENDING', 'UNKNOWN')
                    OR (c.state = 'ACKED' AND c.updated_at > COALESCE(o.updated_at, 0)))
            ), 0))
            ELSE COALESCE(o.cumulative, 0) END AS exposure
FROM intents AS i LEFT JOIN orders AS o ON o.client_order_id = i.client_order_id
WHERE i.kind = 'place';

CREATE TRIGGER intents_guard_insert BEFORE INSERT ON intents
WHEN NEW.kind = 'place' AND NEW.state NOT IN ('REFUSED', 'VOIDED', 'ABSENT')
BEGIN
    SELECT CASE
        WHEN c.alive > 0 THEN RAISE(ABORT, 'P2: an earlier attempt of this child order may still be alive')
        WHEN NEW.quantity + c.exposure > CASE NEW.leg WHEN 0 THEN (
            SELECT m.target_quantity FROM copy_mappings AS m
            WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
              AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
        ) ELSE (
            SELECT COALESCE(SUM(f.cumulative), 0) FROM child_orders AS f
            WHERE f.trading_day = NEW.trading_day AND f.leader_account = NEW.leader_account
              AND f.leader_order_id = NEW.leader_order_id AND f.follower_id = NEW.follower_id AND f.leg = 0
        ) END THEN RAISE(ABORT, 'P5: the quantity would pass the target')
    END
    FROM (
        SELECT COALESCE(SUM(o.exposure), 0) AS exposure,
               COALESCE(SUM(o.live AND o.slice = NEW.slice AND o.attempt <> NEW.attempt), 0) AS alive
        FROM child_orders AS o
        WHERE o.trading_day = NEW.trading_day AND o.leader_account = NEW.leader_account
          AND o.leader_order_id = NEW.leader_order_id AND o.follower_id = NEW.follower_id AND o.leg = NEW.leg
    ) AS c;
END;

CREATE TRIGGER intents_guard_sending BEFORE UPDATE OF state ON intents
WHEN NEW.kind = 'place' AND NEW.state = 'SENDING'
BEGIN
    SELECT CASE
        WHEN c.alive > 0 THEN RAISE(ABORT, 'P2: another attempt of this child order may still be alive')
        WHEN NEW.quantity + c.exposure > CASE NEW.leg WHEN 0 THEN (
            SELECT m.target_quantity FROM copy_mappings AS m
            WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
              AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
        ) ELSE (
            SELECT COALESCE(SUM(f.cumulative), 0) FROM child_orders AS f
            WHERE f.trading_day = NEW.trading_day AND f.leader_account = NEW.leader_account
              AND f.leader_order_id = NEW.leader_order_id AND f.follower_id = NEW.follower_id AND f.leg = 0
        ) END THEN RAISE(ABORT, 'P5: the quantity would pass the target')
    END
    FROM (
        SELECT COALESCE(SUM(o.exposure), 0) AS exposure,
               COALESCE(SUM(o.live AND o.slice = NEW.slice AND o.attempt <> NEW.attempt), 0) AS alive
        FROM child_orders AS o
        WHERE o.trading_day = NEW.trading_day AND o.leader_account = NEW.leader_account
          AND o.leader_order_id = NEW.leader_order_id AND o.follower_id = NEW.follower_id AND o.leg = NEW.leg
          AND o.client_order_id <> NEW.client_order_id
    ) AS c;
END;

CREATE TRIGGER intents_guard_change BEFORE INSERT ON intents
WHEN NEW.kind <> 'place'
BEGIN
    SELECT RAISE(ABORT, 'P26: a change of an order that was never asked for')
    WHERE NOT EXISTS (
        SELECT 1 FROM intents AS i
        WHERE i.trading_day = NEW.trading_day AND i.leader_account = NEW.leader_account
          AND i.leader_order_id = NEW.leader_order_id AND i.follower_id = NEW.follower_id
          AND i.leg = NEW.leg AND i.slice = NEW.slice AND i.attempt = NEW.attempt AND i.serial = 0
          AND i.client_order_id = NEW.client_order_id
    );
    SELECT RAISE(ABORT, 'P5: the change would pass the target')
    WHERE NEW.kind = 'modify' AND NEW.state NOT IN ('REFUSED', 'VOIDED', 'ABSENT') AND NEW.quantity > (
        SELECT c.exposure FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
          AND c.client_order_id = NEW.client_order_id
    ) AND NEW.quantity + (
        SELECT COALESCE(SUM(c.exposure), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
          AND c.client_order_id <> NEW.client_order_id
    ) > CASE NEW.leg WHEN 0 THEN (
        SELECT m.target_quantity FROM copy_mappings AS m
        WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
          AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
    ) ELSE (
        SELECT COALESCE(SUM(c.cumulative), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = 0
    ) END;
END;

CREATE TRIGGER intents_guard_change_sending BEFORE UPDATE OF state ON intents
WHEN NEW.kind = 'modify' AND NEW.state = 'SENDING'
BEGIN
    SELECT RAISE(ABORT, 'P5: the change would pass the target')
    WHERE NEW.quantity > (
        SELECT c.exposure FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
          AND c.client_order_id = NEW.client_order_id
    ) AND NEW.quantity + (
        SELECT COALESCE(SUM(c.exposure), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = NEW.leg
          AND c.client_order_id <> NEW.client_order_id
    ) > CASE NEW.leg WHEN 0 THEN (
        SELECT m.target_quantity FROM copy_mappings AS m
        WHERE m.trading_day = NEW.trading_day AND m.leader_account = NEW.leader_account
          AND m.leader_order_id = NEW.leader_order_id AND m.follower_id = NEW.follower_id
    ) ELSE (
        SELECT COALESCE(SUM(c.cumulative), 0) FROM child_orders AS c
        WHERE c.trading_day = NEW.trading_day AND c.leader_account = NEW.leader_account
          AND c.leader_order_id = NEW.leader_order_id AND c.follower_id = NEW.follower_id AND c.leg = 0
    ) END;
END;

CREATE TABLE copy_gaps (
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind <> ''),
    units             INTEGER NOT NULL,
    result            TEXT    NOT NULL CHECK (result IN
        ('reported', 'cancelled', 'repairing', 'repaired', 'failed')),
    text              TEXT    NOT NULL,
    opened_at         INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (trading_day, leader_account, leader_order_id, follower_id, kind),
    FOREIGN KEY (trading_day, leader_account, leader_order_id, follower_id)
        REFERENCES copy_mappings (trading_day, leader_account, leader_order_id, follower_id)
) STRICT, WITHOUT ROWID;

CREATE VIEW order_trades AS
SELECT t.*, o.role, o.client_order_id, o.parent_order_id
FROM trades AS t LEFT JOIN orders AS o
    ON o.account = t.account AND o.trading_day = t.trading_day AND o.broker_order_id = t.broker_order_id;
