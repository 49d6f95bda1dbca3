import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { displayText } from "../../src/bytes/index.ts";
import { etcOfImage, stateXattrs, writeEtc } from "../../src/deployment/index.ts";
import { silent } from "../../src/events/index.ts";
import { configDiff } from "../../src/host/index.ts";
import { findImage, mergeLayers, storedLayers } from "../../src/imagestore/index.ts";
import { readStoredTree } from "../../src/repository/index.ts";
import { FixtureHost } from "./fixture-host.ts";

const AS_ROOT = process.getuid?.() === 0;

test(
  "/etc as it was deployed has no changes; then exactly those that were made",
  { skip: !AS_ROOT && "owners need root" },
  async () => {
    using host = await FixtureHost.make();
    const booted = await host.add();
    const live = join(host.path, "live-etc");
    {
      using repository = (await host.repository()).repository;
      const [name = ""] = repository.streams.references("oci").map((reference) => reference.name.slice("oci/".length));
      const image = await findImage(repository, decodeURIComponent(name));
      const layers = await mergeLayers(repository, storedLayers(image));
      const { root } = readStoredTree(repository, repository.images.resolve(booted));
      await writeEtc({ repository, next: etcOfImage(root, stateXattrs(layers)), targetPath: live });
    }
    const diff = async () => {
      const { added, modified, removed } = await configDiff(host.places(booted), live, silent);
      return [added, modified, removed].map((paths) => paths.map(displayText));
    };
    assert.deepEqual(await diff(), [[], [], []]);
    writeFileSync(join(live, ".updated"), "now");
    writeFileSync(join(live, "hostname"), "mine\n");
    mkdirSync(join(live, "new.d"));
    writeFileSync(join(live, "new.d/file"), "");
    chmodSync(join(live, "empty"), 0o600);
    rmSync(join(live, "link"));
    assert.deepEqual(await diff(), [["new.d", "new.d/file"], ["empty", "hostname"], ["link"]]);
  },
);

test("what is not there is an error of its own", async () => {
  using host = await FixtureHost.make();
  const booted = await host.add();
  const compare = (id: string | undefined) => configDiff(host.places(id), join(host.path, "run"), silent);
  const nothing = "Cannot compare /etc: no deployment of this system is booted";
  await assert.rejects(compare(undefined), { code: "not-found", message: nothing });
  await assert.rejects(compare("a".repeat(128)), { code: "not-found", message: nothing });
  rmSync(join(host.physicalRoot, "composefs"), { recursive: true });
  await assert.rejects(compare(booted), { code: "not-found" });
});
