import assert from "node:assert/strict";
import { test } from "node:test";
import {
  judgeMeasurement,
  type MountFacts,
  type MountStep,
  parseMeasurement,
  parseRootConfiguration,
  planBoot,
  planMounts,
} from "../../src/bootplan/index.ts";

const ID = "ab".repeat(64);
const LINE = `composefs=${ID} rw quiet`;
const plan = (commandLine: string, configuration?: string) =>
  planBoot({ commandLine, configuration, permit: `composefs=${commandLine.includes("=?") ? "?" : ""}${ID}\n` });

test("planBoot() without configuration binds /etc and /var and asks the loader's disk", () => {
  assert.deepEqual(plan(LINE), {
    image: { id: ID, algorithm: "sha512", verityOptional: false, formatVersion: undefined },
    root: { type: "loader-disk" },
    rootOptions: undefined,
    transientRoot: false,
    etc: "bind",
    var: "bind",
    checkObjects: true,
    isSealed: true,
  });
});

test("planBoot() refuses a command line without an image, with two, and with two roots", () => {
  assert.throws(() => plan("rw quiet"), { code: "untrusted", message: /no composefs= on the kernel/ });
  assert.throws(() => plan(`${LINE} composefs=${ID}`), {
    code: "untrusted",
    message: /2 times composefs= on the kernel command line/,
  });
  assert.throws(() => plan(`${LINE} root=/dev/vda root=/dev/vda`), { code: "conflict" });
});

test("planBoot() leaves /var to systemd.volatile= unless the image decided", () => {
  for (const value of ["state", "overlay"]) {
    assert.equal(plan(`${LINE} systemd.volatile=${value}`).var, "none");
    assert.equal(plan(`${LINE} systemd.volatile=${value}`, "[var]\nmount = 'bind'\n").var, "bind");
    assert.equal(plan(`${LINE} systemd.volatile=${value}`, "[etc]\nmount = 'bind'\n").var, "none");
  }
  assert.equal(plan(`${LINE} systemd.volatile=yes`).var, "bind");
});

test("parseRootConfiguration() knows bootc's values, aliases and defaults, and refuses others", () => {
  const cases: [string, Partial<ReturnType<typeof parseRootConfiguration>>][] = [
    ["", { transientRoot: false, etc: "bind", var: "bind", varIsExplicit: false }],
    ["root.transient = true", { transientRoot: true }],
    ["[etc]\nmount = 'none'\n[var]\nmount = 'root'", { etc: "none", var: "none", varIsExplicit: true }],
    ["[etc]\nmount = 'transient'\n[var]\nmount = 'volatile'", { etc: "transient", var: "transient" }],
    ["[etc]\nmount = 'overlay'\ntransient = true", { etc: "overlay" }],
    ["[etc]\ntransient = true\n[var]\ntransient = false", { etc: "transient", var: "bind", varIsExplicit: true }],
    ["[future]\nkey = 1\n[etc]\nother = 'x'", { etc: "bind" }],
  ];
  for (const [text, expected] of cases) {
    const actual = parseRootConfiguration(text);
    assert.deepEqual({ ...actual, ...expected }, actual, text);
  }
  assert.throws(() => parseRootConfiguration("[etc]\nmount = 'bound'"), {
    code: "corrupt",
    message: /etc\.mount is "bound", expected none, root, bind, overlay, transient, volatile/,
  });
  assert.throws(() => parseRootConfiguration("[root]\ntransient = 1"), {
    message: /root\.transient is "1", expected true or false/,
  });
  assert.throws(() => parseRootConfiguration("etc = true"), { message: /etc is true, expected a table/ });
});

test("parseRootConfiguration() reads check-objects before the first table, and refuses it inside one", () => {
  assert.equal(parseRootConfiguration(undefined).checkObjects, true);
  assert.equal(parseRootConfiguration("check-objects = true").checkObjects, true);
  assert.equal(parseRootConfiguration("check-objects = false\n[etc]\nmount = 'bind'").checkObjects, false);
  assert.throws(() => parseRootConfiguration("check-objects = 'no'"), {
    code: "corrupt",
    message: 'Cannot use setup-root-conf.toml: check-objects is "no", expected true or false',
  });
  for (const table of ["root", "etc", "var", "sealroot"]) {
    assert.throws(() => parseRootConfiguration(`[${table}]\ncheck-objects = false`), {
      code: "corrupt",
      message: `Cannot use setup-root-conf.toml: check-objects is in the table [${table}]`,
      data: { hint: "put it before the first table" },
    });
  }
});

/** A step in one line. */
function line(step: MountStep): string {
  switch (step.type) {
    case "mount":
      return `mount ${step.fileSystem} ${step.source} ${step.target} ${step.options.join(",")}`;
    case "bind":
      return `bind ${step.source} ${step.target}${step.readOnly ? " ro" : ""}${step.targetIsOptional ? " optional" : ""}`;
    case "make-directory":
      return `mkdir ${step.path} ${step.mode.toString(8)}`;
    case "unmount":
      return `unmount ${step.path}`;
  }
}

const P = "/run/sealroot/physical";
const IMAGE = "mount erofs /proc/7/fd/3 /run/sealroot/image ro";
const overlay = (verity: string) =>
  `mount overlay composefs:${ID} /sysroot ro,metacopy=on,redirect_dir=on,${verity}lowerdir=/run/sealroot/image::/proc/7/fd/4`;
const SYSROOT = `bind ${P} /sysroot/sysroot ro optional`;
const END = ["unmount /run/sealroot/image", `unmount ${P}`];

function steps(configuration: string | undefined, facts: Partial<MountFacts> = {}): string[] {
  const held = { etc: { directory: "/proc/7/fd/5" }, var: { directory: "/proc/7/fd/6" } };
  const sources = { imageSource: "/proc/7/fd/3", objectsSource: "/proc/7/fd/4" };
  return planMounts(plan(LINE, configuration), {
    ...{ ...sources, ...held, throughLoop: false, verified: true, newRoot: "/sysroot" },
    ...facts,
  }).map(line);
}

test("planMounts() by default: image, overlay that requires fs-verity, read-only disk, /etc and /var bound", () => {
  assert.deepEqual(steps(undefined), [
    IMAGE,
    "mkdir /sysroot 755",
    overlay("verity=require,"),
    SYSROOT,
    "bind /proc/7/fd/5 /sysroot/etc",
    "bind /proc/7/fd/6 /sysroot/var",
    ...END,
  ]);
});

test("planMounts() binds the image to a name in memory where mount(8) takes a loop device", () => {
  assert.deepEqual(steps(undefined, { throughLoop: true }).slice(0, 4), [
    "bind /proc/7/fd/3 /run/sealroot/image-file",
    "mount erofs /run/sealroot/image-file /run/sealroot/image ro",
    "unmount /run/sealroot/image-file",
    "mkdir /sysroot 755",
  ]);
});

test("planMounts() leaves verity=require out only for an unverified image", () => {
  assert.equal(steps(undefined, { verified: false })[2], overlay(""));
});

test("planMounts() of overlays keeps /etc's changes in the state and /var's in memory", () => {
  const etc = { upper: "/proc/7/fd/7", work: "/proc/7/fd/8" };
  assert.deepEqual(steps("[etc]\nmount = 'overlay'\n[var]\nmount = 'transient'", { etc, var: undefined }), [
    IMAGE,
    "mkdir /sysroot 755",
    overlay("verity=require,"),
    SYSROOT,
    "mount overlay overlay /sysroot/etc rw,lowerdir=/sysroot/etc,upperdir=/proc/7/fd/7,workdir=/proc/7/fd/8",
    "mkdir /run/sealroot/transient-var 700",
    "mount tmpfs tmpfs /run/sealroot/transient-var mode=0755",
    "mkdir /run/sealroot/transient-var/upper 755",
    "mkdir /run/sealroot/transient-var/work 700",
    "mount overlay transient /sysroot/var rw,lowerdir=/sysroot/var,upperdir=/run/sealroot/transient-var/upper,workdir=/run/sealroot/transient-var/work",
    "unmount /run/sealroot/transient-var",
    ...END,
  ]);
});

test("planMounts() of a transient root puts the writable layer under everything that follows", () => {
  const planned = steps("[root]\ntransient = true\n[etc]\nmount = 'none'\n[var]\nmount = 'none'", {
    etc: undefined,
    var: undefined,
  });
  assert.deepEqual(planned, [
    IMAGE,
    "mkdir /run/sealroot/sealed 755",
    overlay("verity=require,").replace(" /sysroot ", " /run/sealroot/sealed "),
    "mkdir /run/sealroot/transient-root 700",
    "mount tmpfs tmpfs /run/sealroot/transient-root mode=0755",
    "mkdir /run/sealroot/transient-root/upper 755",
    "mkdir /run/sealroot/transient-root/work 700",
    `mount overlay transient:composefs=${ID} /sysroot rw,lowerdir=/run/sealroot/sealed,upperdir=/run/sealroot/transient-root/upper,workdir=/run/sealroot/transient-root/work`,
    "unmount /run/sealroot/transient-root",
    SYSROOT,
    "unmount /run/sealroot/sealed",
    ...END,
  ]);
});

test("planMounts() of a transient root lays /etc's overlay on the sealed root: three overlays would be too many", () => {
  const planned = steps("[root]\ntransient = true\n[etc]\nmount = 'overlay'", { etc: { upper: "/u", work: "/w" } });
  assert.ok(planned.some((step) => step.includes("/sysroot/etc rw,lowerdir=/run/sealroot/sealed/etc,upperdir=/u,")));
});

const digest = (algorithm: number, hex: string) => {
  const bytes = Buffer.from(hex, "hex");
  return Buffer.concat([Buffer.from([algorithm, 0, bytes.length, 0]), bytes]);
};

test("parseMeasurement() reads struct fsverity_digest, or the errno the program ended with", () => {
  assert.deepEqual(parseMeasurement(0, digest(2, ID)), { type: "digest", algorithm: "sha512", hex: ID });
  assert.deepEqual(parseMeasurement(0, digest(9, "00")), { type: "digest", algorithm: "hash 9", hex: "00" });
  assert.deepEqual(parseMeasurement(61, Buffer.alloc(0)), { type: "none", errno: 61 });
  for (const output of ["", "0200", "02004000ab"]) {
    assert.throws(() => parseMeasurement(0, Buffer.from(output, "hex")), { code: "failed" });
  }
});

test("judgeMeasurement() accepts the very digest, and an image without fs-verity only for composefs=?", () => {
  const strict = plan(`composefs=${ID}`).image;
  const optional = plan(`composefs=?${ID}`).image;
  const good = { type: "digest", algorithm: "sha512", hex: ID } as const;
  const other = { type: "digest", algorithm: "sha512", hex: "cd".repeat(64) } as const;
  assert.equal(judgeMeasurement(strict, good, "p"), true);
  assert.equal(judgeMeasurement(optional, good, "p"), true);
  for (const image of [strict, optional]) {
    assert.throws(() => judgeMeasurement(image, other, "p"), {
      code: "untrusted",
      message: /digest is a different one/,
      data: { path: "p", expected: `sha512:${ID}`, actual: `sha512:${"cd".repeat(64)}` },
    });
    assert.throws(() => judgeMeasurement(image, { type: "none", errno: 5 }, "p"), { code: "untrusted" });
  }
  for (const errno of [61, 25, 95]) {
    assert.equal(judgeMeasurement(optional, { type: "none", errno }, "p"), false);
    assert.throws(() => judgeMeasurement(strict, { type: "none", errno }, "p"), {
      code: "untrusted",
      message: "Cannot use the root image: fs-verity does not vouch for it",
    });
  }
});
