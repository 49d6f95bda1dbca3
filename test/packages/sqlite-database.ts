/** Databases by SQLite itself, as it is in Node. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";

export interface SqliteOptions {
  readonly pageBytes: number;
  /** A value of any kind, and a blob: the columns of the table Packages after its id. */
  readonly rows: readonly (readonly (SQLInputValue | undefined)[])[];
  readonly encoding?: string;
  /** Of the table, after its id; the same number in each row. */
  readonly columns?: string;
}

export function sqliteDatabase({
  pageBytes,
  rows,
  encoding = "UTF-8",
  columns = "value, blob BLOB",
}: SqliteOptions): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "sealroot-sqlite-"));
  try {
    const path = join(directory, "database");
    const database = new DatabaseSync(path);
    database.exec(
      `PRAGMA page_size=${pageBytes}; PRAGMA encoding='${encoding}'; PRAGMA synchronous=off; PRAGMA journal_mode=off`,
    );
    database.exec(`CREATE TABLE Other (a); CREATE TABLE Packages (id INTEGER PRIMARY KEY, ${columns}); BEGIN`);
    const insert = database.prepare(`INSERT INTO Packages VALUES (NULL${", ?".repeat(columns.split(",").length)})`);
    for (const row of rows) insert.run(...(row as SQLInputValue[]));
    database.exec("COMMIT");
    database.close();
    return readFileSync(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
