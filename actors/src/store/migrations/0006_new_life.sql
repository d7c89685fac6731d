-- What a new life cannot work out from anything else: what a mirror may open, whether a child's quantity is free for
-- another, in which instruments rows and account differ, and what was converted.

ALTER TABLE copy_mappings ADD COLUMN admitted_quantity INTEGER CHECK (admitted_quantity >= 0);
ALTER TABLE copy_mappings ADD COLUMN refused_quantity INTEGER CHECK (refused_quantity >= 0);
ALTER TABLE copy_mappings ADD COLUMN opens_no_more INTEGER NOT NULL DEFAULT 0 CHECK (opens_no_more IN (0, 1));
ALTER TABLE copy_mappings ADD COLUMN is_stopped INTEGER NOT NULL DEFAULT 0 CHECK (is_stopped IN (0, 1));
ALTER TABLE copy_mappings ADD COLUMN purpose TEXT CHECK (purpose IN ('entry', 'exit'));
ALTER TABLE intents ADD COLUMN is_retired INTEGER CHECK (is_retired IN (0, 1));
ALTER TABLE intents ADD COLUMN has_fired INTEGER CHECK (has_fired IN (0, 1));

CREATE TABLE drifts (
    follower_id       TEXT    NOT NULL CHECK (follower_id <> ''),
    trading_day       TEXT    NOT NULL CHECK (trading_day GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    segment           TEXT    NOT NULL,
    security_id       INTEGER NOT NULL,
    units             INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (follower_id, trading_day, segment, security_id)
) STRICT, WITHOUT ROWID;

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
