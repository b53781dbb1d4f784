"""Reads all pages of an index and throws them away: what no client can be much faster than.

    read_pages.py HOST:PORT INDEX elasticsearch|opensearch DOCUMENTS

Two threads, a slice each, 10,000 hits a page, from one point in time. Answers are not parsed: what
the next question needs stands at their end.
"""

import http.client
import json
import sys
import threading

SLICES = 2
HITS = 10_000


def main():
    address, index, product, documents = sys.argv[1:]
    if product == "opensearch":
        opening, name, end = f"/{index}/_search/point_in_time", "pit_id", "/_search/point_in_time"
    else:
        opening, name, end = f"/{index}/_pit", "id", "/_pit"
    snapshot = json.loads(ask(http.client.HTTPConnection(address), "POST", opening + "?keep_alive=5m"))[name]
    counts = [0] * SLICES

    def read(slice_number):
        connection = http.client.HTTPConnection(address)
        question = {
            "size": HITS,
            "pit": {"id": snapshot, "keep_alive": "5m"},
            "slice": {"id": slice_number, "max": SLICES},
            "sort": [{"_doc": "asc"}, {"_shard_doc": "asc"}],
            "track_total_hits": False,
        }
        while True:
            page = ask(connection, "POST", "/_search", question)
            last = page.rfind(b'"sort":[')
            if last < 0:
                return
            counts[slice_number] += page.count(b'"sort":[')
            question["search_after"] = json.loads(page[last + 7 : page.index(b"]", last) + 1])

    threads = [threading.Thread(target=read, args=(number,)) for number in range(SLICES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = {name: [snapshot] if product == "opensearch" else snapshot}
    ask(http.client.HTTPConnection(address), "DELETE", end, ended)
    if sum(counts) != int(documents):
        sys.exit(f"{sum(counts)} documents in place of {documents}")


def ask(connection, method, path, body=None):
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        sys.exit(f"{answer.status} {path}: {content[:500]}")
    return content


main()
