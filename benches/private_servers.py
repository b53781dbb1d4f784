"""Servers of the bench's own, with what is needed to fill and to look at them."""

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from side_by_side import CACHE, ROOT

ORDERS = {
    "o_orderkey": ("bigint not null primary key", "long"),
    "o_custkey": ("bigint not null", "long"),
    "o_orderstatus": ("char(1) not null", "keyword"),
    "o_totalprice": ("decimal(15,2) not null", "double"),
    "o_orderdate": ("date not null", "date"),
    "o_orderpriority": ("varchar(15) not null", "keyword"),
    "o_clerk": ("varchar(15) not null", "keyword"),
    "o_shippriority": ("int not null", "integer"),
    "o_comment": ("varchar(79) not null", "text"),
}


class Server:
    """One of tests/servers, while the block lasts."""

    def __init__(self, name, data, *options):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="flowgauge-bench-", dir=data)
        command = [ROOT / "benches/server", name, self.folder, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            shutil.rmtree(self.folder)
            sys.exit(f"{name} did not start")
        self.host, self.port = self.address.split(":")

    def cpu(self):
        """Seconds that the server and its children have worked."""
        parents, ticks = {}, {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            process = int(stat.parent.name)
            parents[process] = int(fields[1])
            ticks[process] = int(fields[11]) + int(fields[12])
        family = {self.process.pid}
        while more := {child for child, parent in parents.items() if parent in family} - family:
            family |= more
        return sum(ticks[process] for process in family) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *reason):
        self.process.stdin.close()
        self.process.wait()
        shutil.rmtree(self.folder)


class Database(Server):
    def client(self, *words):
        """The command line of the client of MariaDB."""
        program = client_program()
        return [program, "-h", self.host, "-P", self.port, "-ubench", "-ppassword", *words]

    def ask(self, sql):
        command = self.client("--batch", "--skip-column-names", "-e", sql)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def empty(self, columns=ORDERS):
        definitions = ", ".join(f"{name} {sql}" for name, (sql, _) in columns.items())
        self.ask(
            "drop database if exists bench; create database bench character set utf8mb4;"
            f"create table bench.orders ({definitions})"
        )
        # Nobody pays for what the one before left to be written.
        os.sync()
        time.sleep(1)

    def content(self):
        """Count and checksum of the rows, in whatever order they are."""
        row = f"crc32(concat_ws('|', {', '.join(ORDERS)}))"
        return self.ask(f"select count(*), bit_xor({row}), sum({row}) from bench.orders")

    def version(self):
        return self.ask("select version()")

    def flowgauge(self):
        """Options to write there. The password is in the environment."""
        url = f"mysql://bench@{self.address}/bench"
        return ["--sink-type", "mysql", "--db-url", url, "--db-table", "orders"]


class Elastic(Server):
    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.address, timeout=600)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(f"{self.name}: {answer.status} {path}: {content[:500]}")
        return json.loads(content)

    def fill(self, index, documents, mapping, at_once=5_000):
        """Two shards of one segment each."""
        settings = {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "-1"}
        properties = {name: {"type": kind} for name, kind in mapping.items()}
        body = {"settings": settings, "mappings": {"properties": properties}}
        self.ask("PUT", f"/{index}", json.dumps(body))
        lines = []
        for document in documents:
            lines += ['{"index":{}}', document]
            if len(lines) >= 2 * at_once:
                self.bulk(index, lines)
                lines = []
        if lines:
            self.bulk(index, lines)
        self.ask("POST", f"/{index}/_refresh")
        self.ask("POST", f"/{index}/_forcemerge?max_num_segments=1")
        self.ask("POST", f"/{index}/_flush")
        self.ask("POST", f"/{index}/_refresh")

    def bulk(self, index, lines):
        answer = self.ask("POST", f"/_bulk?filter_path=errors&index={index}", ("\n".join(lines) + "\n").encode())
        if answer["errors"]:
            sys.exit(f"{self.name}: refused documents")

    def flowgauge(self, index):
        """Options to read there."""
        return ["--source-type", "elasticsearch", "--es-url", f"http://{self.address}", "--es-index", index]


def client_program():
    program = shutil.which("mariadb")
    if program is None:
        sys.exit("needs the command mariadb, of the package mariadb-client-core")
    return program


def elasticdump():
    folder = CACHE / "elasticdump"
    program = folder / "node_modules/.bin/elasticdump"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, "elasticdump@6.125.1"], check=True)
    return program
