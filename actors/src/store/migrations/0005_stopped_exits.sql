-- From when on leader orders may close again after a halt that took the exits, too.

ALTER TABLE trading_states ADD COLUMN stopped_at INTEGER;
