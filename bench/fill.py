"""Fills the catalog of a stopped server with what pushes would have written.

fill.py CATALOG images REPOSITORY COUNT     images like the newest of REPOSITORY, each with a tag of its own
fill.py CATALOG tags REPOSITORY COUNT       further tags of its newest image
fill.py CATALOG repositories REPOSITORY COUNT
                                            repositories like it, each with its newest image and that image's layers

Every row is a copy of one that a real push has written, with another name, id, digest and manifest; all columns are
copied, so that the script needs no change when the schema gets more of them. A manifest differs in an annotation, its
digest is the true one, and the layers that it names exist. COUNT is how many there shall be in the end.
"""

import hashlib
import json
import sqlite3
import sys
import uuid


def row_of(catalog, sql, *parameters):
    cursor = catalog.execute(sql, parameters)
    values = cursor.fetchone()
    if values is None:
        sys.exit("fill: nothing to copy; push first")
    return dict(zip([column[0] for column in cursor.description], values))


def rows_of(catalog, sql, *parameters):
    cursor = catalog.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, values)) for values in cursor]


def insert(catalog, table, rows):
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    columns = list(first)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    catalog.execute(sql, list(first.values()))
    catalog.executemany(sql, ([row[column] for column in columns] for row in rows))


def newest_image(catalog, repository):
    return row_of(catalog, "SELECT * FROM image WHERE repository_id = ? ORDER BY pushed_at DESC LIMIT 1", repository["id"])


def other_manifest(image, number):
    document = json.loads(image["manifest"])
    document["annotations"] = {"number": str(number)}
    manifest = json.dumps(document, separators=(",", ":")).encode()
    annotations = json.dumps(document["annotations"], separators=(",", ":"))
    return {**image, "digest": "sha256:" + hashlib.sha256(manifest).hexdigest(), "manifest": manifest, "annotations": annotations}


def images(catalog, repository, count):
    template = newest_image(catalog, repository)
    tag = row_of(catalog, "SELECT * FROM tag WHERE repository_id = ? AND ended_at IS NULL LIMIT 1", repository["id"])
    references = rows_of(
        catalog, "SELECT * FROM image_blob WHERE repository_id = ? AND digest = ?", repository["id"], template["digest"]
    )
    (there,) = catalog.execute("SELECT COUNT(*) FROM image WHERE repository_id = ?", [repository["id"]]).fetchone()
    # In pieces: a million images with their manifests do not fit into a small machine's memory at once.
    for begin in range(there, count, 50_000):
        new = [other_manifest(template, number) for number in range(begin, min(begin + 50_000, count))]
        # In the order of the primary key the tree grows without being searched.
        new.sort(key=lambda image: image["digest"])
        insert(catalog, "image", new)
        insert(catalog, "image_blob", ({**reference, "digest": image["digest"]} for image in new for reference in references))
        insert(
            catalog,
            "tag",
            ({**tag, "id": str(uuid.uuid4()), "name": "fill-" + image["digest"][7:27], "digest": image["digest"]} for image in new),
        )


def tags(catalog, repository, count):
    tag = row_of(catalog, "SELECT * FROM tag WHERE repository_id = ? AND ended_at IS NULL LIMIT 1", repository["id"])
    (there,) = catalog.execute(
        "SELECT COUNT(*) FROM tag WHERE repository_id = ? AND ended_at IS NULL", [repository["id"]]
    ).fetchone()
    insert(catalog, "tag", ({**tag, "id": str(uuid.uuid4()), "name": f"zfill-{n:07}"} for n in range(there, count)))


def repositories(catalog, repository, count):
    image = newest_image(catalog, repository)
    key = repository["id"], image["digest"]
    references = rows_of(catalog, "SELECT * FROM image_blob WHERE repository_id = ? AND digest = ?", *key)
    tag = row_of(catalog, "SELECT * FROM tag WHERE repository_id = ? AND ended_at IS NULL LIMIT 1", repository["id"])
    blobs = [reference["blob"] for reference in references]
    links = [row_of(catalog, "SELECT * FROM blob_link WHERE repository_id = ? AND blob = ?", repository["id"], blob) for blob in blobs]
    (there,) = catalog.execute("SELECT COUNT(*) FROM repository").fetchone()
    new = [{"repository_id": str(uuid.uuid4())} for _ in range(there, count)]
    insert(catalog, "repository", ({**repository, "id": own["repository_id"], "name": f"fill/{n:07}"} for n, own in enumerate(new)))
    insert(catalog, "image", ({**image, **own} for own in new))
    insert(catalog, "image_blob", ({**reference, **own} for own in new for reference in references))
    insert(catalog, "blob_link", ({**link, **own} for own in new for link in links))
    insert(catalog, "tag", ({**tag, **own, "id": str(uuid.uuid4()), "digest": image["digest"]} for own in new))


def main():
    path, what, name, count = sys.argv[1:]
    catalog = sqlite3.connect(path)
    # A catalog that is lost here is made anew; the server that opens it afterwards sets what it needs itself.
    catalog.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-400000; PRAGMA foreign_keys=OFF;")
    repository = row_of(catalog, "SELECT * FROM repository WHERE name = ?", name)
    {"images": images, "tags": tags, "repositories": repositories}[what](catalog, repository, int(count))
    catalog.commit()
    broken = catalog.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        sys.exit(f"fill: a row refers to nothing: {broken}")
    catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")


main()
