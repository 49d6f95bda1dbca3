import assert from "node:assert/strict";
import { test } from "node:test";
import { readPackageLists } from "../../src/packages/index.ts";
import type { FileContent } from "../../src/tree/index.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";
import { dpkgPackage } from "../update/planned-updates.ts";
import { rpmDatabase } from "./rpm-database.ts";

async function lists(items: Readonly<Record<string, TreeItem>>): Promise<Record<string, unknown>> {
  const read = (content: FileContent) => (content.type === "inline" ? content.bytes : assert.fail("not inline"));
  const found = await readPackageLists(treeOf(items), read);
  return Object.fromEntries(
    [...found].map(([tool, list]) => [
      tool,
      "unknown" in list ? list.unknown : list.map(({ name, version }) => `${name} ${version}`),
    ]),
  );
}

test("an image without databases has no packages of any tool", async () => {
  assert.deepEqual(await lists({ "usr/bin": undefined }), {});
});

test("dpkg: each place, also through links, and status.d", async () => {
  const status = dpkgPackage("bash", "5");
  for (const place of ["var/lib/dpkg", "usr/lib/sysimage/dpkg", "usr/lib/dpkg-db"]) {
    assert.deepEqual(await lists({ [`${place}/status`]: status }), { dpkg: ["bash 5"] });
  }
  const linked = { "usr/lib/sysimage/dpkg/status": status, "var/lib/dpkg": { link: "../../usr/lib/sysimage/dpkg" } };
  assert.deepEqual(await lists(linked), { dpkg: ["bash 5"] });
  const parts = {
    "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\n",
    "var/lib/dpkg/status.d/base.md5sums": "no field",
    "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a\n",
  };
  assert.deepEqual(await lists(parts), { dpkg: ["base-files 12", "tzdata 2024a"] });
});

test("rpm: each place, a log that is empty, and what is not read", async () => {
  const database = rpmDatabase([["bash", "5", "1"]]);
  for (const place of ["usr/share/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm"]) {
    const items = { [`${place}/rpmdb.sqlite`]: database, [`${place}/rpmdb.sqlite-wal`]: "" };
    assert.deepEqual(await lists(items), { rpm: ["bash 5-1"] });
  }
  const refused = async (items: Readonly<Record<string, TreeItem>>) => (await lists(items)).rpm;
  assert.equal(
    await refused({ "usr/share/rpm/rpmdb.sqlite": database, "usr/share/rpm/rpmdb.sqlite-wal": "frames" }),
    "Cannot read rpm's database: it was not closed: its write-ahead log is not empty",
  );
  assert.equal(
    await refused({ "var/lib/rpm/Packages": "bdb" }),
    "Cannot read rpm's database: its format, Berkeley DB, is an old one",
  );
  assert.equal(
    await refused({ "usr/lib/sysimage/rpm/Packages.db": "ndb" }),
    "Cannot read rpm's database: its format, ndb, is an old one",
  );
  assert.equal(
    await refused({ "usr/share/rpm/rpmdb.sqlite": "nonsense" }),
    "Cannot read the SQLite database: it does not begin as one",
  );
});

test("one that cannot be read does not hide the other", async () => {
  assert.deepEqual(
    await lists({ "var/lib/dpkg/status": dpkgPackage("bash", "5"), "usr/share/rpm/rpmdb.sqlite": "nonsense" }),
    { dpkg: ["bash 5"], rpm: "Cannot read the SQLite database: it does not begin as one" },
  );
});
