"""What the side-by-side benches share: the table, the peers, whole processes in turn, and ratios.

Everything runs in turn, so that a machine whose speed drifts is the same for all. The first
contestant is flowgauge; ratios are those of its run to the peer's run in the same round.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("FLOWGAUGE_BENCH_CACHE", pathlib.Path.home() / ".cache/flowgauge-benches"))


def python_with(name, packages):
    """A Python with packages of PyPI, in the cache."""
    python = CACHE / name / "bin/python"
    if not python.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", CACHE / name], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def tpch(python, scale, table):
    folder = CACHE / f"tpch-{scale}"
    path = folder / f"{table}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        generator = python.parent / "tpchgen-cli"
        subprocess.run([generator, "csv", "-s", scale, f"--tables={table}"], cwd=folder, check=True)
    return path


def build():
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(target) / "release/flowgauge"


def contest(contestants, rounds, before, after, servers=()):
    """Runs the command of each contestant once a round, `before` and `after` around it, and returns
    their times by name. The first round warms the caches and does not count. What `after` returns
    about the output has to be the same for all."""
    results = {name: [] for name in contestants}
    seen = {}
    for round_number in range(rounds + 1):
        # Who comes after whom is not the same in every round.
        turn = round_number % len(contestants)
        in_turn = [*contestants.items()][turn:] + [*contestants.items()][:turn]
        for name, command in in_turn:
            before()
            served, busy = cpu_of(servers), cpu_of_all()
            wall, cpu, peak = run(command)
            served, busy = cpu_of(servers) - served, cpu_of_all() - busy
            result = (wall, cpu, peak, served, busy - served - cpu)
            seen.setdefault(after(name, round_number), name)
            if round_number > 0:
                results[name].append(result)
    seen.pop(None, None)  # Who has no output to look at.
    if len(seen) > 1:
        sys.exit(f"the outputs differ: {seen}")
    return results, next(iter(seen), None)


def run(command):
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command])
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit {process.returncode}: {command}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def cpu_of(servers):
    return sum(server.cpu() for server in servers)


def cpu_of_all():
    """Seconds that all processors were busy, with whatever."""
    user, nice, system, _, _, *interrupts = map(int, open("/proc/stat").readline().split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def show(title, results):
    own = [wall for wall, *_ in next(iter(results.values()))]
    rows = []
    for name, runs in results.items():
        walls, cpus, peaks, served, others = zip(*runs)
        ratios = [mine / wall for mine, wall in zip(own, walls)]
        rows.append({
            "who": name,
            "wall s, median (min to max)": f"{statistics.median(walls):.2f} ({min(walls):.2f} to {max(walls):.2f})",
            "CPU s": f"{statistics.median(cpus):.2f}",
            **({"of servers": f"{statistics.median(served):.1f}"} if any(served) else {}),
            "of all others": f"{statistics.median(others):.1f}",
            "peak MiB": f"{max(peaks):.0f}",
            f"{next(iter(results))} / it": f"{statistics.median(ratios):.2f}",
        })
    print(f"{title}\n")
    print(f"| {' | '.join(rows[0])} |")
    print("|---" * len(rows[0]) + "|")
    for row in rows:
        print(f"| {' | '.join(row.values())} |")
    print(flush=True)
