/** The databases of dpkg and rpm: any image brings its own. */
import assert from "node:assert/strict";
import { parseDpkgStatus, parseRpmDatabase, parseRpmHeader, sqliteRows } from "../../../src/packages/index.ts";
import { sqliteDatabase } from "../../packages/sqlite-database.ts";
import { savedCorpus } from "../corpus.ts";
import { type FuzzTarget, refusalOfSync } from "../target.ts";

const PRINTABLE = /^[!-~]+$/;

function checkPackages(packages: readonly { readonly name: string; readonly version: string }[]): void {
  for (const { name, version } of packages) {
    assert.match(name, PRINTABLE);
    assert.match(version, PRINTABLE);
  }
}

const STATUS = `Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u5
Description: base
 more: of it

Package: gone
Status: deinstall ok config-files
Version: 1:2.0-3
`;

export const dpkgTarget: FuzzTarget = {
  name: "dpkg-status",
  corpus: () => [Buffer.from(STATUS), ...savedCorpus("dpkg-status")],
  run(input) {
    const read = refusalOfSync(() => parseDpkgStatus(input));
    if ("refusal" in read) return false;
    checkPackages(read.value);
    return true;
  },
};

/** name, version, release, epoch, architecture */
const HEADER = Buffer.from(
  "0000000500000014000003e8000000060000000000000001000003e9000000060000000500000001" +
    "000003ea000000060000000900000001000003eb000000040000000c00000001000003fe000000060000001000000001" +
    "6261736800352e32003300000000000778383600",
  "hex",
);

export const rpmTarget: FuzzTarget = {
  name: "rpm-header",
  corpus: () => [HEADER, ...savedCorpus("rpm-header")],
  run(input) {
    const read = refusalOfSync(() => parseRpmHeader(input));
    if ("refusal" in read) return false;
    checkPackages([read.value]);
    return true;
  },
};

export const sqliteTarget: FuzzTarget = {
  name: "sqlite",
  corpus: () => {
    const rows = Array.from({ length: 12 }, (_, index) => [BigInt(index), index === 5 ? new Uint8Array(1500) : HEADER]);
    return [
      sqliteDatabase({ pageBytes: 512, rows }),
      sqliteDatabase({ pageBytes: 512, rows: [[1.5, new Uint8Array(600)]] }),
      ...savedCorpus("sqlite"),
    ];
  },
  run(input) {
    const rows = refusalOfSync(() => [...sqliteRows(input, "Packages")]);
    refusalOfSync(() => checkPackages(parseRpmDatabase(input)));
    return "value" in rows;
  },
};

export const packagesTargets: readonly FuzzTarget[] = [dpkgTarget, rpmTarget, sqliteTarget];
