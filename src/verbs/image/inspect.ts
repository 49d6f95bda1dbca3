/** `sealroot image inspect NAME`. */
import { command } from "../shared/command.ts";
import { OCI_IMAGE_SUMMARY } from "../shared/image-argument.ts";
import { openSelectedRepository, REPOSITORY_OPTIONS } from "../shared/repository-option.ts";

export const imageInspect = command({
  description: `Shows an image's manifest and configuration, and the ids of its EROFS images. With --manifest or
--config the document is printed byte for byte, and a newline; otherwise the result is always JSON.`,
  arguments: [{ name: "NAME", summary: OCI_IMAGE_SUMMARY, holds: "image" }],
  options: [
    { flags: "--manifest", summary: "only the manifest" },
    { flags: "--config", summary: "only the configuration", excludes: ["manifest"] },
    ...REPOSITORY_OPTIONS,
  ],
  examples: ["sealroot image inspect --repo R debian", "sealroot image inspect --repo R --config debian"],
  reportsJson: true,
  async run(invocation) {
    const { findImage, imageKey, referrersOf } = await import("../../imagestore/index.ts");
    const [manifestOnly, configOnly] = [invocation.flag("manifest"), invocation.flag("config")];
    using repository = await openSelectedRepository(invocation);
    const image = await findImage(repository, invocation.argument("NAME"));
    if (manifestOnly || configOnly) {
      await invocation.output.bytes(manifestOnly ? image.manifestBytes : image.bytes);
      await invocation.output.bytes(Buffer.from("\n"));
      return;
    }
    const version = repository.formats.default;
    const idOf = (bootable: boolean) =>
      image.images.get(imageKey({ version, bootable, keepUserXattrs: false })) ?? null;
    invocation.output.json({
      manifest: Buffer.from(image.manifestBytes).toString("utf8"),
      config: Buffer.from(image.bytes).toString("utf8"),
      referrers: referrersOf(repository, image.manifestDigest),
      composefs_erofs: idOf(false),
      composefs_boot_erofs: idOf(true),
    });
  },
});
