"""A running simulator, and the official SDK pointed at it: two URLs redirected, nothing else changed."""

import csv
import io
import json
import os
import subprocess
import urllib.request

import pytest
from dhanhq import DhanContext, dhanhq


@pytest.fixture(scope="session")
def simulator(tmp_path_factory):
    """What `tandem sim --json` prints: URLs and accounts. Orders at the market fill whole."""
    config = tmp_path_factory.mktemp("sim") / "sim.toml"
    config.write_text('depth = "unlimited"\n')
    command = [os.environ["TANDEM_BIN"], "sim", "--json", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(autouse=True)
def fresh_second(simulator):
    """The broker takes ten order calls a second: each test gets a second of its own, on the simulator's clock."""
    body = json.dumps({"run_for": 1}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(simulator["control_url"] + "/sim/clock", body, headers)
    urllib.request.urlopen(request).close()


@pytest.fixture
def context(simulator):
    account = simulator["accounts"][1]
    context = DhanContext(account["client_id"], account["access_token"])
    context.get_dhan_http().base_url = simulator["rest_url"]
    return context


@pytest.fixture
def dhan(context):
    return dhanhq(context)


@pytest.fixture(scope="session")
def option(simulator):
    """An option of the nearest NIFTY expiry: the master file's row, with its last price."""
    with urllib.request.urlopen(simulator["instruments_url"]) as answer:
        rows = list(csv.DictReader(io.TextIOWrapper(answer)))
    options = [r for r in rows if r["INSTRUMENT"] == "OPTIDX" and r["UNDERLYING_SYMBOL"] == "NIFTY"]
    nearest = min(row["SM_EXPIRY_DATE"] for row in options)
    options = {row["SECURITY_ID"]: row for row in options if row["SM_EXPIRY_DATE"] == nearest}

    account = simulator["accounts"][0]
    context = DhanContext(account["client_id"], account["access_token"])
    context.get_dhan_http().base_url = simulator["rest_url"]
    answer = dhanhq(context).ticker_data({"NSE_FNO": [int(number) for number in options]})
    assert answer["status"] == "success", answer
    prices = answer["data"]["data"]["NSE_FNO"]
    number = next(number for number, quote in prices.items() if 80 < quote["last_price"] < 300)
    return {
        "security_id": number,
        "lot": int(float(options[number]["LOT_SIZE"])),
        "last_price": prices[number]["last_price"],
    }
