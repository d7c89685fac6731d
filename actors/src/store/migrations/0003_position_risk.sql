-- How much is copied, and whether: trading states, openings of the ledger, the closing part of a target, price bands,
-- and what of a position was carried into the day.

ALTER TABLE copy_mappings ADD COLUMN closing_quantity INTEGER NOT NULL DEFAULT 0 CHECK (closing_quantity >= 0);
ALTER TABLE positions ADD COLUMN carried_quantity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instruments ADD COLUMN band_low INTEGER CHECK (band_low >= 0);
ALTER TABLE instruments ADD COLUMN band_high INTEGER CHECK (band_high >= 0);

CREATE TABLE ledger_openings (
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    leader_units      INTEGER NOT NULL,
    copied_units      INTEGER NOT NULL,
    own_units         INTEGER NOT NULL,
    symbol            TEXT,
    expiry            TEXT,
    recorded_at       INTEGER NOT NULL,
    PRIMARY KEY (follower_id, trading_day, segment, security_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE trading_states (
    follower_id       TEXT    NOT NULL PRIMARY KEY CHECK (follower_id <> ''),
    state             TEXT    NOT NULL CHECK (state IN ('active', 'reducing', 'halted')),
    cause             TEXT    CHECK (cause <> ''),
    since             INTEGER NOT NULL,
    resumed_at        INTEGER,
    is_squaring_off   INTEGER NOT NULL CHECK (is_squaring_off IN (0, 1)),
    updated_at        INTEGER NOT NULL,
    CHECK ((state = 'active') = (cause IS NULL)),
    CHECK (is_squaring_off = 0 OR state <> 'active')
) STRICT, WITHOUT ROWID;
