"""How a check is named and told to the runner: one line of JSON each, {feature, name, ok, note, seconds, refused?}."""

import json
import re
import time
import traceback

CHECKS = []


def check(feature, name):
    """Registers a check; it works when nothing is raised. A text it returns is its note."""

    def register(body):
        CHECKS.append((feature, name, None, body))
        return body

    return register


def not_served(feature, clear):
    """Registers a check of what is not served yet: it returns what the client says, which has to match `clear`, or None if it works."""

    def register(body):
        CHECKS.append((feature, "the client says so", re.compile(clear), body))
        return body

    return register


def run_all(context):
    for feature, name, clear, body in CHECKS:
        started = time.monotonic()
        told = {"feature": feature, "name": name, "ok": True, "note": ""}
        try:
            note = body(context)
            if clear is None:
                told["note"] = note or ""
            elif note is None:
                told.update(ok=False, note="it works now: make this an ordinary check")
            else:
                found = clear.search(note)
                told.update(ok=found is not None, refused=True, note=found.group(0) if found else "not a clear refusal: " + note)
        except Exception:  # whatever it is, it is this check's failure
            told.update(ok=False, note=traceback.format_exc())
        told["seconds"] = time.monotonic() - started
        print(json.dumps(told), flush=True)
