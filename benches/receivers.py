"""Those who are told of a run: real ones, of the versions that the tests have, on free ports of this machine."""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binary(name):
    """The program, installed into the cache of the tests where it is not there."""
    named = os.environ.get(f"FLOWGAUGE_TEST_{name.upper()}")
    if named:
        return named
    with tempfile.TemporaryDirectory() as folder:
        command = [ROOT / "benches/server", name, folder]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.strip()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Receivers:
    """Started one by one; all of them end with the block."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="flowgauge-receivers-"))
        self.children = []
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, address, path):
        with open(self.folder / f"{len(self.children)}.log", "wb") as log:
            self.children.append(subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, cwd=self.folder))
        give_up = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://{address}{path}", timeout=5).read()
                return address
            except OSError:
                if self.children[-1].poll() is not None or time.monotonic() > give_up:
                    raise SystemExit(f"{command[0]} does not answer:\n{(self.folder / f'{len(self.children) - 1}.log').read_text()}")
                time.sleep(0.1)

    def prometheus(self, config="global: {}\n"):
        (self.folder / "prometheus.yml").write_text(config)
        address = f"127.0.0.1:{free_port()}"
        command = [binary("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"]
        command += [f"--web.listen-address={address}", "--web.enable-remote-write-receiver"]
        return self.start(command, address, "/-/ready")

    def victoria_metrics(self, config="global: {}\n"):
        (self.folder / "scrape.yml").write_text(config)
        address = f"127.0.0.1:{free_port()}"
        command = [binary("victoria_metrics"), f"-httpListenAddr={address}", "-storageDataPath=victoria"]
        # Else it shows what came in the last 30 s only later.
        command += ["-search.latencyOffset=0s", "-search.disableCache", "-promscrape.config=scrape.yml"]
        return self.start(command, address, "/health")

    def pushgateway(self):
        address = f"127.0.0.1:{free_port()}"
        return self.start([binary("pushgateway"), f"--web.listen-address={address}"], address, "/-/ready")

    def node_exporter(self):
        (self.folder / "textfiles").mkdir()
        address = f"127.0.0.1:{free_port()}"
        command = [binary("node_exporter"), f"--web.listen-address={address}", "--collector.disable-defaults"]
        return self.start([*command, "--collector.textfile", "--collector.textfile.directory=textfiles"], address, "/")

    def webhook(self):
        """Takes every message."""

        class Taker(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_address[1]}"


def query(address, expression):
    """What it answers now, as (labels, number)."""
    if b"victoria" in urllib.request.urlopen(f"http://{address}/metrics").read()[:2000].lower():
        urllib.request.urlopen(f"http://{address}/internal/force_flush").read()
    words = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://{address}/api/v1/query?{words}") as answer:
        result = json.load(answer)["data"]["result"]
    return [(series["metric"], float(series["value"][1])) for series in result]
