/** `sealroot init DIR`. */
import { SealrootError } from "../errors/index.ts";
import { command } from "./shared/command.ts";

const DEFAULT_IMAGE = "ghcr.io/example/os";

export const initVerb = command({
  description: `Writes the files with which a project of your own begins: a Containerfile, every step as a recipe of a justfile, what keeps
private keys out of git and out of the build, and a workflow for CI. Each says in comments what it is for.

Files of other content are never replaced; it may be run again in the same directory.`,
  arguments: [{ name: "DIR", summary: "the project's directory; made if need be" }],
  options: [
    { flags: "--base <BASE>", summary: "what the system is based on (default: debian)", choices: ["debian", "fedora"] },
    {
      flags: "--image <NAME>",
      summary: `where it will be published: HOST/NAME without a tag (default: ${DEFAULT_IMAGE})`,
    },
  ],
  reportsJson: true,
  examples: ["sealroot init my-os", "sealroot init my-os --base fedora --image quay.io/me/my-os"],
  async run(invocation) {
    const { writeStarter } = await import("../starter/index.ts");
    const base = invocation.option("base") === "fedora" ? "fedora" : "debian";
    const image = invocation.option("image") ?? DEFAULT_IMAGE;
    await checkImage(image);
    const directory = invocation.argument("DIR");
    const files = writeStarter(directory, { base, image });
    if (invocation.json) invocation.output.json({ directory, base, image, files });
    else {
      for (const file of files) invocation.output.line(file);
      invocation.output.remark(`Next: cd ${directory}, read README.md, then: just keys`);
    }
  },
});

/** It goes into a command line, and names a place of a registry. */
async function checkImage(image: string): Promise<void> {
  const { parseReference } = await import("../oci/index.ts");
  const isPlain = /^[a-z0-9.:[\]_/-]+$/.test(image) && image.includes("/") && !/:[^/]*$/.test(image);
  if (!isPlain) {
    throw new SealrootError("usage", `Cannot use --image ${image}: HOST/NAME is expected, without a tag`);
  }
  parseReference(`docker://${image}`);
}
