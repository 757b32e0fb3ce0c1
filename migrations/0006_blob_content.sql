-- The bytes of a small blob, so that they share the commit of its row; a blob without a row here is a file. In a table
-- of its own, because what changes in a blob's row while it is marked and collected shall not write its bytes again.
CREATE TABLE blob_content (
    digest TEXT COLLATE "C" PRIMARY KEY REFERENCES blob (digest) ON DELETE CASCADE,
    content BYTEA NOT NULL
);
