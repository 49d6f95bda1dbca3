import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseBootEntry } from "../../src/bls/index.ts";
import { readHost, setOptionsForSource, sourceOptionsText } from "../../src/host/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { fencedBlocks, readDocument } from "../docs/markdown.ts";
import { baseFiles, type1Files, unsealedImage } from "../install/sealed-image.ts";
import { FixtureHost } from "./fixture-host.ts";

const KARGS = [
  { path: "usr/lib/bootc/kargs.d" },
  { path: "usr/lib/bootc/kargs.d/10.toml", content: 'kargs = ["quiet"]\n' },
];

async function type1Host(host: FixtureHost, options = "rw IMAGE quiet"): Promise<string> {
  const directory = join(host.path, "type1-image");
  mkdirSync(directory);
  const { reference } = await unsealedImage(directory, [...baseFiles(), ...type1Files(), ...KARGS]);
  return host.addType1(reference, options);
}

const entryOf = (host: FixtureHost, folder = "entries") => {
  const directory = join(host.bootDirectory, "loader", folder);
  const [name = "", ...others] = readdirSync(directory);
  assert.deepEqual(others, []);
  return parseBootEntry(readFileSync(join(directory, name), "utf8"));
};
const image = (id: string) => `composefs.digest=v1-sha512-12:${id} composefs=${id}`;

test("a source's arguments are in the booted entry for the next boot, replaced and removed as one", async () => {
  using host = await FixtureHost.make();
  const id = await type1Host(host);
  const places = host.places(id);
  const set = (source: string, options?: string) => setOptionsForSource(places, { source, options });
  const first = await set("tuned", "isolcpus=1-3 quiet");
  const line = `rw ${image(id)} quiet isolcpus=1-3`;
  assert.deepEqual(first, { source: "tuned", deploymentId: id, commandLine: line, changed: true });
  assert.deepEqual(faultsOf(JSON.parse(readDocument("schema/loader-entries-set-options-for-source.json")), first), []);
  assert.equal(entryOf(host).options, line);
  assert.deepEqual(entryOf(host).otherFields, [["x-options-source-tuned", "isolcpus=1-3 quiet"]]);
  assert.equal((await set("tuned", " isolcpus=1-3  quiet")).changed, false);
  assert.equal((await set("admin", "debug")).commandLine, `${line} debug`);
  // quiet is the image's own.
  assert.equal((await set("tuned", "nosmt")).commandLine, `rw ${image(id)} quiet debug nosmt`);
  assert.equal((await set("tuned")).commandLine, `rw ${image(id)} quiet debug`);
  assert.equal((await set("admin", "")).commandLine, `rw ${image(id)} quiet`);
  assert.equal((await set("admin")).changed, false);
  assert.deepEqual(entryOf(host).otherFields, []);
  assert.deepEqual((await readHost(places)).problems, []);
});

test("arguments that name image or root, too many of them, and names that are none change nothing", async () => {
  using host = await FixtureHost.make();
  const places = host.places(await type1Host(host));
  const before = host.snapshot();
  for (const [source, options, code, message] of [
    ["tuned", "root=/dev/sda", "usage", /"root" is decided by the installation$/],
    ["tuned", "a composefs=?x", "usage", /"composefs" is decided by the installation$/],
    ["tuned", 'a="b', "usage", /a double quote is not closed$/],
    ["tuned", "x".repeat(2000), "unsupported", /it has \d+ bytes, the kernel keeps 2047$/],
    ["a b", "x", "usage", /it is not a name of a source$/],
  ] as const) {
    await assert.rejects(setOptionsForSource(places, { source, options }), { code, message });
  }
  assert.deepEqual(host.snapshot(), before);
});

test("a sealed host, and one whose entry is lost, are refused", async () => {
  using host = await FixtureHost.make();
  const sealed = await host.add();
  const set = (id: string | undefined) => setOptionsForSource(host.places(id), { source: "tuned", options: "x" });
  await assert.rejects(set(sealed), {
    code: "unsupported",
    message: "Cannot set the options of tuned: the command line of a UKI is sealed",
  });
  await assert.rejects(set(undefined), { code: "not-found" });
});

test("docs/host.md: the session on a host without seal prints what it shows", async () => {
  using host = await FixtureHost.make();
  const id = await type1Host(host, "root=UUID=5f0c rw IMAGE quiet");
  let printed = "";
  const page = fencedBlocks(readDocument("host.md"), "console unsealed-host").join("");
  for (const line of page.split("\n").filter((text) => text.startsWith("$ "))) {
    const [, source = "", options] =
      /^\$ sealroot loader-entries set-options-for-source --source (\S+)(?: --options '([^']*)')?$/.exec(line) ?? [];
    const outcome = await setOptionsForSource(host.places(id), { source, options });
    printed += `${line}\n`;
    for (const output of sourceOptionsText(outcome)) printed += `${output.replace(image(id), "… composefs=…")}\n`;
  }
  assert.notEqual(page, "");
  assert.equal(printed, page);
});
