#!/usr/bin/env python3
"""Makes the pictures of the pages in docs/pictures from real runs.

    docs/pictures/make.py PROGRAM [MYSQL_URL]

PROGRAM is a flowgauge that is built. With a MYSQL_URL such as mysql://root@127.0.0.1/pictures, and FLOWGAUGE_DB_PASS in
the environment, the runs write into tables there, else into files. Needs chromium and chromedriver; the font Inter makes
the pictures look as they do here. Takes two minutes.
"""

import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))


class Browser:
    """A headless Chromium, told what to do over WebDriver."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                self.address = f"http://127.0.0.1:{found[1]}"
                break
        args = ["--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"]
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": args}}}}
        self.session = "/session"
        self.session = f"/session/{self.order('', wanted)['sessionId']}"

    def order(self, path, body, method="POST"):
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self.address + self.session + path, data, method=method)
        return json.load(urllib.request.urlopen(request, timeout=60))["value"]

    def devtools(self, command, **params):
        return self.order("/goog/cdp/execute", {"cmd": command, "params": params})

    def shoot(self, url, path, width, scheme, height=None, settle=2.5):
        """The page as it is after a while, down to its end or to `height`."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        self.order("/url", {"url": url})
        time.sleep(settle)
        end = self.order("/execute/sync", {"script": "return document.documentElement.scrollHeight", "args": []})
        clip = {"x": 0, "y": 0, "width": width, "height": min(end, height or end), "scale": 1}
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
        print(f"{path}: {os.path.getsize(path) // 1024} KiB")

    def close(self):
        self.order("", None, "DELETE")
        self.driver.kill()


def orders(path, count, broken=()):
    chance = random.Random(7)
    names = ["harbour", "lantern", "meadow", "granite", "willow", "ember", "cobalt", "saffron"]
    with open(path, "w") as file:
        file.write("id,customer,item,amount,ordered_at\n")
        for number in range(count):
            amount = "many" if number in broken else f"{chance.random() * 900:.2f}"
            item = f"{chance.choice(names)} {chance.randrange(1000)}"
            day = f"2026-{number % 12 + 1:02}-{number % 28 + 1:02} 08:{number % 60:02}:00"
            file.write(f"{number},customer {chance.randrange(100_000)},{item},{amount},{day}\n")


class Runs:
    """Runs of one folder and one ledger."""

    def __init__(self, program, folder, mysql=None):
        self.program, self.folder, self.mysql = os.path.abspath(program), folder, mysql

    def start(self, csv, pipeline, *more, verb=()):
        if verb:
            ends = []
        elif self.mysql:
            ends = ["--csv-file", csv, "--db-url", self.mysql, "--db-table", pipeline.replace("-", "_")]
            ends += ["--create-table", "--mode", "upsert", "--key", "id", "--batch-size", "5000"]
            types = "id=int,customer=varchar(40),item=varchar(40),amount=decimal(10,2),ordered_at=datetime"
            ends += ["--types", types]
        else:
            ends = ["--csv-file", csv, "--output-file", "out.jsonl", "--types", "amount=decimal(10,2)"]
        names = [] if verb else ["--pipeline-id", pipeline]
        command = [self.program, *verb, *ends, *names, *more]
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder}
        environment["FLOWGAUGE_DB_PASS"] = os.environ.get("FLOWGAUGE_DB_PASS", "")
        return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def served(self, csv, pipeline, *more, verb=()):
        """A run, or an exporter, and where its page is."""
        port = ["--port", "0"] if verb else ["--metrics-port", "0"]
        run = self.start(csv, pipeline, *port, *more, verb=verb)
        for line in run.stderr:
            found = re.search(r"(http://\S+)/metrics", line)
            if found:
                # Nobody else reads it, and it must not fill up.
                threading.Thread(target=lambda: [None for _ in run.stderr], daemon=True).start()
                return run, found[1] + "/"
            print(line, end="")
        raise SystemExit("it did not start")


def history(runs):
    """Some weeks of three pipelines, as far as they can be had in seconds."""
    for number in range(16):
        orders(os.path.join(runs.folder, "small.csv"), 20_000 + number * 1_500 % 9_000)
        for pipeline in ["orders-nightly", "customers", "stock-levels"]:
            more = ["--max-errors", "0"]
            if (pipeline, number) in [("orders-nightly", 6), ("stock-levels", 15), ("stock-levels", 14)]:
                orders(os.path.join(runs.folder, "broken.csv"), 9_000, {8_000})
                runs.start("broken.csv", pipeline, *more).communicate()
            else:
                runs.start("small.csv", pipeline, *more).communicate()


def view(url):
    return json.load(urllib.request.urlopen(url + "run.json"))


def main():
    program, mysql = sys.argv[1], (sys.argv + [None])[2]
    browser = Browser()
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(program, folder, mysql)
        history(runs)
        picture = lambda name: os.path.join(HERE, name)
        exporter, url = runs.served("", "", verb=["exporter"])
        browser.shoot(url, picture("exporter.png"), 1280, "light")
        exporter.terminate()
        exporter.wait()
        orders(os.path.join(folder, "orders.csv"), 1_500_000, {120_000, 400_000, 410_000})
        run, url = runs.served("orders.csv", "orders-nightly", "--max-errors", "100", "--max-rows-per-second", "30000")
        while (view(url)["progress_ratio"] or 0) < 0.41:
            time.sleep(0.5)
        browser.shoot(url, picture("page.png"), 1280, "light", 1180)
        browser.shoot(url, picture("page-dark.png"), 1280, "dark", 1180)
        browser.shoot(url, picture("page-phone.png"), 390, "light", 1180)
        run.terminate()
        run.wait()
    browser.close()


if __name__ == "__main__":
    main()
