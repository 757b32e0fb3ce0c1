-- Referrers whose subject was deleted: when the collector looks whether anything else holds them.
ALTER TABLE image ADD COLUMN review_after BIGINT;

CREATE INDEX image_by_review ON image (review_after) WHERE review_after IS NOT NULL;
