import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { makeNpmPackage } from "../../scripts/package/npm.ts";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { CHECKOUT, distributionIn, exampleToSeal, manifestDigest } from "./built.ts";

/** A program of a library user: three rooms, one of them with types that must hold. */
const PROGRAM = `import { CommandLine } from "sealroot/bls";
import { parseReference } from "sealroot/oci";
import { VerityHasher, verityDigest } from "sealroot/verity";

const digest: string = verityDigest(new Uint8Array(5000), "sha256");
const reference = parseReference("docker://quay.io/example/os:1");
console.log(JSON.stringify({ digest, transport: reference.transport, doors: [typeof CommandLine, typeof VerityHasher] }));
`;

const TYPESCRIPT_OPTIONS = {
  compilerOptions: {
    ...{ module: "nodenext", target: "esnext", strict: true, noEmit: true, skipLibCheck: false },
    ...{ types: ["node"], typeRoots: [join(CHECKOUT, "node_modules/@types")], allowImportingTsExtensions: true },
  },
  include: ["program.ts"],
};

test("the npm package works in an empty project: types, three rooms, and the command, which seals the example", async () => {
  using work = temporaryDirectory({ parent: "/var/tmp", purpose: "test" });
  const archive = makeNpmPackage(await distributionIn(work.path), work.path);
  assert.ok(statSync(archive).size < 1.5 * 2 ** 20, `the package has ${statSync(archive).size} bytes`);

  const project = join(work.path, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  writeFileSync(join(project, "program.ts"), PROGRAM);
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(TYPESCRIPT_OPTIONS));
  const env = { PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const run = (program: string, ...args: string[]) => runTool(program, args, { directory: project, env });

  await run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", archive);
  assert.ok(!existsSync(join(project, "node_modules/.bin/node")), "the package puts a Node on its consumer's PATH");
  const inside = readdirSync(join(project, "node_modules/sealroot"), { recursive: true }).map(String);
  const sources = inside.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
  assert.deepEqual(sources, [], "Node does not strip types below node_modules");

  await run(process.execPath, join(CHECKOUT, "node_modules/typescript/bin/tsc"), "-p", ".");
  const output = await run(process.execPath, "program.ts");
  assert.deepEqual(JSON.parse(output.stdout.toString()), {
    digest: verityDigest(new Uint8Array(5000), "sha256"),
    transport: "docker",
    doors: ["function", "function"],
  });

  const command = join(project, "node_modules/.bin/sealroot");
  assert.match((await run(command, "--version")).stdout.toString(), /^sealroot \d+\.\d+\.\d+\n$/);
  const example = await exampleToSeal();
  const sealed = join(work.path, "sealed");
  await runTool(
    command,
    ["seal", example.image.reference, "-o", `oci:${sealed}:latest`, "--keys", example.keysDirectory],
    {
      directory: project,
      env: { ...env, ...example.env },
    },
  );
  assert.equal(await manifestDigest(sealed), example.sealedDigest);
});

test("an old Node is told so in one line", async () => {
  const pretend = `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "18.19.0" })`;
  const command = join(CHECKOUT, "scripts/package/sealroot.js");
  const result = await runTool(process.execPath, ["--import", pretend, command, "--version"], { successCodes: [1] });
  assert.equal(result.stdout.toString(), "");
  assert.equal(result.stderr, `sealroot: needs Node 24 or newer, this is 18.19.0 (${process.execPath})\n`);
});
