-- The catalog: repositories, uploads, layers, images, tags. Times are microseconds since 1970 (UTC).
-- Text that is compared or paged by order carries COLLATE "C": byte order on both engines.

CREATE TABLE repository (
    id TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    tag_mutability TEXT NOT NULL,
    tag_mutability_filters TEXT NOT NULL,
    scan_on_push BIGINT NOT NULL,
    encryption_type TEXT NOT NULL,
    kms_key TEXT,
    policy TEXT,
    lifecycle_policy TEXT,
    lifecycle_evaluated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX repository_by_name ON repository (account, region, name);

CREATE TABLE repository_tag (
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (repository_id, key)
);

-- One row is one stored object; review_after as in blob_link: set when the last link may have gone. The storage key is digest and generation: the collector deletes exactly the
-- generation that it unlinked, so a push of the same digest in that moment cannot lose its bytes.
CREATE TABLE blob (
    digest TEXT COLLATE "C" PRIMARY KEY,
    generation TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    review_after BIGINT
);

CREATE INDEX blob_by_review ON blob (review_after) WHERE review_after IS NOT NULL;

-- A repository may read a blob. review_after is the collector's queue: set when a blob arrives and when an
-- image goes; the collector then removes a link that no image needs, or forgets the review of one that is needed.
CREATE TABLE blob_link (
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL REFERENCES blob (digest),
    linked_at BIGINT NOT NULL,
    review_after BIGINT,
    PRIMARY KEY (repository_id, digest)
);

CREATE INDEX blob_link_by_digest ON blob_link (digest);

CREATE INDEX blob_link_by_review ON blob_link (review_after) WHERE review_after IS NOT NULL;

-- A layer being received. Its offset and its parts are not here: the blob store keeps them with the bytes, so
-- that receiving bytes writes no row.
CREATE TABLE upload (
    id TEXT COLLATE "C" PRIMARY KEY,
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    started_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX upload_by_repository ON upload (repository_id);

CREATE INDEX upload_by_expiry ON upload (expires_at);

-- An image is one manifest, byte for byte; its identity is the digest. The manifest is the last column, so that
-- listings need not read through it to what they show.
CREATE TABLE image (
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    digest TEXT COLLATE "C" NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    subject_digest TEXT COLLATE "C",
    annotations TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    pushed_at BIGINT NOT NULL,
    pushed_by TEXT NOT NULL,
    last_pulled_at BIGINT,
    manifest BYTEA NOT NULL,
    PRIMARY KEY (repository_id, digest)
);

CREATE INDEX image_by_subject ON image (repository_id, subject_digest, digest);

-- What a manifest names: its blobs (config and layers) and, for an index, its children.
CREATE TABLE image_reference (
    repository_id TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (repository_id, digest, target),
    FOREIGN KEY (repository_id, digest) REFERENCES image (repository_id, digest) ON DELETE CASCADE
);

CREATE INDEX image_reference_by_target ON image_reference (repository_id, target);

-- Tags are temporal: a move or a removal closes a row (ended_at) and a move opens another.
CREATE TABLE tag (
    id TEXT COLLATE "C" PRIMARY KEY,
    repository_id TEXT COLLATE "C" NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    set_at BIGINT NOT NULL,
    set_by TEXT NOT NULL,
    ended_at BIGINT,
    ended_by TEXT
);

CREATE UNIQUE INDEX tag_current ON tag (repository_id, name) WHERE ended_at IS NULL;

CREATE INDEX tag_current_by_digest ON tag (repository_id, digest, name) WHERE ended_at IS NULL;

CREATE INDEX tag_history ON tag (repository_id, name, set_at);
