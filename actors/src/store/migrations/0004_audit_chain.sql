-- The audit log becomes a chain: each row carries the hash of the row before it, and the last one's stands in a row of its
-- own. What is there is copied and chained by the program right after this (audit.rs), which then drops the old table.

DROP TRIGGER audit_log_no_update;
DROP TRIGGER audit_log_no_delete;
ALTER TABLE audit_log RENAME TO audit_log_before;

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
