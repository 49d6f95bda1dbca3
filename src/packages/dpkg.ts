/** dpkg's list of packages (deb822(5), dpkg(1) "Package states") and its order of versions (deb-version(7)). */
import { corrupt } from "../errors/index.ts";
import type { InstalledPackage } from "./package.ts";

/** States of packages whose files are not there: removed, or removed but for their configuration. */
const ABSENT_STATES: ReadonlySet<string> = new Set(["not-installed", "config-files"]);
/** Debian Policy 5.6.1, 5.6.12, and deb-version(7); no other characters get into what is printed. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9+.-]*$/;
const VERSION = /^[A-Za-z0-9.+:~-]+$/;
const ARCHITECTURE = /^[A-Za-z0-9-]+$/;
const FIELDS: ReadonlySet<string> = new Set(["package", "status", "version", "architecture"]);

/**
 * The installed packages of `/var/lib/dpkg/status`, or of one file of `status.d`, which has no `Status` field and then
 * tells of an installed package.
 *
 * @throws SealrootError `corrupt` with the line, for what deb822(5) does not allow
 */
export function parseDpkgStatus(bytes: Uint8Array): InstalledPackage[] {
  const packages: InstalledPackage[] = [];
  let fields = new Map<string, string>();
  let startLine = 1;
  const finish = () => {
    const found = fields.size === 0 ? undefined : packageOf(fields, startLine);
    if (found !== undefined) packages.push(found);
    fields = new Map();
  };
  for (const [index, line] of Buffer.from(bytes).toString("latin1").split("\n").entries()) {
    if (line.trim() === "") {
      finish();
      startLine = index + 2;
    } else if (!/^[ \t#]/.test(line)) readField(line, index + 1, fields);
  }
  finish();
  return packages;
}

function readField(line: string, number: number, fields: Map<string, string>): void {
  const colon = line.indexOf(":");
  if (colon <= 0) throw broken("a line is neither a field nor the rest of one", number);
  const name = line.slice(0, colon).toLowerCase();
  if (!FIELDS.has(name)) {
    fields.set("", "");
    return;
  }
  if (fields.has(name)) throw broken(`the field ${name} is there twice`, number);
  fields.set(name, line.slice(colon + 1).trim());
}

function packageOf(fields: ReadonlyMap<string, string>, line: number): InstalledPackage | undefined {
  const state = fields.get("status")?.split(/\s+/)[2];
  if (fields.has("status") && state === undefined) throw broken("a Status field has not three words", line);
  const name = requireField(fields, "package", NAME, line);
  if (state !== undefined && ABSENT_STATES.has(state)) return undefined;
  const version = requireField(fields, "version", VERSION, line);
  const architecture = fields.has("architecture")
    ? requireField(fields, "architecture", ARCHITECTURE, line)
    : undefined;
  return { name, version, architecture };
}

function requireField(fields: ReadonlyMap<string, string>, name: string, pattern: RegExp, line: number): string {
  const value = fields.get(name);
  if (value === undefined) throw broken(`a package has no field ${name}`, line);
  if (!pattern.test(value)) throw broken(`the field ${name} of a package has characters that it cannot have`, line);
  return value;
}

function broken(reason: string, line: number) {
  return corrupt(`Cannot read dpkg's status file: ${reason}`, { line });
}

/** Negative if `a` is older. */
export function compareDpkgVersions(a: string, b: string): number {
  const [left, right] = [splitVersion(a), splitVersion(b)];
  return (
    compareDigits(left.epoch, right.epoch) ||
    comparePart(left.upstream, right.upstream) ||
    comparePart(left.revision, right.revision)
  );
}

function splitVersion(version: string) {
  const colon = version.indexOf(":");
  const rest = version.slice(colon + 1);
  const hyphen = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? "" : version.slice(0, colon),
    upstream: hyphen < 0 ? rest : rest.slice(0, hyphen),
    revision: hyphen < 0 ? "" : rest.slice(hyphen + 1),
  };
}

/** Runs of other characters and of digits in turn. */
function comparePart(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== "" || right !== "") {
    const [textA, textB] = [leading(/^[^0-9]*/, left), leading(/^[^0-9]*/, right)];
    const [digitsA, digitsB] = [
      leading(/^[0-9]*/, left.slice(textA.length)),
      leading(/^[0-9]*/, right.slice(textB.length)),
    ];
    const order = compareText(textA, textB) || compareDigits(digitsA, digitsB);
    if (order !== 0) return order;
    left = left.slice(textA.length + digitsA.length);
    right = right.slice(textB.length + digitsB.length);
  }
  return 0;
}

function leading(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[0] ?? "";
}

/** A tilde sorts before the end, the end before letters, letters before everything else. */
function compareText(a: string, b: string): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const order = weight(a, index) - weight(b, index);
    if (order !== 0) return order;
  }
  return 0;
}

function weight(text: string, index: number): number {
  const character = text[index];
  if (character === undefined) return 0;
  if (character === "~") return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

/** Of any length: without leading zeros the longer is the larger. */
function compareDigits(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0);
}
