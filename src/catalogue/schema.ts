/** The catalogue's tables: a cache that the next update can rebuild, so a file that cannot be used is replaced. */
import { rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { isVmpkgError } from '../errors.ts'
import { openDatabase } from '../sqlite.ts'

const CATALOGUE_ID = 0x766d7034 // 'vmp4': an older catalogue is another file to us, and is replaced

const MIGRATIONS = [
  `
  CREATE TABLE sources (
    name TEXT PRIMARY KEY,
    priority INTEGER NOT NULL,
    added_at TEXT NOT NULL,
    registry_id TEXT NOT NULL,
    index_sha256 TEXT NOT NULL,
    channels_sha256 TEXT NOT NULL,
    root_sha256 TEXT NOT NULL,
    verified_from TEXT NOT NULL,
    verified_until TEXT NOT NULL,
    count INTEGER NOT NULL,
    expires_at TEXT NOT NULL,
    refreshed_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE packages (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL REFERENCES sources (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    arch TEXT NOT NULL,
    rank INTEGER NOT NULL,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    channel TEXT NOT NULL,
    yanked TEXT,
    phased_percent INTEGER NOT NULL,
    wire_digest TEXT NOT NULL,
    line_digest TEXT NOT NULL,
    line TEXT NOT NULL,
    transport TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX version_of_package ON packages (name, source, rank);
  CREATE INDEX packages_of_source ON packages (source);
  CREATE TABLE related (
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL REFERENCES sources (name) ON DELETE CASCADE,
    PRIMARY KEY (kind, target, name, source)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX related_of_package ON related (source, name);
  CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL REFERENCES sources (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    UNIQUE (name, source)
  ) STRICT;
  CREATE INDEX names_of_source ON names (source);
  CREATE VIRTUAL TABLE words USING fts5 (
    name, summary, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
  );
  `,
] as const

/** Opens the catalogue, an empty one where there was none or an unusable one. @throws {VmpkgError} `NO_RIGHTS`, `STATE_INVALID` */
export function openCatalogueDatabase(path: string): DatabaseSync {
  const options = { applicationId: CATALOGUE_ID, migrations: MIGRATIONS, synchronous: 'normal' } as const
  try {
    return openDatabase(path, options)
  } catch (error) {
    if (!isVmpkgError(error, 'STATE_INVALID')) throw error
    for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true })
    return openDatabase(path, options)
  }
}
