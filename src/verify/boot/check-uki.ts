/** A UKI with its add-ons: signatures, initramfs and command line. */
import {
  CommandLine,
  type ComposefsArgument,
  checkCommandLine,
  checkCommandLineLength,
  findComposefsArguments,
} from "../../bls/index.ts";
import { checkSealedLines } from "../../bootimage/index.ts";
import { chooseImage } from "../../bootplan/index.ts";
import { commandLineOf, parsePe, readUki, type Uki } from "../../pe/index.ts";
import type { LinkParent } from "../report/link.ts";
import type { FirmwareKeys } from "./firmware-keys.ts";
import { type InitramfsFacts, readInitramfs } from "./initramfs-facts.ts";
import { checkProgram } from "./program-signature.ts";
import { checkSignedPolicies } from "./signed-policies.ts";

/** A program of the chain, for whoever judges it further. */
export interface ChainProgram {
  /** In words, such as `the UKI`. */
  readonly what: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What a UKI says of the root. */
export interface CheckedUki {
  readonly path: string;
  readonly uki: Uki;
  /** The UKI's and its add-ons'. */
  readonly commandLine: CommandLine;
  /** Empty when they contradict each other, too. */
  readonly composefsArguments: readonly ComposefsArgument[];
  /** Undefined for one that cannot be read here. */
  readonly initramfs: InitramfsFacts | undefined;
  readonly programs: readonly ChainProgram[];
}

export interface GivenUki {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly addons: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** False of add-ons that an image ships: each is installed only if asked for. */
  readonly addonsAreLoaded: boolean;
  /** The deployment that it is called after; undefined when its name says nothing. */
  readonly deploymentId: string | undefined;
}

const SEAL_AGAIN = "seal the image again";

/** @returns undefined when the file is no UKI at all */
export async function checkUki(
  parent: LinkParent,
  given: GivenUki,
  keys: FirmwareKeys,
): Promise<CheckedUki | undefined> {
  const { path, bytes } = given;
  const draft = parent.link("uki", path);
  await checkProgram(draft, bytes, "the UKI", path, keys);
  const uki = await draft.attempt(() => readUki(bytes, "the UKI"), { path });
  if (uki === undefined) return undefined;
  if (uki.kernelRelease !== undefined) draft.fact(`kernel ${uki.kernelRelease}`);
  checkSignedPolicies(draft, uki.image, path);
  const programs: ChainProgram[] = [{ what: "the UKI", path, bytes }];
  const addonLines: string[] = [];
  for (const addon of given.addons) {
    const line = await checkAddon(parent, addon, uki, keys);
    if (line !== undefined && given.addonsAreLoaded) addonLines.push(line);
    programs.push({ what: "the add-on", ...addon });
  }
  const commandLine = CommandLine.parse([uki.commandLine ?? "", ...addonLines].filter((line) => line !== "").join(" "));
  const composefsArguments = await checkLine(parent, given, uki, addonLines);
  const initramfs = await checkInitramfs(parent, path, uki, composefsArguments.length === 0 ? undefined : commandLine);
  const [first] = composefsArguments;
  if (given.deploymentId !== undefined && first !== undefined && first.id !== given.deploymentId) {
    draft.broken("it is the UKI of another deployment", {
      path,
      expected: given.deploymentId,
      found: first.id,
      remedy: "put the deployment's own UKI there: sealroot fsck --repair",
    });
  }
  return { path, uki, commandLine, composefsArguments, initramfs, programs };
}

/** @returns the kernel arguments that it brings along */
async function checkAddon(
  parent: LinkParent,
  { path, bytes }: GivenUki["addons"][number],
  uki: Uki,
  keys: FirmwareKeys,
): Promise<string | undefined> {
  const draft = parent.link("add-ons", path);
  const remedy = "remove it from the ESP: sealroot uki-addon remove";
  await checkProgram(draft, bytes, "the add-on", path, keys);
  return await draft.attempt(
    () => {
      const image = parsePe(bytes, "the add-on");
      if (image.architecture !== uki.architecture) {
        draft.find("weaker", "it is for another architecture, so the stub leaves it out", {
          path,
          expected: uki.architecture,
          found: image.architecture,
        });
        return undefined;
      }
      const line = commandLineOf(image, "the add-on") ?? "";
      checkCommandLine(line, { what: "the command line of the add-on", decidedKeys: [] });
      draft.fact(line === "" ? "it adds no kernel arguments" : `it adds: ${line}`);
      return line === "" ? undefined : line;
    },
    { path, remedy },
  );
}

async function checkLine(
  parent: LinkParent,
  { path }: GivenUki,
  uki: Uki,
  addonLines: readonly string[],
): Promise<readonly ComposefsArgument[]> {
  const draft = parent.link("command-line", uki.commandLine ?? "none");
  draft.checkedBy("the signature of the UKI");
  const line = uki.commandLine ?? "";
  const found = await draft.attempt(() => findComposefsArguments(CommandLine.parse(line)), {
    path,
    remedy: SEAL_AGAIN,
  });
  if (found?.length === 0) {
    draft.broken("it names no image", {
      path,
      expected: "composefs=DIGEST",
      found: line === "" ? "no command line" : line,
      remedy: "seal the image: sealroot seal",
    });
  }
  if (found === undefined) return [];
  // What is wrong with composefs arguments was said in other words.
  await draft.attempt(() => checkSealedLines({ path, ...uki, commandLine: line }, []), { path, remedy: SEAL_AGAIN });
  await draft.attempt(() =>
    checkCommandLineLength([line, ...addonLines].join(" "), uki.architecture, "the command line with that of add-ons"),
  );
  for (const { id, verityOptional } of found) {
    draft.fact(`it names the image ${id}`);
    if (!verityOptional) continue;
    draft.find("weaker", `it accepts an image without fs-verity ("?"): who writes the disk decides what runs`, {
      path,
      expected: `composefs=${id}`,
      found: `composefs=?${id}`,
      remedy: "seal without --allow-missing-verity, for a file system that has fs-verity",
    });
  }
  return found;
}

/** @param commandLine undefined when it was refused already */
async function checkInitramfs(
  parent: LinkParent,
  path: string,
  { initramfs }: Uki,
  commandLine: CommandLine | undefined,
): Promise<InitramfsFacts | undefined> {
  const draft = parent.link("initramfs", `of ${path}`);
  draft.checkedBy("the signature of the UKI");
  if (initramfs === undefined) {
    draft.broken("the UKI has none, so nothing checks the root", { path, remedy: SEAL_AGAIN });
    return undefined;
  }
  let facts: InitramfsFacts;
  try {
    facts = readInitramfs(initramfs);
  } catch (error) {
    draft.failed(error, "unchecked", { path });
    return undefined;
  }
  const { program, permit } = facts;
  if (program === undefined) {
    draft.find("unchecked", "it has no program known here that makes the root of an image", { path });
    return facts;
  }
  draft.fact(`${program} makes the root`);
  if (program === "sealroot" && commandLine !== undefined) {
    const chosen = await draft.attempt(() => chooseImage(commandLine, permit), { path, remedy: SEAL_AGAIN });
    if (chosen !== undefined) draft.fact("its permit allows the image that the command line names, and no other");
  } else if (program !== "sealroot") {
    draft.fact("it has no permit: what is appended to the command line can name another image");
  }
  return facts;
}
