"""An adapter that keeps the contract until it is asked what is pending; its argument says what comes then."""

import json
import os
import signal
import subprocess
import sys
import time

HOW = sys.argv[1]
MANIFEST = {"name": "bad", "version": "1", "summary": "misbehaves", "offers": {}}
MIB = 1024 * 1024


def write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def answer(record: dict[str, object], ok: object = None) -> None:
    write(json.dumps({"id": record["id"], "ok": ok}).encode() + b"\n")


def misbehave(record: dict[str, object]) -> None:  # noqa: C901, PLR0912 - one branch a way to misbehave
    if HOW == "garbage":
        write(b"Listening on port 80\nand more\n")
    elif HOW == "partial":
        write(b'{"id": 3, "ok"')
        sys.exit(4)
    elif HOW == "megabytes":
        card = {"request": "r1", "tool": "t" * 3 * MIB, "arguments": {}}
        return answer(record, [card])
    elif HOW == "too long":
        write(b"x" * 9 * MIB + b"\n")
    elif HOW == "not utf-8":
        write(b'{"id": \xff}\n')
    elif HOW == "twice":
        answer(record, [])
    elif HOW == "unknown id":
        write(b'{"id": 77, "ok": null}\n')
    elif HOW == "misspelt":
        write(b'{"observed": "screen_changd"}\n')
    elif HOW == "wrong result":
        return answer(record, {"cards": []})
    elif HOW == "hangs":
        time.sleep(3600)
    elif HOW == "exits":
        os.write(2, b"out of ink\n")
        sys.exit(3)
    elif HOW == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif HOW == "forks":
        if os.fork() == 0:
            time.sleep(3600)
        sys.exit(5)
    elif HOW == "leaves the group":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        sys.exit(6)
    elif HOW == "floods stderr":
        for _ in range(64):
            os.write(2, b"nonsense " * 32 * 1024)
        os.write(2, b"\nthe end\n")
        sys.exit(7)
    return answer(record, [])


if HOW == "ignores SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    said = json.loads(line)
    if said["do"] == "hello":
        answer(said, {"contract": 1, "manifest": MANIFEST})
    elif said["do"] == "pending":
        misbehave(said)
    elif said["do"] == "close" and HOW == "ignores SIGTERM":
        continue
    elif said["do"] == "settled" and HOW == "reads no more":
        time.sleep(3600)
    else:
        answer(said)
        if said["do"] == "close":
            sys.exit(0)
