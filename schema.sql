-- Tandem's database: the whole of it, as it is after every migration. A test holds it equal to
-- actors/src/store/migrations/*.sql applied in turn; change both.
--
-- Conventions
--   money, prices   INTEGER, in 1/10,000 rupee
--   times           INTEGER, microseconds since 1970 UTC; names begin with ts_ or end in _at
--   trading_day     TEXT, the exchange's date in India, YYYY-MM-DD
--   quantities      INTEGER, in units (shares), never in lots
--   P1 ... P29      the promises a constraint carries (docs/architecture.md)
-- Orders, fills and intents are never deleted. Texts from outside are stored redacted.

-- ---------------------------------------------------------------------------------------------------------------------
-- What the broker says of orders
-- ---------------------------------------------------------------------------------------------------------------------

-- The inbox: one row for each distinct state of an order that was ever seen, the leader's and the followers'. A frame
-- that comes twice, or once by stream and once by book, is one row (P9, P24).
CREATE TABLE order_events (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    broker_order_id   TEXT    NOT NULL CHECK (broker_order_id <> ''),
    -- 64 bits of a hash over everything in the report that may change while the order lives.
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
    -- The broker's time of the change, then ours.
    ts_event          INTEGER NOT NULL,
    ts_init           INTEGER NOT NULL,
    -- What makes it a super or a forever order, as JSON; NULL for an ordinary one.
    form              TEXT CHECK (json_valid(form)),
    -- Units that its exit legs have closed again.
    exited            INTEGER NOT NULL DEFAULT 0 CHECK (exited >= 0),
    UNIQUE (account, trading_day, broker_order_id, fingerprint)
) STRICT;

-- The newest known state of every order: the leader's, the followers', and external ones (placed by a human or another
-- program in a watched account). Cumulative quantity only rises and a terminal order stays terminal (P9): the writer's
-- upsert sees to both.
CREATE TABLE orders (
    account           TEXT    NOT NULL CHECK (account <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    broker_order_id   TEXT    NOT NULL CHECK (broker_order_id <> ''),
    role              TEXT    NOT NULL CHECK (role IN ('leader', 'follower', 'external')),
    -- Ours, on orders that we placed.
    client_order_id   TEXT    CHECK (length(client_order_id) BETWEEN 5 AND 25),
    exchange_order_id TEXT,
    -- What the broker calls correlationId, whoever chose it.
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
    -- The broker's word, normalised; a word we do not know stands as it came.
    status            TEXT    NOT NULL,
    terminal          INTEGER NOT NULL CHECK (terminal IN (0, 1)),
    -- No upper bound: an overfill is recorded, never tidied away (P10).
    cumulative        INTEGER NOT NULL CHECK (cumulative >= 0),
    average_price     INTEGER NOT NULL CHECK (average_price >= 0),
    reason            TEXT,
    -- By which channel the newest report came. A leader's row is merged from several.
    source            TEXT    CHECK (source IN ('stream', 'book')),
    -- The broker's times of the newest and the oldest evidence, and the exchange's.
    ts_event          INTEGER NOT NULL,
    ts_first_event    INTEGER NOT NULL,
    ts_exchange       INTEGER,
    first_seen_at     INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    -- What makes it a super or a forever order, as JSON; NULL for an ordinary one.
    form              TEXT CHECK (json_valid(form)),
    -- The entry that a leg of a super order belongs to; the forever order whose firing left this one.
    parent_order_id   TEXT CHECK (parent_order_id <> ''),
    -- Units that its exit legs have closed again.
    exited            INTEGER NOT NULL DEFAULT 0 CHECK (exited >= 0),
    -- The instrument's last price by the newest report that told one.
    last_price        INTEGER CHECK (last_price >= 0),
    -- The newest day into which it was carried over, because it, or an order that it is a copy of or has a copy in, waited
    -- over midnight: what it fills counts on that day. NULL: on its own.
    carried_to        TEXT CHECK (carried_to > trading_day),
    UNIQUE (account, trading_day, broker_order_id)
) STRICT;

-- One order for each of our ids (P2).
CREATE UNIQUE INDEX orders_by_client_order_id ON orders (client_order_id) WHERE client_order_id IS NOT NULL;
CREATE INDEX orders_working ON orders (trading_day, account) WHERE terminal = 0;
CREATE INDEX orders_of_leaders ON orders (trading_day) WHERE role = 'leader';
CREATE INDEX orders_carried ON orders (carried_to) WHERE carried_to IS NOT NULL;
CREATE INDEX orders_by_parent ON orders (account, trading_day, parent_order_id) WHERE parent_order_id IS NOT NULL;

-- Fills. Each counts once, however often it is reported (P9). A fill that comes after its order's end, beyond its
-- quantity or before the order itself is kept like any other (P10), so nothing here refers to `orders`.
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

-- ---------------------------------------------------------------------------------------------------------------------
-- What Tandem decided
-- ---------------------------------------------------------------------------------------------------------------------

-- The mirrors: one row for each leader order and follower, with the one outcome that the pair has now and why (P26).
CREATE TABLE copy_mappings (
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    -- awaiting_leader: not yet what `copy.on` waits for. waiting: decided, held by pacing, breaker or session.
    -- sent: an intent was born. skipped: refused by us, reason says why. voided: decided, then undone before sending.
    -- detached: sent, then changed or cancelled by a human's hand; left alone from then on.
    outcome           TEXT    NOT NULL CHECK (outcome IN
        ('awaiting_leader', 'waiting', 'sent', 'skipped', 'voided', 'detached')),
    -- A reason code; there is one whenever nothing was sent for good.
    reason            TEXT    CHECK (reason <> ''),
    -- How the leader's order was translated, where the copy differs from it in kind: stop_loss_market_as_stop_loss.
    note              TEXT    CHECK (note <> ''),
    -- How the target was sized, exactly and again: ratio as a fraction, and the inputs as JSON.
    strategy          TEXT,
    ratio_numerator   INTEGER CHECK (ratio_numerator >= 0),
    ratio_denominator INTEGER CHECK (ratio_denominator > 0),
    inputs            TEXT    CHECK (json_valid(inputs)),
    target_quantity   INTEGER NOT NULL CHECK (target_quantity >= 0),
    -- Units the follower may come to hold at the worst: filled, working and not proven gone. Falls when an order ends
    -- unfilled. Then the units filled, which only rise.
    copied_quantity   INTEGER NOT NULL DEFAULT 0 CHECK (copied_quantity >= 0),
    filled_quantity   INTEGER NOT NULL DEFAULT 0 CHECK (filled_quantity >= 0),
    -- The fills compared, once both sides have some. Positive slippage: the follower did worse.
    leader_average    INTEGER CHECK (leader_average >= 0),
    follower_average  INTEGER CHECK (follower_average >= 0),
    slippage_money    INTEGER,
    slippage_ticks    INTEGER,
    slippage_bps_x100 INTEGER,
    -- From the leader's fill to the follower's; negative when the follower was first.
    fill_delay_us     INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    -- The units of the target that close what the follower holds of the copies; the rest opens.
    closing_quantity  INTEGER NOT NULL DEFAULT 0 CHECK (closing_quantity >= 0),
    -- What the entry gates have let it open, and the opening that they cut or refused; none in rows of earlier versions.
    admitted_quantity INTEGER CHECK (admitted_quantity >= 0),
    refused_quantity  INTEGER CHECK (refused_quantity >= 0),
    -- Whether it was denied as an entry and lives for what it closes alone; whether it was stopped by an operator or a
    -- limit. No restart undoes either.
    opens_no_more     INTEGER NOT NULL DEFAULT 0 CHECK (opens_no_more IN (0, 1)),
    is_stopped        INTEGER NOT NULL DEFAULT 0 CHECK (is_stopped IN (0, 1)),
    -- What it was wanted for last.
    purpose           TEXT    CHECK (purpose IN ('entry', 'exit')),
    PRIMARY KEY (trading_day, leader_account, leader_order_id, follower_id),
    FOREIGN KEY (leader_account, trading_day, leader_order_id)
        REFERENCES orders (account, trading_day, broker_order_id),
    CHECK (outcome NOT IN ('skipped', 'voided') OR reason IS NOT NULL),
    CHECK ((ratio_numerator IS NULL) = (ratio_denominator IS NULL))
) STRICT, WITHOUT ROWID;

-- The durable decisions to ask the broker for something: place, modify or cancel one child order. Committed before the
-- request leaves (P1).
CREATE TABLE intents (
    -- Derived from the key below, never random (P2). Requests to change or cancel carry their child's.
    client_order_id   TEXT    NOT NULL CHECK (length(client_order_id) BETWEEN 5 AND 25),
    kind              TEXT    NOT NULL CHECK (kind IN ('place', 'modify', 'cancel')),
    -- 0 for placing; 1, 2, ... for the changes and cancels of that child, numbered together.
    serial            INTEGER NOT NULL CHECK ((kind = 'place') = (serial = 0) AND serial >= 0),
    -- Which part of the order a change or a cancel is about.
    part              TEXT    CHECK (part IN ('whole', 'entry', 'target', 'stop_loss')),
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL,
    -- 0 the copy itself; 1 an order that makes a copy gap good.
    leg               INTEGER NOT NULL CHECK (leg IN (0, 1)),
    slice             INTEGER NOT NULL CHECK (slice >= 0),
    attempt           INTEGER NOT NULL CHECK (attempt >= 1),
    -- The follower's account.
    account           TEXT    NOT NULL CHECK (account <> ''),
    -- The leader event that led to it (P26).
    event_fingerprint INTEGER,
    purpose           TEXT    NOT NULL CHECK (purpose IN ('exit', 'entry')),
    -- PLANNED held; SENDING may be on the wire; ACKED the broker has it; REFUSED by the broker; UNKNOWN until evidence
    -- (P3); NOT_SENT proven never to have left; VOIDED will not be sent; ABSENT proven not at the broker (P4), or, of a
    -- change or a cancel, proven to be without effect.
    state             TEXT    NOT NULL CHECK (state IN
        ('PLANNED', 'SENDING', 'ACKED', 'REFUSED', 'UNKNOWN', 'NOT_SENT', 'VOIDED', 'ABSENT')),
    -- Terms asked for. A cancel carries those of the order it cancels.
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
    -- The answer.
    broker_order_id   TEXT    CHECK (broker_order_id <> ''),
    refusal_http      INTEGER,
    refusal_code      TEXT,
    refusal_text      TEXT,
    request           TEXT,
    response          TEXT,
    -- The way of the news through Tandem: the broker's time of the leader event, then ours.
    ts_leader_event   INTEGER,
    ts_received       INTEGER,
    ts_decided        INTEGER,
    ts_committed      INTEGER,
    ts_sent           INTEGER,
    ts_answered       INTEGER,
    -- Frame received to request written, by the monotonic clock.
    added_latency_us  INTEGER CHECK (added_latency_us >= 0),
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    -- Of a placing: whether what it left unfilled is free for another child; none in rows of earlier versions.
    is_retired        INTEGER CHECK (is_retired IN (0, 1)),
    -- And whether its stop has fired: it is a limit since, whatever it was changed to.
    has_fired         INTEGER CHECK (has_fired IN (0, 1)),
    PRIMARY KEY (client_order_id, serial),
    FOREIGN KEY (trading_day, leader_account, leader_order_id, follower_id)
        REFERENCES copy_mappings (trading_day, leader_account, leader_order_id, follower_id),
    FOREIGN KEY (leader_account, trading_day, leader_order_id, event_fingerprint)
        REFERENCES order_events (account, trading_day, broker_order_id, fingerprint),
    CHECK (state <> 'ACKED' OR broker_order_id IS NOT NULL),
    CHECK ((kind = 'place') = (part IS NULL)),
    -- A cancel names the order as it is, whatever that is.
    CHECK (kind = 'cancel' OR (quantity > 0 AND disclosed <= quantity))
) STRICT;

-- One attempt, one intent (P2): an intent to place has serial 0. Leader order first, so that the rows of a fan-out lie
-- side by side.
CREATE UNIQUE INDEX intents_key
    ON intents (trading_day, leader_account, leader_order_id, follower_id, leg, slice, attempt, serial);
-- At most one request in flight for each child order.
CREATE UNIQUE INDEX intents_one_in_flight ON intents (client_order_id) WHERE state = 'SENDING';

-- Each child order as it weighs on its mirror: `live` while it may still fill, `exposure` the units it has filled or may
-- yet fill. What is not known counts in full: a change on the wire or without an answer counts as made, and so does one
-- that was taken since the order was last reported.
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

-- P2: the next attempt exists only once the one before is proven terminal or absent.
-- P5: filled + working + unknown never passes the target, checked on rows at the last moment before the wire. What makes
-- a gap good never passes what the copy itself has filled.
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

-- The same for an intent that was held, or is sent again.
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

-- P26: a change or a cancel is of an order that we asked for.
-- P5: a change that raises a child above what it may fill anyway is held to the same bound; one that lowers it is not.
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

-- Where a follower differs from what perfect copying of a leader's order would hold, and what was done about it. One row
-- for each mirror and kind. No fault of the books: those are incidents.
CREATE TABLE copy_gaps (
    trading_day       TEXT    NOT NULL,
    leader_account    TEXT    NOT NULL,
    leader_order_id   TEXT    NOT NULL,
    follower_id       TEXT    NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind <> ''),
    -- Units filled beyond (positive) or short of (negative) perfect copying.
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

-- What was held in an instrument when copying was first armed on a day: recorded once, so that what is copied can be told
-- from what is not, and counted again after a restart. Nothing is recorded where nothing was held: a day on which the
-- account's positions were read (position_snapshots) or anything was placed has no other openings than these.
CREATE TABLE ledger_openings (
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    -- Signed; each stands once it is not zero and was recorded after the broker's books had turned. The leader's, never copied; the follower's by copies of earlier days; the follower's own, never sold.
    leader_units      INTEGER NOT NULL,
    copied_units      INTEGER NOT NULL,
    own_units         INTEGER NOT NULL,
    -- What the instrument was on that day, where its master was stored: ids are reused after expiry.
    symbol            TEXT,
    expiry            TEXT,
    recorded_at       INTEGER NOT NULL,
    PRIMARY KEY (follower_id, trading_day, segment, security_id)
) STRICT, WITHOUT ROWID;

-- Instruments in which our rows and the account differ (P11), and by how many units; zero once they agree again.
CREATE TABLE drifts (
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    units             INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (follower_id, trading_day, segment, security_id)
) STRICT, WITHOUT ROWID;

-- Positions that the leader converted to another product, and what of it was converted for the follower: written before
-- the request leaves; without a copy where there is none, or where the broker provably did not do it.
CREATE TABLE conversions (
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    seen_at           INTEGER NOT NULL,
    leader_from       TEXT    NOT NULL,
    leader_to         TEXT    NOT NULL,
    leader_units      INTEGER NOT NULL,
    copied_from       TEXT,
    copied_to         TEXT,
    copied_units      INTEGER,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (follower_id, trading_day, segment, security_id, seen_at),
    CHECK ((copied_from IS NULL) = (copied_to IS NULL) AND (copied_to IS NULL) = (copied_units IS NULL))
) STRICT, WITHOUT ROWID;

-- What may be sent for each follower. Read at start and never set back by one (P17); a follower without a row was never
-- stopped. Each change has an entry of the audit log beside it, in the same transaction.
CREATE TABLE trading_states (
    follower_id       TEXT    NOT NULL PRIMARY KEY CHECK (follower_id <> ''),
    -- active: all that the gates let through. reducing: nothing that opens or adds. halted: that, and working entries were
    -- cancelled.
    state             TEXT    NOT NULL CHECK (state IN ('active', 'reducing', 'halted')),
    -- Why it is not active (P26): operator, daily_loss, rejections, drift.
    cause             TEXT    CHECK (cause <> ''),
    since             INTEGER NOT NULL,
    -- Leader orders first seen before this are not copied.
    resumed_at        INTEGER,
    -- Whether everything copied is to be sold or bought back.
    is_squaring_off   INTEGER NOT NULL CHECK (is_squaring_off IN (0, 1)),
    updated_at        INTEGER NOT NULL,
    -- Nothing more comes of leader orders first seen up to then, not even what closes: it was cancelled, or is to be.
    stopped_at        INTEGER,
    CHECK ((state = 'active') = (cause IS NULL)),
    CHECK (is_squaring_off = 0 OR state <> 'active')
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------------------------------------------------
-- Accounts and instruments
-- ---------------------------------------------------------------------------------------------------------------------

-- When an account's positions were read last on a day. A row without positions says: flat.
CREATE TABLE position_snapshots (
    account           TEXT    NOT NULL,
    trading_day       TEXT    NOT NULL,
    taken_at          INTEGER NOT NULL,
    PRIMARY KEY (account, trading_day)
) STRICT, WITHOUT ROWID;

-- The positions of that read. A later read of the same day takes its place.
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
    -- What of the net was held before the day.
    carried_quantity  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, trading_day, segment, security_id, product),
    FOREIGN KEY (account, trading_day) REFERENCES position_snapshots (account, trading_day)
) STRICT, WITHOUT ROWID;

-- An account's funds, as read. One row of a day is marked as its start.
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

-- The capital that ratios of a day are taken from. The first row of a day stands (design: once a trading day).
CREATE TABLE day_capital (
    trading_day       TEXT    NOT NULL,
    account           TEXT    NOT NULL,
    capital           INTEGER NOT NULL CHECK (capital >= 0),
    recorded_at       INTEGER NOT NULL,
    PRIMARY KEY (trading_day, account)
) STRICT, WITHOUT ROWID;

-- Which days' instrument masters are stored completely; only the newest is kept, because ids are reused.
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
    -- The lowest and the highest price that the exchange takes on the day, where the file says so.
    band_low          INTEGER CHECK (band_low >= 0),
    band_high         INTEGER CHECK (band_high >= 0),
    PRIMARY KEY (day, segment, security_id),
    CHECK ((option_type IS NULL) = (strike IS NULL))
) STRICT, WITHOUT ROWID;

-- ---------------------------------------------------------------------------------------------------------------------
-- What happened to the program
-- ---------------------------------------------------------------------------------------------------------------------

-- Things a human must know of, until closed. The id is derived from what is wrong, so that saying it twice opens one.
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

-- The last health report of each actor, for `tandem status`.
CREATE TABLE health (
    actor             TEXT    NOT NULL PRIMARY KEY,
    generation        INTEGER NOT NULL CHECK (generation >= 0),
    reported_at       INTEGER NOT NULL,
    snapshot          TEXT    NOT NULL CHECK (json_valid(snapshot))
) STRICT, WITHOUT ROWID;

-- What operators and the program did: starts, halts, resumes, settings, escalations. Append-only, and a chain: each row
-- carries the hash of the row before it, so that a row that was changed, taken out or moved is found (`tandem audit
-- verify`). The hash is the SHA-256 of these bytes, in this order:
--   previous_hash: 32 bytes, those of the row before; zeros in the first row;
--   id, recorded_at: 8 bytes each, big-endian, two's complement;
--   actor, event, subject, details: each the byte 1, its length in bytes (8 bytes, big-endian) and its UTF-8 text;
--   of a subject that is NULL, the byte 0 alone.
-- Ids begin at 1 and have no gaps.
CREATE TABLE audit_log (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id > 0),
    recorded_at       INTEGER NOT NULL,
    actor             TEXT    NOT NULL CHECK (actor <> ''),
    event             TEXT    NOT NULL CHECK (event <> ''),
    subject           TEXT,
    details           TEXT    NOT NULL CHECK (json_valid(details)),
    previous_hash     BLOB    NOT NULL CHECK (length(previous_hash) = 32),
    hash              BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Where the audit log ends, so that a tail that was cut off is missed. One row; zeros while the log is empty.
CREATE TABLE audit_head (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    last_id           INTEGER NOT NULL CHECK (last_id >= 0),
    hash              BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

INSERT INTO audit_head (id, last_id, hash) VALUES (1, 0, zeroblob(32));

CREATE TRIGGER audit_log_append BEFORE INSERT ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: this row does not follow the last one')
    WHERE NOT EXISTS (SELECT 1 FROM audit_head AS h WHERE NEW.id > h.last_id AND NEW.previous_hash = h.hash);
END;

CREATE TRIGGER audit_log_appended AFTER INSERT ON audit_log
BEGIN
    UPDATE audit_head SET last_id = NEW.id, hash = NEW.hash;
END;

CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_head_follows BEFORE UPDATE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the head follows the audit log')
    WHERE NOT EXISTS (
        SELECT 1 FROM audit_log AS a
        WHERE a.id = NEW.last_id AND a.hash = NEW.hash AND a.previous_hash = OLD.hash AND a.id > OLD.last_id
    );
END;

CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the head follows the audit log');
END;

-- The settings in force, as loaded: each version once, secrets redacted.
CREATE TABLE config (
    version           TEXT    NOT NULL CHECK (version <> ''),
    key               TEXT    NOT NULL CHECK (key <> ''),
    value             TEXT    NOT NULL,
    loaded_at         INTEGER NOT NULL,
    PRIMARY KEY (version, key)
) STRICT, WITHOUT ROWID;

-- Which writer owns the database. Each opening raises the epoch; a writer that finds another's stops (P21).
CREATE TABLE writer_epoch (
    id                INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch             INTEGER NOT NULL CHECK (epoch >= 0),
    pid               INTEGER NOT NULL
) STRICT;

-- ---------------------------------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------------------------------

-- Orders that may still trade.
CREATE VIEW active_orders AS SELECT * FROM orders WHERE terminal = 0;

-- Fills with the order they belong to; its columns are NULL while the order itself is not known.
CREATE VIEW order_trades AS
SELECT t.*, o.role, o.client_order_id, o.parent_order_id
FROM trades AS t LEFT JOIN orders AS o
    ON o.account = t.account AND o.broker_order_id = t.broker_order_id
    AND t.trading_day = COALESCE(o.carried_to, o.trading_day);

-- Every account's positions as last read.
CREATE VIEW latest_positions AS
SELECT p.*, s.taken_at
FROM position_snapshots AS s JOIN positions AS p ON p.account = s.account AND p.trading_day = s.trading_day
WHERE s.trading_day = (SELECT MAX(n.trading_day) FROM position_snapshots AS n WHERE n.account = s.account);

-- Every account's funds as last read.
CREATE VIEW latest_funds AS
SELECT f.* FROM funds AS f
WHERE f.taken_at = (SELECT MAX(n.taken_at) FROM funds AS n WHERE n.account = f.account);
