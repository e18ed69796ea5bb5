"""Start the application as it runs in production and ask it over HTTP; the exit status is the verdict."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

ADDRESS = "http://127.0.0.1:8080"


def ask(path: str) -> bytes:
    """Return the answer; wait up to ten seconds for the server to start."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(ADDRESS + path, timeout=5) as answer:
                return answer.read()
        except urllib.error.URLError:
            time.sleep(0.1)
    sys.exit(f"no answer from {ADDRESS}")


server = subprocess.Popen([sys.executable, "web.py"])
try:
    assert ask("/") == b"python-web, laid by Ropewalk\n"
    assert json.loads(ask("/add/40/2")) == {"sum": 42}
finally:
    server.terminate()
print("python-web answers")
