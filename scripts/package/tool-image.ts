/**
 * The tool image: an OCI layout with the program alone, for `COPY --from=… /usr /usr` in a Containerfile. It contains no operating system: the image it is copied into provides the C library.
 */
import { rmSync } from "node:fs";
import { OciLayout, putLayer } from "../../src/oci/index.ts";
import { checkoutManifest } from "./distribution.ts";
import type { DebianArchitecture } from "./program-folder.ts";
import { systemLayer } from "./system-layer.ts";

/**
 * Writes the image into a new layout at `directory`, under the tag `latest`. Equal folders and times give equal bytes.
 * @returns the manifest's digest
 */
export async function makeToolImage(
  programFolder: string,
  directory: string,
  architecture: DebianArchitecture,
  epochSeconds: number,
): Promise<string> {
  rmSync(directory, { recursive: true, force: true });
  const layout = await OciLayout.create(directory);
  const layer = await putLayer(layout, systemLayer(programFolder, epochSeconds), { compression: "gzip" });
  const { name, version, description, license } = checkoutManifest();
  const config = await layout.putConfig({
    architecture,
    os: "linux",
    created: new Date(epochSeconds * 1000).toISOString(),
    config: {
      Labels: {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.description": description,
        "org.opencontainers.image.licenses": license,
      },
      Entrypoint: ["/usr/bin/sealroot"],
    },
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
  });
  const manifest = await layout.putManifest(
    { schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [layer.descriptor] },
    { tag: "latest", platform: { architecture, os: "linux" } },
  );
  return manifest.digest;
}
