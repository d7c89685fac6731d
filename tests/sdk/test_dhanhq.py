"""The simulator must satisfy a client nobody here wrote: the official SDK, through an order's whole life."""

import json
import threading
import time
import urllib.request

import pytest
from dhanhq import OrderUpdate

PATIENCE_S = 20


def succeeded(answer):
    assert answer["status"] == "success", answer
    return answer["data"]


def place(dhan, option, tag, price_factor, **changes):
    """Places one lot; a factor above 1 fills at once, one below rests."""
    order = {
        "security_id": option["security_id"],
        "exchange_segment": dhan.NSE_FNO,
        "transaction_type": dhan.BUY,
        "quantity": option["lot"],
        "order_type": dhan.LIMIT,
        "product_type": dhan.MARGIN,
        "price": round(option["last_price"] * price_factor),
        "tag": tag,
    }
    return dhan.place_order(**{**order, **changes})


@pytest.fixture
def resting(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-resting", 0.8))["orderId"]
    yield order_id
    dhan.cancel_order(order_id)


def test_an_order_is_placed_and_listed(dhan, option, resting):
    row = next(row for row in succeeded(dhan.get_order_list()) if row["orderId"] == resting)
    assert row["orderStatus"] == "PENDING"
    assert row["securityId"] == option["security_id"]
    assert row["quantity"] == row["remainingQuantity"] == option["lot"]
    assert row["correlationId"] == "sdk-resting"


def test_the_first_answer_is_transit(dhan, option):
    answer = succeeded(place(dhan, option, "sdk-transit", 0.8))
    assert answer["orderStatus"] == "TRANSIT"
    succeeded(dhan.cancel_order(answer["orderId"]))


def test_an_order_is_found_by_id(dhan, resting):
    rows = succeeded(dhan.get_order_by_id(resting))
    assert [row["orderId"] for row in rows] == [resting]
    assert succeeded(dhan.get_order_by_id("999999999999999")) == []


def test_an_order_is_found_by_correlation_id(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-by-tag", 0.8))["orderId"]
    assert succeeded(dhan.get_order_by_correlationID("sdk-by-tag"))["orderId"] == order_id
    succeeded(dhan.cancel_order(order_id))
    unknown = dhan.get_order_by_correlationID("sdk-no-such-tag")
    assert unknown["status"] == "failure"
    assert unknown["remarks"]["error_code"] == "DH-906"


def test_an_order_is_modified(dhan, option, resting):
    price = round(option["last_price"] * 0.85)
    answer = dhan.modify_order(
        order_id=resting,
        order_type=dhan.LIMIT,
        leg_name="ENTRY_LEG",
        quantity=2 * option["lot"],
        price=price,
        trigger_price=0,
        disclosed_quantity=0,
        validity=dhan.DAY,
    )
    assert succeeded(answer)["orderId"] == resting
    row = succeeded(dhan.get_order_by_id(resting))[0]
    assert (row["quantity"], row["price"]) == (2 * option["lot"], price)


def test_an_order_is_cancelled_once(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-cancel", 0.8))["orderId"]
    assert succeeded(dhan.cancel_order(order_id))["orderId"] == order_id
    assert succeeded(dhan.get_order_by_id(order_id))[0]["orderStatus"] == "CANCELLED"
    again = dhan.cancel_order(order_id)
    assert again["status"] == "failure"
    assert again["remarks"]["error_code"] == "DH-906"


def test_a_fill_shows_in_trades_positions_and_funds(dhan, option):
    before = succeeded(dhan.get_fund_limits())
    order_id = succeeded(place(dhan, option, "sdk-fill", 1.1))["orderId"]

    trades = succeeded(dhan.get_trade_book(order_id))
    assert sum(trade["tradedQuantity"] for trade in trades) == option["lot"]
    assert order_id in [trade["orderId"] for trade in succeeded(dhan.get_trade_book())]
    position = next(
        row for row in succeeded(dhan.get_positions()) if row["securityId"] == option["security_id"]
    )
    assert (position["positionType"], position["netQty"]) == ("LONG", option["lot"])
    after = succeeded(dhan.get_fund_limits())
    assert after["availabelBalance"] < before["availabelBalance"]

    flat = place(dhan, option, "sdk-flat", 0.9, transaction_type=dhan.SELL)
    succeeded(flat)
    position = next(
        row for row in succeeded(dhan.get_positions()) if row["securityId"] == option["security_id"]
    )
    assert (position["positionType"], position["netQty"]) == ("CLOSED", 0)


def test_margin_is_estimated(dhan, option):
    answer = dhan.margin_calculator(
        security_id=option["security_id"],
        exchange_segment=dhan.NSE_FNO,
        transaction_type=dhan.BUY,
        quantity=option["lot"],
        product_type=dhan.MARGIN,
        price=option["last_price"],
    )
    assert succeeded(answer)["totalMargin"] == pytest.approx(option["lot"] * option["last_price"])
    leg = {
        "exchangeSegment": dhan.NSE_FNO,
        "transactionType": dhan.SELL,
        "quantity": option["lot"],
        "productType": dhan.MARGIN,
        "securityId": option["security_id"],
        "price": option["last_price"],
        "triggerPrice": 0,
    }
    several = succeeded(dhan.margin_calculator_multi([leg], include_position=True))
    assert float(several["total_margin"]) > 0


def test_empty_holdings_are_an_error_as_at_the_broker(dhan):
    answer = dhan.get_holdings()
    assert answer["status"] == "failure"
    assert answer["remarks"]["error_code"] == "DH-1111"


def test_a_refusal_carries_code_type_and_message(dhan, option):
    answer = place(dhan, option, "a-tag-of-more-than-25-chars", 0.8)
    assert answer["status"] == "failure"
    assert answer["remarks"] == {
        "error_code": "DH-905",
        "error_type": "Input_Exception",
        "error_message": "Missing required fields, bad values for parameters etc.",
    }


def test_order_updates_reach_the_callback(simulator, context, dhan, option):
    updates, traded = [], threading.Event()

    def on_update(update):
        updates.append(update["Data"])
        if update["Data"].get("status") == "Traded":
            traded.set()

    client = OrderUpdate(context)
    client.order_feed_wss = simulator["stream_url"]
    client.on_update = on_update
    threading.Thread(target=client.connect_to_dhan_websocket_sync, daemon=True).start()
    wait_for_stream(simulator, context.get_client_id())

    order_id = succeeded(place(dhan, option, "sdk-update", 1.1))["orderId"]
    assert traded.wait(PATIENCE_S), updates
    assert {update["orderNo"] for update in updates} == {order_id}
    assert [update["status"] for update in updates] == ["Transit", "Pending", "Traded"]
    assert updates[-1]["tradedQty"] == option["lot"]
    assert updates[-1]["correlationId"] == "sdk-update"


def wait_for_stream(simulator, client_id):
    """A good login is silent; the simulator knows when it has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(simulator["control_url"] + "/sim") as answer:
            if json.load(answer)["open_streams"][client_id] > 0:
                return
    pytest.fail("the SDK never logged in")
