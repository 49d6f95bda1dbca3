import assert from "node:assert/strict";
import { test } from "node:test";
import { checkCommandLine } from "../../src/bls/index.ts";
import { ARCHITECTURES, findArchitecture, imageKernelArguments } from "../../src/bootimage/index.ts";
import { type BlockDevice, rootCandidates } from "../../src/bootplan/root-device.ts";

const ROWS = Object.values(ARCHITECTURES);

test("an architecture is found by the names that OCI and Node have for it", () => {
  for (const row of ROWS) {
    assert.equal(findArchitecture("oci", row.oci), row);
    assert.equal(findArchitecture("node", row.node), row);
    assert.equal(ARCHITECTURES[row.oci], row);
  }
  assert.equal(findArchitecture("oci", "x86_64"), undefined);
  assert.equal(findArchitecture("node", "amd64"), undefined);
});

test("the boot program looks for the root partition types of the table, and of no others", () => {
  const uuid = "11111111-2222-3333-4444-555555555555";
  const device = (name: string, properties: readonly (readonly [string, string])[]): BlockDevice => {
    return { name, disk: "vda", isPart: false, properties: new Map(properties) };
  };
  const loader = device("vda1", [["PART_ENTRY_UUID", uuid]]);
  const roots = ROWS.map(({ oci, rootPartitionType }) => device(oci, [["PART_ENTRY_TYPE", rootPartitionType]]));
  for (const { machine, oci } of ROWS) {
    const found = rootCandidates({ type: "loader-disk" }, [loader, ...roots], uuid, machine);
    assert.deepEqual(
      found.map(({ name }) => name),
      [oci],
    );
  }
});

test("the rooms that have names of their own for architectures know those of the table", () => {
  for (const { machine, efi } of ROWS) {
    const warnings: string[] = [];
    const text = `kargs = ["a"]\nmatch-architectures = ["${machine}"]`;
    const found = imageKernelArguments([{ name: "x.toml", text }], machine, (warning) => warnings.push(warning));
    assert.deepEqual([found, warnings], [["a"], []]);
    const line = `x=${"a".repeat(5000)}`;
    const check = { what: "the line", decidedKeys: [], architecture: efi };
    assert.throws(() => checkCommandLine(line, check), { message: /: it has 5002 bytes, the kernel keeps \d+$/ });
  }
});
