/** Where an image was found, as policies know it: what was opened, never what was typed. */
import type { ImageName } from "./image-name.ts";

export type OpenedPlace =
  | {
      readonly transport: "docker";
      /** The image as the user named it, before mirrors; nothing left out, the host in its canonical form. */
      readonly name: ImageName;
    }
  | {
      readonly transport: "oci" | "oci-archive" | "dir";
      /** Absolute, without symbolic links. */
      readonly path: string;
    }
  | { readonly transport: "docker-archive" }
  | StoragePlace;

/** An image of one of podman's stores. */
export interface StoragePlace {
  readonly transport: "containers-storage";
  /** Such as `overlay`. */
  readonly driver: string;
  /** The store that has the image and, if different, the store it was reached through; without symbolic links. */
  readonly roots: readonly string[];
  /** The whole id. */
  readonly id: string;
  /** The name the image was found by; all its names if it was found by its id. In full, with tag or digest. */
  readonly names: readonly string[];
}
