-- Remembered consents end by their age, whoever and whatever client they are for.
CREATE INDEX consents_by_age ON consents (remembered_at);
