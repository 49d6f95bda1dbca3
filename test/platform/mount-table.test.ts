import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMountTable, readMountTable } from "../../src/platform/index.ts";

test("lines of mountinfo, with and without optional fields, with blanks in names", () => {
  const text = [
    "22 1 254:2 / / ro,relatime shared:1 master:2 - overlay composefs:ab ro,verity=require",
    "23 22 254:1 /folder /mnt/with\\040blank rw - vfat /dev/vda1 rw,fmask=0177",
    "not a line",
    "",
  ].join("\n");
  assert.deepEqual(parseMountTable(text), [
    {
      device: "254:2",
      root: "/",
      mountPoint: "/",
      options: ["ro", "relatime"],
      type: "overlay",
      source: "composefs:ab",
      superOptions: ["ro", "verity=require"],
    },
    {
      device: "254:1",
      root: "/folder",
      mountPoint: "/mnt/with blank",
      options: ["rw"],
      type: "vfat",
      source: "/dev/vda1",
      superOptions: ["rw", "fmask=0177"],
    },
  ]);
});

test("this process sees a root and a /proc", () => {
  const places = readMountTable().map(({ mountPoint }) => mountPoint);
  assert.ok(places.includes("/") && places.includes("/proc"), places.join(" "));
  assert.deepEqual(readMountTable("/nonexistent"), []);
});
