/** Scripted updates of a host: what the image gets, what was changed on the host, and what of it a plan must tell. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { EtcPolicy } from "../../src/deployment/index.ts";
import type { ImageFile, SealOptions } from "../install/sealed-image.ts";
import { rpmDatabase } from "../packages/rpm-database.ts";

/** A paragraph of dpkg's status file. */
export function dpkgPackage(name: string, version: string): string {
  return `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n`;
}

const STATUS_PATH = "usr/lib/sysimage/dpkg/status";
const RPM_PATH = "usr/lib/sysimage/rpm/rpmdb.sqlite";
const status = (...packages: (readonly [string, string])[]): ImageFile => ({
  path: STATUS_PATH,
  content: packages.map(([name, version]) => dpkgPackage(name, version)).join("\n"),
});

const DIRECTORIES: readonly ImageFile[] = ["usr/lib/sysimage", "usr/lib/sysimage/dpkg", "usr/lib/sysimage/rpm"].map(
  (path) => ({ path }),
);
const BASE_STATUS = status(["base-files", "12.4"], ["bash", "5.2.15-2+b2"], ["old-tool", "1:2.0"]);

/** What the image that runs has besides the usual. */
export const BASE: readonly ImageFile[] = [
  ...DIRECTORIES,
  BASE_STATUS,
  { path: "usr/share" },
  { path: "usr/share/data", content: Buffer.alloc(70_000, "data") },
  { path: "usr/share/gone", content: "g".repeat(1000) },
];

export interface ScriptedUpdate {
  readonly name: string;
  /** All of the new image's files besides the usual; {@link BASE} if absent. */
  readonly files?: readonly ImageFile[];
  readonly seal?: SealOptions;
  /** Changes the live `/etc`. */
  readonly host?: (etcPath: string) => void;
  readonly etc?: EtcPolicy;
  /** Besides the UKI, which always changes. */
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
  readonly changed?: readonly string[];
  /** `added name version`, `upgraded name version version` … */
  readonly packages?: readonly string[];
  readonly conflicts?: readonly string[];
  readonly arguments?: readonly string[];
}

const without = (path: string) => BASE.filter((file) => file.path !== path);
const changedTo = (path: string, change: Partial<ImageFile>) =>
  BASE.map((file) => (file.path === path ? { ...file, ...change } : file));
const noise = (seed: number, sizeBytes: number): Buffer => {
  const bytes = Buffer.alloc(sizeBytes);
  for (let index = 0, state = seed; index < sizeBytes; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
};
const many = (count: number): ImageFile[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `usr/share/many-${String(index).padStart(4, "0")}`,
    content: noise(index + 1, [0, 1, 64, 65, 4096, 4097, 9000][index % 7] ?? 0),
  }));

export const UPDATES: readonly ScriptedUpdate[] = [
  { name: "a file more", files: [...BASE, { path: "usr/bin/new", content: noise(1, 5000) }], added: ["usr/bin/new"] },
  { name: "a file less", files: without("usr/share/gone"), removed: ["usr/share/gone"] },
  {
    name: "another content",
    files: changedTo("usr/share/data", { content: noise(2, 70_000) }),
    changed: ["usr/share/data"],
  },
  {
    name: "another mode, another owner",
    files: changedTo("usr/share/data", { header: { mode: 0o600, uid: 7 } }),
    changed: ["usr/share/data"],
  },
  {
    name: "another time only",
    files: changedTo("usr/share/data", { header: { mtimeSeconds: 1_700_000_000n } }),
  },
  {
    name: "a file becomes a link, another a directory",
    files: [
      ...without("usr/share/gone").filter(({ path }) => path !== "usr/share/data"),
      { path: "usr/share/data", linkPath: "gone" },
      { path: "usr/share/gone" },
      { path: "usr/share/gone/inside", content: "i" },
    ],
    changed: ["usr/share/data", "usr/share/gone"],
    added: ["usr/share/gone/inside"],
  },
  {
    name: "the same content under another name",
    files: [...BASE, { path: "usr/share/copy", content: Buffer.alloc(70_000, "data") }],
    added: ["usr/share/copy"],
  },
  {
    name: "new content twice",
    files: [...BASE, ...["a", "b"].map((name) => ({ path: `usr/share/${name}`, content: noise(3, 20_000) }))],
    added: ["usr/share/a", "usr/share/b"],
  },
  {
    name: "sizes at the limits: empty, inline, a block, a Merkle tree of two levels",
    files: [
      ...BASE,
      ...[0, 1, 64, 65, 4095, 4096, 4097, 262_145].map((size) => ({
        path: `usr/share/size-${size}`,
        content: noise(size + 4, size),
      })),
    ],
    added: [0, 1, 262_145, 4095, 4096, 4097, 64, 65].map((size) => `usr/share/size-${size}`),
  },
  {
    name: "five megabytes",
    files: [...BASE, { path: "usr/share/big", content: noise(5, 5 << 20) }],
    added: ["usr/share/big"],
  },
  {
    name: "two hundred files",
    files: [...BASE, ...many(200)],
    added: many(200).map(({ path }) => path),
  },
  {
    name: "attributes and odd names",
    files: [
      ...BASE,
      { path: "usr/share/é \n\t", content: noise(6, 300) },
      {
        path: "usr/share/x",
        content: "",
        header: { xattrs: new Map([[byteStringOfText("user.a"), Buffer.from("1")]]) },
      },
    ],
    added: ["usr/share/x", "usr/share/é \n\t"],
  },
  {
    name: "packages: upgraded, downgraded, added, removed",
    files: changedTo(STATUS_PATH, {
      content: status(["base-files", "12.4+deb12u1"], ["bash", "5.2.15-2~bpo1"], ["new-tool", "0.1"]).content ?? "",
    }),
    changed: [STATUS_PATH],
    packages: [
      "added new-tool 0.1",
      "removed old-tool 1:2.0",
      "upgraded base-files 12.4 12.4+deb12u1",
      "downgraded bash 5.2.15-2+b2 5.2.15-2~bpo1",
    ],
  },
  {
    name: "from dpkg to rpm",
    files: [...without(STATUS_PATH), { path: RPM_PATH, content: rpmDatabase([["bash", "5.2.26", "3.fc43"]]) }],
    removed: [STATUS_PATH],
    added: [RPM_PATH],
    packages: [
      "removed base-files 12.4",
      "removed bash 5.2.15-2+b2",
      "removed old-tool 1:2.0",
      "added bash 5.2.26-3.fc43",
    ],
  },
  {
    name: "a database that cannot be read",
    files: changedTo(STATUS_PATH, { content: "Package: a\nnonsense\n" }),
    changed: [STATUS_PATH],
    packages: ["dpkg: Cannot read dpkg's status file: a line is neither a field nor the rest of one"],
  },
  {
    name: "files of /etc, of the image and of this host",
    files: [...BASE, { path: "etc/new.conf", content: noise(7, 3000) }],
    host: (etcPath) => {
      writeFileSync(join(etcPath, "mine"), "m".repeat(6000));
      writeFileSync(join(etcPath, "hostname"), "changed\n");
      rmSync(join(etcPath, "empty"));
    },
    added: ["etc/new.conf"],
  },
  {
    name: "a conflict in /etc, kept",
    files: [...BASE, { path: "etc/mine", content: noise(8, 500) }],
    host: (etcPath) => {
      mkdirSync(join(etcPath, "mine"));
      writeFileSync(join(etcPath, "mine/file"), "f".repeat(5000));
    },
    etc: "keep",
    added: ["etc/mine"],
    conflicts: ["mine"],
  },
  {
    name: "a conflict in /etc, lost",
    files: [...BASE, { path: "etc/mine", content: noise(9, 500) }],
    host: (etcPath) => {
      mkdirSync(join(etcPath, "mine"));
      writeFileSync(join(etcPath, "mine/file"), "f".repeat(5000));
    },
    etc: "theirs",
    added: ["etc/mine"],
    conflicts: ["mine"],
  },
  {
    name: "kernel arguments: added, removed, twice",
    files: changedTo("usr/share/data", { content: "d" }),
    changed: ["usr/share/data"],
    seal: { commandLine: (id) => `console=ttyS0 composefs=${id} console=ttyS0 ro` },
    arguments: ["+console=ttyS0", "+console=ttyS0", "+ro", "-rw"],
  },
  {
    name: "everything at once",
    files: [
      ...without("usr/share/gone").filter(({ path }) => path !== STATUS_PATH),
      status(["bash", "5.3-1"]),
      ...many(30),
      { path: "etc/later", content: noise(10, 70) },
    ],
    host: (etcPath) => writeFileSync(join(etcPath, "local"), ""),
    seal: { commandLine: (id) => `composefs=${id}` },
    added: ["etc/later", ...many(30).map(({ path }) => path)],
    removed: ["usr/share/gone"],
    changed: [STATUS_PATH],
    packages: ["removed base-files 12.4", "removed old-tool 1:2.0", "upgraded bash 5.2.15-2+b2 5.3-1"],
    arguments: ["-rw"],
  },
];
