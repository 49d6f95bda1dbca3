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
      /** Left out when the image has no such directory. */
      readonly targetIsOptional: boolean;
    }
  | { readonly type: "make-directory"; readonly path: string; readonly mode: number }
  | { readonly type: "require-directory"; readonly path: string; readonly what: string }
  /** Detached at once, gone when nobody uses it any more. */
  | { readonly type: "unmount"; readonly path: string };

/** Where things are while the root is being made. All but the root itself are out of sight afterwards. */
export const BOOT_PLACES = {
  physicalRoot: "/run/sealroot/physical",
  imageRoot: "/run/sealroot/image",
  /** The read-only root, when a writable layer in memory goes on top of it. */
  sealedRoot: "/run/sealroot/sealed",
  transient: "/run/sealroot/transient",
} as const;

/** The repository, in the physical root. */
export const REPOSITORY = "composefs";

/** Path of an image by its id, in the physical root. */
export function imagePath(id: string): string {
  return `${REPOSITORY}/images/${id}`;
}

export interface MountFacts {
  /** A path to the opened, measured image: what was measured is what gets mounted. */
  readonly imageSource: string;
  /** The judgement about the image; decides whether the overlay requires fs-verity. */
  readonly verified: boolean;
  /** Where the finished root is to be. */
  readonly newRoot: string;
}

/** The steps from the mounted physical root and the opened image to the finished root. */
export function planMounts(plan: BootPlan, facts: MountFacts): MountStep[] {
  const { physicalRoot, imageRoot, sealedRoot } = BOOT_PLACES;
  const { newRoot } = facts;
  const state = `${physicalRoot}/state/deploy/${plan.image.id}`;
  // Overlays on /etc and /var lie on the sealed root, not on the layer in memory: the kernel stacks two, not three.
  const sealed = plan.transientRoot ? sealedRoot : newRoot;
  return [
    mount("the root image", "erofs", facts.imageSource, imageRoot, ["ro"]),
    { type: "make-directory", path: sealed, mode: 0o755 },
    mount("the root overlay", "overlay", `composefs:${plan.image.id}`, sealed, [
      "ro",
      "metacopy=on",
      "redirect_dir=on",
      ...(facts.verified ? ["verity=require"] : []),
      `lowerdir=${imageRoot}::${physicalRoot}/${REPOSITORY}/objects`,
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
    { type: "require-directory", path: state, what: "the state of this deployment" },
    ...stateMount(plan.etc, "etc", state, sealed, newRoot),
    ...stateMount(plan.var, "var", state, sealed, newRoot),
    ...(plan.transientRoot ? [{ type: "unmount", path: sealedRoot } as const] : []),
    { type: "unmount", path: imageRoot },
    { type: "unmount", path: physicalRoot },
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
  state: string,
  sealed: string,
  newRoot: string,
): MountStep[] {
  const target = `${newRoot}/${name}`;
  const source = `${state}/${name}`;
  switch (kind) {
    case "none":
      return [];
    case "bind":
      return [
        { type: "require-directory", path: source, what: `the state of /${name}` },
        { type: "bind", what: `/${name}`, source, target, readOnly: false, targetIsOptional: false },
      ];
    case "overlay":
      return writableOverlay(`the overlay on /${name}`, "overlay", `${sealed}/${name}`, source, target);
    case "transient":
      return transientOverlay(name, "transient", `${sealed}/${name}`, target);
  }
}

/**
 * @param layers the directory that holds the upper and the work directory
 */
function writableOverlay(what: string, source: string, lower: string, layers: string, target: string): MountStep[] {
  const [upper, work] = [`${layers}/upper`, `${layers}/work`];
  return [
    // The merged directory has the mode of the upper one (spec/host-boot.md 5).
    { type: "make-directory", path: upper, mode: 0o755 },
    { type: "make-directory", path: work, mode: 0o700 },
    mount(what, "overlay", source, target, ["rw", `lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`]),
  ];
}

function transientOverlay(name: string, source: string, lower: string, target: string): MountStep[] {
  const memory = `${BOOT_PLACES.transient}-${name}`;
  const what = name === "root" ? "the root" : `/${name}`;
  return [
    { type: "make-directory", path: memory, mode: 0o700 },
    mount(`the memory for ${what}`, "tmpfs", "tmpfs", memory, ["mode=0755"]),
    ...writableOverlay(`the transient overlay on ${what}`, source, lower, memory, target),
    { type: "unmount", path: memory },
  ];
}
