/** Scopes that nothing can fall under refuse the policy, and say how they are written. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { parsePolicy } from "../../src/policy/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";

const ID = "1".repeat(64);
const DIGEST = `sha256:${"2".repeat(64)}`;

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

function policyWith(transport: string, scope: string): string {
  const list = [{ type: "insecureAcceptAnything" }];
  return JSON.stringify({ default: list, transports: { [transport]: { [scope]: list } } });
}

/** Why the policy is refused; undefined when it is not. */
function refusalOf(transport: string, scope: string): string | undefined {
  try {
    parsePolicy(Buffer.from(policyWith(transport, scope)), "p.json");
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SealrootError && error.code === "corrupt", String(error));
    const name = /^\w+$/.test(transport) ? transport : JSON.stringify(transport);
    const place = /^\w+$/.test(scope) ? scope : JSON.stringify(scope);
    const start = `Cannot read policy p.json: transports.${name}.${place} `;
    assert.equal(error.message.slice(0, start.length), start);
    return error.message.slice(start.length);
  }
}

const PATHS: readonly (readonly [scope: string, refusal: string])[] = [
  ["/images/", 'can never match: paths are compared in their shortest form; write "/images"'],
  ["/images//os", 'can never match: paths are compared in their shortest form; write "/images/os"'],
  ["//images", 'can never match: paths are compared in their shortest form; write "/images"'],
  ["/images/./os", 'can never match: paths are compared in their shortest form; write "/images/os"'],
  ["/images/../os/.", 'can never match: paths are compared in their shortest form; write "/os"'],
  ["./images", "can never match: it is not an absolute path; write all of it, from / on"],
  ["images", "can never match: it is not an absolute path; write all of it, from / on"],
  ["file:///images/", 'can never match: paths are without a scheme; write "/images"'],
  ["/", 'is not a scope; write ""'],
];

const STORES: readonly (readonly [scope: string, refusal: string])[] = [
  ["/store", "can never match: it does not begin with a store; write [overlay@/PATH/TO/STORE]NAME"],
  ["localhost/app", "can never match: it does not begin with a store; write [overlay@/PATH/TO/STORE]NAME"],
  ["[@/store]", 'can never match: the driver is missing; write "[overlay@/store]"'],
  [
    "[overlay2@/store]localhost/a",
    'can never match: the driver is called overlay; write "[overlay@/store]localhost/a"',
  ],
  ["[overlay@store]", 'can never match: "store": it is not an absolute path; write all of it, from / on'],
  ["[]", 'can never match: "": it is not an absolute path; write all of it, from / on'],
  ["[overlay@/store/]", 'can never match: "/store/": paths are compared in their shortest form; write "/store"'],
  [
    "[overlay@/store+/run/store]localhost/a",
    'can never match: what follows the store\'s directory is no part of it; write "[overlay@/store]localhost/a"',
  ],
  [
    "[overlay@/store:overlay.mountopt=nodev]",
    'can never match: what follows the store\'s directory is no part of it; write "[overlay@/store]"',
  ],
  [
    "[/store]localhost/a",
    'can never match: only a store with its driver can be followed by names; write "[overlay@/store]localhost/a"',
  ],
  ["[overlay@/store]app", 'can never match: names are compared in full; write "[overlay@/store]docker.io/library/app"'],
  [
    "[overlay@/store]org/app:1",
    'can never match: names are compared in full; write "[overlay@/store]docker.io/org/app:1"',
  ],
  [
    `[overlay@/store]app@${ID}`,
    `can never match: names are compared in full; write "[overlay@/store]docker.io/library/app@${ID}"`,
  ],
  [
    "[overlay@/store]@0123456789ab",
    'can never match: "0123456789ab" is neither a whole id, of 64 hexadecimal digits, nor a digest',
  ],
  ["[overlay@/store]localhost/", 'can never match: a slash at its end matches nothing; write "localhost"'],
];

const NAMES: readonly (readonly [scope: string, refusal: string])[] = [
  ["https://quay.io/org", 'can never match: names are without a scheme; write "quay.io/org"'],
  ["docker://quay.io/org/", 'can never match: names are without a scheme; write "quay.io/org"'],
  ["quay.io/org/", 'can never match: a slash at its end matches nothing; write "quay.io/org"'],
  ["debian", 'can never match: names are compared in full; write "docker.io/library/debian"'],
  ["org/app:1", 'can never match: names are compared in full; write "docker.io/org/app:1"'],
  ["docker.io/debian:12", 'can never match: names are compared in full; write "docker.io/library/debian:12"'],
  ["*", "can never match: a wildcard is *.DOMAIN, without port and path"],
  ["*.example.com/org", "can never match: a wildcard is *.DOMAIN, without port and path"],
  ["*.example.com:5000", "can never match: a wildcard is *.DOMAIN, without port and path"],
  ["example*.com", 'can never match: "example*.com" is not a host'],
  [
    "quay.io/*",
    'can never match: "*" is not the name of a repository: they are lower-case letters, digits and . _ - /',
  ],
  [
    "quay.io/Org/app",
    'can never match: "Org/app" is not the name of a repository: they are lower-case letters, digits and . _ - /',
  ],
  ["quay.io:99999/org", 'can never match: "quay.io:99999" is not a host'],
  ["256.1.1.1/org", 'can never match: "256.1.1.1" is not a host'],
  ["not a host", 'can never match: names are compared in full; write "docker.io/library/not a host"'],
  [`quay.io/app:1@${DIGEST}`, "can never match: an image matches by its tag or its digest, not both"],
  ["quay.io/app@sha256:12", "can never match: what follows @ is not a digest"],
  ["quay.io/app:-", 'can never match: "-" is not a tag'],
];

const ONE_ONLY = 'can never match: this transport has one scope only; write ""';

test("scopes that can never match refuse the file, naming the scope and how it is written", () => {
  const paths = ["oci", "dir", "oci-archive", "sif"].flatMap((transport) =>
    PATHS.map(([scope, refusal]) => [transport, scope, refusal] as const),
  );
  const cases = [
    ...paths,
    ...STORES.map((entry) => ["containers-storage", ...entry] as const),
    ...NAMES.map((entry) => ["docker", ...entry] as const),
    ["docker-archive", "/images", ONE_ONLY],
    ["docker-archive", "docker.io/library/debian", ONE_ONLY],
    ["tarball", "/x", ONE_ONLY],
  ] as const;
  for (const [transport, scope, refusal] of cases) {
    assert.equal(refusalOf(transport, scope), refusal, `${transport} ${scope}`);
  }
});

test("what a refusal says to write is accepted", () => {
  for (const [transport, cases] of [
    ["oci", PATHS],
    ["containers-storage", STORES],
    ["docker", NAMES],
  ] as const) {
    for (const [, refusal] of cases) {
      const written = /^can never match: (?!").*; write (".*")$/.exec(refusal)?.[1];
      if (written === undefined || written.includes("not a host")) continue;
      const scope: string = JSON.parse(written);
      // Of a part of the scope, the part is shown.
      const whole = transport === "containers-storage" && !scope.startsWith("[") ? `[overlay@/store]${scope}` : scope;
      assert.equal(refusalOf(transport, whole), undefined, whole);
    }
  }
});

test("scopes that can match are kept, also those of transports that are not read here", () => {
  const good: readonly (readonly [transport: string, scope: string])[] = [
    ...["oci", "dir", "oci-archive"].flatMap((transport) =>
      ["", "/images", "/images/os 1", "/..images"].map((scope) => [transport, scope] as const),
    ),
    ["dir", "/a:b"],
    ["docker-archive", ""],
    ["docker-daemon", "sha256:12"],
    ["docker-daemon", "debian"],
    ["atomic", "host/x"],
    ["ostree", "x"],
    ...["", "quay.io", "QUAY.io:443", "localhost", "localhost:5000/a", "[::1]:5000/a/b", "127.0.0.1/a"].map(
      (scope) => ["docker", scope] as const,
    ),
    ...[
      "docker.io/library",
      "docker.io/org",
      "docker.io/library/debian:12",
      `quay.io/a@${DIGEST}`,
      "*.example.com",
    ].map((scope) => ["docker", scope] as const),
    ...[
      "[overlay@/store]",
      "[/store]",
      "[vfs@/store]",
      "[overlay@/]",
      "[overlay@/a+b]",
      "[overlay@/store]localhost",
      "[overlay@/store]localhost:5000/app",
      "[overlay@/store]docker.io/library",
      `[overlay@/store]localhost/app:1@${ID}`,
      `[overlay@/store]@${ID}`,
      `[overlay@/store]quay.io/app@${DIGEST}@${ID}`,
    ].map((scope) => ["containers-storage", scope] as const),
  ];
  for (const [transport, scope] of good) assert.equal(refusalOf(transport, scope), undefined, `${transport} ${scope}`);
});

test("the name of an image is not part of a layout's scope, unless a directory has that name", () => {
  const directory = join(scratch.path, "os:1");
  const refusal = `can never match: names of images are not part of it; write ${JSON.stringify(join(scratch.path, "os"))}`;
  for (const transport of ["oci", "oci-archive"]) assert.equal(refusalOf(transport, directory), refusal);
  mkdirSync(directory);
  for (const transport of ["oci", "oci-archive"]) assert.equal(refusalOf(transport, directory), undefined);
});

test("a transport that there is not is refused", () => {
  const text = policyWith("contaners-storage", "");
  assert.throws(() => parsePolicy(Buffer.from(text), "p.json"), {
    code: "corrupt",
    message: /^Cannot read policy p\.json: transports\."contaners-storage" is not known here; known are atomic, contai/,
  });
});

test("what skopeo refuses is refused", () => {
  const image = join(scratch.path, "image");
  mkdirSync(image);
  const loads = (transport: string, scope: string) => {
    const path = join(scratch.path, "policy.json");
    writeFileSync(path, policyWith(transport, scope));
    try {
      execFileSync("skopeo", ["--policy", path, "copy", `dir:${image}`, `dir:${image}-copy`], { stdio: "pipe" });
    } catch (error) {
      return !/invalid policy/.test(String((error as { stderr?: unknown }).stderr));
    }
    return true;
  };
  const cases = [
    ...PATHS.map(([scope]) => ["oci", scope] as const),
    ...STORES.map(([scope]) => ["containers-storage", scope] as const),
    ["docker-archive", "/x"] as const,
    ["tarball", "/x"] as const,
  ];
  let refused = 0;
  for (const [transport, scope] of cases) {
    assert.notEqual(refusalOf(transport, scope), undefined);
    if (!loads(transport, scope)) refused++;
  }
  // All of the paths; of the stores only those that are no store's at all.
  assert.ok(refused >= PATHS.length + 6, `${refused} of ${cases.length}`);
});
