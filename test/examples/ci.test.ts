/** examples/ci: the script builds, seals and publishes, with secrets that nobody else gets to see; the workflow calls it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "yaml";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { silent } from "../../src/events/index.ts";
import { PodmanUser } from "../docs/podman-user.ts";
import { type DockerRegistry, startDockerRegistry } from "../registry/docker-registry.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/ci");
const LOGIN = { userName: "builder", password: "correct-horse-battery" };
/** Every program that the script starts. A shim before each writes down arguments and environment. */
const PROGRAMS = ["cat", "cp", "git", "id", "mktemp", "podman", "rm", "sealroot", "sed"];

let podman: PodmanUser;
let registry: DockerRegistry;
let project: string;
let secretFolder: string;
let prelude: string;
before(async () => {
  const { image } = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
  registry = await startDockerRegistry({ login: LOGIN });
  podman = new PodmanUser();
  podman.user.take(image.directory, "base");
  project = podman.user.directory("project");
  secretFolder = podman.user.directory("secret");
  const shims = podman.user.directory("shims");
  for (const name of PROGRAMS) {
    const real = `\${PATH#*:}`;
    const script = `#!/bin/sh\n{ echo "$0 $*"; env; } >>"$SHIM_LOG"\nPATH=${real} exec ${name} "$@"\n`;
    writeFileSync(join(shims, name), script, { mode: 0o755 });
  }
  copyFileSync(join(EXAMPLE, "sealed-image.sh"), join(project, "sealed-image.sh"));
  writeFileSync(join(project, "Containerfile"), "FROM localhost/base\nRUN echo 1 >/usr/lib/example-release\n");
  prelude = [
    "set -e",
    `export SHIM_LOG='${join(secretFolder, "calls")}' GITHUB_OUTPUT='${join(secretFolder, "output")}'`,
    `export IMAGE='${registry.host}/example/os' TAG=build-7`,
    `key_path='${join(secretFolder, "my-keys/db.key")}'`,
    `shims='${shims}'`,
  ].join("\n");
  const prepared = podman.run(
    `${prelude}
    mkdir -p "$HOME/.config/containers"
    printf '[[registry]]\\nlocation = "%s"\\ninsecure = true\\n' '${registry.host}' >"$HOME/.config/containers/registries.conf"
    (cd '${podman.user.clone}' && podman pull oci:base:latest) # named after the path, localhost/base
    sealroot keys generate '${join(secretFolder, "my-keys")}'
    mkdir keys
    cp '${secretFolder}'/my-keys/* keys/
    rm keys/*.key
    git init --quiet
    git add .
    git -c user.name=a -c user.email=a@b.invalid commit --quiet -m first`,
    project,
  );
  assert.equal(prepared.exitCode, 0, prepared.stdout + prepared.stderr);
});
after(async () => {
  podman?.[Symbol.dispose]();
  await registry?.stop();
});

/** Runs the script with its commands traced, as a careless CI would. */
function runScript(word: string, variables: string) {
  return podman.run(`${prelude}\n${variables}\nPATH="$shims:$PATH" sh -x ./sealed-image.sh ${word}`, project);
}

const secrets = (password: string) =>
  `export SEALROOT_DB_KEY="$(cat "$key_path")" REGISTRY_USER=${LOGIN.userName} REGISTRY_PASSWORD=${password}`;

/** Fails when a secret is in a text, or in a file that was left in the project, the home or the temporary directory. */
function assertNoSecretsIn(texts: readonly string[], passwords: readonly string[]): void {
  const key = readFileSync(join(secretFolder, "my-keys/db.key"), "utf8");
  const words = [...key.split("\n").filter((line) => line.length > 40), ...passwords];
  assert.ok(words.length > 10);
  const inBase64 = passwords.map((password) => Buffer.from(`${LOGIN.userName}:${password}`).toString("base64"));
  const patterns = [...words, ...inBase64];
  for (const text of texts) assert.deepEqual([patterns.find((word) => text.includes(word))], [undefined]);
  const root = join(project, "..");
  const list = join(root, "patterns");
  writeFileSync(list, `${patterns.join("\n")}\n`);
  const places = ["project", "home", "tmp", "runtime"].map((name) => join(root, name));
  // The store of the images stays out: it is large, and its files are what the Containerfile made before.
  const script = `grep -rlF -f "${list}" --exclude-dir=containers ${places.join(" ")} || test $? = 1`;
  assert.equal(execFileSync("sh", ["-c", script], { encoding: "utf8" }), "");
}

const calls = () => readFileSync(join(secretFolder, "calls"), "utf8");

test("build makes the image; what it starts has no secrets, even if the step was given them", () => {
  const { exitCode, stdout, stderr } = runScript("build", secrets(LOGIN.password));
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(calls(), /podman build --tag localhost\/os \.\n/);
  assertNoSecretsIn([stdout, stderr, calls()], [LOGIN.password]);
});

test("publish seals and pushes, latest follows, and the digest is put out", () => {
  const { exitCode, stdout, stderr } = runScript("publish", secrets(LOGIN.password));
  assert.equal(exitCode, 0, stdout + stderr);
  const report: { manifestDigest: string; signed: boolean } = JSON.parse(/^\{$[\s\S]*?^\}$/m.exec(stdout)?.[0] ?? "");
  assert.equal(report.signed, true);
  for (const tag of ["build-7", "latest"]) {
    const raw = execFileSync("skopeo", [
      ...["inspect", "--raw", "--tls-verify=false", "--creds", `${LOGIN.userName}:${LOGIN.password}`],
      `docker://${registry.host}/example/os:${tag}`,
    ]);
    const digest = execFileSync("sha256sum", { input: raw, encoding: "utf8" }).slice(0, 64);
    assert.equal(report.manifestDigest, `sha256:${digest}`, tag);
    // The base's two layers (system, host program), the Containerfile's, and that of seal.
    assert.equal(JSON.parse(raw.toString("utf8")).layers.length, 4);
  }
  assert.equal(readFileSync(join(secretFolder, "output"), "utf8"), `digest=${report.manifestDigest}\n`);
  assert.match(calls(), /sealroot seal --json containers-storage:localhost\/os /);
  assertNoSecretsIn([stdout, stderr, calls()], [LOGIN.password]);
});

test("publish with a wrong password fails and leaves nothing", () => {
  const { exitCode, stdout, stderr } = runScript("publish", `TAG=build-8\n${secrets("wrong-password-entirely")}`);
  assert.notEqual(exitCode, 0, stdout + stderr);
  assertNoSecretsIn([stdout, stderr, calls()], ["wrong-password-entirely"]);
});

test("publish without the key says which variable is missing; another word is refused", () => {
  const without = runScript("publish", "");
  assert.equal(without.exitCode, 1);
  assert.match(without.stderr, /^sealed-image\.sh: SEALROOT_DB_KEY is not set: it is the content of db\.key$/m);
  const other = runScript("seal", "");
  assert.equal(other.exitCode, 1);
  assert.match(other.stderr, /^sealed-image\.sh: usage: sealed-image\.sh build\|publish$/m);
});

interface Step {
  readonly run?: string;
  readonly env?: Readonly<Record<string, string>>;
}

test("the workflow runs the script, with the secrets in the environment of the last step alone", () => {
  const text = readFileSync(join(EXAMPLE, "sealed-image.yml"), "utf8");
  const workflow = parse(text) as {
    readonly permissions: object;
    readonly env: Readonly<Record<string, string>>;
    readonly jobs: { readonly publish: { readonly steps: readonly Step[] } };
  };
  const { steps } = workflow.jobs.publish;
  assert.deepEqual(workflow.permissions, { contents: "read", packages: "write" });
  assert.deepEqual(
    steps.slice(-2).map(({ run }) => run),
    ["./sealed-image.sh build", "./sealed-image.sh publish"],
  );
  assert.ok(existsSync(join(EXAMPLE, "sealed-image.sh")));
  const isSecret = (step: Step) => JSON.stringify(step).includes("secrets.");
  assert.deepEqual(steps.map(isSecret), [...steps.slice(1).map(() => false), true]);
  // An expression in a command would be put into it as text, by anyone who can name a branch.
  for (const { run = "" } of steps) assert.doesNotMatch(run, /\$\{\{/);
  // What the script asks of its environment, it gets.
  const script = readFileSync(join(EXAMPLE, "sealed-image.sh"), "utf8");
  const asked = new Set([...script.matchAll(/^# ([A-Z_, ]+?) {4,}/gm)].flatMap(([, names = ""]) => names.split(", ")));
  const given = new Set([...Object.keys(workflow.env), ...Object.keys(steps.at(-1)?.env ?? {})]);
  assert.deepEqual(given, asked);
});

test("the README of the example names what there is", () => {
  const files = globSync("*", { cwd: EXAMPLE }).filter((name) => name !== "README.md");
  const readme = readFileSync(join(EXAMPLE, "README.md"), "utf8");
  assert.deepEqual(
    files.filter((name) => !readme.includes(`\`${name}\``)),
    [],
  );
});
