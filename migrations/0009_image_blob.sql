-- What an image names, by number where it has one: the rows of new images lie beside each other (docs/decisions/0015).
-- The number of a blob must not be given to another one while an image names it, so the row of the blob has to stay.
CREATE TABLE image_blob (
    repository_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    blob BIGINT NOT NULL REFERENCES blob (number),
    PRIMARY KEY (repository_id, digest, blob),
    FOREIGN KEY (repository_id, digest) REFERENCES image (repository_id, digest) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO image_blob (repository_id, digest, blob)
    SELECT r.repository_id, r.digest, b.number FROM image_reference r JOIN blob b ON b.digest = r.target
    WHERE r.kind = 'blob' ORDER BY r.repository_id, r.digest, b.number;

CREATE INDEX image_blob_by_blob ON image_blob (blob, repository_id, digest);

-- The members of an index; they may come and go, and have no number.
CREATE TABLE image_child (
    repository_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    child TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (repository_id, digest, child),
    FOREIGN KEY (repository_id, digest) REFERENCES image (repository_id, digest) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO image_child (repository_id, digest, child)
    SELECT r.repository_id, r.digest, r.target FROM image_reference r
    WHERE r.kind = 'manifest' ORDER BY r.repository_id, r.digest, r.target;

CREATE INDEX image_child_by_child ON image_child (repository_id, child, digest);

DROP TABLE image_reference;
