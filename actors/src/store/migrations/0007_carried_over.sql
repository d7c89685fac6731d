-- What waits over midnight, as after-market and forever orders do, keeps the keys of its own day and is followed on.

ALTER TABLE orders ADD COLUMN carried_to TEXT CHECK (carried_to > trading_day);

CREATE INDEX orders_carried ON orders (carried_to) WHERE carried_to IS NOT NULL;

DROP VIEW order_trades;

CREATE VIEW order_trades AS
SELECT t.*, o.role, o.client_order_id, o.parent_order_id
FROM trades AS t LEFT JOIN orders AS o
    ON o.account = t.account AND o.broker_order_id = t.broker_order_id
    AND t.trading_day = COALESCE(o.carried_to, o.trading_day);
