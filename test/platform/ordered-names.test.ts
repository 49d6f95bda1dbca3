/** What the changes come to; that a power cut cannot harm them is in test/guest/esp-power-cut.test.ts, on FAT. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import {
  createInOrder,
  exchangeInOrder,
  removeDirectoryInOrder,
  removeInOrder,
  replaceInOrder,
  type TemporaryDirectory,
  temporaryDirectory,
  temporaryName,
} from "../../src/platform/index.ts";

describe("names changed in order", () => {
  let directory: TemporaryDirectory;
  let path: string;
  beforeEach(() => {
    directory = temporaryDirectory();
    path = join(directory.path, "name");
  });

  test("a file is made once", () => {
    createInOrder(path, Buffer.from("first"));
    assert.throws(() => createInOrder(path, Buffer.from("second")), { code: "EEXIST" });
    assert.equal(readFileSync(path, "utf8"), "first");
  });

  test("a file is replaced, also while it is read, and nothing else stays", () => {
    replaceInOrder(path, Buffer.alloc(1_000_000, 1), "try");
    assert.deepEqual(readFileSync(path), Buffer.alloc(1_000_000, 1));
    replaceInOrder(path, Buffer.alloc(0), "try");
    assert.deepEqual(readFileSync(path), Buffer.alloc(0));
    assert.deepEqual(readdirSync(directory.path), ["name"]);
  });

  test("what a killed process left is removed: files, no directories, no files of others", () => {
    const [left, folder] = [temporaryName("boot"), temporaryName("state")];
    writeFileSync(join(directory.path, left), "half");
    writeFileSync(join(directory.path, ".hidden"), "somebody's");
    mkdirSync(join(directory.path, folder));
    replaceInOrder(path, Buffer.from("new"), "boot");
    assert.deepEqual(readdirSync(directory.path).sort(), [".hidden", folder, "name"].sort());
  });

  test("files and folders of files are removed; a folder in a folder is not", () => {
    mkdirSync(path);
    for (const name of ["a", "b"]) writeFileSync(join(path, name), name);
    removeDirectoryInOrder(path);
    assert.equal(existsSync(path), false);
    mkdirSync(join(path, "folder"), { recursive: true });
    assert.throws(() => removeDirectoryInOrder(path), { code: /^(?:EISDIR|EPERM)$/ });
    removeInOrder(join(path, "folder"));
    assert.throws(() => removeInOrder(join(path, "folder")), { code: "ENOENT" });
    removeInOrder(path);
    assert.deepEqual(readdirSync(directory.path), []);
  });

  test("two names are exchanged, whatever they are", () => {
    mkdirSync(path);
    writeFileSync(join(path, "in"), "folder");
    writeFileSync(`${path}2`, "file");
    exchangeInOrder(path, `${path}2`);
    assert.equal(readFileSync(path, "utf8"), "file");
    assert.deepEqual(readdirSync(`${path}2`), ["in"]);
    assert.throws(() => exchangeInOrder(path, `${path}3`), { code: "ENOENT" });
  });
});
