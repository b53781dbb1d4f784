"""The script that people write: helpers.scan, INSERT IGNORE of 1,000 rows, commit each.

    scan_and_insert.py ELASTICSEARCH INDEX MYSQL_HOST MYSQL_PORT COLUMN...
"""

import sys

import pymysql
from elasticsearch import Elasticsearch, helpers

ROWS = 1_000


def main():
    address, index, host, port, *columns = sys.argv[1:]
    database = pymysql.connect(
        host=host, port=int(port), user="bench", password="password", database="bench", charset="utf8mb4"
    )
    cursor = database.cursor()
    places = ", ".join(["%s"] * len(columns))
    insert = f"INSERT IGNORE INTO orders ({', '.join(columns)}) VALUES ({places})"
    rows = []
    for hit in helpers.scan(Elasticsearch(f"http://{address}"), index=index, size=ROWS):
        document = hit["_source"]
        rows.append([document[column] for column in columns])
        if len(rows) == ROWS:
            cursor.executemany(insert, rows)
            database.commit()
            rows = []
    if rows:
        cursor.executemany(insert, rows)
        database.commit()


main()
