/**
 * Whether what runs was checked on its way up, as the running system itself can tell: each link in the order of a boot. Who
 * has taken over the kernel can make it say anything; what a disk holds is told from outside.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CommandLine, findComposefsArguments } from "../bls/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { verifyBootProgram } from "../keys/index.ts";
import { readUki } from "../pe/index.ts";
import { firmwareDatabases } from "./firmware.ts";
import type { Host } from "./host.ts";
import { type HostPlaces, placeOfBootFile } from "./host-places.ts";

/** The links of a sealed boot; a chain is as good as the first that does not hold. */
export type ChainLink = "firmware" | "uki" | "command-line" | "root";

export interface BootedChain {
  /** Undefined when every link holds. */
  readonly broken: { readonly link: ChainLink; readonly message: string } | undefined;
}

/** Thrown inside only: the first link that does not hold. */
class Broken extends Error {
  readonly link: ChainLink;

  constructor(link: ChainLink, message: string) {
    super(message);
    this.link = link;
  }
}

/**
 * Looks at Secure Boot, at the booted UKI's signature and the firmware's keys, at the command line, at the mounted root.
 * @returns undefined when nothing of this host runs
 */
export async function readBootedChain(places: HostPlaces, host: Host): Promise<BootedChain | undefined> {
  if (places.booted === undefined) return undefined;
  try {
    const bytes = bootedUki(places, host);
    await checkSignature(places, bytes);
    checkCommandLine(places.booted, bytes);
    return { broken: undefined };
  } catch (error) {
    if (error instanceof Broken) return { broken: { link: error.link, message: error.message } };
    throw error;
  }
}

/** What firmware and boot loader have started, if the entry is what was booted. */
function bootedUki(places: HostPlaces, { booted }: Host): Buffer {
  if (booted?.origin.bootType !== "uki") {
    throw new Broken("uki", "kernel and command line are not in a UKI, so nothing vouches for the root");
  }
  const target = booted.entry?.entry.target;
  const place = target?.type === "uki" ? placeOfBootFile(places, target.path) : undefined;
  if (place === undefined || target?.type !== "uki") throw new Broken("uki", "no boot entry leads to its UKI");
  try {
    return readFileSync(join(place.directory, place.path));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) throw new Broken("uki", `there is no ${target.path} on the ESP`);
    throw new Broken("uki", asSealrootError(error, `cannot read ${target.path}`).message);
  }
}

async function checkSignature({ efiVariables }: HostPlaces, uki: Buffer): Promise<void> {
  const databases = inLink("firmware", () => firmwareDatabases(efiVariables));
  if (databases === undefined) throw new Broken("firmware", "Secure Boot is off");
  try {
    await verifyBootProgram(uki, "the UKI", [databases]);
  } catch (error) {
    throw new Broken("uki", asSealrootError(error, "its signature cannot be checked").message);
  }
}

/** The kernel was given the UKI's line, and the root is an image that this line names, with fs-verity required. */
function checkCommandLine(booted: NonNullable<HostPlaces["booted"]>, uki: Buffer): void {
  const text = inLink("uki", () => readUki(uki, "the UKI").commandLine) ?? "";
  const signed = inLink("command-line", () => findComposefsArguments(CommandLine.parse(text)));
  const running = inLink("command-line", () => findComposefsArguments(booted.commandLine));
  const unsigned = running.find(({ id }) => !signed.some((argument) => argument.id === id));
  if (unsigned !== undefined) {
    throw new Broken("command-line", `the kernel was given ${unsigned.id}, which the UKI does not name`);
  }
  if (!signed.some(({ id }) => id === booted.imageId)) {
    throw new Broken("root", `the UKI does not name ${booted.imageId}, which is the root`);
  }
  if (booted.missingVerityAllowed) throw new Broken("command-line", "the UKI accepts an image without fs-verity");
  if (!booted.verityRequired) throw new Broken("root", "the root is mounted without fs-verity being required");
}

function inLink<T>(link: ChainLink, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Broken(link, asSealrootError(error, "it cannot be read").message);
  }
}

/** `verified`, or which link does not hold and why. */
export function chainText({ broken }: BootedChain): string {
  return broken === undefined ? "verified" : `not verified: ${broken.message}`;
}
