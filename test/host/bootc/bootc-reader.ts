/**
 * Hosts read as bootc reads them, with what it refuses: written after its rules (bootc 1.16.9 to 1.17, status.rs, bls_config.rs,
 * grub_menuconfig.rs, rollback.rs; spec/host.md 1.3 to 1.8), with nothing of src/.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";

export interface BootcView {
  readonly physicalRoot: string;
  /** With `loader/` or `grub2/`. */
  readonly bootDirectory: string;
  readonly esp: string;
  readonly run: string;
  readonly bootLoader: "systemd" | "grub";
  /** Of the root that is mounted. */
  readonly booted: string;
}

interface Entry {
  readonly id: string;
  readonly artifact: string;
  /** What `contains` is asked of to see what boots by default. */
  readonly start: string;
  readonly sortKey: string | undefined;
  readonly version: string;
  readonly fileName: string;
  readonly options: string | undefined;
}

export interface BootcDeployment {
  readonly verity: string;
  readonly bootType: "bls" | "uki";
  readonly bootDigest: string | undefined;
  readonly image: string;
  readonly imageDigest: string;
  readonly architecture: string;
}

export interface BootcStatus {
  readonly booted: BootcDeployment;
  readonly staged: (BootcDeployment & { readonly downloadOnly: boolean }) | undefined;
  readonly rollback: BootcDeployment | undefined;
  readonly others: readonly BootcDeployment[];
  readonly rollbackQueued: boolean;
}

const PREFIX = "bootc_composefs-";

/** The status; throws where bootc would fail. */
export function bootcStatus(view: BootcView): BootcStatus {
  const live = entriesOf(view, "live");
  const staged = entriesOf(view, "staged");
  const record = stagedRecord(view);
  let booted: BootcDeployment | undefined;
  let stagedDeployment: BootcStatus["staged"];
  const extra: BootcDeployment[] = [];
  for (const { id } of [...live, ...staged]) {
    const deployment = deploymentOf(view, id);
    if (deployment === undefined) continue;
    assert.equal(deployment.bootType, booted?.bootType ?? deployment.bootType, "Conflicting boot types");
    if (id === view.booted) booted = deployment;
    else if (id === record?.depl_id) stagedDeployment = { ...deployment, downloadOnly: record.finalization_locked };
    else extra.push(deployment);
  }
  const [first] = live;
  assert.ok(first !== undefined, "First boot entry not found");
  assert.ok(booted !== undefined, "the booted deployment has no entry");
  const known = extra.filter(({ verity }) => live.some(({ id }) => id === verity));
  const place = ({ verity }: BootcDeployment) => live.findIndex(({ id }) => id === verity);
  const [rollback, ...others] = known.sort((a, b) => place(a) - place(b));
  return { booted, staged: stagedDeployment, rollback, others, rollbackQueued: !first.start.includes(view.booted) };
}

/** What its garbage collection asks for: boot files of every entry, and no entry without state. */
export function bootcConsistent(view: BootcView): void {
  for (const { artifact, id } of [...entriesOf(view, "live"), ...entriesOf(view, "staged")]) {
    const isUki = deploymentOf(view, id)?.bootType === "uki";
    const kernels = view.bootLoader === "grub" ? view.bootDirectory : join(view.esp, "EFI/Linux");
    const path = isUki
      ? join(view.esp, "EFI/Linux/bootc", `${PREFIX}${artifact}.efi`)
      : join(kernels, PREFIX + artifact);
    assert.ok(existsSync(path), `${path} is missing`);
    if (!isUki) for (const name of ["vmlinuz", "initrd"]) assert.ok(existsSync(join(path, name)), `${path}/${name}`);
    assert.equal(readlinkSync(join(view.physicalRoot, "state/deploy", id, "var")), "../../os/default/var");
    assert.ok(lstatSync(join(view.physicalRoot, "state/deploy", id, "etc")).isDirectory());
    const image = join(view.physicalRoot, "composefs/images", id);
    assert.match(readlinkSync(image), /^\.\.\/objects\/[0-9a-f]{2}\/[0-9a-f]{126}$/);
    assert.ok(existsSync(image), `the image ${id} is missing`);
  }
}

/** Its rollback takes two entries, and no other number. */
export function bootcCanRollBack(view: BootcView): boolean {
  return entriesOf(view, "live").length === 2 && bootcStatus(view).rollback !== undefined;
}

function entriesOf(view: BootcView, folder: "live" | "staged"): Entry[] {
  const menu = join(view.bootDirectory, "grub2/user.cfg");
  if (view.bootLoader === "grub" && existsSync(menu)) {
    const path = folder === "live" ? menu : `${menu}.staged`;
    return existsSync(path) ? menuEntries(readFileSync(path, "utf8")) : [];
  }
  const directory = join(view.bootDirectory, folder === "live" ? "loader/entries" : "loader/entries.staged");
  if (folder === "staged" && !existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith(".conf"));
  const entries = names.map((name) => type1Entry(name, readFileSync(join(directory, name), "utf8")));
  return entries.sort(view.bootLoader === "grub" ? (a, b) => compare(b.fileName, a.fileName) : bySortKey);
}

function bySortKey(a: Entry, b: Entry): number {
  const order = a.sortKey !== undefined && b.sortKey !== undefined ? compare(a.sortKey, b.sortKey) : 0;
  // Versions of these tests have no parts of different lengths, where order of characters would not do.
  return order === 0 ? compare(b.version, a.version) : order;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function type1Entry(fileName: string, text: string): Entry {
  const fields = new Map<string, string>();
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    const blank = line.indexOf(" ");
    if (line === "" || line.startsWith("#") || blank < 0) continue;
    fields.set(line.slice(0, blank), line.slice(blank + 1).trim());
  }
  const version = fields.get("version");
  assert.ok(version !== undefined, `${fileName}: Missing 'version' value`);
  const common = { fileName, version, sortKey: fields.get("sort-key"), options: fields.get("options") };
  const [linux, efi] = [fields.get("linux"), fields.get("uki") ?? fields.get("efi")];
  assert.ok(linux === undefined || efi === undefined, `${fileName}: 'linux' and 'efi'/'uki' values present`);
  if (efi !== undefined) {
    const id = idOfUki(efi);
    return { ...common, id, artifact: id, start: efi };
  }
  assert.ok(linux !== undefined, `${fileName}: Missing 'linux', 'efi', or 'uki' value`);
  const options = common.options ?? "";
  const value = options.split(/\s+/).find((word) => word.startsWith("composefs="));
  assert.ok(value !== undefined, `${fileName}: No composefs= param`);
  const folder = linux.split("/").at(-2) ?? "";
  const id = value.slice("composefs=".length).replace(/^\?/, "");
  return { ...common, id, artifact: folder.replace(PREFIX, ""), start: options };
}

function menuEntries(text: string): Entry[] {
  const found: Entry[] = [];
  let rest = text;
  for (let at = rest.indexOf("menuentry"); at >= 0; at = rest.indexOf("menuentry")) {
    const block = /^menuentry\s+"((?:[^"\\]|\\.)*)"\s*\{((?:[^{}\\]|\\.|\{[^{}]*\})*)\}/s.exec(rest.slice(at));
    assert.ok(block !== null, "Failed to parse GRUB menuentries");
    const [whole, title = "", body = ""] = block;
    assert.notEqual(title, "", "Found menuentry with empty title");
    const chainloader = body
      .split("\n")
      .flatMap((line) => /^chainloader (.*)$/.exec(line.trim())?.[1]?.trim() ?? [])
      .at(-1);
    assert.ok(chainloader !== undefined, "Empty efi field");
    const id = idOfUki(chainloader);
    found.push({
      id,
      artifact: id,
      start: chainloader,
      sortKey: undefined,
      version: "",
      fileName: "",
      options: undefined,
    });
    rest = rest.slice(at + whole.length);
  }
  return found;
}

function idOfUki(path: string): string {
  const name = path.split("/").at(-1) ?? "";
  assert.ok(name.startsWith(PREFIX), `${name} does not start with custom prefix`);
  assert.ok(name.endsWith(".efi"), `${name} doesn't end with .efi`);
  return name.slice(PREFIX.length, -".efi".length);
}

function stagedRecord({ run }: BootcView): { depl_id: string; finalization_locked: boolean } | undefined {
  const path = join(run, "composefs/staged-deployment");
  if (!existsSync(path)) return undefined;
  const record = JSON.parse(readFileSync(path, "utf8"));
  assert.equal(typeof record.depl_id, "string");
  assert.equal(typeof record.finalization_locked, "boolean");
  return record;
}

/** Undefined where bootc only warns. */
function deploymentOf(view: BootcView, id: string): BootcDeployment | undefined {
  const path = join(view.physicalRoot, "state/deploy", id, `${id}.origin`);
  if (!existsSync(path)) return undefined;
  const origin = ini(readFileSync(path, "utf8"));
  const reference = origin.get("origin")?.get("container-image-reference");
  assert.ok(reference !== undefined);
  const [, image = ""] = /^ostree-unverified-image:docker:\/\/(.+)$/.exec(reference) ?? [];
  assert.notEqual(image, "", `${reference} cannot be parsed`);
  const bootType = origin.get("boot")?.get("boot_type");
  assert.ok(bootType === "bls" || bootType === "uki", `Unrecognized boot option: '${bootType}'`);
  const imageDigest = origin.get("image")?.get("manifest_digest");
  assert.match(imageDigest ?? "", /^sha256:[0-9a-f]{64}$/);
  const { architecture } = configOf(join(view.physicalRoot, "composefs"), imageDigest ?? "");
  const bootDigest = origin.get("boot")?.get("digest");
  return { verity: id, bootType, bootDigest, image, imageDigest: imageDigest ?? "", architecture };
}

/** The crate `tini`: sections in brackets, keys and values around the first `=`, trimmed; anything else is an error. */
function ini(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = "";
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith(";") || line.startsWith("#")) continue;
    const name = /^\[(.+)\]$/.exec(line)?.[1];
    if (name !== undefined) section = name;
    else {
      const equals = line.indexOf("=");
      assert.ok(equals > 0, `Failed to parse origin file: ${line}`);
      const keys = sections.get(section) ?? new Map<string, string>();
      sections.set(section, keys.set(line.slice(0, equals).trim(), line.slice(equals + 1).trim()));
    }
  }
  return sections;
}

/** An OCI image of the repository: manifest stream, its name for the configuration, both documents by their digests. */
function configOf(repository: string, manifestDigest: string): { readonly architecture: string } {
  const tag = join(repository, "streams/refs/oci", `localhost%2Fbootc-${manifestDigest}`);
  assert.equal(readlinkSync(tag), `../../oci-manifest-${manifestDigest}`);
  const manifest = documentOf(repository, `oci-manifest-${manifestDigest}`, manifestDigest, "ocimanif");
  const { digest } = JSON.parse(manifest.text).config;
  const stream = readlinkSync(join(repository, "streams", `oci-config-${digest}`))
    .replace("../objects/", "")
    .replace("/", "");
  assert.equal(manifest.names.get(`config:${digest}`), stream);
  const config = documentOf(repository, `oci-config-${digest}`, digest, "ociconfg");
  const parsed = JSON.parse(config.text);
  for (const diffId of parsed.rootfs.diff_ids) {
    assert.equal(config.names.get(diffId), manifest.names.get(diffId));
    assert.ok(existsSync(join(repository, "streams", `oci-layer-${diffId}`)), `layer ${diffId} is missing`);
  }
  return parsed;
}

function documentOf(repository: string, name: string, digest: string, contentType: string) {
  const bytes = readFileSync(join(repository, "streams", name));
  assert.equal(bytes.toString("latin1", 0, 11), "SplitStream");
  const range = (at: number) =>
    bytes.subarray(Number(bytes.readBigUInt64LE(at)), Number(bytes.readBigUInt64LE(at + 8)));
  const info = Number(bytes.readBigUInt64LE(16));
  assert.equal(bytes.toString("latin1", info + 64, info + 72), contentType);
  const ids = (section: Buffer) => section.toString("hex").match(/.{128}/g) ?? [];
  const streams = ids(range(info));
  const objects = ids(range(info + 16));
  assert.equal(objects.length, 1, `${name} is not one document`);
  const [object = ""] = objects;
  const document = readFileSync(join(repository, "objects", object.slice(0, 2), object.slice(2)));
  assert.equal(`sha256:${createHash("sha256").update(document).digest("hex")}`, digest);
  const names = new Map<string, string>();
  for (const record of zstdDecompressSync(range(info + 48))
    .toString("utf8")
    .split("\0")
    .slice(0, -1)) {
    const colon = record.indexOf(":");
    names.set(record.slice(colon + 1), streams[Number(record.slice(0, colon))] ?? "");
  }
  return { text: document.toString("utf8"), names };
}
