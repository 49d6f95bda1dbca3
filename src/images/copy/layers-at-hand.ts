/** Layers that will be read more than once. */
import type { EventSink } from "../../events/index.ts";
import type { OpenedImage } from "../sources/open-image.ts";
import { LayoutDestination } from "./layout-destination.ts";
import { sourceContent } from "./source-content.ts";
import { writeLayers } from "./write-layers.ts";

/**
 * The image with its layers as blobs that are cheap to read again: those of a registry are fetched, and those of
 * podman's store packed, into a layout in `directory`. All other places have such blobs themselves.
 *
 * The manifest then names the layers as they are there; its own bytes and digest stay, as do the diff ids.
 *
 * @param directory where the layout is made if it is needed; the caller removes it after the last read
 * @throws SealrootError `corrupt` for a layer that does not match its digest or diff id; as ImageSource and `no-space`
 */
export async function layersAtHand<Image extends OpenedImage>(
  image: Image,
  directory: string,
  events: EventSink,
): Promise<Image> {
  if (image.unpacked === undefined && !image.remote) return image;
  const destination = await LayoutDestination.open({ transport: "oci", path: directory, tag: undefined });
  const written = await writeLayers(sourceContent(image).layers, destination, undefined, events);
  await destination.finish();
  const layers = written.map(({ descriptor }) => descriptor);
  return { ...image, manifest: { ...image.manifest, layers }, blobs: destination.blobs, unpacked: undefined };
}
