/**
 * What an update of one package costs a host: bytes from a registry on loopback, time and memory of staging it, beside those
 * of the pull alone, with the program as it is on hosts. The host is a folder on tmpfs with the sealed example;
 * `node bench/host-upgrade.ts`, as root.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { makeSealedDisk } from "../examples/debian/sealed-disk.ts";
import { bundleProgram } from "../scripts/package/bundle.ts";
import { byteStringOfText } from "../src/bytes/index.ts";
import { silent } from "../src/events/index.ts";
import { putLayer } from "../src/oci/index.ts";
import { FixtureHost } from "../test/host/fixture-host.ts";
import { startDockerRegistry } from "../test/registry/docker-registry.ts";
import { type Measured, measure, median } from "./measure.ts";
import { rewrite } from "./pull-layouts.ts";
import { NODE_WORDS } from "./sealroot.ts";
import { neededBytes, publish, UPDATED_PACKAGE, withChanges } from "./update.ts";

const RUNS = 5;
const CHECKOUT = join(import.meta.dirname, "..");
const SEALROOT = join(CHECKOUT, "bin/sealroot");
/** As bin/sealroot starts Node. */
const MALLOC = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "8388608" };
const DPKG_LISTS = "./usr/lib/sysimage/dpkg/info";

const example = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
const scratch = mkdtempSync("/dev/shm/host-upgrade-");
const registry = await startDockerRegistry();
try {
  const list = packageList(example.image.directory);
  const seal = (name: string) => {
    const sealed = `oci:${join(scratch, `${name}-sealed`)}:os`;
    const words = ["seal", "--insecure-policy", `oci:${join(scratch, name)}:bench`, "-o", sealed];
    execFileSync(SEALROOT, [...words, "--keys", example.keysDirectory, "--quiet"]);
    return sealed;
  };
  await rewrite(example.image.reference, join(scratch, "before"), async (layout, tar) => [
    await putLayer(layout, tar, { compression: "zstd" }),
  ]);
  await rewrite(example.image.reference, join(scratch, "after"), async (layout, tar) => [
    await putLayer(layout, withChanges(tar, list), { compression: "zstd" }),
  ]);
  const [before, after] = [seal("before"), seal("after")];
  const reference = `docker://${registry.host}/os:after`;
  const old = await publish(before, join(scratch, "packed-before"), `docker://${registry.host}/os:before`);
  const needed = neededBytes(old, await publish(after, join(scratch, "packed-after"), reference));

  using host = await FixtureHost.make();
  const pristine = join(scratch, "host");
  const repository = join(host.physicalRoot, "composefs");
  // Pulled as the host did it, so that it knows which contents it has.
  execFileSync(SEALROOT, [
    "image",
    "pull",
    "--quiet",
    "--insecure-policy",
    "--repo",
    repository,
    ...["--bootable", `docker://${registry.host}/os:before`, "before"],
  ]);
  const booted = await host.deploy(before);
  await host.fillEtc(booted, join(host.path, "etc"));
  cpSync(host.path, pristine, { recursive: true, verbatimSymlinks: true });

  const copy = () => {
    const folder = mkdtempSync(join(scratch, "run-"));
    cpSync(pristine, folder, { recursive: true, verbatimSymlinks: true });
    return folder;
  };
  const program = join(scratch, "program");
  await bundleProgram(program, ["bench/stage-update.ts"]);
  for (const name of ["package.json", "initramfs", "node_modules"])
    symlinkSync(join(CHECKOUT, name), join(program, name));
  const started = (name: string, words: readonly string[]) => ({
    program: process.execPath,
    args: [...NODE_WORDS, join(program, `lib/${name}.js`), ...words],
    env: MALLOC,
  });
  const pulls: Measured[] = [];
  const stagings: Measured[] = [];
  for (let run = 0; run < RUNS; run++) {
    const [forPull, forStaging] = [copy(), copy()];
    const words = [
      "--repo",
      join(forPull, "sysroot/composefs"),
      "--bootable",
      "--json",
      "--quiet",
      "--insecure-policy",
    ];
    pulls.push(measure(started("main", ["image", "pull", ...words, reference, "after"])));
    stagings.push(measure(started("stage-update", [forStaging, booted, reference])));
    for (const folder of [forPull, forStaging]) rmSync(folder, { recursive: true });
  }
  const [pull, staging] = [median(pulls), median(stagings)];
  const fetched: number = JSON.parse(pull.stdout).layers.fetchedBytes;
  const { changedBytes, tableBytes, tarSplitBytes } = needed;
  const total = changedBytes + tableBytes + tarSplitBytes;
  const row = (name: string, { cost }: Measured) =>
    console.log(
      `| ${name} | ${cost.wallSeconds.toFixed(2)} | ${cost.cpuSeconds.toFixed(2)} | ${((cost.peakMemoryKib * 1.024) / 1000).toFixed(1)} MB |`,
    );
  console.log(`Update of ${UPDATED_PACKAGE}, medians of ${RUNS} runs:\n`);
  console.log("| work | wall s | CPU s | memory |\n|---|--:|--:|--:|");
  row("pull alone", pull);
  row("stage: pull, verify, /etc, UKI, boot entries", staging);
  console.log(`\nstaging takes ${(staging.cost.wallSeconds / pull.cost.wallSeconds).toFixed(2)} times the pull`);
  console.log(
    `fetched ${fetched} bytes; needed ${total}: files ${changedBytes}, tables ${tableBytes}, tar-split ${tarSplitBytes}; ${(fetched / total).toFixed(3)} times`,
  );
} finally {
  await registry.stop();
  rmSync(scratch, { recursive: true, force: true });
}

/** Absolute paths of the package's files, as dpkg lists them. */
function packageList(layout: string) {
  mkdirSync(scratch, { recursive: true });
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const manifest = read(blob(read(join(layout, "index.json")).manifests[0].digest));
  const member = `${DPKG_LISTS}/${UPDATED_PACKAGE}.list`;
  const text = execFileSync("tar", ["-xzOf", blob(manifest.layers[0].digest), member], { encoding: "utf8" });
  return new Set(text.trim().split("\n").map(byteStringOfText));
}
