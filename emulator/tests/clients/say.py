"""How a script tells the test what worked: one JSON object a line.

`Client("msal")` says the version that is installed; `with client.operation("...")` says whether what is within works.
A person's part is played by the test: `approve` has a device code approved, `sign_in_at` an address signed in at.
"""
import contextlib
import importlib.metadata
import json
import os
import sys
import traceback


def say(**what):
    print(json.dumps(what), flush=True)


class Client:
    def __init__(self, package):
        say(version=importlib.metadata.version(package))

    @contextlib.contextmanager
    def operation(self, name):
        try:
            yield
        except Exception as error:  # whatever goes wrong is what the table is about
            traceback.print_exc(file=sys.stderr)
            say(operation=name, fails=f"{type(error).__name__}: {error}")
        else:
            say(operation=name, fails=None)


def approve(user_code):
    say(approve=user_code)


def sign_in_at(address):
    """Where the browser is sent after a person has signed in."""
    say(sign_in_at=address)
    return sys.stdin.readline().strip()


def given(name):
    return os.environ[name]
