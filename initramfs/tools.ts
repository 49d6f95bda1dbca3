/** Where the boot program's parts are in the initramfs, and how its programs are started. */

import { SealrootError } from "../src/errors/index.ts";
import { type BootSystem, decodeText } from "./system.ts";

/** All our files are below this directory. */
export const BASE = "/usr/lib/sealroot";
export const CONFIGURATION = `${BASE}/setup-root-conf.toml`;
export const PERMIT = `${BASE}/permit`;
/** Ids of all objects of the image, 64 bytes each, in their order. */
export const OBJECT_LIST = `${BASE}/objects`;

/** Empty; there when mount(8) puts a loop device under the root image (src/seal/initramfs/boot-needs.ts). */
export const LOOP_MARK = `${BASE}/loop`;

/** Machine code of our own; the other tools come from the image. */
const OWN_TOOLS = ["measure", "insmod", "lookup"] as const;
/** systemd's programs for an encrypted root; an initramfs has both or none. */
export const UNLOCK_TOOL = "systemd-cryptsetup";
export const ENROLL_TOOL = "systemd-cryptenroll";
export type ToolName =
  | ("mount" | "umount" | "blkid")
  | (typeof OWN_TOOLS)[number]
  | typeof UNLOCK_TOOL
  | typeof ENROLL_TOOL;

/** Whether this initramfs carries a tool. */
export function hasTool(system: BootSystem, name: ToolName): boolean {
  return system.list(`${BASE}/bin`).includes(name);
}

/**
 * The command line of a tool. In an extended initramfs the tools have a dynamic loader and libraries of their own, so
 * that those of the surrounding initramfs do not matter (spec/boot-chain.md G).
 */
export function toolCommand(system: BootSystem, name: ToolName, args: readonly string[]): string[] {
  const path = `${BASE}/bin/${name}`;
  const isStatic = OWN_TOOLS.some((own) => own === name);
  if (isStatic || !system.isDirectory(`${BASE}/lib`)) return [path, ...args];
  return [`${BASE}/ld.so`, "--library-path", `${BASE}/lib`, path, ...args];
}

/**
 * Runs a tool that must succeed, and returns what it printed.
 * @param action for the message: `mount the root image`
 * @throws SealrootError `failed` with what the tool printed
 */
export function runTool(system: BootSystem, action: string, name: ToolName, args: readonly string[]): string {
  const { status, output } = system.run(toolCommand(system, name, args));
  const text = decodeText(output);
  if (status !== 0) {
    const said = text.trim().replaceAll(/\s*\n\s*/g, " | ");
    throw new SealrootError("failed", `Cannot ${action}: ${name} ended with ${status}${said && `: ${said}`}`);
  }
  return text;
}
