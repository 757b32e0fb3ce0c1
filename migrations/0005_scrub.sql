-- The scrub: one row per kind of what it walks (blob, manifest). position is the key that was checked last, empty
-- before the first; ended_at is NULL while a round is under way. A blob whose bytes do not have their digest has
-- the state 'damaged'.
CREATE TABLE scrub (
    kind TEXT COLLATE "C" PRIMARY KEY,
    position TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    checked BIGINT NOT NULL,
    damaged BIGINT NOT NULL
);

CREATE INDEX blob_damaged ON blob (digest) WHERE state = 'damaged';
