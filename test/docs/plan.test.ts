/** docs/host.md, "What an upgrade will do": the plans that it shows, of a host that is a folder. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silent } from "../../src/events/index.ts";
import { readHost } from "../../src/host/index.ts";
import { copyImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { openUpdate, planFetched, planFromRegistry, planJson, planText } from "../../src/update/index.ts";
import { FixtureHost } from "../host/fixture-host.ts";
import { RangedBlobs } from "../imagestore/ranged-blobs.ts";
import type { ImageFile } from "../install/sealed-image.ts";
import { dpkgPackage } from "../update/planned-updates.ts";
import { PLAIN_UPDATE } from "../update/update-options.ts";
import { faultsOf } from "./json-schema.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

const FOLLOWED = "docker://quay.io/example/os:1";

function files(version: string, packages: readonly (readonly [string, string])[]): ImageFile[] {
  return [
    { path: "usr/lib/sysimage" },
    { path: "usr/lib/sysimage/dpkg" },
    {
      path: "usr/lib/sysimage/dpkg/status",
      content: packages.map(([name, number]) => dpkgPackage(name, number)).join("\n"),
    },
    { path: "usr/bin/bash", content: Buffer.alloc(200_000, version), header: { mode: 0o755 } },
    { path: "usr/share" },
    { path: `usr/share/${version}`, content: version },
    { path: "etc/motd", content: version.repeat(100) },
  ];
}

/** What depends on the machine, on keys made for the test, and on compression. */
function normalised(text: string): string {
  return text.replace(/[\d.]+ (?:B|[KMGT]iB)\b/g, "SIZE").replace(/sha256:[0-9a-f]{12}/g, "DIGEST");
}

test("the plans of docs/host.md are what is printed", async () => {
  using host = await FixtureHost.make();
  const annotations = (version: string) => ({ "org.opencontainers.image.version": version });
  const booted = await host.add({
    imageReference: FOLLOWED,
    annotations: annotations("1.0"),
    files: files("1.0", [
      ["bash", "5.2.15-2+b7"],
      ["libssl3", "3.0.11-1~deb12u2"],
      ["nano", "7.2-1"],
    ]),
  });
  await host.fillEtc(booted, join(host.path, "etc"));
  writeFileSync(join(host.path, "etc/hostname"), "mine\n");
  const next = await host.image({
    annotations: annotations("1.1"),
    commandLine: (id) => `composefs=${id} rw quiet`,
    files: files("1.1", [
      ["bash", "5.2.15-2+b8"],
      ["libssl3", "3.0.13-1~deb12u1"],
      ["vim-tiny", "2:9.0.1378-2"],
    ]),
  });
  const source = `oci:${join(host.path, "chunked")}:latest`;
  const packing = { policy: "accept-anything", packing: "zstd:chunked" } as const;
  await copyImage(parseReference(next.reference), parseReference(source), packing);
  const printed = new Map<string, string>();
  for (const [line, make] of [
    ["$ sealroot upgrade --plan", planFromRegistry],
    ["$ sealroot upgrade --plan --download-only", planFetched],
  ] as const) {
    const places = host.places(booted);
    const read = await readHost(places);
    const target = { imageReference: FOLLOWED, source };
    await using update = await openUpdate(places, read, target, { policy: "accept-anything", events: silent });
    const image = { ...update.image, blobs: new RangedBlobs(join(host.path, "chunked")) };
    const plan = await make(
      places,
      read,
      { ...update, image },
      {
        ...PLAIN_UPDATE,
        etcPath: join(host.path, "etc"),
        events: silent,
      },
    );
    for (const verb of ["upgrade", "switch"]) {
      const schema = JSON.parse(readDocument(`schema/${verb}.json`));
      assert.deepEqual(faultsOf(schema, JSON.parse(JSON.stringify({ plan: planJson(plan) }))), []);
    }
    printed.set(line, [line, ...planText(plan, false), ""].join("\n"));
  }
  const shown = fencedBlocks(readDocument("host.md"), "console plan");
  assert.deepEqual(shown.map(normalised), [...printed.values()].map(normalised), [...printed.values()].join(""));
});
