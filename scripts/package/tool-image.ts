/**
 * The tool image: an OCI layout with the program folder alone, for `COPY --from=… /usr/lib/sealroot /usr/lib/sealroot` in a
 * Containerfile. It contains no operating system: the image it is copied into provides the C library.
 */
import { createReadStream, globSync, lstatSync, rmSync } from "node:fs";
import { join } from "node:path";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { OciLayout, putLayer } from "../../src/oci/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { checkoutManifest } from "./distribution.ts";
import type { DebianArchitecture } from "./program-folder.ts";

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
  const layer = await putLayer(layout, writeTar(members(programFolder, epochSeconds)), { compression: "gzip" });
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

function* members(programFolder: string, epochSeconds: number): Generator<TarMember> {
  const common = { uid: 0, gid: 0, mtimeSeconds: BigInt(epochSeconds) };
  const directory = (path: string): TarMember => ({
    header: { ...common, kind: "directory", path: byteStringOfText(path), mode: 0o755 },
  });
  for (const path of ["usr", "usr/bin"]) yield directory(path);
  yield {
    header: {
      ...common,
      kind: "symlink",
      path: byteStringOfText("usr/bin/sealroot"),
      linkPath: byteStringOfText("../lib/sealroot/bin/sealroot"),
      mode: 0o777,
    },
  };
  for (const path of ["usr/lib", "usr/lib/sealroot"]) yield directory(path);
  for (const name of globSync("**/*", { cwd: programFolder }).sort()) {
    const source = join(programFolder, name);
    const { size, mode } = lstatSync(source);
    const path = `usr/lib/sealroot/${name}`;
    if (lstatSync(source).isDirectory()) {
      yield directory(path);
      continue;
    }
    yield {
      header: {
        ...common,
        kind: "file",
        path: byteStringOfText(path),
        mode: (mode & 0o100) === 0 ? 0o644 : 0o755,
        sizeBytes: size,
      },
      body: createReadStream(source) as AsyncIterable<Uint8Array>,
    };
  }
}
