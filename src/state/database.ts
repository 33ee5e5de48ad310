/**
 * The two databases of a root: `state.db` (installed packages, journal, history) and `trust.db` (what must never be
 * forgotten with a cache). Rows of a connection carry its key.
 *
 * Source: decisions 16, 17 and 19.
 */
import type { DatabaseSync } from 'node:sqlite'
import { openDatabase } from '../sqlite.ts'

const STATE_ID = 0x766d7031 // 'vmp1'
const TRUST_ID = 0x766d7032

const STATE_MIGRATIONS = [
  `
  CREATE TABLE installed (
    connection TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    is_auto INTEGER NOT NULL,
    installed_at TEXT NOT NULL,
    line TEXT NOT NULL,
    grants TEXT NOT NULL,
    PRIMARY KEY (connection, name)
  ) STRICT;
  CREATE TABLE parameters (
    connection TEXT NOT NULL,
    package TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (connection, package, name),
    FOREIGN KEY (connection, package) REFERENCES installed (connection, name) ON DELETE CASCADE
  ) STRICT;
  CREATE TABLE image_references (
    connection TEXT NOT NULL,
    holder TEXT NOT NULL,
    image TEXT NOT NULL,
    map TEXT NOT NULL,
    PRIMARY KEY (connection, holder, image)
  ) STRICT;
  CREATE TABLE transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection TEXT NOT NULL,
    operation TEXT NOT NULL,
    subject TEXT NOT NULL,
    command TEXT NOT NULL,
    pid INTEGER NOT NULL,
    start_ticks INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    began_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT CHECK (outcome IN ('committed', 'undone'))
  ) STRICT;
  CREATE INDEX unfinished ON transactions (id) WHERE outcome IS NULL;
  CREATE TABLE undo (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX undo_of_transaction ON undo (transaction_id, id);
  `,
  `
  ALTER TABLE installed ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE transactions ADD COLUMN comment TEXT;
  CREATE TABLE kept_values (
    connection TEXT NOT NULL,
    package TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (connection, package, name)
  ) STRICT;
  CREATE TABLE archive_references (
    connection TEXT NOT NULL,
    holder TEXT NOT NULL,
    archive TEXT NOT NULL,
    PRIMARY KEY (connection, holder, archive)
  ) STRICT;
  CREATE TABLE definitions (
    connection TEXT NOT NULL,
    uuid TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('domain', 'network')),
    name TEXT NOT NULL,
    package TEXT NOT NULL,
    rendered TEXT NOT NULL,
    defined TEXT NOT NULL,
    context TEXT NOT NULL,
    PRIMARY KEY (connection, uuid)
  ) STRICT;
  CREATE TABLE package_changes (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (transaction_id, name)
  ) STRICT;
  CREATE TABLE definition_changes (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id) ON DELETE CASCADE,
    uuid TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (transaction_id, uuid)
  ) STRICT;
  `,
  `
  CREATE TABLE pools (
    connection TEXT NOT NULL,
    package TEXT NOT NULL,
    size INTEGER NOT NULL,
    mode TEXT,
    net TEXT,
    PRIMARY KEY (connection, package)
  ) STRICT;
  `,
] as const

const TRUST_MIGRATIONS = [
  `
  CREATE TABLE marks (
    source TEXT PRIMARY KEY,
    marks TEXT NOT NULL,
    put_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    noted_at TEXT NOT NULL,
    fact TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE seen (
    registry_id TEXT NOT NULL,
    source TEXT NOT NULL,
    url TEXT NOT NULL,
    pin TEXT NOT NULL,
    marks TEXT NOT NULL,
    root BLOB,
    envelope BLOB,
    issued_at TEXT,
    expires_at TEXT,
    is_removed INTEGER NOT NULL,
    put_at TEXT NOT NULL,
    PRIMARY KEY (registry_id, source)
  ) STRICT;
  CREATE INDEX seen_by_source ON seen (source);
  INSERT INTO seen SELECT marks ->> 'registryId', source, '', '', marks, NULL, NULL, NULL, NULL, 0, put_at FROM marks;
  CREATE TABLE clock (id INTEGER PRIMARY KEY CHECK (id = 1), newest TEXT NOT NULL) STRICT;
  INSERT INTO clock SELECT 1, max(marks ->> '$.envelope.issuedAt') FROM marks HAVING max(marks ->> '$.envelope.issuedAt') IS NOT NULL;
  DROP TABLE marks;
  `,
] as const

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export function openStateDatabase(path: string): DatabaseSync {
  return openDatabase(path, { applicationId: STATE_ID, migrations: STATE_MIGRATIONS })
}

/** @throws {VmpkgError} `STATE_INVALID`, `NO_RIGHTS` */
export function openTrustDatabase(path: string): DatabaseSync {
  return openDatabase(path, { applicationId: TRUST_ID, migrations: TRUST_MIGRATIONS })
}
