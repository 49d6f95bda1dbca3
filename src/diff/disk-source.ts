/** An installed disk that does not run: the image of the deployment that boots, and the files of the ESP. */

import { byteStringOfText } from "../bytes/index.ts";
import { compositionOf } from "../compare/index.ts";
import type { FatReader } from "../disk/index.ts";
import { runStep } from "../events/index.ts";
import { holdDisk, readDeploymentImage } from "../install/index.ts";
import { type DirectoryNode, newDirectory, newMetadata } from "../tree/index.ts";
import { type VerityAlgorithm, verityDigest } from "../verity/index.ts";
import { algorithmOfId } from "./file-source.ts";
import type { DiffOptions } from "./options.ts";
import type { Scratch } from "./scratch.ts";
import type { Source } from "./source.ts";

/** Hosts know SHA-512 only (spec/host.md 0). */
const DISK_ALGORITHM: VerityAlgorithm = "sha512";
/** More than any UKI. */
const ESP_FILE_MAX_BYTES = 2 ** 30;
/** No deeper than any path of UEFI; a loop in a broken FAT ends here. */
const ESP_DEPTH_MAX = 16;

/** It is read only when the comparison begins, and held until it ends, so that nobody changes it. */
export function diskSource(given: string, { events }: DiffOptions, scratch: Scratch): Source {
  return {
    ...{ given, kind: "disk", algorithm: DISK_ALGORITHM, names: [] },
    read: async () => {
      const held = scratch.keep(holdDisk(given, false));
      return await runStep(events, "read the disk", async ({ warn }) => {
        const { deploymentId, imageId, image, parts } = await readDeploymentImage(held, undefined, warn);
        const esp = parts.esp && espTree(parts.esp, algorithmOfId(imageId));
        return {
          root: image.root,
          composition: compositionOf(image.root),
          image: { id: imageId, version: image.version },
          history: undefined,
          isUnpacked: false,
          readContent: image.readContent,
          remark: `deployment ${deploymentId.slice(0, 12)}`,
          ...(esp === undefined ? {} : { esp }),
        };
      });
    },
  };
}

/** FAT has names, without case, and contents; its times are those of whoever wrote the file. */
function espTree(esp: FatReader, algorithm: VerityAlgorithm): DirectoryNode {
  const directory = (path: readonly string[]): DirectoryNode => {
    const node = newDirectory(newMetadata({ mode: 0o755 }));
    for (const { name, isDirectory } of esp.list(path) ?? []) {
      const below = [...path, name];
      if (!isDirectory) node.entries.set(byteStringOfText(name), file(below));
      else if (below.length < ESP_DEPTH_MAX) node.entries.set(byteStringOfText(name), directory(below));
    }
    return node;
  };
  const file = (path: readonly string[]) => {
    const bytes = esp.read(path, ESP_FILE_MAX_BYTES) ?? new Uint8Array();
    const objectId = verityDigest(bytes, algorithm);
    const content =
      bytes.length === 0
        ? ({ type: "inline", bytes } as const)
        : ({ type: "external", sizeBytes: bytes.length, objectId } as const);
    return { kind: "file" as const, metadata: newMetadata({ mode: 0o644 }), content };
  };
  return directory([]);
}
