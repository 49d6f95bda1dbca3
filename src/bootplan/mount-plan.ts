/** The mounts that make the root file system, in order (spec/host-boot.md 5, spec/boot-chain.md I.6). */
import type { BootPlan } from "./boot-plan.ts";
import type { StateMount } from "./configuration.ts";

/** One thing to do. Paths are absolute in the initramfs. */
export type MountStep =
  | {
      readonly type: "mount";
      /** For messages: "the root image". */
      readonly what: string;
      readonly fileSystem: string;
      readonly source: string;
      readonly target: string;
      readonly options: readonly string[];
    }
  | {
      readonly type: "bind";
      readonly what: string;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** Left out if the image has no such directory. */
      readonly targetIsOptional: boolean;
    }
  | { readonly type: "make-directory"; readonly path: string; readonly mode: number }
  /** Detached at once, gone when nobody uses it any more. */
  | { readonly type: "unmount"; readonly path: string };

/** Where things are while the root is being made. All but the root itself are hidden afterwards. */
export const BOOT_PLACES = {
  physicalRoot: "/run/sealroot/physical",
  imageRoot: "/run/sealroot/image",
  /** The root image by a name in memory, where a loop device needs one: an empty file, which the image is bound to. */
  imageFile: "/run/sealroot/image-file",
  /** The read-only root, when a writable layer in memory goes on top of it. */
  sealedRoot: "/run/sealroot/sealed",
  transient: "/run/sealroot/transient",
} as const;

/** Modes of an overlay's layers: the merged directory has the mode of the upper one (spec/host-boot.md 5). */
export const UPPER_MODE = 0o755;
export const WORK_MODE = 0o700;

/** The repository, in the physical root. */
const REPOSITORY = "composefs";

/** Path of an image by its id, in the physical root. */
export function imagePath(id: string): string {
  return `${REPOSITORY}/images/${id}`;
}

/** Path of the objects, in the physical root. */
export const OBJECTS_PATH = `${REPOSITORY}/objects`;

/** Path of the state of a deployment, in the physical root. */
export function statePath(deploymentId: string): string {
  return `state/deploy/${deploymentId}`;
}

/**
 * Held directories of the state of `/etc` or `/var`: the one to bind, or the layers of an overlay whose changes are
 * kept; undefined for a mount that needs neither.
 */
export type HeldState = { readonly directory: string } | { readonly upper: string; readonly work: string } | undefined;

/** What was opened on the physical root, as paths that stay these very files whatever happens to their names. */
export interface MountFacts {
  /** The measured image: what was measured is what gets mounted. */
  readonly imageSource: string;
  /** Whether mount(8) puts a loop device under the image: it does so by the file's real name, not by the held file. */
  readonly throughLoop: boolean;
  readonly objectsSource: string;
  readonly etc: HeldState;
  readonly var: HeldState;
  /** The verdict on the image; decides whether the overlay requires fs-verity. */
  readonly verified: boolean;
  /** Where the finished root goes. */
  readonly newRoot: string;
}

/** The steps from the mounted physical root and the opened image to the finished root. */
export function planMounts(plan: BootPlan, facts: MountFacts): MountStep[] {
  const { physicalRoot, imageRoot, sealedRoot } = BOOT_PLACES;
  const { newRoot } = facts;
  // Overlays on /etc and /var are on the sealed root, not on the layer in memory: the kernel stacks two, not three.
  const sealed = plan.transientRoot ? sealedRoot : newRoot;
  return [
    ...imageMount(facts),
    { type: "make-directory", path: sealed, mode: 0o755 },
    mount("the root overlay", "overlay", `composefs:${plan.image.id}`, sealed, [
      "ro",
      "metacopy=on",
      "redirect_dir=on",
      ...(facts.verified ? ["verity=require"] : []),
      `lowerdir=${imageRoot}::${facts.objectsSource}`,
    ]),
    ...(plan.transientRoot ? transientOverlay("root", `transient:composefs=${plan.image.id}`, sealed, newRoot) : []),
    {
      type: "bind",
      what: "the physical root",
      source: physicalRoot,
      target: `${newRoot}/sysroot`,
      readOnly: true,
      targetIsOptional: true,
    },
    ...stateMount(plan.etc, "etc", facts.etc, sealed, newRoot),
    ...stateMount(plan.var, "var", facts.var, sealed, newRoot),
    ...(plan.transientRoot ? [{ type: "unmount", path: sealedRoot } as const] : []),
    { type: "unmount", path: imageRoot },
    { type: "unmount", path: physicalRoot },
  ];
}

/** The name on the disk may lead to another file by then; the one that is bound in memory is that of the held file. */
function imageMount({ imageSource, throughLoop }: MountFacts): MountStep[] {
  const { imageRoot, imageFile } = BOOT_PLACES;
  const what = "the root image";
  if (!throughLoop) return [mount(what, "erofs", imageSource, imageRoot, ["ro"])];
  return [
    { type: "bind", what, source: imageSource, target: imageFile, readOnly: false, targetIsOptional: false },
    mount(what, "erofs", imageFile, imageRoot, ["ro"]),
    { type: "unmount", path: imageFile },
  ];
}

function mount(
  what: string,
  fileSystem: string,
  source: string,
  target: string,
  options: readonly string[],
): MountStep {
  return { type: "mount", what, fileSystem, source, target, options };
}

function stateMount(
  kind: StateMount,
  name: "etc" | "var",
  held: HeldState,
  sealed: string,
  newRoot: string,
): MountStep[] {
  const target = `${newRoot}/${name}`;
  if (kind === "transient") return transientOverlay(name, "transient", `${sealed}/${name}`, target);
  if (held === undefined) return [];
  if ("upper" in held) return [overlay(`the overlay on /${name}`, "overlay", `${sealed}/${name}`, held, target)];
  const source = held.directory;
  return [{ type: "bind", what: `/${name}`, source, target, readOnly: false, targetIsOptional: false }];
}

function overlay(
  what: string,
  source: string,
  lower: string,
  { upper, work }: { readonly upper: string; readonly work: string },
  target: string,
): MountStep {
  return mount(what, "overlay", source, target, ["rw", `lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`]);
}

function transientOverlay(name: string, source: string, lower: string, target: string): MountStep[] {
  const memory = `${BOOT_PLACES.transient}-${name}`;
  const what = name === "root" ? "the root" : `/${name}`;
  const layers = { upper: `${memory}/upper`, work: `${memory}/work` };
  return [
    { type: "make-directory", path: memory, mode: 0o700 },
    mount(`the memory for ${what}`, "tmpfs", "tmpfs", memory, ["mode=0755"]),
    { type: "make-directory", path: layers.upper, mode: UPPER_MODE },
    { type: "make-directory", path: layers.work, mode: WORK_MODE },
    overlay(`the transient overlay on ${what}`, source, lower, layers, target),
    { type: "unmount", path: memory },
  ];
}
