#!/usr/bin/env python3
"""Makes the pictures of the Grafana dashboard's rows in docs/pictures from what a real Prometheus answers.

    docs/pictures/dashboard.py PROGRAM MYSQL_URL [ELASTICSEARCH_URL]

PROGRAM is a flowgauge that is built, MYSQL_URL such as mysql://root@127.0.0.1/pictures, with FLOWGAUGE_DB_PASS in the
environment; FLOWGAUGE_TEST_PROMETHEUS may say where prometheus is. Needs chromium and chromedriver. Takes seven minutes:
real runs are scraped, some of them push as well, and an exporter reads their ledger. Then every query of the dashboard
that PROGRAM prints is sent to that Prometheus as Grafana sends it, and the answers are drawn where and how the dashboard
says. What draws is this file and not Grafana: colours, fonts and the room for a legend differ.
"""

import html
import http.server
import json
import math
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from make import HERE, Browser, Runs, orders

SCRAPE_S = 3
SPAN_S = 360
# Of Grafana: the height of one line of its grid, and the room between panels.
LINE, GAP = 30, 8
WIDTH = 1160
PALETTE = ["#56a64b", "#e0b400", "#3274d9", "#ff780a", "#e02f44", "#1f60c4", "#a352cc", "#8f3bb8", "#37872d", "#fa6400",
           "#b877d9", "#5794f2", "#c4162a", "#705da0", "#508642", "#cca300", "#447ebc", "#c15c17", "#890f02", "#0a437c"]
NAMED = {"green": "#37872d", "red": "#c4162a", "text": "#24292e", "orange": "#d9730d", "blue": "#1f60c4"}


# The runs.

def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Between:
    """Stands between a run and its database: answers late, or not at all for a while."""

    def __init__(self, address, delay_s=0.0):
        self.address, self.delay_s, self.is_away, self.open = address, delay_s, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            if self.is_away:
                near.close()
                continue
            far = socket.create_connection(self.address)
            self.open += [near, far]
            threading.Thread(target=self.pass_on, args=(near, far, 0), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far, near, self.delay_s), daemon=True).start()

    def pass_on(self, source, target, delay_s):
        try:
            while data := source.recv(65536):
                time.sleep(delay_s)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def go_away(self, seconds):
        self.is_away = True
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []
        time.sleep(seconds)
        self.is_away = False


def busy_search(url):
    """Stands before Elasticsearch and says now and then that there is too much to do."""
    asked = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            is_page = "_search" in self.path and self.command == "POST"
            asked[0] += is_page
            if is_page and asked[0] % 12 == 11:
                status, headers, data = 429, {"content-type": "application/json", "retry-after": "2"}, b"{}"
            else:
                if is_page:
                    time.sleep(0.15)
                kept = {name: self.headers[name] for name in ("content-type", "accept") if self.headers[name]}
                request = urllib.request.Request(url + self.path, body or None, kept, method=self.command)
                try:
                    with urllib.request.urlopen(request) as answer:
                        status, headers, data = answer.status, answer.headers, answer.read()
                except urllib.error.HTTPError as error:
                    status, headers, data = error.code, error.headers, error.read()
            self.send_response(status)
            for name in ("content-type", "x-elastic-product", "retry-after"):
                if headers.get(name):
                    self.send_header(name, headers[name])
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PUT = answer

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def documents(url, index, count):
    def call(path, body, method="POST", kind="application/json"):
        request = urllib.request.Request(url + path, body.encode() if body else None, {"content-type": kind}, method=method)
        return urllib.request.urlopen(request).read()

    try:
        call(f"/{index}", None, "DELETE")
    except urllib.error.HTTPError:
        pass
    chance = random.Random(3)
    for first in range(0, count, 10_000):
        lines = []
        for number in range(first, min(first + 10_000, count)):
            lines.append('{"index":{"_id":"%d"}}' % number)
            lines.append(json.dumps({"customer": f"customer {number % 977}", "amount": chance.randrange(90_000) / 100}))
        call(f"/{index}/_bulk", "\n".join(lines) + "\n", kind="application/x-ndjson")
    call(f"/{index}/_refresh", None)


class Lab:
    """A Prometheus, an exporter, and runs that are scraped, pushed, or both."""

    def __init__(self, program, folder, mysql, search):
        self.folder, self.mysql, self.search = folder, mysql, search
        self.runs = Runs(program, folder, mysql)
        self.targets, self.started = set(), []
        self.address = f"http://127.0.0.1:{free_port()}"
        self.tell()
        with open(os.path.join(folder, "prometheus.yml"), "w") as file:
            file.write(f"global: {{scrape_interval: {SCRAPE_S}s}}\nscrape_configs:\n"
                       "  - job_name: flowgauge\n    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n")
        command = [os.environ.get("FLOWGAUGE_TEST_PROMETHEUS", "prometheus"), "--config.file=prometheus.yml",
                   "--storage.tsdb.path=data", f"--web.listen-address={self.address[7:]}", "--web.enable-remote-write-receiver"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.prometheus = subprocess.Popen(command, cwd=folder, **quiet)
        while True:
            try:
                urllib.request.urlopen(self.address + "/-/ready")
                break
            except OSError:
                time.sleep(0.2)
        self.exporter, url = self.runs.served("", "", "--poll", "1s", verb=["exporter"])
        self.scrape(url)

    def tell(self):
        path = os.path.join(self.folder, "targets.json")
        with open(path + ".new", "w") as file:
            json.dump([{"targets": sorted(self.targets)}], file)
        os.rename(path + ".new", path)

    def scrape(self, url):
        self.targets.add(urllib.parse.urlsplit(url).netloc)
        self.tell()

    def begin(self, csv, pipeline, *more, by=None, also_pushed=False):
        more = list(more) + ["--metrics-until-scraped", "--metrics-linger", "6s"]
        if also_pushed:
            more += ["--metrics-remote-write", self.address + "/api/v1/write"]
        run, url = Runs(self.runs.program, self.folder, by or self.mysql).served(csv, pipeline, *more)
        self.scrape(url)
        self.started.append(run)
        return run

    def play(self):
        """Six minutes of a small company's night."""
        file = lambda name, *what: orders(os.path.join(self.folder, name), *what)
        file("orders.csv", 2_400_000, range(9_000, 2_400_000, 40_000))
        file("stock.csv", 400_000)
        file("bad.csv", 300_000, {260_000})
        runner = threading.Thread(target=self.small_runs, daemon=True)
        runner.start()
        address = urllib.parse.urlsplit(self.mysql)
        server = (address.hostname, address.port or 3306)
        away, slow = Between(server), Between(server, 0.06)
        through = lambda between: self.mysql.replace(address.netloc, f"{address.username}@127.0.0.1:{between.port}")
        time.sleep(20)
        self.begin("orders.csv", "orders-nightly", "--max-errors", "100", "--max-rows-per-second", "6000",
                   by=through(away), also_pushed=True)
        time.sleep(40)
        if self.search:
            self.from_search(through(slow))
        time.sleep(40)
        self.begin("stock.csv", "stock-levels", "--max-errors", "0", "--max-rows-per-second", "9000", "--lanes", "2",
                   by=through(slow)).wait()
        away.go_away(6)
        self.begin("bad.csv", "stock-levels", "--max-errors", "0", "--max-rows-per-second", "9000", also_pushed=True).wait()
        time.sleep(20)
        away.go_away(4)
        killed = self.begin("stock.csv", "prices", "--max-rows-per-second", "9000")
        time.sleep(25)
        killed.kill()
        time.sleep(60)
        self.begin("stock.csv", "stock-levels", "--max-errors", "0", "--max-rows-per-second", "6000")
        time.sleep(15)
        self.begin("stock.csv", "prices", "--max-rows-per-second", "9000")
        time.sleep(12)

    def small_runs(self):
        """Runs of a second, every half minute, that nobody scrapes."""
        for number in range(60):
            orders(os.path.join(self.folder, "small.csv"), 20_000 + number * 7_000 % 30_000, {99} if number % 5 == 3 else {})
            self.runs.start("small.csv", "customers", "--max-errors", "9").communicate()
            time.sleep(24)

    def from_search(self, db_url):
        documents(self.search, "flowgauge-pictures", 120_000)
        command = [self.runs.program, "--es-url", busy_search(self.search), "--es-index", "flowgauge-pictures", "--db-url",
                   db_url, "--db-table", "search_copy", "--create-table", "--mode", "upsert", "--pipeline-id", "search-copy",
                   "--batch-size", "1000", "--max-rows-per-second", "800", "--metrics-port", "0"]
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder, "FLOWGAUGE_DB_PASS": os.environ["FLOWGAUGE_DB_PASS"]}
        run = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        for line in run.stderr:
            if found := re.search(r"(http://\S+)/metrics", line):
                self.scrape(found[1])
                break
            print(line, end="")
        threading.Thread(target=lambda: [None for _ in run.stderr], daemon=True).start()
        self.started.append(run)

    def end(self):
        for run in self.started + [self.exporter, self.prometheus]:
            run.terminate()
        for run in self.started + [self.exporter, self.prometheus]:
            run.wait()


# The answers, as Grafana asks for them.

def ask(address, path, **params):
    url = f"{address}/api/v1/{path}?{urllib.parse.urlencode(params)}"
    try:
        return json.load(urllib.request.urlopen(url))["data"]
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{params.get('query')}: {error.read().decode()}")


def interpolated(expr, step_s):
    names = {"$__rate_interval": f"{max(step_s + SCRAPE_S, 4 * SCRAPE_S)}s", "$__interval": f"{step_s}s",
             "${pipeline:regex}": ".*"}
    for name, value in names.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


def legend(pattern, labels):
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), pattern)


def step_of(panel):
    """A point for each pixel, but no more than there are scrapes."""
    width = WIDTH * panel["gridPos"]["w"] // 24
    return max(SCRAPE_S, math.ceil(SPAN_S / width))


def over_time(address, panel, end):
    step = step_of(panel)
    end = end // step * step
    series = []
    for target in panel["targets"]:
        query = interpolated(target["expr"], step)
        answer = ask(address, "query_range", query=query, start=end - SPAN_S, end=end, step=step)
        for one in answer["result"]:
            values = {int(float(at)): float(value) for at, value in one["values"]}
            series.append((legend(target["legendFormat"], one["metric"]), values))
    return series, end, step


def of_now(address, panel, end):
    found = []
    for target in panel["targets"]:
        for one in ask(address, "query", query=interpolated(target["expr"], step_of(panel)), time=end)["result"]:
            found.append((target, one["metric"], float(one["value"][1])))
    return found


# The drawing.

def short(value, factor, units, digits=None):
    if value == 0:
        return "0" + (units[0] if units[0].strip() else "")
    size = 0
    while abs(value) >= factor and size < len(units) - 1:
        value, size = value / factor, size + 1
    digits = digits if digits is not None else (0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2)
    text = f"{value:.{digits}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + units[size]


def shown(value, unit):
    if math.isnan(value):
        return "NaN"
    if unit == "s":
        for size, name in ((86400, "days"), (3600, "hours"), (60, "mins"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= size:
                return short(value / size, 1e9, [f" {name}"])
        return "0 s"
    if unit == "percentunit":
        return short(value * 100, 1e9, ["%"])
    if unit in ("bytes", "binBps"):
        per = "/s" if unit == "binBps" else ""
        return short(value, 1024, [f" {name}{per}" for name in ("B", "KiB", "MiB", "GiB")])
    per = {"cps": " c/s", "recps": " rec/s", "reqps": " req/s"}.get(unit, "")
    return short(value, 1000, [per, f" K{per}", f" Mil{per}", f" Bil{per}"])


def ticks(highest, unit, count=4):
    base = 2 ** (10 * int(math.log(highest, 1024))) if unit in ("bytes", "binBps") and highest >= 1024 else 1
    rough = highest / base / count
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return [number * step * base for number in range(int(highest / base / step * 1.0001) + 1)]


def graph(panel, series, end, step, starts, width, height):
    defaults = panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    if not any(values for _, values in series):
        return nothing(defaults)
    begin = end - SPAN_S
    tops, bases = [], {}
    stacked = custom["stacking"]["mode"] == "normal"
    for _, values in series:
        for at, value in values.items():
            if math.isfinite(value):
                bases[at] = (bases.get(at, 0) if stacked else 0) + value
                tops.append(bases[at])
    highest = defaults.get("max", 0) or max(tops + [0]) * 1.05 or 1
    left, bottom, top = 62, 20, 6
    is_beside = panel["options"]["legend"]["placement"] == "right"
    # As Grafana has it: the rest of a long legend is there for those who scroll.
    legend_rows = 0 if is_beside else min(legend_height([name for name, _ in series], width), int(height * 0.35) // 18 * 18 + 4)
    whole, width = width, width - (250 if is_beside else 0)
    plot_w, plot_h = width - left - 10, height - bottom - top - legend_rows
    x = lambda at: left + (at - begin) / SPAN_S * plot_w
    y = lambda value: top + plot_h - min(value, highest * 1.2) / highest * plot_h
    parts = []
    for value in ticks(highest, unit):
        parts.append(f'<path d="M{left} {y(value):.1f}h{plot_w}" stroke="#e3e5e8" class="straight"/>'
                     f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{shown(value, unit)}</text>')
    for at in range(begin // 60 * 60 + 60, end + 1, 60 if plot_w > 300 else 120):
        parts.append(f'<path d="M{x(at):.1f} {top}v{plot_h}" stroke="#eef0f2" class="straight"/><text x="{x(at):.1f}" y="{top + plot_h + 15}" '
                     f'text-anchor="middle">{time.strftime("%H:%M", time.gmtime(at))}</text>')
    for at in starts:
        parts.append(f'<path d="M{x(at):.1f} {top}v{plot_h}" stroke="#c6d8f2" class="straight"/>')
    below = {}
    for index, (_, values) in enumerate(series):
        colour = PALETTE[index % len(PALETTE)]
        pieces, last = [], None
        for at in sorted(values):
            if not math.isfinite(values[at]):
                continue
            if last is None or (at - last > step and not custom["spanNulls"]):
                pieces.append([])
            level = values[at] + (below.get(at, 0) if stacked else 0)
            pieces[-1].append((at, level, below.get(at, 0)))
            last = at
        for piece in pieces:
            line = "L".join(f"{x(at):.1f} {y(level):.1f}" for at, level, _ in piece)
            if custom["fillOpacity"] and len(piece) > 1:
                back = "L".join(f"{x(at):.1f} {y(base):.1f}" for at, _, base in reversed(piece))
                parts.append(f'<path d="M{line}L{back}Z" fill="{colour}" opacity="{custom["fillOpacity"] / 100}"/>')
            parts.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-linejoin="round"/>')
            if custom["showPoints"] == "always" or len(piece) == 1:
                radius = custom["pointSize"] / 2
                parts += [f'<circle cx="{x(at):.1f}" cy="{y(level):.1f}" r="{radius}" fill="{colour}"/>' for at, level, _ in piece]
        if stacked:
            for at, value in values.items():
                below[at] = below.get(at, 0) + (value if math.isfinite(value) else 0)
    names = "".join(f'<span><i style="background:{PALETTE[index % len(PALETTE)]}"></i>{html.escape(name)}</span>'
                    for index, (name, _) in enumerate(series))
    place = f"float:right;width:{whole - width - 16}px" if is_beside else f"height:{legend_rows}px"
    return (f'<div class="legend{" beside" if is_beside else ""}" style="{place}">{names}</div>' * is_beside
            + f'<svg width="{width}" height="{height - legend_rows}">{"".join(parts)}</svg>'
            + f'<div class="legend" style="{place}">{names}</div>' * (not is_beside))


def legend_height(names, width):
    rows, used = 1, 0
    for name in names:
        wide = len(name) * 6.3 + 32
        if used + wide > width - 16:
            rows, used = rows + 1, 0
        used += wide
    return rows * 18 + 4


def nothing(defaults):
    return f'<div class="nothing">{html.escape(defaults.get("noValue", "No data"))}</div>'


def stat(panel, found):
    defaults = panel["fieldConfig"]["defaults"]
    if not found:
        return nothing(defaults)
    is_name = panel["options"]["textMode"] == "name"
    cells = []
    for index, (target, labels, value) in enumerate(found):
        name = html.escape(legend(target["legendFormat"], labels))
        colour = NAMED.get(defaults["color"].get("fixedColor"), PALETTE[index % len(PALETTE)])
        large = name if is_name else html.escape(shown(value, defaults["unit"]))
        small = "" if is_name else f"<small>{name}</small>"
        cells.append(f'<div class="stat">{small}<b style="color:{colour}">{large}</b></div>')
    return f'<div class="stats">{"".join(cells)}</div>'


def bars(panel, found):
    defaults = panel["fieldConfig"]["defaults"]
    if not found:
        return nothing(defaults)
    whole = defaults.get("max") or max(value for _, _, value in found) or 1
    lines = []
    for index, (target, labels, value) in enumerate(found):
        colour = PALETTE[index % len(PALETTE)]
        name = html.escape(legend(target["legendFormat"], labels))
        lines.append(f'<div class="bar"><span>{name}</span><div><i style="width:{100 * value / whole:.1f}%;background:{colour}"></i></div>'
                     f'<b style="color:{colour}">{html.escape(shown(value, defaults["unit"]))}</b></div>')
    return f'<div class="bars">{"".join(lines)}</div>'


def name_of(target, panel):
    """As Grafana calls the column of its values."""
    return f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"


def table(panel, found):
    """`merge` and `organize`, and the overrides by the name of a column."""
    merge, organize = [one["options"] for one in panel["transformations"]]
    assert merge == {}
    rows, columns = [], []
    for target, labels, value in found:
        labels = {name: text for name, text in labels.items() if name != "__name__"}
        cells = dict(labels) | {name_of(target, panel): value}
        columns += [name for name in cells if name not in columns]
        for row in rows:
            # Rows become one where they do not contradict each other.
            if all(row[name] == cells[name] for name in row.keys() & cells.keys()) and row.keys() & labels.keys():
                row.update(cells)
                break
        else:
            rows.append(cells)
    hidden, names = organize["excludeByName"], organize["renameByName"]
    columns = [name for name in columns if not hidden.get(name)]
    texts = [name for name in columns if not name.startswith("Value")]
    columns.sort(key=lambda name: organize["indexByName"].get(name, 99))
    for by in panel["options"]["sortBy"]:
        name = next(name for name in columns if names.get(name, name) == by["displayName"])
        rows.sort(key=lambda row: row.get(name, ""), reverse=by["desc"])
    properties = {one["matcher"]["options"]: {each["id"]: each["value"] for each in one["properties"]}
                  for one in panel["fieldConfig"]["overrides"]}
    head = "".join(f"<th class={'left' if name in texts else 'right'}>{html.escape(names.get(name, name))}</th>" for name in columns)
    lines = []
    for row in rows:
        cells = []
        for name in columns:
            of = properties.get(names.get(name, name), {})
            value, colour = row.get(name, ""), "inherit"
            text = value if isinstance(value, str) else shown(value, of.get("unit", "short"))
            for mapping in of.get("mappings", []):
                options = mapping["options"]
                if mapping["type"] == "value" and text in options:
                    colour = NAMED[options[text]["color"]]
                    break
                if mapping["type"] == "regex" and re.fullmatch(options["pattern"], text):
                    colour = NAMED[options["result"]["color"]]
                    break
            side = "left" if name in texts else "right"
            cells.append(f'<td class={side} style="color:{colour}">{html.escape(text)}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>"


def drawn(address, panel, end, starts, width, height):
    if panel["type"] == "timeseries":
        series, end, step = over_time(address, panel, end)
        return graph(panel, series, end, step, starts, width, height)
    found = of_now(address, panel, end)
    return {"stat": stat, "bargauge": bars, "table": table}[panel["type"]](panel, found)


STYLE = """
body { margin: 0; background: #f4f5f5; font: 12px Inter, Helvetica, Arial, sans-serif; color: #24292e }
h1 { font-size: 15px; font-weight: 500; margin: 0; padding: 10px 8px 0 }
svg text { font-size: 11px; fill: #5c6773 } .straight { shape-rendering: crispEdges }
.panel { position: absolute; background: #fff; border: 1px solid #dfe1e4; border-radius: 2px; box-sizing: border-box; overflow: hidden }
h2 { font-size: 13px; font-weight: 500; margin: 0; padding: 7px 9px 5px }
.legend { padding: 0 8px; line-height: 18px; overflow: hidden } .beside span { display: block } .legend span { margin-right: 14px; white-space: nowrap }
.legend i { display: inline-block; width: 12px; height: 4px; border-radius: 2px; margin-right: 5px; vertical-align: middle }
.nothing { color: #8e959c; text-align: center; padding-top: 60px; font-size: 15px }
.stats { display: flex; flex-wrap: wrap; height: calc(100% - 34px) } .stat { flex: 1 0 45%; display: flex; flex-direction: column; justify-content: center; text-align: center }
.stat b { font-size: 19px; font-weight: 500 } .stat small { font-size: 12px }
.bars { padding: 4px 10px } .bar { display: flex; align-items: center; margin-bottom: 7px } .bar span { width: 42% }
.bar div { flex: 1; background: #eef0f2; height: 19px } .bar i { display: block; height: 100% } .bar b { width: 76px; text-align: right; font-weight: 500 }
table { border-collapse: collapse; width: 100% } td, th { padding: 5px 10px; border-bottom: 1px solid #eef0f2; font-weight: 400 }
th { color: #1f60c4; font-weight: 500 } .left { text-align: left } .right { text-align: right }
"""


def page(address, title, panels, end, starts):
    unit = (WIDTH - GAP) / 24
    first = min(panel["gridPos"]["y"] for panel in panels)
    parts, lowest = [], 0
    for panel in panels:
        place = panel["gridPos"]
        width, height = place["w"] * unit - GAP, place["h"] * (LINE + GAP) - GAP
        x, y = GAP + place["x"] * unit, 36 + (place["y"] - first) * (LINE + GAP)
        lowest = max(lowest, y + height + GAP)
        inner = drawn(address, panel, end, starts, int(width) - 2, int(height) - 34)
        parts.append(f'<div class=panel style="left:{x:.0f}px;top:{y:.0f}px;width:{width:.0f}px;height:{height:.0f}px">'
                     f"<h2>{html.escape(panel['title'])}</h2>{inner}</div>")
    text = (f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style><body style='height:{lowest:.0f}px'>"
            f"<h1>{html.escape(title)}</h1>{''.join(parts)}")
    return text, round(lowest)


def draw(browser, program, address, end, folder):
    dashboard = json.loads(subprocess.check_output([program, "metrics", "dashboard"]))
    annotation = dashboard["annotations"]["list"][0]
    assert annotation["useValueForTime"]
    answer = ask(address, "query_range", query=interpolated(annotation["expr"], 15), start=end - SPAN_S, end=end, step=15)
    starts = sorted({float(value) / 1000 for one in answer["result"] for _, value in one["values"]})
    starts = [at for at in starts if at >= end - SPAN_S]
    rows = []
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            rows.append((panel["title"], []))
        else:
            rows[-1][1].append(panel)
    for title, panels in rows:
        path = os.path.join(folder, "page.html")
        text, height = page(address, title, panels, end, starts)
        with open(path, "w") as file:
            file.write(text)
        name = "dashboard-" + re.sub("[^a-z]+", "-", title.lower()) + ".png"
        browser.shoot("file://" + path, os.path.join(HERE, name), WIDTH, "light", height, settle=0.5)


def main():
    program, mysql, search = os.path.abspath(sys.argv[1]), sys.argv[2], (sys.argv + [None])[3]
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(program, folder, mysql, search)
        try:
            lab.play()
            browser = Browser()
            draw(browser, program, lab.address, int(time.time()), folder)
            browser.close()
        finally:
            lab.end()


if __name__ == "__main__":
    main()
